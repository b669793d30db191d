"""A sweep on each of several machines: who is asked for which round, and what if somebody is gone.

A machine is a lane. Its sweep is made a round at a time, each by one request to a worker of that machine, and
the rows of a reply go into the machine's folder here. If a worker is gone, the lane waits for another one of
the same machine, and resumes there what the folder and that machine's journal have.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.codec import encode
from harness.machines.cluster import Cluster, Worker
from harness.machines.parcel import Parcel
from harness.machines.roll_call import machine_of
from harness.measure.sweep import Progress, differs

WINDOW = 2
"""Rounds that a machine is asked for at a time: it has the next one when it is through with one."""
GRACE_S = 30.0
"""How long a machine may be gone before others take over, or the command ends without it."""
_CHECK_S = 1.0
"""How often it is looked up who is there."""
_MOST_IN_VAIN = 10
"""So many times in a row a machine is asked anew without a new row; then it is given up."""


@dataclass(slots=True, kw_only=True)
class Lane:
    """A machine and its sweep."""

    machine: str
    """Its name."""
    progress: Progress
    """Its sweep, as far as its rows have come."""
    worker: Worker | None = None
    """Who is asked; None: nobody is there."""
    asked: dict[str, str] = field(default_factory=dict)
    """What is asked for, by ticket: look, begin or round."""
    rounds: Iterator[tuple[str, int]] | None = None
    """Rounds that it was not asked for yet; None until that worker's station has taken up the sweep."""
    gone_since_s: float | None = None
    """Since when nobody is there, by the clock."""
    in_vain: int = 0
    """How often it was asked anew since the latest new row."""
    is_through: bool = False
    """Whether nothing is left to be measured there."""
    failure: str = ""
    """Why it was given up; empty if it was not."""

    @property
    def is_open(self) -> bool:
        """Whether something is still to be measured, and may be."""
        return not (self.is_through or self.failure)

    @property
    def seconds(self) -> tuple[float, float]:
        """The planned seconds of the runs that are made, and of all."""
        whole_s = self.progress.plan.estimate_s
        return whole_s - self.progress.left_s, whole_s

    def leave(self) -> None:
        """Forget who was asked, and for what."""
        self.asked.clear()
        self.worker = self.rounds = None


