"""Parity on random cases, without timing: every contender and method against the reference."""

import random
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.case import METHODS, Case, Shape
from harness.measure.attempt import attempt
from harness.measure.contenders import Contender
from harness.parity import compare


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A case on which a contender does not have the reference's losses."""

    contender: str
    """Who differs."""
    text: str
    """How."""
    commands: tuple[str, str]
    """The command lines of the reference and of the contender, to be run from the project's root."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The outcome of one case."""

    compared: int
    """How many contenders ended well; fewer than two show nothing."""
    differences: tuple[Difference, ...]
    """Who differs from the first that ended well, or failed."""


def check(case: Case, contenders: Sequence[Contender], timeout_s: float) -> Checked:
    """Run ``case`` with every contender that has its method, and hold their losses against the first's."""
    able = [contender for contender in contenders if case.method in contender.methods]
    first: tuple[tuple[float, ...], float] | None = None
    differences = []
    compared = 0
    for contender in able:
        tried = attempt(contender, case, timeout_s=timeout_s, memory_bytes=None)
        problem = tried.error
        if tried.output:
            compared += 1
            expected, tolerance = first = first or (tried.output.losses, contender.tolerance)
            verdict = compare(expected, tried.output.losses, max(tolerance, contender.tolerance))
            problem = "" if verdict.holds else verdict.text
        if problem:
            differences.append(
                Difference(
                    contender=contender.name,
                    text=f"{case}: {problem}",
                    commands=(
                        shlex.join(able[0].command_line(case)),
                        shlex.join(contender.command_line(case)),
                    ),
                )
            )
    return Checked(compared=compared, differences=tuple(differences))
