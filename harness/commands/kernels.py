"""Gather what the in-process benchmarks measured."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from harness.commands.arguments import add_results
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.terminal import Terminal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's flags."""
    add_results(parser)
    for flag, what in (
        ("--pytest-benchmark", "file that --benchmark-json wrote"),
        ("--criterion", "folder of Criterion's"),
    ):
        parser.add_argument(
            flag,
            type=_named_path,
            metavar="NAME=PATH",
            nargs="+",
            default=[],
            help=f"a contender and the {what}",
        )


def run(arguments: argparse.Namespace, terminal: "Terminal") -> int:
    """Write kernels.csv, and show the table."""
    from harness.analysis import kernels
    from harness.records import replace_file
    from harness.report import tables_across
    from harness.report.files import csv

    if not arguments.pytest_benchmark and not arguments.criterion:
        raise UsageError("kernels: takes --pytest-benchmark NAME=FILE, --criterion NAME=FOLDER or both")
    table = kernels.gather(dict(arguments.pytest_benchmark), dict(arguments.criterion))
    replace_file(arguments.results / "kernels.csv", csv(table))
    terminal.show(tables_across.kernels(table))
    return 0


def _named_path(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise argparse.ArgumentTypeError(f"got {text!r}, takes NAME=PATH")
    return name, Path(path)
