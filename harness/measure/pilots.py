"""Makes the plan of a sweep.

Pilot runs find the seconds of a training step. They tell how much work fits into a run, and how many rounds
of each case fit into the sweep.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate

from harness.case import ARTICLE, ARTICLE_RUN, Case, Shape
from harness.digits import duration
from harness.errors import UsageError
from harness.measure.attempt import attempt
from harness.measure.contenders import Contender
from harness.measure.environment import Here
from harness.plan import LeftOut, Options, Plan, PlannedCase

_MOST_STEPS = ARTICLE_RUN.training_steps
_PILOT_S = 0.05
_CLEAR = 0.1
"""By how much the longer of two pilots must exceed the shorter, as a share of that."""
_FEWEST_ROUNDS, _MOST_ROUNDS = 7, 101
_AFFORDABLE = 10.0
"""A contender is left out of a case if one training step takes this many times a run's seconds."""


def stable_learning_rate(shape: Shape, low: float, high: float) -> float:
    """Return the learning rate of a case: the article's, or a quarter of the stability limit if less.

    Gradient descent on a quadratic loss is stable below 2 / c, c being the largest curvature. At the
    optimum that is at most 2 / nL times the squared length of the outputs' gradient, summed over the nL
    outputs. With weights and biases from uniform(-1, 1), whose mean square is 1/3, the expected squared
    length of layer k's part is that of its inputs, plus 1 for the bias, times that of the signal sent back
    to its outputs. The result has two digits.
    """
    layers = shape.layers
    mean_square = (low * low + low * high + high * high) / 3.0
    inputs = layers[0] * mean_square
    forward = accumulate(layers[1:-1], lambda squared, rows: rows * (squared + 1.0) / 3.0, initial=inputs)
    outputs = float(layers[-1])
    sent_back = accumulate(layers[-2:0:-1], lambda squared, rows: rows * squared / 3.0, initial=outputs)
    parts = zip(forward, reversed(list(sent_back)), strict=True)
    curvature = 2.0 / layers[-1] * sum(back * (squared + 1.0) for squared, back in parts)
    limit = 0.25 * 2.0 / curvature if math.isfinite(curvature) else 0.0
    return float(f"{min(ARTICLE_RUN.learning_rate, limit):.1e}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Speed:
    """What pilot runs of one contender on one case showed."""

    step_s: float
    """Seconds of one training step."""
    startup_s: float
    """Seconds of a whole run outside training."""


_Speeds = Mapping[str, _Speed | None]
"""The speeds of contenders, by name, on one case; None: it failed."""


def make_plan(options: Options, here: Here, *, sweep: str, on_pilot: Callable[[str], None]) -> Plan:
    """Run the pilots and return the plan; raise UsageError if nothing fits into the budget.

    ``on_pilot`` is told about each pilot run before it starts.
    """
    memory_bytes = options.memory_bytes or here.memory_bytes
    left_out: list[LeftOut] = []
    speeds: list[tuple[Case, _Speeds]] = []
    shapes = sorted(dict.fromkeys(options.shapes), key=lambda shape: shape.size)
    for method in dict.fromkeys(options.methods):
        able = [contender for contender in here.contenders if method in contender.methods]
        pilots = {contender.name: _Pilot(contender, options, memory_bytes) for contender in able}
        for shape in shapes:
            case = Case(
                shape=shape,
                method=method,
                samples=1,
                epochs=1,
                step=options.step,
                learning_rate=stable_learning_rate(shape, options.low, options.high),
                low=options.low,
                high=options.high,
                seed=options.seed,
            )
            found: dict[str, _Speed | None] = {}
            for name, pilot in pilots.items():
                on_pilot(f"{case} {name}")
                expected_s = pilot.expected_s(case)
                if expected_s > _AFFORDABLE * options.run_s:
                    reason = f"one training step takes about {duration(expected_s)}"
                    left_out.append(LeftOut(method=method, shape=shape, contender=name, reason=reason))
                else:
                    found[name] = pilot.speed(case)
            if found:
                speeds.append((case, found))
    cases = _fit(speeds, options, here.reference, left_out)
    if not cases:
        raise UsageError(
            f"--budget: nothing fits into {options.budget_s:g} s with"
            f" {options.rounds or _FEWEST_ROUNDS} rounds; raise it, or ask for smaller shapes"
        )
    return Plan(
        sweep=sweep,
        options=options,
        reference=here.reference,
        versions=here.versions,
        memory_bytes=memory_bytes,
        cases=tuple(cases),
        left_out=tuple(left_out),
    )


class _Pilot:
    """Finds the speed of one contender with one method, from the smallest shape up."""

    def __init__(self, contender: Contender, options: Options, memory_bytes: int | None) -> None:
        self._attempt = partial(attempt, contender, timeout_s=options.timeout_s, memory_bytes=memory_bytes)
        self._per_multiply_add_s = 0.0
        self._broken = False

    def expected_s(self, case: Case) -> float:
        """Return the seconds that a step of ``case`` should take; 0 if nothing is known yet."""
        return self._per_multiply_add_s * case.multiply_adds

    def speed(self, case: Case) -> _Speed | None:
        """Return the speed on ``case``; None if the contender fails."""
        expected_s = self.expected_s(case)
        steps = _clamp(_PILOT_S / 2.0 / expected_s) if expected_s else 1
        shorter = self._seconds(case, steps)
        growth = max(2.0, _PILOT_S / max(shorter[0], _PILOT_S / 1000.0)) if shorter else 0.0
        while shorter:
            more = _clamp(steps * growth)
            longer = self._seconds(case, more)
            if not longer:
                break
            difference_s = max(0.0, longer[0] - shorter[0])
            clear_s = max(_PILOT_S / 3.0, _CLEAR * shorter[0])
            if difference_s >= clear_s or more == _MOST_STEPS:
                # The difference leaves out what is done once, such as compiling inside the first steps.
                step_s = difference_s / (more - steps) if more > steps else longer[0] / more
                self._per_multiply_add_s = step_s / case.multiply_adds
                return _Speed(step_s=step_s, startup_s=max(0.0, longer[1] - step_s * more))
            steps, shorter, growth = more, longer, 2.0 * clear_s / max(difference_s, clear_s / 15.0)
        self._broken = True
        return None

    def _seconds(self, case: Case, steps: int) -> tuple[float, float] | None:
        """Return the seconds of training and of the process for so many steps; None if that failed."""
        if self._broken:
            return None
        process, output = self._attempt(replace(case, samples=steps))
        return (output.training_s, process.wall_s) if output else None


def _clamp(steps: float) -> int:
    return max(1, min(int(steps), _MOST_STEPS))


def _fit(
    speeds: Sequence[tuple[Case, _Speeds]], options: Options, reference: str, left_out: list[LeftOut]
) -> list[PlannedCase]:
    """Choose samples, epochs and rounds; to fit, shorten the runs, then drop the dearest case."""
    kept = list(speeds)
    run_s = options.run_s
    fewest = options.rounds or _FEWEST_ROUNDS
    while kept:
        controls = _controls([case for case, found in kept if reference in found])
        cases = [
            _planned(case, found, run_s, rounds=fewest, control=case in controls) for case, found in kept
        ]
        total_s = sum(planned.round_s(reference) for planned in cases) * (fewest + 1)
        if total_s <= options.budget_s:
            return cases if options.rounds else _with_rounds(cases, reference, options.budget_s - total_s)
        if run_s > options.run_s / 8:
            run_s *= max(0.5, 0.95 * options.budget_s / total_s)
            continue
        dearest = max(range(len(kept)), key=lambda index: cases[index].round_s(reference))
        case, _ = kept.pop(dearest)
        reason = f"does not fit into {options.budget_s:g} s; raise --budget"
        left_out.append(LeftOut(method=case.method, shape=case.shape, contender=None, reason=reason))
    return []


def _controls(cases: Sequence[Case]) -> list[Case]:
    """Return where the reference runs twice: a case for each method and decade of neurons.

    It is the article's shape, or else the smallest.
    """
    chosen: dict[tuple[str, int], Case] = {}
    for case in cases:
        decade = case.method, len(str(case.shape.neurons))
        if decade not in chosen or case.shape == ARTICLE:
            chosen[decade] = case
    return list(chosen.values())


def _planned(case: Case, found: _Speeds, run_s: float, *, rounds: int, control: bool) -> PlannedCase:
    # A step too short to be timed does not limit the work.
    slowest_s = max((speed.step_s for speed in found.values() if speed), default=run_s)
    steps = _round(_clamp(run_s / slowest_s)) if slowest_s else _MOST_STEPS
    # At most the article's: first epochs shrink, then samples.
    samples = min(ARTICLE_RUN.samples, steps)
    sized = replace(case, samples=samples, epochs=max(1, steps // samples))
    return PlannedCase(
        case=sized,
        run_s={
            name: speed.startup_s + speed.step_s * sized.training_steps if speed else run_s
            for name, speed in found.items()
        },
        control=control,
        rounds=rounds,
    )


def _round(steps: int) -> int:
    """Return the next number below that is 1, 2 or 5 times a power of ten.

    The ratio of whole processes depends on the work, which the noise of pilots must not change.
    """
    power = int(10 ** (len(str(steps)) - 1))
    return max(factor * power for factor in (1, 2, 5) if factor * power <= steps)


def _with_rounds(cases: Sequence[PlannedCase], reference: str, left_s: float) -> list[PlannedCase]:
    """Spend ``left_s`` seconds on further rounds, one after the other, until the next does not fit.

    The variance of a case's median falls as 1 / rounds. The sum of weight * variance is least if rounds are
    in proportion to the square root of weight / seconds: Neyman's allocation with costs (Cochran, Sampling
    Techniques, 1977, chapter 5.5).
    """
    seconds = [planned.round_s(reference) for planned in cases]
    costs = [s / _weight(planned) for planned, s in zip(cases, seconds, strict=True)]
    rounds = [planned.rounds for planned in cases]
    while places := [place for place, count in enumerate(rounds) if count < _MOST_ROUNDS]:
        place = min(places, key=lambda place: (rounds[place] + 1) ** 2 * costs[place])
        left_s -= seconds[place]
        if left_s < 0.0:
            break
        rounds[place] += 1
    return [replace(planned, rounds=count) for planned, count in zip(cases, rounds, strict=True)]


def _weight(planned: PlannedCase) -> float:
    """Return what precision is worth: the article's case is quoted, one contender makes no ratio."""
    if len(planned.run_s) == 1 and not planned.control:
        return 0.25
    return 4.0 if planned.case.shape == ARTICLE else 1.0
