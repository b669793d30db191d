"""Makes the plan of a sweep: how long a training step takes, and how often which case fits into the budget.

Pilot runs find the seconds of a training step; from those follows how much work fits into the seconds that
a run may take, and how many rounds of each case fit into the seconds of the sweep.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.case import ARTICLE, Case, Shape
from harness.digits import duration
from harness.errors import UsageError
from harness.measure.attempt import attempt
from harness.measure.contenders import Contender
from harness.measure.machine import Here
from harness.plan import LeftOut, Options, Plan, PlannedCase

MOST_SAMPLES, MOST_EPOCHS = 100, 100
"""The article's; a case has fewer if these take too long."""
MOST_STEPS = MOST_SAMPLES * MOST_EPOCHS
_LARGEST_LEARNING_RATE = 0.01
_PILOT_S = 0.05
_CLEAR = 0.1
"""The longer of two pilots must take so much longer than the shorter, as a share of that."""
_FEWEST_ROUNDS, _MOST_ROUNDS = 7, 101
_WEIGHTS = {"article": 4.0, "alone": 0.25}
"""What the precision of a case is worth: the article's shape is quoted, who runs alone makes no ratio."""
_AFFORDABLE = 10.0
"""A case is left to the faster contenders if one training step takes this many times a run's seconds."""


