"""Measure, and write a sweep into the results folder."""

import argparse

from harness.archive import Archive, folders_in
from harness.commands import arguments as flags
from harness.commands.join import join
from harness.errors import NothingMeasured, UsageError
from harness.machines.cluster import Access
from harness.machines.sweeps import Wanted, measure
from harness.measure.session import alone, carry_out, measuring, take_up
from harness.plan import DEFAULT_SHAPES, Options
from harness.records import SweepFolder
from harness.terminal import Terminal

_WHERE = ("--results", "--scheduler", "--tls", "--split", "--same-work", "--fresh")
"""Beginnings of flags that do not say what is measured."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add its flags."""
    flags.add_contenders(parser)
    flags.add_results(parser)
    flags.add_cases(parser, DEFAULT_SHAPES)
    default = Options()
    rounds = parser.add_mutually_exclusive_group()
    flags.add_numbers(
        rounds,
        rounds=(None, "timed rounds of every case, after one that warms up (default: as many as fit)"),
    )
    rounds.add_argument(
        "--precision",
        metavar="PERCENT",
        type=flags.percent,
        help="as many rounds as bring intervals of training to about ± this many percent, if --budget allows",
    )
    flags.add_numbers(
        parser,
        run_s=(default.run_s, "seconds that the slowest contender trains in a run"),
        timeout_s=(default.timeout_s, "seconds after which a run is ended"),
        budget_s=(default.budget_s, "seconds for the whole sweep"),
        layouts=(default.layouts, flags.LAYOUTS),
        seed=(default.seed, "seed of every run"),
        memory_bytes=(None, "GiB that a run may take (default: nine tenths of what is free)"),
    )
    flags.add_job(parser)
    parser.add_argument("--fresh", action="store_true", help="start a new sweep even if one is unfinished")
    flags.add_scheduler(parser)


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Build, plan or resume, measure, show the results; 1 if a run failed."""
    access = flags.access_of(arguments)
    if arguments.layouts > 1 and arguments.precision:
        raise UsageError("--precision: with --layouts their number decides; leave one out")
    if arguments.layouts > 1 and access:
        raise UsageError("--layouts: workers do not relink programs; leave --scheduler out")
    return _elsewhere(arguments, access, terminal) if access else _here(arguments, terminal)


def _here(arguments: argparse.Namespace, terminal: Terminal) -> int:
    archive, manifest = Archive(arguments.results), flags.manifest_of(arguments)
    options, names, command = flags.options_of(arguments), arguments.contenders, _command(arguments)
    with (
        alone(archive, terminal),
        measuring(archive, manifest, names, terminal, layouts=options.layouts, command=command) as here,
    ):
        sweep = take_up(archive, options, here, terminal, fresh=arguments.fresh)
        terminal.plan(sweep.plan)
        status = carry_out(sweep, terminal)
        _report(sweep.folder, archive, terminal)
    return status


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


def _elsewhere(arguments: argparse.Namespace, access: Access, terminal: Terminal) -> int:
    flags.manifest_of(arguments)
    wanted = Wanted(
        options=flags.options_of(arguments),
        access=access,
        command=_command(arguments),
        look={"manifest": arguments.manifest.read_text("utf-8"), "contenders": arguments.contenders},
        split=arguments.split,
        same_work=arguments.same_work,
        fresh=arguments.fresh,
    )
    archive = Archive(arguments.results)
    with archive.locked():
        path, status = measure(wanted, archive, terminal)
        try:
            join(folders_in(path), path, terminal)
        except NothingMeasured as nothing:
            terminal.note(str(nothing))
    return status


def _report(folder: SweepFolder, archive: Archive, terminal: Terminal) -> None:
    try:
        with terminal.doing("computing the results"):
            from harness.analysis.results import understand
            from harness.report import files, tables

            results = understand(folder)
            files.write_tables(folder, results)
            archive.publish()
        terminal.show(*tables.shown(results))
    except NothingMeasured as nothing:
        terminal.note(str(nothing))
