"""Makes the plan of a sweep: how much work fits into a run, and how many rounds of a case into a budget."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import accumulate
from operator import sub
from statistics import stdev

from harness.case import ARTICLE, ARTICLE_RUN, Case, Shape
from harness.digits import duration
from harness.errors import UsageError
from harness.measure.contenders import Contender, attempt
from harness.measure.contract import Output
from harness.measure.environment import Machine
from harness.measure.pilots import MOST_EPOCHS, Pilot, Speed, sized
from harness.measure.runner import Process
from harness.plan import MOST_ROUNDS, LeftOut, Options, Plan, PlannedCase

_ENOUGH = 2 / 3
"""The share of the slowest contender's seconds that is long enough."""
_AFFORDABLE = 40.0
"""How many times a run's seconds the job's samples, or a job itself, may take."""
_SLOWEST = 20.0
"""A contender is left out of a case if a training step takes this many times a run's seconds."""
_SHORTEST = 1 / 4
"""The share that runs keep at least to fit, before cases are dropped."""
_FEWEST_ROUNDS, _MOST_ROUNDS = 7, 201
_SPREAD_ROUNDS = 7
"""Pilot rounds of each case, if a precision is asked for."""
_HALF_WIDTH = 2.3 * 1.25
"""Half an interval in standard deviations of a ratio / sqrt(rounds).

The standard error of a median of n normal values is 1.25 sd / sqrt(n).
"""
_ROUND_NUMBERS = [factor * 10**power for power in range(20) for factor in (1, 2, 5)]
"""Of steps and epochs, so that another sweep's are the same."""
_Speeds = Mapping[str, Speed | None]
"""The speeds of contenders on a case, by name; None: it failed."""


def stable_learning_rate(shape: Shape, low: float, high: float) -> float:
    """Return the article's learning rate, or a quarter of the stability limit if less, with two digits.

    Gradient descent on a quadratic loss is stable below 2 / c, c being the largest curvature. At the
    optimum that is at most 2 / nL times the squared length of the outputs' gradient, summed over the nL
    outputs. With weights and biases from uniform(-1, 1), whose mean square is 1/3, the expected squared
    length of layer k's part is that of its inputs, plus 1 for the bias, times that of the signal sent back
    to its outputs.
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


def make_plan(options: Options, here: Machine, *, sweep: str, on_pilot: Callable[[str], None]) -> Plan:
    """Run pilots, tell ``on_pilot`` of each, and return the plan; raise UsageError if nothing fits."""
    memory_bytes = options.memory_bytes or here.memory_bytes
    tried = partial(attempt, timeout_s=options.timeout_s, memory_bytes=memory_bytes)
    left_out: list[LeftOut] = []
    speeds: list[tuple[Case, _Speeds]] = []
    shapes = sorted(dict.fromkeys(options.shapes), key=lambda shape: shape.size)
    for method in dict.fromkeys(options.methods):
        able = [contender for contender in here.contenders if method in contender.methods]
        pilots = {contender.name: Pilot(partial(tried, contender), options.job.samples) for contender in able}
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
            found: dict[str, Speed | None] = {}
            for name, pilot in pilots.items():
                on_pilot(f"{case} {name}")
                expected_s = pilot.expected_s(case)
                if expected_s > min(_SLOWEST * options.run_s, options.timeout_s / 2.0):
                    reason = f"one training step takes about {duration(expected_s)}"
                    left_out.append(LeftOut(method=method, shape=shape, contender=name, reason=reason))
                else:
                    found[name] = pilot.speed(case)
            if found:
                speeds.append((case, found))
    if not (speeds or left_out):
        raise UsageError(f"--methods: no contender here has {' or '.join(options.methods)}; ask for others")
    cases = _fit(speeds, options, here.reference, left_out)
    if not options.rounds:
        most = [_MOST_ROUNDS] * len(cases)
        if options.precision:
            able = [one for one in here.contenders if all(found.get(one.name, True) for _, found in speeds)]
            spreads = [_spread(case, able, tried, on_pilot) for case in cases]
            # In one round, in units of what is asked for.
            half_widths = [_HALF_WIDTH * spread / math.log1p(options.precision) for spread in spreads]
            most = [max(_FEWEST_ROUNDS, math.ceil(min(half * half, MOST_ROUNDS))) for half in half_widths]
        cases = _with_rounds(cases, most, options.budget_s)
    if not cases:
        what = f"{options.budget_s:g} s with {options.rounds or _FEWEST_ROUNDS} rounds"
        raise UsageError(f"--budget: nothing fits into {what}; raise it, or ask for smaller shapes")
    return Plan(
        sweep=sweep,
        options=options,
        reference=here.reference,
        versions=here.versions,
        memory_bytes=memory_bytes,
        cases=tuple(cases),
        left_out=tuple(left_out),
    )


def _fit(
    speeds: Sequence[tuple[Case, _Speeds]], options: Options, reference: str, left_out: list[LeftOut]
) -> list[PlannedCase]:
    """Choose samples, epochs and rounds; to fit, shorten runs, then drop expensive cases."""
    kept = list(speeds)
    # No run may be planned that --timeout ends.
    run_s = min(options.run_s, options.timeout_s / 2.0)
    fewest = options.rounds or _FEWEST_ROUNDS
    while kept:
        controls = _controls([case for case, found in kept if reference in found])
        cases = [_planned(case, found, run_s, options, control=case in controls) for case, found in kept]
        total_s = sum(planned.round_s for planned in cases) * (fewest + 1)
        if total_s <= options.budget_s:
            return cases
        if run_s > options.run_s * _SHORTEST:
            run_s = max(options.run_s * _SHORTEST, run_s * max(0.5, 0.95 * options.budget_s / total_s))
            continue
        # A case of one contender alone goes first, the article's shape, which is quoted, last.
        ranks = [(one.case.shape != ARTICLE, len(one.run_s) == 1, one.round_s) for one in cases]
        case, _ = kept.pop(ranks.index(max(ranks)))
        reason = f"does not fit into {options.budget_s:g} s; raise --budget"
        left_out.append(LeftOut(method=case.method, shape=case.shape, contender=None, reason=reason))
    return []


def _controls(cases: Sequence[Case]) -> list[Case]:
    """Return the cases with a control: of a method and decade of neurons the article's, or the first."""
    chosen: dict[tuple[str, int], Case] = {}
    for case in cases:
        decade = case.method, len(str(case.shape.neurons))
        if decade not in chosen or case.shape == ARTICLE:
            chosen[decade] = case
    return list(chosen.values())


