"""Shows the tables of a sweep again."""

import argparse
from typing import TYPE_CHECKING

from harness.commands.arguments import add_sweep, archive_of, results_of

if TYPE_CHECKING:
    from harness.terminal import Terminal

HELP = "show the tables of a sweep"
add_arguments = add_sweep


def run(arguments: argparse.Namespace, terminal: "Terminal") -> int:
    """Show what a sweep found."""
    terminal.results(results_of(arguments, archive_of(arguments).find(arguments.sweep)))
    return 0
