"""Measures what the claims need besides a sweep: losses with other seeds, flat and nested weights."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from harness import claims
from harness.case import Shape
from harness.claims import Published, Storage
from harness.measure import runner
from harness.measure.attempt import attempt
from harness.measure.contenders import Contender, with_python
from harness.paths import ROOT

_TIMEOUT_S = 60.0


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
