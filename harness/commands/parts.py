"""Finds out where the time of the article's run goes."""

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.case import ARTICLE, METHODS, Case
from harness.commands.arguments import add_contenders, add_results, manifest_of, whole
from harness.measure.attempt import attempt
from harness.measure.contenders import lineup
from harness.measure.runner import guarded
from harness.records import explained, replace_file

if TYPE_CHECKING:
    from harness.terminal import Terminal

HELP = "find out where the time of the article's run goes: start-up, data, compiling, training, printing"
_TIMEOUT_S = 120.0
_ARTICLE = Case(
    shape=ARTICLE,
    method=METHODS[0],
    samples=100,
    epochs=100,
    step=0.1,
    learning_rate=0.01,
    low=0.0,
    high=1.0,
    seed=1,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's flags."""
    add_results(parser)
    add_contenders(parser)
    parser.add_argument("--rounds", type=whole(1, 1000), default=7, metavar="N", help="rounds (default: 7)")


def run(arguments: argparse.Namespace, terminal: "Terminal") -> int:
    """Run the article's case and three that lack a part of it; write parts.csv and parts.png."""
    present = lineup(manifest_of(arguments)).present
    with explained(arguments.results, "cannot be created", "name another folder with --results"):
        arguments.results.mkdir(parents=True, exist_ok=True)
    runs = [
        (contender, method, what, replace(_ARTICLE, method=method, samples=samples, epochs=epochs))
        for method in (METHODS[0], METHODS[-1])
        for contender in present
        if method in contender.methods
        for what, samples, epochs in (
            ("whole", 100, 100),
            ("one epoch", 10_000, 1),
            ("no epoch", 100, 0),
            ("one sample", 1, 0),
        )
    ]
    lines = []
    with guarded(), terminal.counting("runs", len(runs) * (arguments.rounds + 1)) as advance:
        for number in range(arguments.rounds + 1):
            for contender, method, what, case in runs[::-1] if number % 2 else runs:
                made = attempt(contender, case, timeout_s=_TIMEOUT_S, memory_bytes=None)
                if made.failure:
                    terminal.note(f"{contender.name} {case}: {made.error}")
                elif made.output and number:
                    seconds = made.process.wall_s, made.output.training_s, made.output.compile_s or 0.0
                    lines.append((contender.name, method, what, number, *seconds))
                advance()
    import pandas as pd

    from harness.analysis import parts
    from harness.report import pictures_across, style, tables_across
    from harness.report.files import csv

    path = arguments.results / "parts.csv"
    made_runs = pd.DataFrame(lines, columns=parts.RUNS)
    replace_file(path, csv(made_runs))
    table = parts.parts(made_runs)
    replace_file(path.with_suffix(".png"), style.png(pictures_across.parts(table)))
    terminal.show(tables_across.parts(table))
    return 0
