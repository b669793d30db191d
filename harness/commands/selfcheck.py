"""Checks the harness itself, on this machine and with the real programs."""

import argparse
from contextlib import suppress
from typing import TYPE_CHECKING

from harness.archive import Archive
from harness.commands.arguments import add_contenders, add_results, amount, manifest_of
from harness.errors import NothingMeasured
from harness.measure import selfcheck
from harness.measure.session import INTERRUPTED, carry_out, look_around, measuring

if TYPE_CHECKING:
    from harness.terminal import Terminal

HELP = "measure on this machine whether intervals and verdicts hold"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's flags."""
    add_contenders(parser)
    add_results(parser)
    parser.add_argument(
        "--budget",
        metavar="N",
        type=amount("seconds"),
        default=600.0,
        help="seconds for all of it (default: 600)",
    )
    parser.add_argument("--fresh", action="store_true", help="start anew even if one is unfinished")


def run(arguments: argparse.Namespace, terminal: "Terminal") -> int:
    """Make the sweeps that are still to be made, then write selfcheck.csv and selfcheck.png."""
    archive = Archive(arguments.results / "selfcheck")
    manifest = selfcheck.with_copies(manifest_of(arguments))
    options = selfcheck.options_for(arguments.budget, manifest)
    has_failed = interrupted = False
    with archive.locked(), measuring(archive, manifest, terminal):
        here = look_around(manifest, terminal)
        plan = None if arguments.fresh else selfcheck.unfinished_plan(archive, options, here)
        if plan:
            terminal.note("going on with an unfinished check")
        else:
            with terminal.counting("pilot runs", None) as advance:
                plan = selfcheck.first_plan(
                    options,
                    sweep=archive.new_name(),
                    here=here,
                    on_pilot=advance,
                )
            terminal.plan(plan)
        terminal.say(f"{selfcheck.REPEATS} such sweeps: about {selfcheck.REPEATS * plan.estimate_s:.0f} s")
        for sweep in selfcheck.sweeps(archive, plan, here):
            interrupted = carry_out(terminal, sweep)
            terminal.failures(sweep.failed, sweep.spared)
            has_failed = has_failed or bool(sweep.failed)
            if interrupted:
                break
        _report(arguments, archive, terminal)
    if interrupted:
        terminal.note("interrupted; the same command goes on from here")
        return INTERRUPTED
    return int(has_failed)


def _report(arguments: argparse.Namespace, archive: Archive, terminal: "Terminal") -> None:
    """Write the table and the picture of what the latest check showed so far, and show the table."""
    with terminal.doing("computing the results"):
        from harness.across.selfcheck import intervals, shares
        from harness.analysis.results import understand
        from harness.records import replace_file
        from harness.report import pictures_across, sentences, style
        from harness.report.files import csv

        found = []
        for folder in selfcheck.latest_group(archive):
            with suppress(NothingMeasured):
                found.append(understand(folder))
        table = intervals(found)
        if table.empty:
            terminal.note("no sweep has two timed rounds yet, so there is nothing to show")
            return
        path = arguments.results / "selfcheck.csv"
        replace_file(path, csv(table))
        replace_file(path.with_suffix(".png"), style.png(pictures_across.selfcheck(table)))
    terminal.selfcheck(shares(table), sentences.selfcheck(table))
