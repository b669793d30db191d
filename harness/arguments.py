"""The harness's own command-line arguments: what each command takes, and how a wrong one is refused."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import NoReturn

from harness import __version__
from harness.contenders import MANIFEST, ROOT
from harness.contract import METHODS, parse_layers
from harness.errors import UsageError
from harness.plan import DEFAULT_SHAPES, Options

RESULTS = ROOT / "results"


class _Parser(argparse.ArgumentParser):
    """argparse, but an error is one line."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message.removeprefix('argument ')}; see {self.prog} --help")


def parse(words: Sequence[str] | None) -> argparse.Namespace:
    """Return the arguments of a command, its name in ``command``; raise UsageError for unusable ones."""
    parser = _Parser(
        prog="python -m harness",
        description="Run implementations of one neural network against each other, check that they compute"
        " the same losses, and show how their runtime grows with the number of neurons.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"flatnet harness {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Parser)

    build = commands.add_parser("build", help="build the contenders", allow_abbrev=False)
    bench = commands.add_parser("bench", help="measure, and write CSV files", allow_abbrev=False)
    plot = commands.add_parser("plot", help="draw pictures from the CSV files", allow_abbrev=False)
    verify = commands.add_parser(
        "verify", help="compare losses on random cases, without timing", allow_abbrev=False
    )
    kernels = commands.add_parser(
        "kernels", help="gather what the in-process benchmarks measured", allow_abbrev=False
    )

    for command in (build, bench, verify):
        command.add_argument(
            "--contenders", nargs="+", metavar="NAME", default=[], help="only these (default: all)"
        )
        command.add_argument(
            "--manifest",
            type=Path,
            default=MANIFEST,
            help="the contenders' TOML file (default: harness/contenders.toml)",
        )
    for command in (bench, plot, kernels):
        command.add_argument(
            "--results",
            type=Path,
            default=RESULTS,
            help="the folder to write to (default: results)",
        )
    _add_bench_options(bench)
    verify.add_argument("--cases", type=_whole(1), default=60, help="random cases (default: 60)")
    verify.add_argument("--seed", type=_whole(0), default=1, help="seed of the random cases (default: 1)")
    verify.add_argument("--timeout", type=_seconds, default=60.0, help="seconds for one run (default: 60)")
    for flag, what in (
        ("--pytest-benchmark", "file that --benchmark-json wrote"),
        ("--criterion", "folder of Criterion's"),
    ):
        kernels.add_argument(
            flag,
            type=_named_path,
            metavar="NAME=PATH",
            nargs="+",
            default=[],
            help=f"a contender and the {what}",
        )
    return parser.parse_args(words)


def _add_bench_options(bench: argparse.ArgumentParser) -> None:
    defaults = {field.name: field.default for field in fields(Options)}
    bench.add_argument(
        "--shapes",
        nargs="+",
        metavar="SHAPE",
        type=_shape,
        default=list(DEFAULT_SHAPES),
        help=f"layer sizes (default: {' '.join(DEFAULT_SHAPES)})",
    )
    bench.add_argument(
        "--methods", nargs="+", choices=METHODS, default=list(METHODS), help="(default: all three)"
    )
    for flag, kind, default, text in (
        ("--rounds", _whole(1), defaults["rounds"], "timed rounds, after one that warms up"),
        (
            "--seconds",
            _seconds,
            defaults["run_s"],
            "what the slowest contender's training should take in a run",
        ),
        ("--timeout", _seconds, defaults["timeout_s"], "seconds after which a run is ended"),
        ("--budget", _seconds, defaults["budget_s"], "seconds for the whole sweep"),
        ("--seed", _whole(0), defaults["seed"], "seed of every run"),
    ):
        bench.add_argument(
            flag, metavar="N", type=kind, default=default, help=f"{text} (default: {default:g})"
        )
    again = bench.add_mutually_exclusive_group()
    again.add_argument("--fresh", action="store_true", help="start a new sweep even if one is unfinished")
    again.add_argument(
        "--resume",
        action="store_true",
        help="finish the last sweep, whatever the other options say",
    )


def _shape(text: str) -> str:
    try:
        parse_layers(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error).removeprefix("shape: ")) from error
    return text


def _whole(least: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if text.isascii() and text.isdigit() and least <= int(text) < 2**64:
            return int(text)
        raise argparse.ArgumentTypeError(f"got {text!r}, takes an integer from {least} to 2^64 - 1")

    return parse


def _named_path(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise argparse.ArgumentTypeError(f"got {text!r}, takes NAME=PATH")
    return name, Path(path)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"got {text!r}, takes a number of seconds above zero")
    return value
