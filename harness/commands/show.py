"""Show the tables of a sweep, or print it in the format of another tool."""

import argparse

from harness.archive import Archive
from harness.commands.arguments import add_sweep
from harness.terminal import Terminal

_FORMATS = ("table", "markdown", "hyperfine", "pytest-benchmark")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add its flags."""
    add_sweep(parser)
    parser.add_argument("--format", choices=_FORMATS, default="table", help="default: table")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Show what a sweep found."""
    from harness.analysis.results import understand
    from harness.report import files, tables

    folder = Archive(arguments.results).find(arguments.sweep)
    results = understand(folder, arguments.reference, arguments.margin)
    if arguments.format == "table":
        terminal.show(*tables.shown(results))
    else:
        terminal.say(files.FORMATS[arguments.format](results))
    return 0
