"""Draws the pictures of a sweep, and writes its tables and its page."""

import argparse
from typing import TYPE_CHECKING

from harness.commands.arguments import add_sweep, archive_of
from harness.commands.report import write_page

if TYPE_CHECKING:
    from harness.terminal import Terminal

HELP = "draw the pictures of a sweep, and write its tables and its page"
add_arguments = add_sweep


def run(arguments: argparse.Namespace, terminal: "Terminal") -> int:
    """Write every picture and table of a sweep into its folder, and the page that has them all."""
    archive = archive_of(arguments)
    folder = archive.find(arguments.sweep)
    with terminal.doing("loading"):
        from harness.analysis.results import understand
        from harness.report import pictures as charts
        from harness.report import style
        from harness.report.files import write_tables
    with terminal.doing("reading the sweep"):
        results = understand(folder, arguments.reference, arguments.margin)
        write_tables(folder, results)
    figures = {}
    for name, figure in charts.draw(results):
        with terminal.doing(f"drawing {name}"):
            folder.write_file(name, style.png(figure))
        terminal.say(str(folder.path / name))
        figures[name] = figure
    with terminal.doing("writing the page"):
        page = write_page(archive, folder, results, figures)
    terminal.say(str(page))
    archive.publish()
    return 0
