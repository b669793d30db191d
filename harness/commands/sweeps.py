"""Lists the sweeps of a results folder; follows one case through them."""

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from harness.archive import Archive
from harness.case import METHODS, Shape
from harness.commands.arguments import add_results, archive_of
from harness.errors import ResultsError, UsageError
from harness.records import replace_file

if TYPE_CHECKING:
    from harness.terminal import Terminal

HELP = "list the sweeps, the latest last, or draw one case over all of them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's flags."""
    add_results(parser)
    parser.add_argument(
        "--case",
        nargs=2,
        metavar=("METHOD", "SHAPE"),
        help="such as naive 10-5-1: draw history.png, and write history.csv, into the results folder",
    )


def run(arguments: argparse.Namespace, terminal: "Terminal") -> int:
    """Show when and where each sweep was made, by whom, and what became of it; or follow a case."""
    archive = archive_of(arguments)
    if not arguments.case:
        from harness.report import tables_across

        terminal.show(tables_across.sweeps(_overviews(archive, terminal)))
        return 0
    method, shape = _case(*arguments.case)
    with terminal.doing("reading the sweeps"):
        from harness.across import history
        from harness.report import pictures_across, style
        from harness.report.files import csv

        table = history.history(archive.sweeps(), method, shape)
    for name, content in (
        ("history.csv", csv(table)),
        ("history.png", style.png(pictures_across.history(table, f"{method} {shape}"))),
    ):
        replace_file(archive.path / name, content)
        terminal.say(str(archive.path / name))
    return 0


def _case(method: str, text: str) -> tuple[str, Shape]:
    """Return the method and the shape that --case names."""
    if method not in METHODS:
        raise UsageError(f"--case: got {method!r}, takes {', '.join(METHODS)} and a shape")
    try:
        return method, Shape.parse(text)
    except ValueError as error:
        raise UsageError(f"--case: {error}") from error


def _overviews(archive: Archive, terminal: "Terminal") -> Iterator[dict[str, Any]]:
    from harness.across.history import overview

    for sweep in archive.sweeps():
        try:
            yield overview(sweep)
        except ResultsError as error:
            terminal.error(str(error))
