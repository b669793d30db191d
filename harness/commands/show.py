"""Shows the tables of a sweep again."""

import argparse
from typing import TYPE_CHECKING

from harness.commands.arguments import add_sweep, archive_of

if TYPE_CHECKING:
    from harness.terminal import Terminal

HELP = "show the tables of a sweep"
add_arguments = add_sweep


def run(arguments: argparse.Namespace, terminal: "Terminal") -> int:
    """Show what a sweep found."""
    from harness.analysis.results import understand

    folder = archive_of(arguments).find(arguments.sweep)
    terminal.results(understand(folder, arguments.reference, arguments.margin))
    return 0
