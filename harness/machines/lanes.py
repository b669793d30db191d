"""A sweep on each of several machines, a round at a time: docs/machines.md says how."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.codec import encode
from harness.machines.cluster import Cluster, Worker
from harness.measure.environment import Machine
from harness.measure.sweep import Progress, differs
from harness.records import packed, unpacked

WINDOW = 2
"""Rounds that a machine has in hand."""
GRACE_S = 30.0
"""After so long without a machine others take over, or the command ends."""
_CHECK_S = 1.0
"""How often to look which workers are there."""
_MOST_IN_VAIN = 10
"""How often a machine is asked without a new row before it is given up."""


@dataclass(slots=True, kw_only=True)
class Lane:
    """A machine and its sweep."""

    machine: str
    progress: Progress
    """Its sweep, as far as its rows have come."""
    worker: Worker | None = None
    asked: dict[str, str] = field(default_factory=dict)
    """What it is asked for, by ticket: look, begin or round."""
    rounds: Iterator[tuple[str, int]] | None = None
    """Rounds to ask for; None until its station has taken up the sweep."""
    gone_since_s: float = math.inf
    """Since when there is no worker, by the clock."""
    in_vain: int = 0
    """How often it was asked again since the latest new row."""
    is_through: bool = False
    failure: str = ""
    """Why it was given up, or ''."""

    @property
    def is_open(self) -> bool:
        """Whether it still measures."""
        return not (self.is_through or self.failure)

    def leave(self) -> None:
        """Forget the worker and what it was asked for."""
        self.asked.clear()
        self.worker = self.rounds = None


@dataclass(slots=True)
class Fleet:
    """All lanes, and what drives them."""

    lanes: Sequence[Lane]
    workers: Cluster
    look: Mapping[str, Any]
    """The arguments of a request to look."""
    advance: Callable[[str, str, float], None]
    """Called with a machine, a run of it, and the run's planned seconds."""
    hand_over: Callable[[Lane, Sequence[Lane]], None] | None = None
    """Gives unfinished cases of a lost lane to others; None: they stay so."""
    clock: Callable[[], float] = time.monotonic

    def carry_out(self) -> None:
        """Measure until all lanes are through or given up; may raise SchedulerGone."""
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
        """Give up machines that are gone too long; return whether any lane is open."""
        still = [lane for lane in self.lanes if lane.is_open]
        late = [lane for lane in still if self.clock() - lane.gone_since_s >= GRACE_S]
        if self.hand_over or len(late) == len(still):
            resumes = "" if self.hand_over else "; the same command resumes its sweep when it is back"
            for lane in late:
                lane.failure = f"is gone{resumes}"
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
        """Take back what a lane was asked for; with a ``failure``, give it up."""
        lane.failure = failure or lane.failure
        self.workers.forget(lane.asked)
        lane.leave()

    def _fill(self, lane: Lane) -> None:
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
            # If the next look-up finds the same worker, that is asked from the start.
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
