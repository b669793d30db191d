"""Writes the page about a sweep that one would send to a colleague."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from harness.archive import SWEEPS, Archive
from harness.commands.arguments import add_sweep, archive_of
from harness.records import SweepFolder

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from harness.analysis.results import Results
    from harness.terminal import Terminal

HELP = "write one page about a sweep, with its tables and pictures"
add_arguments = add_sweep


def run(arguments: argparse.Namespace, terminal: "Terminal") -> int:
    """Write report.html and the tables into the sweep's folder."""
    archive = archive_of(arguments)
    folder = archive.find(arguments.sweep)
    with terminal.doing("loading"):
        from harness.analysis.results import understand
        from harness.report import pictures as charts
        from harness.report.files import write_tables
    with terminal.doing("reading the sweep"):
        results = understand(folder, arguments.reference, arguments.margin)
        write_tables(folder, results)
    with terminal.doing("drawing"):
        path = write_page(archive, folder, results, dict(charts.draw(results)))
    terminal.say(str(path))
    archive.publish()
    return 0


def write_page(
    archive: Archive, folder: SweepFolder, results: "Results", figures: Mapping[str, "Figure"]
) -> Path:
    """Write the page into the sweep's folder, and return its path.

    What belongs to no sweep is taken from the results folder, or for a sweep from elsewhere from what stands
    beside it: that of another machine would not belong to it.
    """
    from harness.report import beside
    from harness.report import page as report

    is_ours = folder.path.parent == archive.path / SWEEPS
    found = beside.read(archive.path if is_ours else folder.path.parent)
    text = report.page(results, folder.plan(), found, figures)
    folder.write_file(report.FILE, text.encode())
    return folder.path / report.FILE