def _planned(case: Case, found: _Speeds, run_s: float, options: Options, *, control: bool) -> PlannedCase:
    """Return the case with what the slowest manages, and more epochs for others.

    From the slowest to the fastest each has as many as the one before, if of like speed, or if that is
    ``_ENOUGH`` to be timed; else as many as are enough. One that warms up runs the job, if it can. Revisions
    of a program have the same: longer runs are interrupted more often.
    """
    known = {name: speed for name, speed in found.items() if speed}
    slowest_s = max((speed.step_s for speed in known.values()), default=run_s)
    steps = max(number for number in _ROUND_NUMBERS if number <= max(1.0, run_s / slowest_s))
    affordable_s = min(_AFFORDABLE * run_s, options.timeout_s / 2.0)
    if options.job.samples * slowest_s <= affordable_s:
        # What is done once an epoch is shared among as many samples as in the job.
        steps = max(steps, options.job.samples)
    slowest = sized(case, steps, options.job.samples)
    whole_job = -(-options.job.training_steps // slowest.samples)
    epochs = dict.fromkeys(found, slowest.epochs)
    count, like_s = slowest.epochs, slowest_s
    by_program: dict[str, int] = {}
    for name, speed in sorted(known.items(), key=lambda item: -item[1].step_s):
        program = re.split("@| [+]", name)[0]
        if program in by_program:
            epochs[name] = by_program[program]
            continue
        epoch_s = speed.step_s * slowest.samples
        if speed.step_s < _ENOUGH * like_s and count * epoch_s < _ENOUGH * run_s:
            least = math.ceil(_ENOUGH * run_s / epoch_s)
            above = next(number for number in _ROUND_NUMBERS if number >= least)
            is_job = least <= whole_job <= run_s / epoch_s
            count, like_s = min(whole_job if is_job else above, MOST_EPOCHS), speed.step_s
        epochs[name] = count
        if speed.warm_up_s is not None and speed.run_s(whole_job * slowest.samples) <= affordable_s:
            epochs[name] = max(slowest.epochs, whole_job)
        by_program[program] = epochs[name]
    return PlannedCase(
        case=slowest,
        run_s={
            name: speed.run_s(epochs[name] * slowest.samples) if speed else run_s
            for name, speed in found.items()
        },
        control=control,
        rounds=options.rounds or _FEWEST_ROUNDS,
        epochs={name: more for name, more in epochs.items() if more > slowest.epochs},
        warm_up_s={name: one.warm_up_s for name, one in known.items() if one.warm_up_s is not None},
    )


def _spread(
    planned: PlannedCase,
    contenders: Sequence[Contender],
    tried: Callable[[Contender, Case], tuple[Process, Output | None]],
    on_pilot: Callable[[str], None],
) -> float:
    """Return the largest standard deviation of the logarithms of ratios in pilot rounds."""
    logs: dict[str, list[float]] = {}
    for _ in range(_SPREAD_ROUNDS):
        for contender in contenders:
            if contender.name in planned.run_s:
                on_pilot(f"{planned.case} {contender.name}")
                if output := tried(contender, planned.of(contender.name))[1]:
                    logs.setdefault(contender.name, []).append(math.log(output.training_s))
    first, *others = logs.values() or [[]]
    ratios = [list(map(sub, own, first)) for own in others if len(own) == len(first)]
    return max((stdev(own) for own in ratios or [first, *others] if len(own) > 1), default=0.0)


def _with_rounds(cases: Sequence[PlannedCase], most: Sequence[int], budget_s: float) -> list[PlannedCase]:
    """Spend what is left of the budget on further rounds, at most ``most`` of each case.

    The variance of a case's median falls as 1 / rounds. The sum of weight * variance is least if rounds are
    in proportion to sqrt(weight / seconds): Neyman's allocation with costs (Cochran, Sampling Techniques,
    1977, chapter 5.5).
    """
    costs = [planned.round_s / _weight(planned) for planned in cases]
    rounds = [planned.rounds for planned in cases]
    left_s = budget_s - sum(planned.total_s for planned in cases)
    while places := [place for place, count in enumerate(rounds) if count < most[place]]:
        place = min(places, key=lambda place: (rounds[place] + 1) ** 2 * costs[place])
        left_s -= cases[place].round_s
        if left_s < 0.0:
            break
        rounds[place] += 1
    return [replace(planned, rounds=count) for planned, count in zip(cases, rounds, strict=True)]


def _weight(planned: PlannedCase) -> float:
    """Return what precision is worth: the article's case is quoted, one contender makes no ratio."""
    if len(planned.run_s) == 1 and not planned.control:
        return 0.25
    return 8.0 if planned.case.shape == ARTICLE else 1.0
