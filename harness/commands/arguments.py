"""Flags of several commands, and how their values are read; a reader raises ValueError."""

import argparse
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

from harness.case import ARTICLE_JOB, LARGEST_INTEGER, METHODS, Job, Shape
from harness.codec import shown
from harness.errors import UsageError
from harness.machines.cluster import Access, address_in, checked_address
from harness.measure.contenders import Contender, load_manifest, select
from harness.paths import MANIFEST, RESULTS
from harness.plan import MOST_LAYOUTS, MOST_ROUNDS, Options

SWEEP = "latest, latest~1, the beginning of a name that `sweeps` lists, or a folder"
LAYOUTS = "links of each program that take turns, each with its code in another order"
_TLS = {"--tls-ca-file": "tls_ca_file", "--tls-cert": "tls_client_cert", "--tls-key": "tls_client_key"}
"""Flags that name a file, and what Dask calls it."""


def add_results(parser: argparse.ArgumentParser) -> None:
    """Add --results."""
    parser.add_argument("--results", type=Path, default=RESULTS, help="the results folder (default: results)")


def add_sweep(parser: argparse.ArgumentParser) -> None:
    """Add the sweep to read, --reference and --margin."""
    add_results(parser)
    about = f"{SWEEP} (default: latest)"
    parser.add_argument("sweep", nargs="?", default="latest", metavar="SWEEP", help=about)
    parser.add_argument(
        "--reference", metavar="NAME", help="the contender to compare with (default: the sweep's own)"
    )
    about = "call ratios within this many percent of 1 equal (default: never)"
    parser.add_argument("--margin", metavar="PERCENT", type=percent, help=about)


def add_contenders(parser: argparse._ActionsContainer) -> None:
    """Add --contenders and --manifest."""
    about = "only these (default: all)"
    parser.add_argument("--contenders", nargs="+", metavar="NAME", default=[], help=about)
    about = "the contenders' TOML file (default: harness/contenders.toml)"
    parser.add_argument("--manifest", type=Path, default=MANIFEST, help=about)


def manifest_of(arguments: argparse.Namespace) -> tuple[Contender, ...]:
    """Return what --manifest and --contenders say, reference first."""
    return select(load_manifest(arguments.manifest), arguments.contenders)


def add_cases(parser: argparse._ActionsContainer, shapes: Sequence[Shape] | None) -> None:
    """Add --methods and, with ``shapes`` as its default, --shapes."""
    if shapes:
        about = f"layer sizes (default: {' '.join(map(str, shapes))})"
        parser.add_argument(
            "--shapes", nargs="+", metavar="SHAPE", type=Shape.parse, default=shapes, help=about
        )
    about = f"some of {', '.join(METHODS)} (default: all)"
    parser.add_argument(
        "--methods", nargs="+", choices=METHODS, metavar="METHOD", default=METHODS, help=about
    )


def add_job(parser: argparse._ActionsContainer) -> None:
    """Add --job."""
    about = f"what a whole process is asked for (default: {ARTICLE_JOB}, as the article)"
    parser.add_argument("--job", metavar="EPOCHSxSAMPLES", type=Job.parse, default=ARTICLE_JOB, help=about)


def add_numbers(parser: argparse._ActionsContainer, **flags: tuple[float | None, str]) -> None:
    """Add flags that take a number: by option, the default and the help text."""
    for name, (default, text) in flags.items():
        flag, read = _NUMBERS[name]
        about = text if default is None else f"{text} (default: {default:g})"
        parser.add_argument(flag, dest=name, metavar="N", type=read, default=default, help=about)


def options_of(arguments: argparse.Namespace, **others: Any) -> Options:
    """Return what the flags ask for, each shape and method once, and ``others``."""
    names = {field.name for field in fields(Options)}
    given = {name: value for name, value in vars(arguments).items() if name in names}
    for name in given.keys() & {"shapes", "methods"}:
        given[name] = tuple(dict.fromkeys(given[name]))
    return Options(**{**given, **others})


def add_scheduler(parser: argparse.ArgumentParser) -> None:
    """Add the flags with which other machines measure."""
    group = parser.add_argument_group("to measure on the workers of a Dask scheduler, docs/machines.md")
    where = group.add_mutually_exclusive_group()
    about = "such as tcp://host:8786"
    where.add_argument("--scheduler", metavar="ADDRESS", type=checked_address, help=about)
    about = "what `dask scheduler` wrote its address into"
    where.add_argument("--scheduler-file", metavar="FILE", dest="scheduler", type=address_in, help=about)
    about = "share one sweep out by cases, instead of a whole one for each"
    group.add_argument("--split", action="store_true", help=about)
    about = "one plan for all machines (default: if their processors are the same)"
    group.add_argument("--same-work", action="store_true", help=about)
    for flag, name in _TLS.items():
        group.add_argument(flag, dest=name, metavar="FILE", type=_file, help="for TLS, as Dask takes it")


def access_of(arguments: argparse.Namespace) -> Access | None:
    """Return how to reach the scheduler, if any; raise UsageError if a flag needs one."""
    tls = {name: file for name in _TLS.values() if (file := getattr(arguments, name))}
    if arguments.scheduler:
        return Access(address=arguments.scheduler, tls=tls)
    if arguments.split or arguments.same_work or tls:
        raise UsageError("--split, --same-work, --tls-...: take --scheduler or --scheduler-file as well")
    return None


def _file(text: str) -> str:
    if not Path(text).is_file():
        raise ValueError(f"got {shown(text)}, takes a file")
    return text


def percent(text: str) -> float:
    """Read 5% or 5 as 0.05."""
    return amount("percent, such as 5%, below 100 and", below=100.0)(text.removesuffix("%")) / 100.0


def whole(least: int, most: int = LARGEST_INTEGER) -> Callable[[str], int]:
    """Return a reader of integers from ``least`` to ``most``."""

    def parse(text: str) -> int:
        if re.fullmatch("[0-9]{1,20}", text) and least <= int(text) <= most:
            return int(text)
        limit = "2^64 - 1" if most == LARGEST_INTEGER else most
        raise ValueError(f"got {shown(text)}, takes an integer from {least} to {limit}")

    return parse


def amount(unit: str, below: float = 1e9) -> Callable[[str], float]:
    """Return a reader of numbers of ``unit`` above zero."""

    def parse(text: str) -> float:
        with suppress(ValueError):
            if 0.0 < (value := float(text)) < below:
                return value
        raise ValueError(f"got {shown(text)}, takes a number of {unit} above zero")

    return parse


_NUMBERS: dict[str, tuple[str, Callable[[str], float]]] = {
    "rounds": ("--rounds", whole(1, MOST_ROUNDS)),
    "run_s": ("--seconds", amount("seconds")),
    "timeout_s": ("--timeout", amount("seconds")),
    "budget_s": ("--budget", amount("seconds")),
    "memory_bytes": ("--memory", lambda text: int(amount("GiB")(text) * 2**30)),
    "seed": ("--seed", whole(0)),
    "layouts": ("--layouts", whole(1, MOST_LAYOUTS)),
    "cases": ("--cases", whole(1)),
}
"""By option, the flag and how its number is read."""
