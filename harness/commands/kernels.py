"""Collect the results of the in-process benchmarks."""

import argparse
from pathlib import Path

from harness.commands.arguments import add_results
from harness.records import replace_file
from harness.terminal import Terminal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add its flags."""
    add_results(parser)
    about = "a contender, and the file that pytest-benchmark wrote or the folder that Criterion did"
    parser.add_argument("measured", nargs="+", metavar="NAME=PATH", type=_named_path, help=about)


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Write kernels.csv, and show the table."""
    from harness.analysis import kernels
    from harness.report import files, tables_across

    of_pytest = {name: path for name, path in arguments.measured if not path.is_dir()}
    of_criterion = {name: path for name, path in arguments.measured if path.is_dir()}
    table = kernels.gather(of_pytest, of_criterion)
    replace_file(arguments.results / "kernels.csv", files.csv(table))
    terminal.show(tables_across.kernels(table))
    return 0


def _named_path(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise ValueError(f"got {text!r}, takes NAME=PATH")
    return name, Path(path)
