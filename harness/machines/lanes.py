"""A sweep on each of several machines, a round at a time.

A machine is a lane. A request asks its worker for one round, and the rows of the reply go into the machine's
folder here. If the worker is gone, the lane resumes with another one of the same machine.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.codec import encode
from harness.machines.cluster import Cluster, Worker
from harness.machines.parcel import packed, unpacked
from harness.measure.environment import Machine
from harness.measure.sweep import Progress, differs

WINDOW = 2
"""Rounds that a machine is asked for at a time, so that it need not wait for the next."""
GRACE_S = 30.0
"""After so long without a machine others take over, or the command ends without it."""
_CHECK_S = 1.0
"""How often to look up which workers are there."""
_MOST_IN_VAIN = 10
"""How often a machine is asked again without a new row before it is given up."""


@dataclass(slots=True, kw_only=True)
class Lane:
    """A machine and its sweep."""

    machine: str
    """Its name."""
    progress: Progress
    """Its sweep, as far as its rows have come."""
    worker: Worker | None = None
    """The worker that is asked; None if there is none."""
    asked: dict[str, str] = field(default_factory=dict)
    """What it is asked for, by ticket: look, begin or round."""
    rounds: Iterator[tuple[str, int]] | None = None
    """Rounds to ask for; None until its station has taken up the sweep."""
    gone_since_s: float = math.inf
    """Since when there is no worker, by the clock."""
    in_vain: int = 0
    """How often it was asked again since the latest new row."""
    is_through: bool = False
    """Whether nothing is left to measure there."""
    failure: str = ""
    """Why it was given up; empty if it was not."""

    @property
    def is_open(self) -> bool:
        """Whether it still measures."""
        return not (self.is_through or self.failure)

    def leave(self) -> None:
        """Forget the worker, and what it was asked for."""
        self.asked.clear()
        self.worker = self.rounds = None


@dataclass(slots=True, kw_only=True)
class Fleet:
    """All lanes, and what drives them."""

    lanes: Sequence[Lane]
    """A lane for each machine."""
    workers: Cluster
    """The workers that can be asked."""
    look: Mapping[str, Any]
    """The arguments of a request to look."""
    advance: Callable[[str, str, float], None]
    """Called with a machine, a run that it has made, and its planned seconds."""
    hand_over: Callable[[Lane, Sequence[Lane]], None] | None = None
    """Gives unfinished cases of a lane that was given up to others; None: they stay unfinished."""
    clock: Callable[[], float] = time.monotonic
    """Seconds."""

    def carry_out(self) -> None:
        """Measure until all lanes are through or given up; raise SchedulerGone if the scheduler is."""
        for lane in self.lanes:
            lane.is_through = lane.progress.is_finished
            if not lane.is_through:
                self._begin(lane)
        checked_s = self.clock()
        try:
            while self._goes_on():
                if self.clock() - checked_s >= _CHECK_S:
                    checked_s = self.clock()
                    self._look_up(checked_s)
                for lane in self.lanes:
                    self._fill(lane)
                for ticket, reply in self.workers.replies(_CHECK_S):
                    for lane in self.lanes:
                        if ticket in lane.asked:
                            self._heard(lane, lane.asked.pop(ticket), reply)
        except KeyboardInterrupt:
            for lane in self.lanes:
                self._let_go(lane)
            raise

    def _look_up(self, now_s: float) -> None:
        """Find out which workers are gone and which are back."""
        present = dict.fromkeys(one for one in self.workers.present() if one.offers)
        for lane in self.lanes:
            if lane.worker is not None and lane.worker not in present:
                self._let_go(lane)
            if lane.worker is None and not lane.failure:
                lane.worker = next((one for one in present if one.machine == lane.machine), None)
                lane.gone_since_s = math.inf if lane.worker else min(lane.gone_since_s, now_s)
                if lane.worker and not self._was_in_vain(lane):
                    self._ask(lane, "look", **self.look)

    def _goes_on(self) -> bool:
        """Give up machines that are gone for too long; return whether any lane is open."""
        still = [lane for lane in self.lanes if lane.is_open]
        late = [lane for lane in still if self.clock() - lane.gone_since_s >= GRACE_S]
        if self.hand_over or len(late) == len(still):
            for lane in late:
                lane.failure = "is gone"
                if not self.hand_over:
                    lane.failure += "; the same command resumes its sweep when it is back"
        others = [lane for lane in self.lanes if lane.worker is not None and not lane.failure]
        for lane in self.lanes:
            if self.hand_over and lane.failure and others and not lane.is_through:
                self.hand_over(lane, others)
                lane.is_through = True
                lane.failure += "; what it had not finished was measured again on others"
                for other in others:
                    other.is_through = False
                    self._begin(other)
        return any(lane.is_open for lane in self.lanes)

    def _was_in_vain(self, lane: Lane) -> bool:
        """Count that a lane is asked again; give it up if that never helps."""
        lane.in_vain += 1
        if lane.in_vain > _MOST_IN_VAIN:
            self._let_go(lane, f"was asked {_MOST_IN_VAIN} times and measured nothing; see its worker")
        return bool(lane.failure)

    def _let_go(self, lane: Lane, failure: str = "") -> None:
        """Take back what a lane was asked for; with ``failure``, give it up."""
        lane.failure = failure or lane.failure
        self.workers.forget(lane.asked)
        lane.leave()

    def _fill(self, lane: Lane) -> None:
        """Ask for as many rounds as a machine may have in hand."""
        while lane.rounds is not None and len(lane.asked) < WINDOW:
            if following := next(lane.rounds, None):
                case, number = following
                self._ask(lane, "round", sweep=lane.progress.plan.sweep, case=case, number=number)
                continue
            if lane.asked or not lane.is_open:
                return
            lane.is_through = lane.progress.is_finished
            if lane.is_through or self._was_in_vain(lane):
                return
            # A round was cut off.
            lane.rounds = lane.progress.rounds()

    def _begin(self, lane: Lane) -> None:
        """Let a lane's station take up the sweep as it is here."""
        lane.rounds = None
        own = lane.progress
        has = packed(own.rows.values(), own.losses)
        self._ask(lane, "begin", plan=encode(own.plan), environment=own.folder.environment(), has=has)

    def _ask(self, lane: Lane, do: str, **arguments: Any) -> None:
        if lane.worker is not None:
            lane.asked[self.workers.ask(lane.worker, {"do": do, **arguments})] = do

    def _heard(self, lane: Lane, what: str, reply: Mapping[str, Any]) -> None:
        progress = lane.progress
        if "error" in reply or "again" in reply:
            # The next look-up may find the same worker, which is then asked from the start.
            self._let_go(lane, reply.get("error", ""))
        elif what == "look":
            if difference := differs(progress.folder, progress.plan.options, Machine(**reply["machine"])):
                self._let_go(lane, f"came back changed: {difference}; change that back, or use --fresh")
            else:
                self._begin(lane)
        else:
            for row in progress.take(*unpacked(reply)):
                lane.in_vain = 0
                self.advance(lane.machine, str(row.run), progress.plan.estimate_of(row.run))
            if what == "begin":
                lane.rounds = progress.rounds()
