"""Measure, and write a sweep into the results folder."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.archive import Archive, folders_in
from harness.commands.arguments import (
    access_of,
    add_cases,
    add_contenders,
    add_job,
    add_numbers,
    add_results,
    add_scheduler,
    archive_of,
    manifest_of,
    options_of,
    percent,
)
from harness.commands.join import join
from harness.errors import INTERRUPTED, NothingMeasured, UsageError
from harness.machines.cluster import Access
from harness.machines.sweeps import Wanted, measure
from harness.measure.contenders import Contender
from harness.measure.session import alone, begin, carry_out, look_around, measuring, resumed
from harness.measure.sweep import Sweep
from harness.plan import DEFAULT_SHAPES, Options

if TYPE_CHECKING:
    from harness.terminal import Terminal

_WHERE = ("--results", "--scheduler", "--tls", "--split", "--same-work", "--fresh", "--resume")
"""How the flags begin that do not say what is measured."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's flags."""
    add_contenders(parser)
    add_results(parser)
    add_cases(parser, DEFAULT_SHAPES)
    default = Options()
    add_numbers(
        parser,
        rounds=(None, "timed rounds of every case, after one that warms up (default: as many as fit)"),
        run_s=(default.run_s, "seconds that the slowest contender trains in a run"),
        timeout_s=(default.timeout_s, "seconds after which a run is ended"),
        budget_s=(default.budget_s, "seconds for the whole sweep"),
        layouts=(default.layouts, "links of each program that take turns, its code elsewhere in each"),
        seed=(default.seed, "seed of every run"),
        memory_bytes=(None, "GiB that a run may take (default: nine tenths of what is free)"),
    )
    add_job(parser)
    parser.add_argument(
        "--precision",
        metavar="PERCENT",
        type=percent,
        help="as many rounds as bring intervals of training to about ± so many percent, if --budget has room",
    )
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--fresh", action="store_true", help="start a new sweep even if one is unfinished")
    again.add_argument(
        "--resume", action="store_true", help="finish the latest sweep, whatever the other options say"
    )
    add_scheduler(parser)


def run(arguments: argparse.Namespace, terminal: "Terminal") -> int:
    """Build, plan or resume, measure, and show the results; 1 if a run failed."""
    if arguments.rounds and arguments.precision:
        raise UsageError("--precision: rounds follow from it; leave --rounds out")
    if arguments.precision and arguments.precision >= 1.0:
        raise UsageError(f"--precision: got {arguments.precision:.0%}, takes less than 100%")
    if arguments.precision and arguments.layouts > 1:
        raise UsageError("--precision: with --layouts it is their number that decides; leave one out")
    manifest, options = manifest_of(arguments), options_of(arguments)
    if access := access_of(arguments):
        if options.layouts > 1:
            raise UsageError("--layouts: workers don't link programs anew; leave --scheduler out")
        status = _elsewhere(arguments, options, access, terminal)
    else:
        status = _here(arguments, manifest, options, terminal)
    if status == INTERRUPTED:
        terminal.note("interrupted; the same command resumes it")
    return status


def _here(
    arguments: argparse.Namespace, manifest: Sequence[Contender], options: Options, terminal: "Terminal"
) -> int:
    archive = archive_of(arguments)
    with alone(archive, terminal), measuring(archive, manifest, terminal, options.layouts):
        here = look_around(manifest, terminal, arguments.contenders)
        here = replace(here, environment={**here.environment, "command": _command(arguments)})
        asked = None if arguments.resume else options
        sweep = None if arguments.fresh else resumed(archive, asked, here, terminal)
        if sweep is None and arguments.resume:
            raise UsageError("--resume: there is nothing to resume; leave the option out")
        sweep = sweep or begin(archive, options, here, terminal)
        terminal.plan(sweep.plan)
        interrupted = carry_out([sweep], terminal)
        status = _report(sweep, archive, terminal)
    return INTERRUPTED if interrupted else status


def _command(arguments: argparse.Namespace) -> list[str]:
    """Return the words typed after bench that say what is measured, on any machine."""
    where = (*_WHERE, "--manifest") if arguments.manifest.is_absolute() else _WHERE
    kept, is_kept = [], True
    for word in arguments.words:
        if word.startswith("--"):
            is_kept = not word.startswith(where)
        if is_kept:
            kept.append(word)
    return kept


def _elsewhere(arguments: argparse.Namespace, options: Options, access: Access, terminal: "Terminal") -> int:
    """Measure on other machines and join what they found; 1 if one did not finish."""
    wanted = Wanted(
        options=options,
        access=access,
        command=_command(arguments),
        look={"manifest": arguments.manifest.read_text("utf-8"), "contenders": arguments.contenders},
        split=arguments.split,
        same_work=arguments.same_work,
        fresh=arguments.fresh,
        resume=arguments.resume,
    )
    archive = archive_of(arguments)
    with archive.locked():
        path, status = measure(wanted, archive, terminal)
        try:
            join(folders_in(path), path, terminal)
        except NothingMeasured as nothing:
            terminal.note(str(nothing))
    return status


def _report(sweep: Sweep, archive: Archive, terminal: "Terminal") -> int:
    """Write the tables and show them; return 1 if a run failed or is lost."""
    lost = sweep.lost()
    if lost:
        terminal.error(
            f"{sweep.folder.path}: the rows of {len(lost)} runs are gone, first {lost[0]}: runs.csv was"
            " changed meanwhile; the same command makes them again"
        )
    try:
        with terminal.doing("computing the results"):
            from harness.analysis.results import understand
            from harness.report.files import write_tables
            from harness.report.tables import shown

            results = understand(sweep.folder)
            write_tables(sweep.folder, results)
            archive.publish()
        terminal.show(*shown(results))
    except NothingMeasured as nothing:
        terminal.note(str(nothing))
    return int(bool(lost or sweep.edited or sweep.failed))
