"""One sweep shared out by cases over machines of one kind, and what becomes of the cases of who is gone."""

import shutil
from collections.abc import Sequence
from dataclasses import replace

from harness.case import ARTICLE
from harness.codec import encode
from harness.machines.lanes import Lane
from harness.measure.sweep import Sweep
from harness.plan import LeftOut, Plan, PlannedCase
from harness.records import PLAN, LossKey, SweepFolder
from harness.rows import Row


def shares(plan: Plan, machines: Sequence[str]) -> dict[str, Plan]:
    """Return a part of ``plan`` for each machine: of about equally many seconds, the longest cases first.

    One case of each method with a control, the article's if there is one, is measured by all, to see whether
    the machines are equal.
    """
    common = _common(plan)
    parts: dict[str, list[PlannedCase]] = {machine: list(common) for machine in machines}
    seconds = dict.fromkeys(machines, 0.0)
    for case in sorted(plan.cases, key=lambda case: -_seconds(plan, case)):
        if case not in common:
            machine = min(machines, key=lambda one: seconds[one])
            parts[machine].append(case)
            seconds[machine] += _seconds(plan, case)
    return {machine: _with_cases(plan, cases) for machine, cases in parts.items()}


def _common(plan: Plan) -> list[PlannedCase]:
    chosen: dict[str, PlannedCase] = {}
    for case in plan.cases:
        known = chosen.get(case.case.method)
        if case.control and (known is None or case.case.shape == ARTICLE):
            chosen[case.case.method] = case
    return list(chosen.values())


def _seconds(plan: Plan, case: PlannedCase) -> float:
    return case.round_s(plan.reference) * (case.rounds + 1)


def _with_cases(plan: Plan, cases: Sequence[PlannedCase]) -> Plan:
    """Return ``plan`` with these cases, sorted by method and size as any plan has them."""
    methods = list(dict.fromkeys(case.case.method for case in (*plan.cases, *cases)))
    ranked = sorted(cases, key=lambda case: (methods.index(case.case.method), case.case.shape.size))
    return replace(plan, cases=tuple(ranked))


def put_together(folders: Sequence[SweepFolder], into: SweepFolder) -> bool:
    """Write one sweep that has the cases of all machines, if these are finished; return whether they are.

    What all have measured, to see whether they are equal, is taken from the first of them.
    """
    plans = [plan for folder in folders if (plan := folder.plan())]
    sweeps = [Sweep(plan, (), folder, "") for plan, folder in zip(plans, folders, strict=True)]
    if any(next(sweep.pending(), None) is not None for sweep in sweeps):
        return False
    taken: dict[str, PlannedCase] = {}
    rows: list[Row] = []
    losses: dict[LossKey, tuple[float, ...]] = {}
    for sweep in sweeps:
        own = {str(case.case): case for case in sweep.plan.cases if str(case.case) not in taken}
        taken |= own
        rows += [row for row in sweep.folder.rows() if str(row.run.case) in own]
        losses |= {key: values for key, values in sweep.losses.items() if f"{key[1]} {key[2]}" in own}
    shutil.rmtree(into.path, ignore_errors=True)
    into.path.mkdir(parents=True)
    machines = [folder.name for folder in folders]
    about = {**folders[0].environment(), "machines": machines}
    into.begin(_with_cases(plans[0], list(taken.values())), about)
    for row in rows:
        into.append_row(row)
    for key, values in losses.items():
        into.append_losses(key, values)
    return True


def hand_over(lane: Lane, others: Sequence[Lane]) -> None:
    """Let others measure the unfinished cases of ``lane``, each from its beginning; its rows are kept.

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
            _change_plan(other, _with_cases(own, [*own.cases, *given[other.machine]]))
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
