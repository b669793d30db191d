"""What commands that measure share: the machine made ready, a sweep carried out."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import TYPE_CHECKING

from harness.archive import Archive
from harness.errors import FlatnetError
from harness.measure import environment
from harness.measure.contenders import Contender, build, relink
from harness.measure.environment import Here
from harness.measure.guard import end_leftovers
from harness.measure.lock import machine_locked, this_machine
from harness.measure.planner import make_plan
from harness.measure.runner import guarded
from harness.measure.sweep import Progress, Sweep, changed, differs
from harness.plan import Options, Plan
from harness.records import PLAN, RUNS

if TYPE_CHECKING:
    from harness.terminal import Terminal


@contextmanager
def alone(archive: Archive, terminal: "Terminal") -> Iterator[None]:
    """Keep others out of ``archive``, wait until nothing else measures here, then keep others out of that."""

    def waiting(who: str) -> None:
        terminal.note(f"waiting until this machine is free; what measures on it: {who}")

    with archive.locked(), machine_locked(this_machine(), waiting):
        yield


@contextmanager
def measuring(
    archive: Archive, contenders: Sequence[Contender], terminal: "Terminal", layouts: int = 1
) -> Iterator[None]:
    """Build the contenders for a sweep in ``archive``, which is locked; let nothing started outlive us."""
    archive.publish()
    for failure in relink(contenders, layouts):
        terminal.note(f"{failure}; what layout is worth is not accounted for")
    if failures := build(contenders):
        raise FlatnetError("; ".join(failures))
    for command in end_leftovers():
        terminal.note(f"killed a program left over from an interrupted bench: {command}")
    with guarded():
        yield


def look_around(
    contenders: Sequence[Contender], terminal: "Terminal", asked: Collection[str] | None = ()
) -> Here:
    """Return this machine and its contenders as ``present`` does, with notes on what makes it noisy."""
    here = present(contenders, terminal, asked)
    for line in environment.warnings(here.environment):
        terminal.note(line)
    return here


def present(contenders: Sequence[Contender], terminal: "Terminal", asked: Collection[str] | None) -> Here:
    """Return this machine and its contenders, with a note on each that it lacks."""
    with terminal.doing("looking at the machine and the contenders"):
        here = environment.look_around(contenders, asked)
    terminal.missing(here.missing)
    return here


def resumed(
    archive: Archive, options: Options | None, here: Here, terminal: "Terminal", *, since: str | None = None
) -> Sweep | None:
    """Return the latest sweep of ``archive`` if it is unfinished and was asked for in these words.

    Options None stands for any words. If it does not fit what is here, a note says so. With ``since``, it is
    the latest sweep after that one that fits, finished or not.
    """
    folders = archive.sweeps()
    later = folders[-1:] if since is None else [folder for folder in folders if folder.name > since]
    for folder in reversed(later):
        plan = folder.plan()
        is_unfinished = plan is None or not Progress(plan, folder).is_finished
        obstacle = differs(folder, plan, options, here) if plan else f"its {PLAN} is gone"
        if plan and not obstacle and (is_unfinished or since is not None):
            for name in folder.set_half_lines_aside():
                terminal.note(f"{name} ended in an incomplete line, moved to {name}.half")
            if folder.set_cut_rounds_aside(plan):
                terminal.note(f"the round that was cut off is made again; its runs are in {RUNS}.half")
            if is_unfinished:
                terminal.note(f"resuming {folder.name}")
            return Sweep(plan, here.contenders, folder, here.environment["host"])
        if since is None:
            if is_unfinished:
                terminal.note(f"sweep {folder.name} stays unfinished: {obstacle}")
            break
    return None


def begin(
    archive: Archive,
    options: Options,
    here: Here,
    terminal: "Terminal",
    *,
    adapted: Callable[[Plan], Plan] = lambda plan: plan,
) -> Sweep:
    """Make pilot runs, a plan, which ``adapted`` may change, and the sweep's folder."""
    with terminal.counting("pilot runs", None) as advance:
        plan = adapted(make_plan(options, here, sweep=archive.new_name(), on_pilot=advance))
    return Sweep(plan, here.contenders, archive.add(plan, here.environment), here.environment["host"])


def carry_out(sweeps: Sequence[Sweep], terminal: "Terminal") -> bool:
    """Make all runs that are still to be made, say what failed; return whether that was interrupted.

    Sweeps take turns, a round each, so that the machine is the same for all.
    """
    planned_s = [sweep.left_s or 1.0 for sweep in sweeps]
    made_s = [0.0] * len(sweeps)
    interrupted = False
    # A run leaves its iterator after the one before it has ended, because a failure spares others.
    rounds = {
        place: groupby(sweep.pending(), key=lambda run: (str(run.case), run.round))
        for place, sweep in enumerate(sweeps)
    }
    try:
        with terminal.progress({"": (0.0, sum(planned_s))}) as advance:
            while rounds:
                place = min(rounds, key=lambda place: made_s[place] / planned_s[place])
                sweep, (_, runs) = sweeps[place], next(rounds[place], (None, None))
                if runs is None:
                    del rounds[place]
                    continue
                for run in runs:
                    seconds = sweep.plan.estimate_of(run)
                    advance("", sweep.plan.place_of(run), 0.0)
                    sweep.perform(run)
                    advance("", sweep.plan.place_of(run), seconds)
                    made_s[place] += seconds
    except KeyboardInterrupt:
        interrupted = True
    for sweep in sweeps:
        terminal.failures(sweep.failed, sweep.spared)
        for name in changed(sweep):
            sweep.edited.append(name)
            terminal.error(
                f"{name} was changed while it was measured: its runs are of two programs;"
                " --fresh measures anew"
            )
    return interrupted
