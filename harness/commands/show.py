"""Shows the tables of a sweep again."""

import argparse
from typing import TYPE_CHECKING

from harness.commands.shared import add_sweep, archive_of

if TYPE_CHECKING:
    from harness.console import Terminal

HELP = "show the tables of a sweep"
add_arguments = add_sweep


def run(arguments: argparse.Namespace, terminal: "Terminal") -> int:
    """Show what a sweep found."""
    from harness.read.results import understand

    archive = archive_of(arguments)
    terminal.results(understand(archive.find(arguments.sweep), arguments.reference))
    return 0
