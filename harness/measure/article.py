"""Measures what the article needs besides a sweep: losses with other seeds, storages, parts of its run."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from harness import claims
from harness.case import ARTICLE_RUN, METHODS, Case, Shape
from harness.claims import Published, Storage
from harness.measure import runner
from harness.measure.attempt import attempt
from harness.measure.contenders import Contender, with_python
from harness.paths import ROOT

_TIMEOUT_S = 120.0


def losses(
    contenders: Sequence[Contender],
    runs: Sequence[Published],
    advance: Callable[[], None],
    failed: Callable[[str], None],
) -> Iterator[tuple[str, int, str, float, float]]:
    """Yield name, seed, contender, initial and final loss: each of ``runs`` once for every seed.

    The quickest of ``contenders`` makes them, for their losses are the same.
    """
    quickest = min(contenders, key=lambda contender: _seconds(contender, runs[0]))
    for published in runs:
        for seed in range(1, claims.SEEDS + 1):
            case = replace(published.case, seed=seed)
            made = attempt(quickest, case, timeout_s=_TIMEOUT_S, memory_bytes=None)
            if made.output:
                first, *_, last = made.output.losses
                yield published.name, seed, quickest.name, first, last
            else:
                failed(f"{quickest.name}, seed {seed}: {made.error}")
            advance()


def _seconds(contender: Contender, published: Published) -> float:
    made = attempt(contender, published.case, timeout_s=_TIMEOUT_S, memory_bytes=None)
    return made.process.wall_s if made.output else _TIMEOUT_S


def storages(
    programs: Sequence[Storage], advance: Callable[[], None], failed: Callable[[str], None]
) -> Iterator[tuple[str, str, int, float, float]]:
    """Yield contender, shape, round, and the seconds of a pass with flat and with nested weights.

    The programs take turns, a process each in every round. One that fails is not run again.
    """
    broken: set[str] = set()
    for number in range(1, claims.ROUNDS + 1):
        for program in programs:
            if program.contender not in broken:
                done = runner.run(
                    with_python(program.command),
                    cwd=ROOT,
                    env=program.env,
                    timeout_s=_TIMEOUT_S,
                    one_core=True,
                )
                try:
                    if done.failure:
                        raise ValueError(done.error)
                    for shape, flat_s, nested_s in map(_line, done.stdout.splitlines()):
                        yield program.contender, shape, number, flat_s, nested_s
                except ValueError as error:
                    broken.add(program.contender)
                    failed(f"flat and nested weights of {program.contender} cannot be timed: {error}")
            advance()


def _line(text: str) -> tuple[str, float, float]:
    shape, *seconds = text.split()
    flat_s, nested_s = map(float, seconds)
    if not min(flat_s, nested_s) > 0.0:
        raise ValueError(f"printed {text[:60]!r} where a shape and two times belong")
    return str(Shape.parse(shape)), flat_s, nested_s


def runs_of_parts(contenders: Sequence[Contender]) -> list[tuple[Contender, str, Case]]:
    """Return the article's run and three that lack a part of it, by each contender: who, what, the case."""
    run = ARTICLE_RUN
    cases = {
        "whole": run,
        "one epoch": replace(run, samples=run.training_steps, epochs=1),
        "no epoch": replace(run, epochs=0),
        "one sample": replace(run, samples=1, epochs=0),
    }
    return [
        (contender, what, replace(case, method=method))
        for method in (METHODS[0], METHODS[-1])
        for contender in contenders
        if method in contender.methods
        for what, case in cases.items()
    ]


def parts(
    runs: Sequence[tuple[Contender, str, Case]],
    rounds: int,
    advance: Callable[[], None],
    failed: Callable[[str], None],
) -> Iterator[tuple[str, str, str, int, float, float, float]]:
    """Yield contender, method, what was run, round, and the seconds of process, training and compiling.

    All of ``runs`` in each round, every other time in reverse, after a round that warms up.
    """
    for number in range(rounds + 1):
        for contender, what, case in runs[::-1] if number % 2 else runs:
            made = attempt(contender, case, timeout_s=_TIMEOUT_S, memory_bytes=None)
            if made.failure:
                failed(f"{contender.name} {case}: {made.error}")
            elif made.output and number:
                seconds = made.process.wall_s, made.output.training_s, made.output.compile_s or 0.0
                yield contender.name, case.method, what, number, *seconds
            advance()
