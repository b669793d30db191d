"""Writes the figures of a sweep into Markdown documents, the project's own by default."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from harness.commands.shared import add_sweep, archive_of, results_of
from harness.measure.contenders import ROOT

if TYPE_CHECKING:
    from harness.console import Terminal

HELP = "write the figures of a sweep into Markdown documents"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's flags."""
    add_sweep(parser)
    parser.add_argument(
        "--folder",
        type=Path,
        default=ROOT,
        help="where README.md and docs/ are (default: the project)",
    )


def run(arguments: argparse.Namespace, terminal: "Terminal") -> int:
    """Fill the places of README.md and docs/*.md; draw the pictures in docs/ and beside the sweep anew."""
    from harness.read import charts, parts, selfcheck, style
    from harness.read.document import figures_of, filled
    from harness.records import replace_file

    results = results_of(arguments, archive_of(arguments).find(arguments.sweep))
    docs = arguments.folder / "docs"
    figures = figures_of(results, docs)
    for path in (arguments.folder / "README.md", *sorted(docs.glob("*.md"))):
        text = path.read_text(encoding="utf-8")
        if (new := filled(text, figures)) != text:
            replace_file(path, new.encode())
            terminal.say(str(path))
    pictures = {results.path / name: figure for name, figure in charts.draw(results)}
    if (docs / "selfcheck.csv").exists():
        pictures[docs / "selfcheck.png"] = charts.selfcheck(selfcheck.read(docs / "selfcheck.csv"))
    if (docs / "parts.csv").exists():
        pictures[docs / "parts.png"] = parts.picture(parts.parts(parts.read(docs / "parts.csv")))
    for path, figure in pictures.items():
        if path.exists():
            replace_file(path, style.png(figure))
            terminal.say(str(path))
    return 0
