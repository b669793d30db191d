"""Compares two sweeps; the exit status says whether anything became slower."""

import argparse
from typing import TYPE_CHECKING

from harness.commands.shared import add_results, archive_of, percent

if TYPE_CHECKING:
    from harness.console import Terminal

HELP = "compare two sweeps: what became faster, what slower"
CANNOT_TELL = 3
"""The exit status if noise forbids an answer, and one was demanded."""
_SURE = 0.025
"""The probability of a false alarm, over all cases together: one side of a 95% interval."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's flags."""
    add_results(parser)
    for name, text in (("before", "the earlier sweep"), ("after", "the later one (default: latest)")):
        parser.add_argument(
            name,
            metavar=name.upper(),
            nargs=None if name == "before" else "?",
            default="latest",
            help=f"{text}: latest, latest~1, the beginning of a name that `sweeps` lists, or a folder",
        )
    parser.add_argument(
        "--reference", metavar="NAME", help="the yardstick (default: the earlier sweep's reference)"
    )
    parser.add_argument(
        "--fail-slower",
        metavar="PERCENT",
        type=percent,
        help="end with status 1 if a training is surely slower by more than so many percent",
    )
    parser.add_argument(
        "--per",
        choices=("case", "mean"),
        default="case",
        help="what must not be slower: any case, or their geometric mean (default: case)",
    )
    parser.add_argument(
        "--strict", action="store_true", help="end with status 3 if noise forbids an answer somewhere"
    )
    parser.add_argument(
        "--format", choices=("table", "markdown", "csv", "json"), default="table", help="default: table"
    )


def run(arguments: argparse.Namespace, terminal: "Terminal") -> int:
    """Show the comparison; 1 if something is slower than allowed, 3 if that cannot be told and has to be."""
    from harness.read import comparison
    from harness.read.results import understand

    archive = archive_of(arguments)
    before = understand(archive.find(arguments.before), arguments.reference)
    after = understand(archive.find(arguments.after), before.reference)
    margin = arguments.fail_slower or 0.0
    table = comparison.compare(before, after, margin)
    for line in comparison.differences(before, after):
        terminal.note(line)
    training = table[table["measure"] == "training"]
    sentence = comparison.sentence(training, before.reference)
    if arguments.format == "table":
        terminal.comparison(training, before.reference, sentence)
    else:
        terminal.say(comparison.written(table, sentence, arguments.format))
    if arguments.fail_slower is None:
        return 0
    _, low, high = comparison.mean(training)
    limit = 1.0 / (1.0 + margin)
    if arguments.per == "mean":
        is_slower, is_open = high < limit, low < limit <= high
    else:
        is_slower = bool((training["slower_than_margin_p"] < _SURE).any())
        is_open = bool(((training["low"] < limit) & (training["high"] >= limit)).any())
    if is_slower:
        return 1
    return CANNOT_TELL if arguments.strict and is_open else 0
