"""Prints a sweep in the format of another tool."""

import argparse
from typing import TYPE_CHECKING

from harness.commands.arguments import add_sweep, archive_of

if TYPE_CHECKING:
    from harness.terminal import Terminal

HELP = "print a sweep in the format of another tool"
_FORMATS = ("hyperfine", "pytest-benchmark", "github-action-benchmark", "markdown")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's flags."""
    add_sweep(parser)
    parser.add_argument("--format", choices=_FORMATS, required=True, help=f"one of {', '.join(_FORMATS)}")


def run(arguments: argparse.Namespace, terminal: "Terminal") -> int:
    """Write the sweep to standard output."""
    from harness.analysis.results import understand
    from harness.report import formats

    results = understand(archive_of(arguments).find(arguments.sweep), arguments.reference, arguments.margin)
    write = getattr(formats, arguments.format.replace("-", "_"))
    terminal.say(write(results))
    return 0
