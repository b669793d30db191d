"""Measure on this machine whether intervals and verdicts hold."""

import argparse
from typing import TYPE_CHECKING

from harness.archive import SELFCHECK, Archive
from harness.case import ARTICLE, METHODS
from harness.commands.arguments import add_contenders, add_numbers, add_results, manifest_of, options_of
from harness.errors import INTERRUPTED
from harness.measure import selfcheck
from harness.measure.session import begin, carry_out, look_around, measuring, resumed
from harness.records import SweepFolder

if TYPE_CHECKING:
    from harness.terminal import Terminal

PARTS = 20
"""Into how many sweeps the rounds of one are cut."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's flags."""
    add_contenders(parser)
    add_results(parser)
    add_numbers(
        parser,
        budget_s=(600, "seconds for all of it"),
        rounds=(None, f"timed rounds of each of the {PARTS} parts (default: as many as fit)"),
    )
    parser.add_argument("--fresh", action="store_true", help="start anew even if one is unfinished")


def run(arguments: argparse.Namespace, terminal: "Terminal") -> int:
    """Make or resume a sweep, then write selfcheck.csv and selfcheck.png."""
    archive = Archive(arguments.results / SELFCHECK)
    manifest = selfcheck.with_copies(manifest_of(arguments))
    method = next(method for method in METHODS if method in manifest.contenders[0].methods)
    options = options_of(arguments, shapes=(ARTICLE,), methods=(method,), budget_s=arguments.budget_s / PARTS)
    with archive.locked(), measuring(archive, manifest, terminal):
        here = look_around(manifest, terminal)
        sweep = None if arguments.fresh else resumed(archive, options, here, terminal)
        sweep = sweep or begin(
            archive, options, here, terminal, adapted=lambda plan: selfcheck.repeated(plan, PARTS)
        )
        terminal.plan(sweep.plan)
        terminal.say(f"The rounds are cut into {PARTS} parts, each as if it were a sweep.")
        interrupted = carry_out([sweep], terminal)
        _report(arguments, sweep.folder, terminal)
    if interrupted:
        terminal.note("interrupted; the same command goes on from here")
        return INTERRUPTED
    return int(bool(sweep.failed))


def _report(arguments: argparse.Namespace, folder: SweepFolder, terminal: "Terminal") -> None:
    """Write the table and the picture of the rounds so far, and show the table."""
    with terminal.doing("computing the results"):
        from harness.across.selfcheck import intervals, shares
        from harness.records import replace_file
        from harness.report import pictures_across, sentences, style, tables_across
        from harness.report.files import csv

        table = intervals(folder, PARTS)
        if table.empty:
            terminal.note("no part has two timed rounds yet, so there is nothing to show")
            return
        path = arguments.results / "selfcheck.csv"
        replace_file(path, csv(table))
        replace_file(path.with_suffix(".png"), style.png(pictures_across.selfcheck(table)))
    terminal.show(tables_across.selfcheck(shares(table)), sentences.selfcheck(table))
