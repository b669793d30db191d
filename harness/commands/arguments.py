"""Flags that several commands take, and how their values are read."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from harness.archive import Archive
from harness.case import METHODS, Shape
from harness.errors import UsageError
from harness.measure.contenders import Manifest, load_manifest, select
from harness.paths import MANIFEST, ROOT
from harness.version_1 import is_of_version_1, take_over

LARGEST = 2**64 - 1


def add_results(parser: argparse.ArgumentParser) -> None:
    """Add --results."""
    parser.add_argument(
        "--results", type=Path, default=ROOT / "results", help="the results folder (default: results)"
    )


def archive_of(arguments: argparse.Namespace) -> Archive:
    """Return the results folder; what version 1.0 left there becomes sweeps."""
    archive = Archive(arguments.results)
    if is_of_version_1(archive):
        with archive.locked():
            take_over(archive)
    return archive


def add_sweep(parser: argparse.ArgumentParser) -> None:
    """Add the sweep that a reader reads, whom it compares with, and what counts as equal."""
    add_results(parser)
    parser.add_argument(
        "sweep",
        nargs="?",
        default="latest",
        metavar="SWEEP",
        help="latest, latest~1, the beginning of a name that `sweeps` lists, or a folder (default: latest)",
    )
    parser.add_argument(
        "--reference", metavar="NAME", help="the contender to compare with (default: the sweep's own)"
    )
    parser.add_argument(
        "--margin",
        metavar="PERCENT",
        type=percent,
        help="call ratios equal whose interval lies within so many percent of 1 (default: never)",
    )


def add_contenders(parser: argparse._ActionsContainer) -> None:
    """Add --contenders and --manifest."""
    parser.add_argument(
        "--contenders", nargs="+", metavar="NAME", default=[], help="only these (default: all)"
    )
    parser.add_argument(
        "--manifest",
        type=Path,
        default=MANIFEST,
        help="the contenders' TOML file (default: harness/contenders.toml)",
    )


def add_cases(parser: argparse._ActionsContainer, shapes: Sequence[Shape] | None) -> None:
    """Add --methods and, with ``shapes`` as its default, --shapes."""
    if shapes:
        parser.add_argument(
            "--shapes",
            nargs="+",
            metavar="SHAPE",
            type=checked(Shape.parse),
            default=list(shapes),
            help=f"layer sizes (default: {' '.join(map(str, shapes))})",
        )
    parser.add_argument(
        "--methods",
        nargs="+",
        choices=METHODS,
        metavar="METHOD",
        default=list(METHODS),
        help=f"some of {', '.join(METHODS)} (default: all)",
    )


def manifest_of(arguments: argparse.Namespace) -> Manifest:
    """Return what --manifest and --contenders say."""
    return select(load_manifest(arguments.manifest), arguments.contenders)


def checked(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Let argparse show what a reader of values says of a wrong one."""

    def parse(text: str) -> Any:
        try:
            return read(text)
        except (ValueError, UsageError) as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return parse


def percent(text: str) -> float:
    """Read 5% or 5 as 0.05."""
    return amount("percent, such as 5%,")(text.removesuffix("%")) / 100.0


def whole(least: int, most: int = LARGEST) -> Callable[[str], int]:
    """Return a reader of integers from ``least`` to ``most``."""

    def parse(text: str) -> int:
        if text.isascii() and text.isdigit() and len(text) <= 20 and least <= int(text) <= most:
            return int(text)
        limit = "2^64 - 1" if most == LARGEST else most
        raise argparse.ArgumentTypeError(f"got {text[:60]!r}, takes an integer from {least} to {limit}")

    return parse


def amount(unit: str) -> Callable[[str], float]:
    """Return a reader of numbers above zero, which are so many of ``unit``."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = 0.0
        if not 0.0 < value < 1e9:
            raise argparse.ArgumentTypeError(f"got {text[:60]!r}, takes a number of {unit} above zero")
        return value

    return parse
