"""Measures: makes a sweep, or goes on with one, and shows what it found."""

import argparse
from dataclasses import fields
from typing import TYPE_CHECKING

from harness.archive import Archive, folders_in
from harness.commands.arguments import (
    access_of,
    add_cases,
    add_contenders,
    add_results,
    add_scheduler,
    amount,
    archive_of,
    manifest_of,
    whole,
)
from harness.commands.join import join
from harness.errors import NothingMeasured, UsageError
from harness.machines.cluster import Access
from harness.machines.sweeps import Wanted, measure
from harness.measure.contenders import Manifest
from harness.measure.session import INTERRUPTED, begin, carry_out, look_around, measuring
from harness.measure.sweep import Sweep, resumed
from harness.plan import DEFAULT_SHAPES, MOST_ROUNDS, Options

if TYPE_CHECKING:
    from harness.terminal import Terminal

HELP = "measure, and write a sweep into the results folder"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's flags."""
    add_contenders(parser)
    add_results(parser)
    add_cases(parser, DEFAULT_SHAPES)
    defaults = {field.name: field.default for field in fields(Options)}
    for flag, name, kind, text in (
        ("--rounds", "rounds", whole(1, MOST_ROUNDS), "timed rounds of every case, after one that warms up"),
        ("--seconds", "run_s", amount("seconds"), "seconds that the slowest contender trains in a run"),
        ("--timeout", "timeout_s", amount("seconds"), "seconds after which a run is ended"),
        ("--budget", "budget_s", amount("seconds"), "seconds for the whole sweep"),
        ("--seed", "seed", whole(0), "seed of every run"),
    ):
        default = defaults[name]
        shown = "as many as fit into the budget" if default is None else f"{default:g}"
        parser.add_argument(
            flag, dest=name, metavar="N", type=kind, default=default, help=f"{text} (default: {shown})"
        )
    parser.add_argument(
        "--memory",
        metavar="GIB",
        type=amount("GiB"),
        help="memory that a run may take, in GiB (default: nine tenths of what the machine has free)",
    )
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--fresh", action="store_true", help="start a new sweep even if one is unfinished")
    again.add_argument(
        "--resume", action="store_true", help="finish the latest sweep, whatever the other options say"
    )
    add_scheduler(parser)


def run(arguments: argparse.Namespace, terminal: "Terminal") -> int:
    """Build, plan or resume, measure, and show the results; 1 if a run failed."""
    manifest, options = manifest_of(arguments), _options(arguments)
    if access := access_of(arguments):
        return _elsewhere(arguments, options, access, terminal)
    archive = archive_of(arguments)
    with archive.locked(), measuring(archive, manifest, terminal):
        sweep = _sweep(arguments, terminal, archive, options, manifest)
        terminal.plan(sweep.plan)
        interrupted = carry_out(terminal, sweep)
        return _report(sweep, archive, terminal, interrupted=interrupted)


def _elsewhere(arguments: argparse.Namespace, options: Options, access: Access, terminal: "Terminal") -> int:
    """Measure on other machines and join what they found; 1 if one did not finish."""
    wanted = Wanted(
        options=options,
        access=access,
        look={
            "manifest": arguments.manifest.read_text(encoding="utf-8"),
            "contenders": arguments.contenders,
        },
        split=arguments.split,
        same_work=arguments.same_work,
        fresh=arguments.fresh,
        resume=arguments.resume,
    )
    archive = archive_of(arguments)
    with archive.locked():
        outcome = measure(wanted, archive, terminal)
        try:
            join(folders_in(outcome.path), outcome.path, terminal)
        except NothingMeasured as nothing:
            terminal.note(str(nothing))
    for line in outcome.given_up:
        terminal.error(line)
    if outcome.status == INTERRUPTED:
        terminal.note("interrupted; the same command goes on from here")
    return outcome.status


def _options(arguments: argparse.Namespace) -> Options:
    return Options(
        shapes=tuple(dict.fromkeys(arguments.shapes)),
        methods=tuple(dict.fromkeys(arguments.methods)),
        memory_bytes=int(arguments.memory * 2**30) if arguments.memory else None,
        **{name: getattr(arguments, name) for name in ("rounds", "run_s", "timeout_s", "budget_s", "seed")},
    )


def _sweep(
    arguments: argparse.Namespace,
    terminal: "Terminal",
    archive: Archive,
    options: Options,
    manifest: Manifest,
) -> Sweep:
    """Return the unfinished sweep that this command line goes on with, or a new one."""
    here = look_around(manifest, terminal)
    latest = next(reversed(archive.sweeps()), None)
    if latest is not None and not arguments.fresh:
        for name in latest.set_half_lines_aside():
            terminal.note(f"the last line of {name} was only half written: it is now in {name}.half")
        asked = None if arguments.resume else options
        sweep, obstacle = resumed(latest, asked, here)
        if sweep and not obstacle:
            terminal.note(f"going on with sweep {latest.name}")
            return sweep
        if obstacle:
            terminal.note(f"sweep {latest.name} stays unfinished: {obstacle}")
    if arguments.resume:
        raise UsageError("--resume: there is no sweep to go on with; leave the option out")
    return begin(archive, options, here, terminal)


def _report(sweep: Sweep, archive: Archive, terminal: "Terminal", *, interrupted: bool) -> int:
    """Write the tables and show them; return the exit status."""
    lost = sweep.lost()
    terminal.failures(sweep.failed, sweep.spared)
    if lost:
        terminal.error(
            f"{sweep.folder.path}: the rows of {len(lost)} runs are gone, the first of {lost[0]}: somebody"
            " else has changed runs.csv; the same command makes these runs again"
        )
    try:
        with terminal.doing("computing the results"):
            from harness.analysis.results import understand
            from harness.report.files import write_tables

            results = understand(sweep.folder)
            write_tables(sweep.folder, results)
            archive.publish()
        terminal.results(results)
    except NothingMeasured as nothing:
        terminal.note(str(nothing))
    if interrupted:
        terminal.note("interrupted; the same command goes on from here")
        return INTERRUPTED
    return int(bool(lost or sweep.failed))
