"""Compare losses on random cases, without timing."""

import argparse
import random
import shlex
from collections.abc import Iterator, Sequence

from harness.case import METHODS, Case, Shape
from harness.commands.arguments import add_contenders, add_numbers, manifest_of
from harness.measure.contenders import Contender, attempt, skipped
from harness.measure.environment import look_around
from harness.measure.runner import guarded
from harness.parity import compare
from harness.terminal import Terminal

_TIMEOUT_S = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add its flags."""
    add_contenders(parser)
    add_numbers(parser, cases=(60, "random cases"), seed=(1, "seed of the random cases"))


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Check every case; a difference, or nothing compared, is a failure."""
    manifest = manifest_of(arguments)
    with guarded():
        here = look_around(manifest, arguments.contenders)
        terminal.note(*skipped(here.environment["missing"]))
        differing = alone = 0
        with terminal.counting("comparing", arguments.cases) as advance:
            for case in random_cases(arguments.cases, arguments.seed):
                compared, differences = check(case, here.contenders, _TIMEOUT_S)
                differing += bool(differences)
                alone += compared < 2 and not differences
                terminal.say(*differences)
                advance()
    names = ", ".join(one.name + " (within its tolerance)" * bool(one.tolerance) for one in here.contenders)
    terminal.say(
        f"{arguments.cases} random cases, {names}: {arguments.cases - differing - alone} identical,"
        f" {differing} different" + (f", {alone} with no other contender" if alone else "")
    )
    return int(differing + alone > 0)


def random_cases(count: int, seed: int) -> Iterator[Case]:
    """Yield small cases: up to 5 layers of 1 to 12, rates from none to ones that diverge."""
    rng = random.Random(seed)
    for number in range(count):
        low, high = sorted(rng.uniform(-2.0, 2.0) for _ in range(2))
        yield Case(
            shape=Shape(tuple(rng.randint(1, 12) for _ in range(rng.randint(2, 5)))),
            method=METHODS[number % len(METHODS)],
            samples=rng.randint(1, 6),
            epochs=rng.randint(0, 6),
            step=10.0 ** rng.uniform(-3.0, 1.0),
            learning_rate=rng.choice((0.0, 10.0 ** rng.uniform(-4.0, -1.0), 10.0 ** rng.uniform(0.0, 30.0))),
            low=low,
            high=high,
            seed=rng.getrandbits(64),
        )


def check(case: Case, contenders: Sequence[Contender], timeout_s: float) -> tuple[int, list[str]]:
    """Compare the losses of all contenders that have the method with those of the first that ends well.

    Returns how many ended well, and of each that differs or failed: how, and two command lines for the
    project's root, the reference's and its own.
    """
    able = [contender for contender in contenders if case.method in contender.methods]
    first: tuple[tuple[float, ...], float] | None = None
    compared, differences = 0, []
    for contender in able:
        process, output = attempt(contender, case, timeout_s=timeout_s)
        problem = process.error
        if output:
            compared += 1
            expected, tolerance = first = first or (output.losses, contender.tolerance)
            verdict = compare(expected, output.losses, max(tolerance, contender.tolerance))
            problem = "" if verdict.holds else verdict.text
        if problem:
            commands = (shlex.join(one.command_line(case)) for one in (able[0], contender))
            differences.append("\n    ".join((f"{contender.name}: {case}: {problem}", *commands)))
    return compared, differences
