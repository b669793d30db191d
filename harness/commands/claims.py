"""Holds the article's claims against what was measured."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from harness import claims
from harness.commands.shared import add_contenders, add_sweep, archive_of, manifest_of, results_of
from harness.measure.attempt import attempt
from harness.measure.contenders import Contender, lineup
from harness.measure.runner import guarded
from harness.records import replace_file

if TYPE_CHECKING:
    from harness.console import Terminal

HELP = "hold the article's claims against what was measured"
_TIMEOUT_S = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's flags."""
    add_sweep(parser)
    add_contenders(parser)
    parser.add_argument(
        "--storage",
        nargs="+",
        default=[],
        metavar="NAME=FILE",
        help="the seconds of flat and nested forward passes, by contender",
    )


def run(arguments: argparse.Namespace, terminal: "Terminal") -> int:
    """Train with many seeds as the article did, and write claims.csv; show it."""
    article = claims.load()
    manifest = manifest_of(arguments)
    with guarded():
        present = lineup(manifest).present
        quickest = min(present, key=lambda contender: _seconds(contender, article.run[0]))
        lines = [["run", "seed", "contender", "initial_loss", "final_loss"]]
        with terminal.counting("seeds", claims.SEEDS * len(article.run)) as advance:
            for published in article.run:
                for seed in range(1, claims.SEEDS + 1):
                    made = attempt(quickest, published.case(seed), timeout_s=_TIMEOUT_S, memory_bytes=None)
                    if made.output:
                        losses = made.output.losses
                        ends = repr(losses[0]), repr(losses[-1])
                        lines.append([published.name, str(seed), quickest.name, *ends])
                    else:
                        terminal.note(f"{quickest.name}, seed {seed}: {made.error}")
                    advance()
    seeds = arguments.results / "seeds.csv"
    replace_file(seeds, "".join(f"{','.join(line)}\n" for line in lines).encode())
    return _report(arguments, terminal, seeds)


def _seconds(contender: Contender, published: claims.Published) -> float:
    made = attempt(contender, published.case(1), timeout_s=_TIMEOUT_S, memory_bytes=None)
    return made.process.wall_s if made.output else _TIMEOUT_S


def _report(arguments: argparse.Namespace, terminal: "Terminal", seeds: Path) -> int:
    import pandas as pd

    from harness.read import claims as reader
    from harness.read.exports import csv

    parts = []
    for word in arguments.storage:
        name, _, path = word.partition("=")
        parts.append(reader.read(Path(path), reader.STORAGE[1:]).assign(contender=name))
    storage = arguments.results / "storage.csv"
    if parts:
        replace_file(storage, csv(pd.concat(parts)[reader.STORAGE]))
    results = results_of(arguments, archive_of(arguments).find(arguments.sweep))
    table = reader.judged(
        claims.load(), results, reader.read(storage, reader.STORAGE), reader.read(seeds, reader.SEEDS)
    )
    replace_file(arguments.results / "claims.csv", csv(table))
    terminal.claims(table)
    return 0
