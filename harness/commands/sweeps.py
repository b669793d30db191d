"""Lists the sweeps of a results folder."""

import argparse
from typing import TYPE_CHECKING

from harness.commands.shared import add_results, archive_of

if TYPE_CHECKING:
    from harness.console import Terminal

HELP = "list the sweeps, the latest last"
add_arguments = add_results


def run(arguments: argparse.Namespace, terminal: "Terminal") -> int:
    """Show when and where each sweep was made, by whom, and what became of it."""
    archive = archive_of(arguments)
    terminal.sweeps(archive.sweeps())
    return 0
