"""Parity on random cases, without timing: every contender and method against the reference."""

import random
import shlex
from collections.abc import Iterator, Sequence

from harness.case import METHODS, Case, Shape
from harness.measure.attempt import attempt
from harness.measure.contenders import Contender
from harness.parity import compare


def random_cases(count: int, seed: int) -> Iterator[Case]:
    """Yield ``count`` small cases: up to 5 layers of 1 to 12, rates from none to ones that diverge."""
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
    """Compare the losses of every contender that has the method with those of the first that ends well.

    Returns how many ended well, and for each that differs or failed a text: how, and two command lines to be
    run from the project's root, the reference's and its own.
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
