"""Parity on random cases, without timing: every contender and method against the reference."""

import random
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness import runner
from harness.contenders import ROOT, Contender
from harness.contract import METHODS, Case, parse_output
from harness.errors import ContractError
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
            layers=tuple(rng.randint(1, 12) for _ in range(rng.randint(2, 5))),
            method=METHODS[number % len(METHODS)],
            samples=rng.randint(1, 6),
            epochs=rng.randint(0, 6),
            step=10.0 ** rng.uniform(-6.0, 1.0),
            learning_rate=rng.choice((0.0, 10.0 ** rng.uniform(-4.0, -1.0), 10.0 ** rng.uniform(0.0, 30.0))),
            low=low,
            high=high,
            seed=rng.getrandbits(64),
        )


def check(case: Case, contenders: Sequence[Contender], timeout_s: float) -> list[Difference]:
    """Run ``case`` with every contender that has its method, and return who differs from the first."""
    able = [contender for contender in contenders if case.method in contender.methods]
    expected: tuple[float, ...] | None = None
    differences = []
    for contender in able:
        process = runner.run(contender.command_line(case), cwd=ROOT, timeout_s=timeout_s)
        problem = process.error
        if not problem:
            try:
                losses = parse_output(case, process.stdout, process.stderr).losses
            except ContractError as broken:
                problem = str(broken)
            else:
                expected = losses if expected is None else expected
                verdict = compare(expected, losses, contender.tolerance_ulp)
                problem = "" if verdict.holds else verdict.text
        if problem:
            differences.append(
                Difference(
                    contender=contender.name,
                    text=f"{case.method} {case.shape}: {problem}",
                    commands=(
                        shlex.join(able[0].command_line(case)),
                        shlex.join(contender.command_line(case)),
                    ),
                )
            )
    return differences
