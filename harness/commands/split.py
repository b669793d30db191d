"""One sweep on several machines of one kind, shared out by cases, and what becomes of the cases of who is gone."""

from collections.abc import Sequence
from dataclasses import replace

from harness.case import ARTICLE
from harness.codec import encode
from harness.commands.lanes import Lane
from harness.measure.sweep import Sweep
from harness.plan import LeftOut, Plan, PlannedCase
from harness.records import PLAN


def shares(plan: Plan, machines: Sequence[str]) -> dict[str, Plan]:
    """Return a part of ``plan`` for each machine: of about equally many seconds, the longest cases first.

    One case of each method with a control, on the article's shape if there is such a case, is measured by all,
    for whether the machines are equal.
    """
    common = _common(plan)
    parts: dict[str, list[PlannedCase]] = {machine: list(common) for machine in machines}
    seconds = dict.fromkeys(machines, 0.0)
    for case in sorted(plan.cases, key=lambda case: -_seconds(plan, case)):
        if case not in common:
            machine = min(machines, key=lambda one: seconds[one])
            parts[machine].append(case)
            seconds[machine] += _seconds(plan, case)
    return {machine: _with_cases(plan, plan, cases) for machine, cases in parts.items()}


def _common(plan: Plan) -> list[PlannedCase]:
    chosen: dict[str, PlannedCase] = {}
    for case in plan.cases:
        known = chosen.get(case.case.method)
        if case.control and (known is None or case.case.shape == ARTICLE):
            chosen[case.case.method] = case
    return list(chosen.values())


def _seconds(plan: Plan, case: PlannedCase) -> float:
    return case.round_s(plan.reference) * (case.rounds + 1)


def _with_cases(plan: Plan, order: Plan, cases: Sequence[PlannedCase]) -> Plan:
    """Return ``plan`` with these cases, sorted by method and size as any plan has them."""
    methods = {case.case.method: place for place, case in reversed(list(enumerate(order.cases)))}
    ranked = sorted(cases, key=lambda case: (methods.get(case.case.method, 0), case.case.shape.size))
    return replace(plan, cases=tuple(ranked))


def hand_over(lane: Lane, others: Sequence[Lane]) -> None:
    """Let others measure the unfinished cases of ``lane``, each from its beginning; its rows stay where they are.

    Their plans are written first: whoever is killed in between has a case twice, and none is forgotten.
    """
    plan = lane.sweep.plan
    unfinished = {str(run.case) for run in lane.sweep.pending()}
    left_s = {
        other.machine: sum(map(other.sweep.plan.estimate_of, other.sweep.pending())) for other in others
    }
    given: dict[str, list[PlannedCase]] = {other.machine: [] for other in others}
    for case in sorted(plan.cases, key=lambda case: -_seconds(plan, case)):
        known = any(case.case == one.case for other in others for one in other.sweep.plan.cases)
        if str(case.case) in unfinished and not known:
            machine = min(left_s, key=lambda name: left_s[name])
            given[machine].append(case)
            left_s[machine] += _seconds(plan, case)
    for other in others:
        if given[other.machine]:
            own = other.sweep.plan
            _change_plan(other, _with_cases(own, own, [*own.cases, *given[other.machine]]))
    names = " and ".join(name for name, cases in given.items() if cases)
    left_out = [
        LeftOut(
            method=case.case.method,
            shape=case.case.shape,
            contender=None,
            reason=f"its machine was gone; measured anew on {names}" if names else "its machine was gone",
        )
        for case in plan.cases
        if str(case.case) in unfinished
    ]
    finished = [case for case in plan.cases if str(case.case) not in unfinished]
    _change_plan(lane, replace(plan, cases=tuple(finished), left_out=(*plan.left_out, *left_out)))


def _change_plan(lane: Lane, plan: Plan) -> None:
    folder = lane.sweep.folder
    folder.write_json(PLAN, encode(plan))
    lane.sweep = Sweep(plan, (), folder, lane.machine)
