"""One sweep, shared out by cases over machines of one kind, and again if one is gone."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.case import ARTICLE
from harness.codec import encode
from harness.machines.lanes import Lane
from harness.measure.sweep import Progress
from harness.plan import LeftOut, Plan, PlannedCase
from harness.records import PLAN, LossKey, SweepFolder
from harness.rows import Row


def shares(plan: Plan, machines: Sequence[str]) -> dict[str, Plan]:
    """Return a part of ``plan`` for each machine, of about equally many seconds.

    All measure a case of each method with a control, if possible the article's: are the machines equal?
    """
    common: dict[str, PlannedCase] = {}
    for case in plan.cases:
        if case.control and (case.case.method not in common or case.case.shape == ARTICLE):
            common[case.case.method] = case
    others = [case for case in plan.cases if case not in common.values()]
    parts = _dealt(others, dict.fromkeys(machines, 0.0))
    return {machine: _with_cases(plan, [*common.values(), *cases]) for machine, cases in parts.items()}


def _dealt(cases: Sequence[PlannedCase], seconds: Mapping[str, float]) -> dict[str, list[PlannedCase]]:
    """Share cases out, the longest first, to the machine with the fewest seconds to measure."""
    left_s = dict(seconds)
    parts: dict[str, list[PlannedCase]] = {machine: [] for machine in seconds}
    for case in sorted(cases, key=lambda case: -case.total_s):
        machine = min(left_s, key=left_s.__getitem__)
        parts[machine].append(case)
        left_s[machine] += case.total_s
    return parts


def _with_cases(plan: Plan, cases: Sequence[PlannedCase]) -> Plan:
    """Return ``plan`` with these cases, by method, then by size."""
    methods = plan.options.methods
    ranked = sorted(cases, key=lambda case: (methods.index(case.case.method), case.case.shape.size))
    return replace(plan, cases=tuple(ranked))


def put_together(folders: Sequence[SweepFolder], into: SweepFolder) -> bool:
    """Write one sweep with the cases of all machines, if these are finished; return whether they are.

    A case that several have measured is the first one's.
    """
    sweeps = [sweep for folder in folders if (sweep := Progress.of(folder)) and sweep.is_finished]
    if len(sweeps) < len(folders):
        return False
    taken: dict[str, PlannedCase] = {}
    rows: list[Row] = []
    losses: dict[LossKey, tuple[float, ...]] = {}
    for sweep in sweeps:
        own = {str(case.case): case for case in sweep.plan.cases if str(case.case) not in taken}
        taken |= own
        rows += [row for row in sweep.rows.values() if str(row.run.case) in own]
        losses |= {key: values for key, values in sweep.losses.items() if f"{key[1]} {key[2]}" in own}
    shutil.rmtree(into.path, ignore_errors=True)
    into.path.mkdir(parents=True)
    whole = _with_cases(sweeps[0].plan, list(taken.values()))
    into.begin(whole, {**folders[0].environment(), "machines": [folder.name for folder in folders]})
    Progress(whole, into).take(rows, losses)
    return True


def hand_over(lane: Lane, others: Sequence[Lane]) -> None:
    """Let others measure the unfinished cases of ``lane`` from the beginning; its rows are kept.

    Their plans come first: interrupted, a case may be in two plans, never in none.
    """
    plan = lane.progress.plan
    names = {str(run.case) for run in lane.progress.pending()}
    unfinished = [case for case in plan.cases if str(case.case) in names]
    known = [one.case for other in others for one in other.progress.plan.cases]
    given = _dealt(
        [case for case in unfinished if case.case not in known],
        {other.machine: other.progress.left_s for other in others},
    )
    for other in others:
        if cases := given[other.machine]:
            own = other.progress.plan
            _change_plan(other, _with_cases(own, [*own.cases, *cases]))
    takers = " and ".join(name for name, cases in given.items() if cases)
    reason = "its machine was gone" + (f"; measured again on {takers}" if takers else "")
    left_out = (
        LeftOut(method=case.case.method, shape=case.case.shape, contender=None, reason=reason)
        for case in unfinished
    )
    finished = tuple(case for case in plan.cases if case not in unfinished)
    _change_plan(lane, replace(plan, cases=finished, left_out=(*plan.left_out, *left_out)))


def _change_plan(lane: Lane, plan: Plan) -> None:
    folder = lane.progress.folder
    folder.write_json(PLAN, encode(plan))
    lane.progress = Progress(plan, folder)
