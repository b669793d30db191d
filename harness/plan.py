"""The plan of a sweep: which cases, with how many samples and epochs, in how many rounds.

It is made before the first timed run and not changed by what that or any later run shows. Pilot runs find
out how long a training step takes; from that follows how much work fits into the seconds that a run may
take, and the total is held to the budget.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from harness import runner
from harness.contenders import ROOT, Contender
from harness.contract import METHODS, Case, multiply_adds, parse_layers, parse_output
from harness.errors import ContractError, UsageError

ARTICLE_LAYERS = (10, 5, 1)
DEFAULT_SHAPES = (
    *("4-2-1", "8-4-1", "10-5-1", "16-8-1", "32-16-1", "64-32-1"),
    *("128-64-1", "256-128-1", "512-256-1"),
)
MOST_SAMPLES, MOST_EPOCHS = 100, 100
"""The article's; a case has fewer where these take too long."""
_LARGEST_LEARNING_RATE = 0.01
_PILOT_S = 0.05
_AFFORDABLE = 3.0
"""A case is left to the faster contenders if one training step takes this many times a run's seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the user asked for."""

    shapes: tuple[str, ...] = DEFAULT_SHAPES
    """Layer sizes such as 10-5-1."""
    methods: tuple[str, ...] = METHODS
    """How the gradient is found."""
    rounds: int = 7
    """Timed rounds of every case, after one that warms up."""
    run_s: float = 0.5
    """Seconds that the slowest contender's training should take in one run."""
    timeout_s: float = 60.0
    """Seconds after which a run is ended."""
    budget_s: float = 140.0
    """Seconds that the whole sweep may take, by estimate."""
    step: float = 0.1
    """h of the central difference."""
    low: float = 0.0
    """Least value of an input."""
    high: float = 1.0
    """Greatest value of an input."""
    seed: int = 1
    """Seed of every run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCase:
    """A case and who runs it."""

    case: Case
    """The command line but for the program."""
    run_s: Mapping[str, float]
    """Who runs it, in the order of an even round, and the estimated seconds of one whole run."""
    control: bool
    """Whether the reference runs twice in each round, to show the noise floor."""

    def round_s(self, reference: str) -> float:
        """Return the estimated seconds of one round."""
        return sum(self.run_s.values()) + (self.run_s[reference] if self.control else 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that a sweep will do."""

    sweep: str
    """The sweep's id: the UTC time at which it was planned."""
    options: Options
    """What the user asked for."""
    reference: str
    """The contender that the others are compared with."""
    versions: Mapping[str, str]
    """The version of each contender."""
    cases: tuple[PlannedCase, ...]
    """By method, then by size."""
    left_out: tuple[str, ...]
    """What was asked for and does not fit, each with the reason."""

    @property
    def estimate_s(self) -> float:
        """The estimated seconds of the whole sweep."""
        return sum(planned.round_s(self.reference) for planned in self.cases) * (self.options.rounds + 1)

    def to_json(self) -> dict[str, Any]:
        """Return the plan in types that JSON has."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Plan":
        """Return the plan that ``to_json`` wrote; raise KeyError, TypeError or ValueError if it is none."""
        cases = tuple(
            PlannedCase(
                case=Case(**(entry["case"] | {"layers": tuple(entry["case"]["layers"])})),
                run_s=dict(entry["run_s"]),
                control=bool(entry["control"]),
            )
            for entry in document["cases"]
        )
        options, versions = document["options"], dict(document["versions"])
        for name in ("rounds", "run_s", "timeout_s", "budget_s"):
            if not isinstance(options[name], int | float):
                raise TypeError(f"{name} is no number")
        if not (isinstance(document["sweep"], str) and isinstance(document["reference"], str)):
            raise TypeError("sweep and reference are no texts")
        for name in {name for planned in cases for name in planned.run_s} - versions.keys():
            raise ValueError(f"a case is run by {name!r}, which has no version")
        return cls(
            sweep=document["sweep"],
            options=Options(
                **(options | {"shapes": tuple(options["shapes"]), "methods": tuple(options["methods"])})
            ),
            reference=document["reference"],
            versions=versions,
            cases=cases,
            left_out=tuple(document["left_out"]),
        )


def stable_learning_rate(layers: Sequence[int], low: float, high: float) -> float:
    """Return the learning rate of a case: the article's 0.01, or a quarter of the stability limit if less.

    Gradient descent on a quadratic loss is stable below 2 / c, c being the largest curvature. At the
    optimum that is at most 2 / nL times the squared length of the outputs' gradient, summed over the nL
    outputs. With weights and biases from uniform(-1, 1), whose mean square is 1/3, the expected squared
    length of layer k's part is that of its inputs times that of the signal sent back to its outputs; one
    for the signal itself is the bias's part. The result has two significant digits.
    """
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
    *,
    sweep: str,
    reference: str,
    contenders: Sequence[Contender],
    versions: Mapping[str, str],
    on_pilot: Callable[[str], None],
) -> Plan:
    """Run the pilots and return the plan; raise UsageError if nothing fits into the budget.

    ``on_pilot`` is told about each pilot run before it starts.
    """
    left_out: list[str] = []
    speeds: list[tuple[Case, dict[str, _Speed | None]]] = []
    shapes = sorted(map(parse_layers, dict.fromkeys(options.shapes)), key=lambda s: multiply_adds(s, "naive"))
    for method in dict.fromkeys(options.methods):
        able = [contender for contender in contenders if method in contender.methods]
        pilots = {contender.name: _Pilot(contender, options) for contender in able}
        for layers in shapes:
            case = Case(
                layers=layers,
                method=method,
                samples=1,
                epochs=1,
                step=options.step,
                learning_rate=stable_learning_rate(layers, options.low, options.high),
                low=options.low,
                high=options.high,
                seed=options.seed,
            )
            found: dict[str, _Speed | None] = {}
            for name, pilot in pilots.items():
                on_pilot(f"{method} {case.shape} {name}")
                reason = pilot.measure(case)
                if reason:
                    left_out.append(f"{name} {method} {case.shape}: {reason}")
                else:
                    found[name] = pilot.speed
            if found:
                speeds.append((case, found))
    cases = _fit(speeds, options, reference, left_out)
    if not cases:
        raise UsageError(
            f"--budget: nothing fits into {options.budget_s:g} s with {options.rounds} rounds;"
            " raise it, or ask for fewer rounds or smaller shapes"
        )
    return Plan(
        sweep=sweep,
        options=options,
        reference=reference,
        versions=versions,
        cases=tuple(cases),
        left_out=tuple(left_out),
    )


class _Pilot:
    """Finds the speed of one contender with one method, from the smallest shape up."""

    def __init__(self, contender: Contender, options: Options) -> None:
        self.speed: _Speed | None = None
        self._contender = contender
        self._options = options
        self._per_multiply_add_s = 0.0
        self._broken = False

    def measure(self, case: Case) -> str:
        """Set ``speed`` for ``case``; return why that is left out, or nothing.

        A contender that fails stays in the plan, at an unknown speed: its failure belongs in the records.
        """
        expected_s = self._per_multiply_add_s * case.multiply_adds
        if expected_s > _AFFORDABLE * self._options.run_s:
            return f"one training step takes about {expected_s:.2g} s"
        self.speed = None
        steps = _clamp(_PILOT_S / expected_s) if expected_s else 1
        while not self._broken:
            pilot = replace(case, samples=steps)
            process = runner.run(
                self._contender.command_line(pilot), cwd=ROOT, timeout_s=self._options.timeout_s
            )
            try:
                training_s = parse_output(pilot, process.stdout, process.stderr).training_s
            except ContractError:
                training_s = 0.0
            if process.failure or not training_s:
                self._broken = True
                break
            self._per_multiply_add_s = training_s / steps / case.multiply_adds
            self.speed = _Speed(step_s=training_s / steps, startup_s=max(0.0, process.wall_s - training_s))
            wanted = _clamp(_PILOT_S * steps / training_s)
            if wanted <= 2 * steps:
                break
            steps = wanted
        return ""


def _clamp(steps: float) -> int:
    return max(1, min(int(steps), MOST_SAMPLES * MOST_EPOCHS))


def _fit(
    speeds: Sequence[tuple[Case, Mapping[str, _Speed | None]]],
    options: Options,
    reference: str,
    left_out: list[str],
) -> list[PlannedCase]:
    """Choose samples and epochs; to fit the budget shorten the runs, then drop the dearest case."""
    kept = list(speeds)
    run_s = options.run_s
    while kept:
        cases = [_planned(case, found, run_s) for case, found in kept]
        cases = _with_controls(cases, reference)
        total_s = sum(planned.round_s(reference) for planned in cases) * (options.rounds + 1)
        if total_s <= options.budget_s:
            return cases
        if run_s > options.run_s / 8:
            run_s *= max(0.5, 0.95 * options.budget_s / total_s)
            continue
        dearest = max(range(len(kept)), key=lambda index: cases[index].round_s(reference))
        case, _ = kept.pop(dearest)
        left_out.append(
            f"{case.method} {case.shape}: does not fit into {options.budget_s:g} s; raise --budget"
        )
    return []


def _planned(case: Case, found: Mapping[str, _Speed | None], run_s: float) -> PlannedCase:
    slowest_s = max((speed.step_s for speed in found.values() if speed), default=run_s)
    steps = _clamp(run_s / slowest_s)
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
    )


def _with_controls(cases: Iterable[PlannedCase], reference: str) -> list[PlannedCase]:
    """Mark one case a method for the control: the article's shape, or else the smallest."""
    cases = list(cases)
    for method in {planned.case.method for planned in cases}:
        able = [
            index
            for index, planned in enumerate(cases)
            if planned.case.method == method and reference in planned.run_s
        ]
        if able:
            index = min(able, key=lambda index: (cases[index].case.layers != ARTICLE_LAYERS, index))
            cases[index] = replace(cases[index], control=True)
    return cases