@dataclass(slots=True, kw_only=True)
class Fleet:
    """All lanes, and what drives them."""

    lanes: Sequence[Lane]
    """A lane for each machine."""
    workers: Cluster
    """Who can be asked."""
    look: Mapping[str, Any]
    """The arguments of the request with which a station gets to know its contenders."""
    advance: Callable[[str, str, float], None]
    """Told a machine, a run that was made there, and the planned seconds of it."""
    hand_over: Callable[[Lane, Sequence[Lane]], None] | None = None
    """Gives the unfinished cases of a lane that was given up to others; None: nobody takes over."""
    clock: Callable[[], float] = time.monotonic
    """Seconds."""

    def carry_out(self) -> None:
        """Measure until all lanes are through, or given up; raise SchedulerGone if nobody can be reached.

        If somebody interrupts that, what nobody has begun is taken back.
        """
        for lane in self.lanes:
            lane.is_through = lane.progress.is_finished
            if not lane.is_through:
                self._begin(lane)
        try:
            self._work()
        except KeyboardInterrupt:
            for lane in self.lanes:
                self._let_go(lane)
            raise

    def _work(self) -> None:
        checked_s = self.clock()
        while self._goes_on():
            if self.clock() - checked_s >= _CHECK_S:
                checked_s = self.clock()
                self._look_up(checked_s)
            for lane in self.lanes:
                self._fill(lane)
            for ticket, reply in self.workers.replies(_CHECK_S):
                owner = next((lane for lane in self.lanes if ticket in lane.asked), None)
                if owner is not None:
                    self._heard(owner, owner.asked.pop(ticket), reply)

    def _look_up(self, now_s: float) -> None:
        """Find out who is gone and who is back."""
        present = {one.key: one for one in self.workers.present() if one.offers}
        for lane in self.lanes:
            if lane.worker is not None and lane.worker.key not in present:
                self._let_go(lane)
            if lane.worker is None and not lane.failure:
                found = next((one for one in present.values() if one.machine == lane.machine), None)
                if found is not None:
                    self._attach(lane, found)
                elif lane.gone_since_s is None:
                    lane.gone_since_s = now_s

    def _goes_on(self) -> bool:
        """Whether anything is still measured, or waited for; give up machines that are gone for too long."""
        now_s = self.clock()
        still = [lane for lane in self.lanes if lane.is_open]
        late = [one for one in still if one.gone_since_s is not None and now_s - one.gone_since_s >= GRACE_S]
        if self.hand_over or len(late) == len(still):
            for lane in late:
                lane.failure = "is gone"
                if not self.hand_over:
                    lane.failure += "; the same command resumes its sweep when it is back"
        for lane in self.lanes:
            others = [other for other in self.lanes if other.worker is not None and not other.failure]
            if self.hand_over and lane.failure and others and not lane.is_through:
                self.hand_over(lane, others)
                lane.is_through = True
                lane.failure += "; what it had not finished was measured anew on others"
                for other in others:
                    other.is_through = False
                    self._begin(other)
        return any(lane.is_open for lane in self.lanes)

    def _attach(self, lane: Lane, worker: Worker) -> None:
        lane.worker, lane.gone_since_s = worker, None
        if not self._was_in_vain(lane):
            self._ask(lane, "look", **self.look)

    def _was_in_vain(self, lane: Lane) -> bool:
        """Count that a lane is asked anew; give it up if that never helps."""
        lane.in_vain += 1
        if lane.in_vain > _MOST_IN_VAIN:
            why = f"was asked {_MOST_IN_VAIN} times and measured nothing; its worker may have said why"
            self._give_up(lane, why)
        return bool(lane.failure)

    def _give_up(self, lane: Lane, why: str) -> None:
        lane.failure = why
        self._let_go(lane)

    def _let_go(self, lane: Lane) -> None:
        self.workers.forget(lane.asked)
        lane.leave()

    def _fill(self, lane: Lane) -> None:
        """Ask for as many rounds as a machine may have in hand."""
        while lane.rounds is not None and len(lane.asked) < WINDOW:
            following = next(lane.rounds, None)
            if following is None:
                if lane.asked or not lane.is_open:
                    return
                lane.is_through = lane.progress.is_finished
                if lane.is_through or self._was_in_vain(lane):
                    return
                # A round was cut off.
                lane.rounds = lane.progress.rounds()
                continue
            case, number = following
            self._ask(lane, "round", sweep=lane.progress.plan.sweep, case=case, number=number)

    def _begin(self, lane: Lane) -> None:
        """Let a lane's station take up the sweep as it is in the folder here."""
        lane.rounds = None
        progress, environment = lane.progress, lane.progress.folder.environment()
        has = Parcel(rows=tuple(progress.rows.values()), losses=progress.losses).packed()
        self._ask(lane, "begin", plan=encode(progress.plan), environment=environment, has=has)

    def _ask(self, lane: Lane, do: str, **arguments: Any) -> None:
        if lane.worker is not None:
            lane.asked[self.workers.ask(lane.worker, {"do": do, **arguments})] = do

    def _heard(self, lane: Lane, what: str, reply: Mapping[str, Any]) -> None:
        if "error" in reply:
            self._give_up(lane, str(reply["error"]))
        elif "again" in reply:
            # Who is there is found out anew; if it is the same worker, it is asked from the start.
            self._let_go(lane)
        elif what == "look":
            progress = lane.progress
            if difference := differs(progress.folder, progress.plan, None, machine_of(reply)):
                why = f"came back changed: {difference}; change that back, or use --fresh"
                self._give_up(lane, why)
            else:
                self._begin(lane)
        else:
            parcel = Parcel.unpacked(reply)
            for row in lane.progress.take(parcel.rows, parcel.losses):
                lane.in_vain = 0
                self.advance(lane.machine, str(row.run), lane.progress.plan.estimate_of(row.run))
            if what == "begin":
                lane.rounds = lane.progress.rounds()
