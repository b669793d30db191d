"""List the sweeps, the latest last, or draw one case over all of them."""

import argparse

from harness.archive import Archive
from harness.case import METHODS, Shape
from harness.commands.arguments import add_results
from harness.errors import ResultsError, UsageError
from harness.records import replace_file
from harness.terminal import Terminal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add its flags."""
    add_results(parser)
    parser.add_argument(
        "--case",
        nargs=2,
        metavar=("METHOD", "SHAPE"),
        help="such as naive 10-5-1: write history.png and history.csv into the results folder",
    )


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """List the sweeps, or follow a case."""
    from harness.across import history
    from harness.report import files, pictures_across, style, tables_across

    archive = Archive(arguments.results)
    if not arguments.case:
        lines = []
        for sweep in archive.sweeps():
            try:
                lines.append(history.overview(sweep))
            except ResultsError as error:
                terminal.error(str(error))
        terminal.show(tables_across.sweeps(lines))
        return 0
    method, text = arguments.case
    try:
        if method not in METHODS:
            raise ValueError(f"got {method!r}, takes {', '.join(METHODS)} and a shape")
        shape = Shape.parse(text)
    except ValueError as error:
        raise UsageError(f"--case: {error}") from error
    with terminal.doing("reading the sweeps"):
        table = history.history(archive.sweeps(), method, shape, terminal.error)
        picture = style.png(pictures_across.history(table, f"{method} {shape}"))
    for name, content in (("history.csv", files.csv(table)), ("history.png", picture)):
        replace_file(archive.path / name, content)
        terminal.say(str(archive.path / name))
    return 0
