"""Makes the plan of a sweep.

Pilot runs find the seconds of a training step. They tell how much work fits into a run, and how many rounds
of each case fit into the sweep.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from statistics import stdev
from typing import NamedTuple

from harness.case import ARTICLE, ARTICLE_RUN, Case, Shape
from harness.digits import duration
from harness.errors import UsageError
from harness.measure.attempt import attempt
from harness.measure.contenders import Contender
from harness.measure.environment import Here
from harness.plan import MOST_ROUNDS, LeftOut, Options, Plan, PlannedCase

_MOST_EPOCHS = 1_000_000
_MOST_STEPS = 10_000_000
_PILOT_S = 0.05
_CLEAR = 0.1
"""By how much the longer of two pilots must exceed the shorter, as a share of that."""
_ENOUGH = 2 / 3
"""The share of the slowest contender's seconds after which a training stands for longer ones."""
_SHORTEST = 1 / 4
"""To what share runs are shortened to fit into a budget, before cases are dropped."""
_FEWEST_ROUNDS, _MOST_ROUNDS = 7, 201
_AFFORDABLE = 40.0
"""So many times the seconds of a run may take: as many samples as the job has, or the job of who warms up."""
_SLOWEST = 20.0
"""A contender is left out of a case if one training step takes this many times a run's seconds."""
_SPREAD_ROUNDS = 7
"""Pilot rounds of each case, if a precision is asked for."""
_HALF_WIDTH = 2.3 * 1.25
"""Half an interval, in standard deviations of a ratio divided by the square root of the rounds."""
_QUOTED = 8.0
"""What the article's shape weighs, against 1 of others."""
_LONG_S = 1.0
"""Seconds of a training in which who becomes faster while it runs has done so."""
_WARMER = 1.2
"""Who needs so many times as long for a step in short trainings as at the end of long ones warms up."""
_TRIES = 3
"""So often must it be seen."""


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
    """Seconds of one training step, at the end of a long run."""
    startup_s: float
    """Seconds of a whole run outside training."""
    warm_up_s: float | None = None
    """Seconds that a training takes longer because it begins slowly; None: it does not."""

    def run_s(self, steps: int) -> float:
        """Return the seconds of a whole run with so many training steps."""
        return self.startup_s + (self.warm_up_s or 0.0) + self.step_s * steps


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
                if expected_s > _SLOWEST * options.run_s:
                    reason = f"one training step takes about {duration(expected_s)}"
                    left_out.append(LeftOut(method=method, shape=shape, contender=name, reason=reason))
                else:
                    found[name] = pilot.speed(case)
            if found:
                speeds.append((case, found))
    cases = _fit(speeds, options, here.reference, left_out)
    if not options.rounds:
        most = [_MOST_ROUNDS] * len(cases)
        if options.precision:
            most = [_needed(case, here, memory_bytes, options, on_pilot) for case in cases]
        cases = _with_rounds(cases, most, here.reference, options.budget_s)
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
        self._most_samples = options.job.samples
        self._per_multiply_add_s = 0.0
        self._broken = False
        self._warms_up: bool | None = None

    def expected_s(self, case: Case) -> float:
        """Return the seconds that a step of ``case`` should take; 0 if nothing is known yet."""
        return self._per_multiply_add_s * case.multiply_adds

    def speed(self, case: Case) -> _Speed | None:
        """Return the speed on ``case``; None if the contender fails."""
        expected_s = self.expected_s(case)
        steps = int(_PILOT_S / 2.0 / expected_s) if expected_s else 1
        shorter = self._seconds(case, steps)
        growth = max(2.0, _PILOT_S / max(shorter.training_s, _PILOT_S / 1000.0)) if shorter else 0.0
        while shorter:
            longer = self._seconds(case, int(shorter.steps * growth) + 1)
            if not longer:
                break
            difference_s = max(0.0, longer.training_s - shorter.training_s)
            clear_s = max(_PILOT_S / 3.0, _CLEAR * shorter.training_s)
            if difference_s >= clear_s or longer.steps >= _MOST_STEPS:
                # The difference leaves out what is done once, such as compiling inside the first steps.
                step_s = difference_s / (longer.steps - shorter.steps)
                speed = self._warmed(case, longer, step_s)
                if speed:
                    self._per_multiply_add_s = speed.step_s / case.multiply_adds
                    return speed
                break
            shorter, growth = longer, 2.0 * clear_s / max(difference_s, clear_s / 15.0)
        self._broken = True
        return None

    def _warmed(self, case: Case, short: "_Seconds", step_s: float) -> _Speed | None:
        """Return the speed of who needs ``step_s`` for a step at the end of a short run.

        Two longer runs tell whether it is shorter at their end: on the smallest shape, or if it was so there.
        All tries must say so, because a pilot may be disturbed.
        """
        startup_s = max(0.0, short.wall_s - short.training_s)
        tries: list[tuple[float, float]] = []
        while self._warms_up is not False and len(tries) < (1 if self._warms_up else _TRIES):
            steps = max(int(_LONG_S / 2.0 / step_s) if step_s else 0, 2 * short.steps)
            runs = [self._seconds(case, count) for count in (short.steps, steps, 2 * steps)]
            if not all(runs):
                return None
            short, half, whole = filter(None, runs)
            steady_s = max(0.0, whole.training_s - half.training_s) / (whole.steps - half.steps)
            if self._warms_up is None and short.training_s <= _WARMER * steady_s * short.steps:
                self._warms_up = False
            tries.append((max(0.0, whole.training_s - steady_s * whole.steps), steady_s))
        if self._warms_up is False:
            return _Speed(step_s=step_s, startup_s=startup_s)
        self._warms_up = True
        warm_up_s, step_s = sorted(tries)[len(tries) // 2]
        return _Speed(step_s=step_s, startup_s=startup_s, warm_up_s=warm_up_s)

    def _seconds(self, case: Case, steps: int) -> "_Seconds | None":
        """Return what a run of about so many steps took; None if that failed."""
        if self._broken:
            return None
        sized = _sized(case, steps, self._most_samples)
        process, output = self._attempt(sized)
        if not output:
            return None
        return _Seconds(sized.training_steps, output.training_s, process.wall_s)


class _Seconds(NamedTuple):
    """What a pilot run took."""

    steps: int
    training_s: float
    wall_s: float


def _sized(case: Case, steps: int, most_samples: int) -> Case:
    """Return the case with about so many training steps: first samples, then epochs grow."""
    samples = max(1, min(steps, most_samples))
    return replace(case, samples=samples, epochs=max(1, min(steps // samples, _MOST_EPOCHS)))


def _fit(
    speeds: Sequence[tuple[Case, _Speeds]], options: Options, reference: str, left_out: list[LeftOut]
) -> list[PlannedCase]:
    """Choose samples, epochs and rounds; to fit, shorten the runs, then drop the dearest case.

    The article's shape is the last to be dropped, and who runs alone the first.
    """
    kept = list(speeds)
    run_s = options.run_s
    fewest = options.rounds or _FEWEST_ROUNDS
    while kept:
        controls = _controls([case for case, found in kept if reference in found])
        cases = [_planned(case, found, run_s, options, control=case in controls) for case, found in kept]
        total_s = sum(planned.round_s(reference) for planned in cases) * (fewest + 1)
        if total_s <= options.budget_s:
            return cases
        if run_s > options.run_s * _SHORTEST:
            run_s = max(options.run_s * _SHORTEST, run_s * max(0.5, 0.95 * options.budget_s / total_s))
            continue
        case, _ = kept.pop(max(range(len(kept)), key=lambda place: _dispensable(cases[place], reference)))
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


def _planned(case: Case, found: _Speeds, run_s: float, options: Options, *, control: bool) -> PlannedCase:
    """Return the case with what the slowest manages, and more epochs for others.

    From the slowest to the fastest each has as many as the one before it, if it is of like speed, or if that is
    ``_ENOUGH`` to be timed; else as many more as are enough. One that warms up runs the job, if it can.
    """
    known = {name: speed for name, speed in found.items() if speed}
    # A step too short to be timed does not limit the work.
    slowest_s = max((speed.step_s for speed in known.values()), default=run_s)
    steps = _below(run_s / slowest_s) if slowest_s else options.job.training_steps
    if options.job.samples * slowest_s <= _AFFORDABLE * run_s:
        # What a program does once an epoch, it shares among as many samples as in the job.
        steps = max(steps, options.job.samples)
    sized = _sized(case, steps, options.job.samples)
    whole_job = -(-options.job.training_steps // sized.samples)
    epochs = dict.fromkeys(found, sized.epochs)
    count, like_s = sized.epochs, slowest_s
    for name, speed in sorted(known.items(), key=lambda item: -item[1].step_s):
        epoch_s = speed.step_s * sized.samples
        if speed.step_s < _ENOUGH * like_s and count * epoch_s < _ENOUGH * run_s:
            least = math.ceil(_ENOUGH * run_s / epoch_s) if epoch_s else _MOST_EPOCHS
            is_job = least <= whole_job <= run_s / epoch_s if epoch_s else False
            count, like_s = min(whole_job if is_job else _above(least), _MOST_EPOCHS), speed.step_s
        epochs[name] = count
        if speed.warm_up_s is not None and speed.run_s(whole_job * sized.samples) <= _AFFORDABLE * run_s:
            epochs[name] = max(count, whole_job)
    return PlannedCase(
        case=sized,
        run_s={
            name: speed.run_s(epochs[name] * sized.samples) if speed else run_s
            for name, speed in found.items()
        },
        control=control,
        rounds=options.rounds or _FEWEST_ROUNDS,
        epochs={name: more for name, more in epochs.items() if more > sized.epochs},
        warm_up_s={name: one.warm_up_s for name, one in known.items() if one.warm_up_s is not None},
    )


def _below(steps: float) -> int:
    """Return the next number below, at least 1, that is 1, 2 or 5 times a power of ten.

    Another sweep is to find the same number again, whatever the noise of its pilots.
    """
    power = 10.0 ** math.floor(math.log10(max(1.0, steps)))
    return int(max(factor * power for factor in (1, 2, 5) if factor == 1 or factor * power <= steps))


def _above(epochs: int) -> int:
    """Return the next such number that is not smaller."""
    power = int(10 ** (len(str(epochs)) - 1))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= epochs)


def _dispensable(planned: PlannedCase, reference: str) -> tuple[bool, bool, float]:
    """Return how well a sweep does without a case: what is compared and quoted is the last to go."""
    return planned.case.shape != ARTICLE, len(planned.run_s) == 1, planned.round_s(reference)


def _needed(
    planned: PlannedCase,
    here: Here,
    memory_bytes: int | None,
    options: Options,
    on_pilot: Callable[[str], None],
) -> int:
    """Return the rounds in which the ratios of a case should reach the precision that is asked for.

    Its pilots are a few rounds. The standard error of a median of n is 1.25 sd / sqrt(n) if they are normal.
    """
    logs: dict[str, list[float]] = {}
    for _ in range(_SPREAD_ROUNDS):
        for contender in here.contenders:
            if contender.name in planned.run_s:
                on_pilot(f"{planned.case} {contender.name}")
                run = attempt(
                    contender,
                    planned.of(contender.name),
                    timeout_s=options.timeout_s,
                    memory_bytes=memory_bytes,
                )
                if run[1]:
                    logs.setdefault(contender.name, []).append(math.log(run[1].training_s))
    against = logs.pop(here.reference, [])
    spreads = [
        stdev(one - other for one, other in zip(own, against, strict=True))
        for own in logs.values()
        if len(own) == len(against) > 1
    ]
    if not spreads:
        spreads = [stdev(own) for own in (against, *logs.values()) if len(own) > 1]
    half_width = _HALF_WIDTH * max(spreads, default=0.0)
    return max(
        _FEWEST_ROUNDS, min(math.ceil((half_width / math.log1p(options.precision or 1.0)) ** 2), MOST_ROUNDS)
    )


def _with_rounds(
    cases: Sequence[PlannedCase], most: Sequence[int], reference: str, budget_s: float
) -> list[PlannedCase]:
    """Spend what is left of the budget on further rounds, one after the other, until the next does not fit.

    The variance of a case's median falls as 1 / rounds. The sum of weight * variance is least if rounds are
    in proportion to the square root of weight / seconds: Neyman's allocation with costs (Cochran, Sampling
    Techniques, 1977, chapter 5.5). ``most`` has how many rounds each case may have.
    """
    seconds = [planned.round_s(reference) for planned in cases]
    costs = [s / _weight(planned) for planned, s in zip(cases, seconds, strict=True)]
    rounds = [planned.rounds for planned in cases]
    left_s = budget_s - sum(s * (count + 1) for s, count in zip(seconds, rounds, strict=True))
    while places := [place for place, count in enumerate(rounds) if count < most[place]]:
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
    return _QUOTED if planned.case.shape == ARTICLE else 1.0
