"""What commands that measure share: the machine made ready, a sweep carried out."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.archive import Archive
from harness.errors import INTERRUPTED, FlatnetError
from harness.measure.contenders import Contender, build, relink
from harness.measure.environment import Machine, look_around
from harness.measure.guard import end_leftovers
from harness.measure.lock import machine_locked, this_machine
from harness.measure.planner import make_plan
from harness.measure.runner import guarded
from harness.measure.sweep import Progress, Sweep, differs, mended
from harness.plan import Options, Plan
from harness.records import RUNS

if TYPE_CHECKING:
    from harness.terminal import Terminal


def undisturbed(terminal: "Terminal") -> AbstractContextManager[None]:
    """Keep others from measuring here; wait until they do not."""
    text = "waiting until this machine is free; measuring on it: "
    return machine_locked(this_machine(), lambda who: terminal.note(text + who))


@contextmanager
def alone(archive: Archive, terminal: "Terminal") -> Iterator[None]:
    """Keep others out of ``archive`` as well."""
    with archive.locked(), undisturbed(terminal):
        yield


@contextmanager
def measuring(
    archive: Archive,
    contenders: Sequence[Contender],
    asked: Collection[str] | None,
    terminal: "Terminal",
    *,
    layouts: int = 1,
    **about: object,
) -> Iterator[Machine]:
    """Build the contenders for a sweep in ``archive``, which is locked; let nothing started outlive us.

    Yields this machine, with ``about`` in its environment; ``asked`` is as in ``look_around``.
    """
    archive.publish()
    terminal.note(*prepared(contenders, layouts))
    with guarded():
        with terminal.doing("looking at the machine and the contenders"):
            here = look_around(contenders, asked)
        terminal.note(*here.notes)
        yield replace(here, environment={**here.environment, **about})


def prepared(contenders: Sequence[Contender], layouts: int = 1) -> list[str]:
    """Link and build the contenders, and end what an interrupted bench has left; return notes.

    Raises FlatnetError if one cannot be built.
    """
    notes = [f"{why}; what layout is worth is not accounted for" for why in relink(contenders, layouts)]
    if failures := build(contenders):
        raise FlatnetError("; ".join(failures))
    left = (f"killed a program left over from an interrupted bench: {line}" for line in end_leftovers())
    return [*notes, *left]


def take_up(
    archive: Archive,
    options: Options,
    here: Machine,
    terminal: "Terminal",
    *,
    fresh: bool = False,
    since: str | None = None,
    adapted: Callable[[Plan], Plan] = lambda plan: plan,
) -> Sweep:
    """Return the latest sweep of ``archive`` if it is unfinished and fits, or else a new one.

    With ``since``, it is the latest sweep after that one that fits, finished or not. The plan of a new one
    may be ``adapted``.
    """
    folders = archive.sweeps()
    later = folders[-1:] if since is None else [folder for folder in folders if folder.name > since]
    for folder in () if fresh else reversed(later):
        plan = folder.plan()
        is_finished = plan is not None and Progress(plan, folder).is_finished
        if is_finished and since is None:
            continue
        if (obstacle := differs(folder, options, here)) or not plan:
            if since is None:
                terminal.note(f"sweep {folder.name} stays unfinished: {obstacle}")
            continue
        terminal.note(*mended(folder))
        if not is_finished:
            terminal.note(f"resuming {folder.name}")
        break
    else:
        with terminal.counting("pilot runs", None) as advance:
            plan = adapted(make_plan(options, here, sweep=archive.new_name(), on_pilot=advance))
        folder = archive.add(plan, here.environment)
    return Sweep(plan, here.contenders, folder, here.environment["host"])


def carry_out(sweep: Sweep, terminal: "Terminal") -> int:
    """Make all runs that are still to be made, and say what failed.

    Returns the exit status: 1 if a run failed or counts for nothing, INTERRUPTED if Ctrl-C ended it.
    """
    status = 0
    try:
        with terminal.progress({"": sweep.seconds}) as advance:
            for run in sweep.pending():
                advance("", str(run), 0.0)
                sweep.perform(run)
                advance("", str(run), sweep.plan.estimate_of(run))
    except KeyboardInterrupt:
        status = INTERRUPTED
    terminal.failures(sweep.failed, sweep.spared)
    wrong = [
        f"{name} was changed while it was measured: its runs are of two programs; --fresh starts again"
        for name in sweep.edited()
    ]
    if lost := sweep.lost():
        wrong.append(
            f"{sweep.folder.path}: the rows of {len(lost)} runs are gone, first {lost[0]}: {RUNS} was changed"
            " meanwhile; the same command makes them again"
        )
    terminal.error(*wrong)
    return status or int(bool(wrong or sweep.failed))
