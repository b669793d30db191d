"""Many small sweeps of one plan, to see how often the harness is right about what is known beforehand.

The reference runs against copies of itself: one that does the same, and some that train so many more epochs.
Whoever else is there runs along, to see whether the intervals of repeated sweeps hold their common median.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from harness.archive import Archive
from harness.case import ARTICLE, METHODS
from harness.measure.contenders import Manifest
from harness.measure.machine import Here
from harness.measure.pilots import make_plan
from harness.measure.sweep import Progress, Sweep, differs
from harness.plan import Options, Plan
from harness.records import SweepFolder

REPEATS = 20
_EXTRA = (0.0, 0.02, 0.05, 0.1, 0.2)
_EPOCHS = 100
"""Of every run: a hundredth of them can be told apart."""


def with_copies(manifest: Manifest) -> Manifest:
    """Return the manifest with copies of its reference that have more and more work."""
    reference = next(one for one in manifest.contenders if one.name == manifest.reference)
    copies = tuple(
        replace(reference, name=f"{reference.name} +{extra:.0%}", extra_epochs=extra, build=())
        for extra in _EXTRA
    )
    return Manifest(reference=manifest.reference, contenders=(*manifest.contenders, *copies))


def options_for(budget_s: float, manifest: Manifest) -> Options:
    """Return what one of the sweeps is asked for, if all of them may take ``budget_s`` seconds."""
    reference = next(one for one in manifest.contenders if one.name == manifest.reference)
    method = next(method for method in METHODS if method in reference.methods)
    return Options(shapes=(ARTICLE,), methods=(method,), budget_s=budget_s / REPEATS)


def first_plan(
    options: Options,
    *,
    sweep: str,
    here: Here,
    on_pilot: Callable[[str], None],
) -> Plan:
    """Run the pilots and return the plan of all sweeps; raise UsageError if the budget is too small."""
    plan = make_plan(
        options,
        sweep=sweep,
        reference=here.reference,
        contenders=here.contenders,
        versions=here.versions,
        memory_bytes=options.memory_bytes or here.memory_bytes,
        on_pilot=on_pilot,
    )
    cases = []
    for planned in plan.cases:
        samples = max(1, planned.case.training_steps // _EPOCHS)
        cases.append(replace(planned, case=replace(planned.case, samples=samples, epochs=_EPOCHS)))
    return replace(plan, cases=tuple(cases))


def latest_group(archive: Archive) -> list[SweepFolder]:
    """Return the latest sweeps that have one plan, in their order: a check, or what there is of it."""
    group: list[SweepFolder] = []
    latest: Plan | None = None
    for folder in reversed(archive.sweeps()):
        plan = folder.plan()
        if plan is None or (latest and not _is_same(plan, latest)):
            break
        latest = plan
        group.insert(0, folder)
    return group


def unfinished_plan(archive: Archive, options: Options, here: Here) -> Plan | None:
    """Return the plan of the latest check if that can be gone on with."""
    group = latest_group(archive)
    plan = group[-1].plan() if group else None
    if plan is None or differs(group[-1], plan, options, here):
        return None
    is_unfinished = len(group) < REPEATS or not Progress(plan, group[-1]).is_finished
    return plan if is_unfinished else None


def sweeps(archive: Archive, plan: Plan, here: Here) -> Iterator[Sweep]:
    """Yield what is still to be carried out of a check: an unfinished sweep of ``plan``, then new ones."""
    group = [folder for folder in latest_group(archive) if (own := folder.plan()) and _is_same(own, plan)]
    for folder in group[-1:]:
        folder.set_half_lines_aside()
        sweep = Sweep(replace(plan, sweep=folder.name), here.contenders, folder, here.host)
        if not sweep.is_finished:
            yield sweep
    for _ in range(len(group), REPEATS):
        new = replace(plan, sweep=archive.new_name())
        yield Sweep(new, here.contenders, archive.add(new, here.environment), here.host)


def _is_same(one: Plan, other: Plan) -> bool:
    return replace(one, sweep=other.sweep) == other
