"""Pilot runs: how long a training step takes, and which contenders warm up."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from harness.case import Case
from harness.measure.contract import LEAST_STEP_S, Output
from harness.measure.runner import Process

MOST_EPOCHS = 1_000_000
_MOST_STEPS = 10_000_000
_PILOT_S = 0.05
_CLEAR = 0.1
"""By what share the longer of two pilots must exceed the shorter."""
_LONG_S = 1.0
"""Seconds of training after which a contender has warmed up."""
_WARMER = 1.2
"""A step warms up if it is so many times as long in short trainings as in long ones."""
_TRIES = 5
"""How often that must be seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """What pilot runs of a contender on a case showed."""

    step_s: float
    """Seconds of a training step at the end of a long run."""
    startup_s: float
    """Seconds of a run outside training."""
    warm_up_s: float | None = None
    """Seconds that a training takes longer because it begins slowly; None: it does not."""

    def run_s(self, steps: int) -> float:
        """Return the seconds of a run with ``steps`` training steps."""
        return self.startup_s + (self.warm_up_s or 0.0) + self.step_s * steps


class Pilot:
    """Finds the speed of a contender with a method, from the smallest shape up."""

    def __init__(self, tried: Callable[[Case], tuple[Process, Output | None]], most_samples: int) -> None:
        self._tried = tried
        self._most_samples = most_samples
        self._most_steps = min(_MOST_STEPS, most_samples * MOST_EPOCHS)
        self._per_multiply_add_s = 0.0
        self._broken = False
        self._warms_up: bool | None = None

    def expected_s(self, case: Case) -> float:
        """Return the seconds that a step of ``case`` should take; 0 if nothing is known yet."""
        return self._per_multiply_add_s * case.multiply_adds

    def speed(self, case: Case) -> Speed | None:
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
            if difference_s >= clear_s or longer.steps >= self._most_steps:
                # Without what is done once, such as compiling inside the first steps.
                step_s = max(LEAST_STEP_S, difference_s / (longer.steps - shorter.steps))
                if speed := self._warmed(case, longer, step_s):
                    self._per_multiply_add_s = speed.step_s / case.multiply_adds
                    return speed
                break
            shorter, growth = longer, 2.0 * clear_s / max(difference_s, clear_s / 15.0)
        self._broken = True
        return None

    def _warmed(self, case: Case, short: "_Seconds", step_s: float) -> Speed | None:
        """Return the speed; ``step_s`` is that of a step at the end of a short run.

        Two longer runs tell whether it is less at their end: on the smallest shape, or if it was so there.
        All tries must say so: a pilot may be disturbed.
        """
        startup_s = max(0.0, short.wall_s - short.training_s)
        tries: list[tuple[float, float]] = []
        while self._warms_up is not False and len(tries) < (1 if self._warms_up else _TRIES):
            steps = min(max(int(_LONG_S / 2.0 / step_s), 2 * short.steps), self._most_steps // 2)
            runs = [self._seconds(case, count) for count in (short.steps, steps, 2 * steps)]
            if not all(runs):
                return None
            short, half, whole = filter(None, runs)
            steady_s = max(LEAST_STEP_S, (whole.training_s - half.training_s) / (whole.steps - half.steps))
            mean_s = whole.training_s / whole.steps
            if self._warms_up is None and short.training_s <= _WARMER * mean_s * short.steps:
                self._warms_up = False
            tries.append((max(0.0, whole.training_s - steady_s * whole.steps), steady_s))
        if self._warms_up is False:
            return Speed(step_s=step_s, startup_s=startup_s)
        self._warms_up = True
        warm_up_s, step_s = sorted(tries)[len(tries) // 2]
        return Speed(step_s=step_s, startup_s=startup_s, warm_up_s=warm_up_s)

    def _seconds(self, case: Case, steps: int) -> "_Seconds | None":
        if self._broken:
            return None
        trial = sized(case, steps, self._most_samples)
        process, output = self._tried(trial)
        return _Seconds(trial.training_steps, output.training_s, process.wall_s) if output else None


class _Seconds(NamedTuple):
    steps: int
    training_s: float
    wall_s: float


def sized(case: Case, steps: int, most_samples: int) -> Case:
    """Return the case with about ``steps`` training steps: samples grow first, then epochs."""
    samples = max(1, min(steps, most_samples))
    return replace(case, samples=samples, epochs=max(1, min(steps // samples, MOST_EPOCHS)))
