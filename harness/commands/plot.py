"""Draws the pictures of a sweep, and writes its tables."""

import argparse
from typing import TYPE_CHECKING

from harness.commands.shared import add_sweep, archive_of, results_of

if TYPE_CHECKING:
    from harness.console import Terminal

HELP = "draw the pictures of a sweep, and write its tables"
add_arguments = add_sweep


def run(arguments: argparse.Namespace, terminal: "Terminal") -> int:
    """Write every picture and table of a sweep into its folder."""
    archive = archive_of(arguments)
    folder = archive.find(arguments.sweep)
    with terminal.doing("loading"):
        from harness.read import charts, style
        from harness.read.exports import write_tables
    with terminal.doing("reading the sweep"):
        results = results_of(arguments, folder)
        write_tables(folder, results)
    for name, figure in charts.draw(results):
        with terminal.doing(f"drawing {name}"):
            folder.write_file(name, style.png(figure))
        terminal.say(str(folder.path / name))
    archive.publish()
    return 0
