"""Holds the article's claims against what was measured."""

import argparse
from typing import TYPE_CHECKING

from harness import claims
from harness.commands.arguments import add_contenders, add_sweep, archive_of, manifest_of, results_of
from harness.measure import article
from harness.measure.contenders import lineup
from harness.measure.runner import guarded
from harness.records import replace_file

if TYPE_CHECKING:
    from harness.terminal import Terminal

HELP = "hold the article's claims against what was measured"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's flags."""
    add_sweep(parser)
    add_contenders(parser)


def run(arguments: argparse.Namespace, terminal: "Terminal") -> int:
    """Train with many seeds as the article did, time flat and nested weights, and judge; write claims.csv."""
    said = claims.load()
    archive = archive_of(arguments)
    folder = archive.find(arguments.sweep)
    with guarded():
        present = lineup(manifest_of(arguments)).present
        with terminal.counting("seeds", claims.SEEDS * len(said.run)) as advance:
            seeds = list(article.losses(present, said.run, advance, terminal.note))
        with terminal.counting("flat and nested weights", claims.ROUNDS * len(said.storage)) as advance:
            storages = list(article.storages(said.storage, advance, terminal.note))
    import pandas as pd

    from harness.analysis import article as reader
    from harness.report import tables_across
    from harness.report.files import csv

    measured = {
        "seeds.csv": pd.DataFrame(seeds, columns=reader.SEEDS),
        "storage.csv": pd.DataFrame(storages, columns=reader.STORAGE),
    }
    table = reader.judged(said, results_of(arguments, folder), measured["storage.csv"], measured["seeds.csv"])
    for name, content in {**measured, "claims.csv": table}.items():
        replace_file(archive.path / name, csv(content))
    terminal.show(tables_across.claims(table))
    return 0
