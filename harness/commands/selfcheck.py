"""Measure on this machine whether intervals and verdicts hold."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.archive import SELFCHECK, Archive
from harness.case import ARTICLE, METHODS
from harness.commands.arguments import add_contenders, add_numbers, add_results, manifest_of, options_of
from harness.errors import INTERRUPTED
from harness.measure.contenders import Contender
from harness.measure.session import begin, carry_out, look_around, measuring, resumed
from harness.plan import Plan
from harness.records import SweepFolder

if TYPE_CHECKING:
    from harness.terminal import Terminal

PARTS = 20
"""How many sweeps the one that is made counts as: its rounds are cut into so many."""
_EXTRA = (0.0, 0.02, 0.05, 0.1, 0.2)
"""By how much longer the copies of the reference train."""
_EPOCHS = 100
"""Of every run, so that a hundredth of them can be told apart."""


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
    manifest = _with_copies(manifest_of(arguments))
    method = next(method for method in METHODS if method in manifest[0].methods)
    options = options_of(arguments, shapes=(ARTICLE,), methods=(method,), budget_s=arguments.budget_s / PARTS)
    with archive.locked(), measuring(archive, manifest, terminal):
        here = look_around(manifest, terminal)
        sweep = None if arguments.fresh else resumed(archive, options, here, terminal)
        sweep = sweep or begin(archive, options, here, terminal, adapted=_repeated)
        terminal.plan(sweep.plan)
        terminal.say(f"The rounds are cut into {PARTS} parts, each as if it were a sweep.")
        interrupted = carry_out([sweep], terminal)
        _report(arguments, sweep.folder, terminal)
    if interrupted:
        terminal.note("interrupted; the same command resumes it")
        return INTERRUPTED
    return int(bool(sweep.failed))


def _with_copies(contenders: Sequence[Contender]) -> list[Contender]:
    """Return the contenders and copies of the reference with more and more work."""
    one = contenders[0]
    copies = (replace(one, name=f"{one.name} +{more:.0%}", extra_epochs=more, build=()) for more in _EXTRA)
    return [*contenders, *copies]


def _repeated(plan: Plan) -> Plan:
    """Return the plan with the rounds of all parts, and so many epochs."""
    cases = []
    for planned in plan.cases:
        samples = max(1, planned.case.training_steps // _EPOCHS)
        case = replace(planned.case, samples=samples, epochs=_EPOCHS)
        cases.append(replace(planned, case=case, rounds=PARTS * planned.rounds))
    return replace(plan, cases=tuple(cases))


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
