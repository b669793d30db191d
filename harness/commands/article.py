"""Hold the article's claims against what was measured, and show where the time of its run goes."""

import argparse
from typing import Any

from harness import claims
from harness.commands.arguments import add_contenders, add_numbers, add_sweep, archive_of, manifest_of
from harness.measure import article
from harness.measure.runner import guarded
from harness.measure.session import alone, look_around
from harness.records import replace_file
from harness.terminal import Terminal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's flags."""
    add_sweep(parser)
    add_contenders(parser)
    add_numbers(parser, rounds=(7, "rounds of the runs that lack a part"))


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Train as the article did, with many seeds and without parts; time flat and nested weights; judge."""
    said = claims.load()
    archive = archive_of(arguments)
    folder = archive.find(arguments.sweep)
    with alone(archive, terminal), guarded():
        present = look_around(manifest_of(arguments), terminal, arguments.contenders).contenders
        failed: list[str] = []
        measured: dict[str, list[Any]] = {
            "seeds.csv": list(article.losses(present, said.run, terminal, failed)),
            "storage.csv": list(article.storages(said.storage, terminal, failed)),
            "parts.csv": list(article.parts(present, arguments.rounds, terminal, failed)),
        }
    for line in dict.fromkeys(failed):
        terminal.note(line)
    import pandas as pd

    from harness.analysis import article as reader
    from harness.analysis.results import understand
    from harness.report import pictures_across, style, tables_across
    from harness.report.files import csv

    tables = {name: pd.DataFrame(lines, columns=reader.FILES[name]) for name, lines in measured.items()}
    results = understand(folder, arguments.reference, arguments.margin)
    judged = reader.judged(said, results, tables["storage.csv"], tables["seeds.csv"])
    for name, table in {**tables, "claims.csv": judged}.items():
        # What nobody has measured does not replace what was.
        if len(table):
            replace_file(archive.path / name, csv(table))
    terminal.show(tables_across.claims(judged))
    parts = reader.parts(tables["parts.csv"], results)
    replace_file(archive.path / "parts.png", style.png(pictures_across.parts(parts)))
    terminal.show(tables_across.parts(parts))
    return int(bool(failed) or any(table.empty for table in tables.values()))