def stable_learning_rate(shape: Shape, low: float, high: float) -> float:
    """Return the learning rate of a case: the article's 0.01, or a quarter of the stability limit if less.

    Gradient descent on a quadratic loss is stable below 2 / c, c being the largest curvature. At the
    optimum that is at most 2 / nL times the squared length of the outputs' gradient, summed over the nL
    outputs. With weights and biases from uniform(-1, 1), whose mean square is 1/3, the expected squared
    length of layer k's part is that of its inputs times that of the signal sent back to its outputs; one
    for the signal itself is the bias's part. The result has two significant digits.
    """
    layers = shape.layers
    mean_square = (low * low + low * high + high * high) / 3.0
    forward = [layers[0] * mean_square]
    for rows in layers[1:]:
        forward.append(rows * (forward[-1] + 1.0) / 3.0)
    backward = [float(layers[-1])]
    for columns in reversed(layers[1:-1]):
        backward.append(columns * backward[-1] / 3.0)
    backward.reverse()
    curvature = 2.0 / layers[-1] * sum(b * (f + 1.0) for f, b in zip(forward, backward, strict=False))
    limit = 0.25 * 2.0 / curvature if math.isfinite(curvature) else 0.0
    return float(f"{min(_LARGEST_LEARNING_RATE, limit):.1e}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Speed:
    """What pilot runs of one contender on one case showed."""

    step_s: float
    """Seconds of one training step."""
    startup_s: float
    """Seconds of a whole run outside training."""


def make_plan(
    options: Options,
    here: Here,
    *,
    sweep: str,
    on_pilot: Callable[[str], None],
) -> Plan:
    """Run the pilots and return the plan; raise UsageError if nothing fits into the budget.

    ``on_pilot`` is told about each pilot run before it starts.
    """
    memory_bytes = options.memory_bytes or here.memory_bytes
    left_out: list[LeftOut] = []
    speeds: list[tuple[Case, dict[str, _Speed | None]]] = []
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
                if reason := pilot.measure(case):
                    left_out.append(LeftOut(method=method, shape=shape, contender=name, reason=reason))
                else:
                    found[name] = pilot.speed
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
        self.speed: _Speed | None = None
        self._contender = contender
        self._options = options
        self._memory_bytes = memory_bytes
        self._per_multiply_add_s = 0.0
        self._broken = False

    def measure(self, case: Case) -> str:
        """Set ``speed`` for ``case``; return the reason to leave it out, or ''.

        A contender that fails stays in the plan, at an unknown speed: its failure belongs in the records.
        """
        expected_s = self._per_multiply_add_s * case.multiply_adds
        if expected_s > _AFFORDABLE * self._options.run_s:
            return f"one training step takes about {duration(expected_s)}"
        self.speed = None
        steps = _clamp(_PILOT_S / 2.0 / expected_s) if expected_s else 1
        shorter = self._seconds(case, steps)
        growth = 2.0 if expected_s or shorter is None else _PILOT_S / max(shorter[0], _PILOT_S / 1000.0)
        while shorter is not None:
            more = _clamp(steps * max(2.0, growth))
            longer = self._seconds(case, more)
            if longer is None:
                break
            difference_s = max(0.0, longer[0] - shorter[0])
            clear_s = max(_PILOT_S / 3.0, _CLEAR * shorter[0])
            if difference_s >= clear_s or more == MOST_STEPS:
                # What a contender does once, as a compiler that runs inside its first steps, is no speed.
                step_s = difference_s / (more - steps) if more > steps else longer[0] / more
                self._per_multiply_add_s = step_s / case.multiply_adds
                self.speed = _Speed(step_s=step_s, startup_s=max(0.0, longer[1] - step_s * more))
                return ""
            steps, shorter, growth = more, longer, 2.0 * clear_s / max(difference_s, clear_s / 15.0)
        self._broken = True
        return ""

    def _seconds(self, case: Case, steps: int) -> tuple[float, float] | None:
        """Return the seconds of training and of the whole process for so many steps; None if that failed."""
        if self._broken:
            return None
        tried = attempt(
            self._contender,
            replace(case, samples=steps),
            timeout_s=self._options.timeout_s,
            memory_bytes=self._memory_bytes,
        )
        return (tried.output.training_s, tried.process.wall_s) if tried.output else None


def _clamp(steps: float) -> int:
    return max(1, min(int(steps), MOST_STEPS))


def _fit(
    speeds: Sequence[tuple[Case, Mapping[str, _Speed | None]]],
    options: Options,
    reference: str,
    left_out: list[LeftOut],
) -> list[PlannedCase]:
    """Choose samples, epochs and rounds; if they do not fit shorten the runs, then drop the dearest case."""
    kept = list(speeds)
    run_s = options.run_s
    fewest = options.rounds or _FEWEST_ROUNDS
    while kept:
        cases = [_planned(case, found, run_s, fewest) for case, found in kept]
        cases = _with_controls(cases, reference)
        total_s = sum(planned.round_s(reference) for planned in cases) * (fewest + 1)
        if total_s <= options.budget_s:
            return cases if options.rounds else _with_rounds(cases, reference, options.budget_s)
        if run_s > options.run_s / 8:
            run_s *= max(0.5, 0.95 * options.budget_s / total_s)
            continue
        dearest = max(range(len(kept)), key=lambda index: cases[index].round_s(reference))
        case, _ = kept.pop(dearest)
        reason = f"does not fit into {options.budget_s:g} s; raise --budget"
        left_out.append(LeftOut(method=case.method, shape=case.shape, contender=None, reason=reason))
    return []


def _planned(case: Case, found: Mapping[str, _Speed | None], run_s: float, rounds: int) -> PlannedCase:
    # A step that is too short to be timed does not limit the work.
    slowest_s = max((speed.step_s for speed in found.values() if speed), default=run_s)
    steps = _round(_clamp(run_s / slowest_s)) if slowest_s else MOST_STEPS
    # The article's 100 x 100 where that fits: first epochs shrink, then samples.
    samples = min(MOST_SAMPLES, steps)
    sized = replace(case, samples=samples, epochs=max(1, steps // samples))
    return PlannedCase(
        case=sized,
        run_s={
            name: speed.startup_s + speed.step_s * sized.training_steps if speed else run_s
            for name, speed in found.items()
        },
        control=False,
        rounds=rounds,
    )


def _round(steps: int) -> int:
    """Return the next number below that is 1, 2 or 5 times a power of ten.

    The ratio of whole processes depends on the work, which the noise of pilots must not change.
    """
    power = int(10 ** (len(str(steps)) - 1))
    return max(factor * power for factor in (1, 2, 5) if factor * power <= steps)


def _with_rounds(cases: Sequence[PlannedCase], reference: str, budget_s: float) -> list[PlannedCase]:
    """Share the budget out in rounds, at least as many as each case has.

    The variance of a case's median falls as 1 / rounds. The least sum of weight * variance for a total of
    seconds has rounds in proportion to the square root of weight / seconds of a round: Neyman's allocation
    with costs (Cochran, Sampling Techniques, 1977, chapter 5.5).
    """
    seconds = [planned.round_s(reference) for planned in cases]
    rates = [math.sqrt(_weight(planned) / max(s, 1e-9)) for planned, s in zip(cases, seconds, strict=True)]

    def shared(scale: float) -> list[int]:
        wanted = (min(_MOST_ROUNDS, int(scale * rate)) for rate in rates)
        return [max(planned.rounds, rounds) for planned, rounds in zip(cases, wanted, strict=True)]

    low, high = 0.0, 2.0 * _MOST_ROUNDS / min(rates)
    for _ in range(50):
        scale = (low + high) / 2.0
        total_s = sum(s * (rounds + 1) for s, rounds in zip(seconds, shared(scale), strict=True))
        low, high = (scale, high) if total_s <= budget_s else (low, scale)
    return [replace(planned, rounds=rounds) for planned, rounds in zip(cases, shared(low), strict=True)]


def _weight(planned: PlannedCase) -> float:
    if len(planned.run_s) == 1 and not planned.control:
        return _WEIGHTS["alone"]
    return _WEIGHTS["article"] if planned.case.shape == ARTICLE else 1.0


def _with_controls(cases: Sequence[PlannedCase], reference: str) -> list[PlannedCase]:
    """Let the reference run twice on a case in each decade of neurons, for each method.

    That is on the article's shape, or else on the smallest of the decade.
    """
    chosen: dict[tuple[str, int], int] = {}
    for index, planned in enumerate(cases):
        shape = planned.case.shape
        decade = planned.case.method, len(str(shape.neurons))
        if reference in planned.run_s and (decade not in chosen or shape == ARTICLE):
            chosen[decade] = index
    return [
        replace(planned, control=True) if index in chosen.values() else planned
        for index, planned in enumerate(cases)
    ]
