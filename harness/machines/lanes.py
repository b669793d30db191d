"""A sweep on each of several machines: who is asked for which round, and what if somebody is gone.

A machine is a lane. Its sweep is made a round at a time, each by one request to a worker of that machine, and
the rows of a reply go into the machine's folder here. If a worker is gone, the lane waits for another one of
the same machine, and goes on there from what the folder and that machine's journal have. Nothing in here
knows of Dask.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from harness.codec import encode
from harness.machines.station import Parcel
from harness.measure.sweep import Sweep

WINDOW = 2
"""Rounds that a machine is asked for at a time: it has the next one when it is through with one."""
GRACE_S = 30.0
"""How long a machine may be gone before others take over, or the command ends without it."""
_CHECK_S = 1.0
"""How often it is looked up who is there."""
_MOST_IN_VAIN = 10
"""So many times in a row a machine is asked anew without a new row; then it is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A worker that has introduced itself."""

    address: str
    """Where it is found."""
    python: str
    """Its version of Python."""
    machine: str
    """What it calls its machine; empty if it was not asked, for its Python is another."""
    boot: str
    """What is unique to the machine since it was started; empty if unknown."""
    process: int
    """Its process id: another worker may take over an address."""
    offers: bool
    """Whether it has the resource that a measurement takes."""


class Workers(Protocol):
    """Workers that can be asked; methods raise SchedulerGone if nobody can be reached any more."""

    def present(self) -> list[Worker]:
        """Return who is there."""
        ...

    def ask(self, worker: Worker, request: Mapping[str, Any]) -> str:
        """Hand a request to a worker's station, and return a ticket for the reply."""
        ...

    def replies(self, timeout_s: float) -> list[tuple[str, dict[str, Any]]]:
        """Return the replies that have come, with their tickets; wait so many seconds for the first.

        A reply has ``again`` if the request came to nothing, whoever is to blame.
        """
        ...

    def forget(self, tickets: Iterable[str]) -> None:
        """Take requests back; a round that has begun goes on to its end, and into the journal."""
        ...


@dataclass(slots=True, kw_only=True)
class Lane:
    """A machine and its sweep."""

    machine: str
    """Its name."""
    sweep: Sweep
    """What is measured there, and the folder here."""
    environment: Mapping[str, Any]
    """What the machine is."""
    failure: str = ""
    """Why it was given up; empty if it was not."""
    worker: Worker | None = None
    """Who is asked; None: nobody is there."""
    has_begun: bool = False
    """Whether that worker's station has taken up the sweep."""
    asked: dict[str, str] = field(default_factory=dict)
    """What is asked for, by ticket: look, begin, or a round in words."""
    gone_since_s: float | None = None
    """Since when nobody is there, by the clock."""
    in_vain: int = 0
    """How often it was asked anew since the latest new row."""
    rounds: Iterator[tuple[str, int]] = field(default_factory=lambda: iter(()))
    """Rounds that it was not asked for yet."""

    is_through: bool = False
    """Whether nothing is left to be measured."""
    was_handed_over: bool = False
    """Whether others measure what it had not finished."""

    @property
    def is_open(self) -> bool:
        """Whether something is still to be measured, and may be."""
        return not (self.is_through or self.failure)

    def leave(self) -> None:
        """Forget who was asked, and for what."""
        self.asked.clear()
        self.worker, self.has_begun = None, False


@dataclass(slots=True, kw_only=True)
class Fleet:
    """All lanes, and what drives them."""

    lanes: Sequence[Lane]
    """A lane for each machine."""
    workers: Workers
    """Who can be asked."""
    look: Mapping[str, Any]
    """The request with which a station gets to know its contenders."""
    differs: Callable[[Lane, Mapping[str, Any]], str]
    """Told a lane and the answer to that, returns what is no longer as it was, or ''."""
    advance: Callable[[str, str, float], None]
    """Told a machine, what was measured, and the planned seconds of it."""
    hand_over: Callable[[Lane, Sequence[Lane]], None] | None = None
    """Gives the unfinished cases of a lane that was given up to others; None: nobody takes over."""
    clock: Callable[[], float] = time.monotonic
    """Seconds."""

    def carry_out(self) -> None:
        """Measure until all lanes are through, or given up; raise SchedulerGone if nobody can be reached."""
        for lane in self.lanes:
            lane.is_through = next(lane.sweep.pending(), None) is None
            if not lane.is_through:
                self.begin(lane)
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

    def stop(self) -> None:
        """Take back what nobody has begun."""
        for lane in self.lanes:
            self._let_go(lane)

    def _look_up(self, now_s: float) -> None:
        """Find out who is gone and who is back."""
        present = {(one.address, one.process): one for one in self.workers.present() if one.offers}
        for lane in self.lanes:
            worker = lane.worker
            if worker is not None and (worker.address, worker.process) not in present:
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
        late = [
            lane
            for lane in self.lanes
            if lane.is_open and lane.gone_since_s is not None and now_s - lane.gone_since_s >= GRACE_S
        ]
        if self.hand_over or all(lane in late for lane in self.lanes if lane.is_open):
            for lane in late:
                lane.failure = (
                    "is gone" if self.hand_over else "is gone; the same command goes on when it is back"
                )
        for lane in self.lanes:
            others = [other for other in self.lanes if other.worker is not None and not other.failure]
            if self.hand_over and lane.failure and others and not (lane.is_through or lane.was_handed_over):
                self.hand_over(lane, others)
                lane.was_handed_over = True
                lane.failure += "; what it had not finished was measured anew on others"
                for other in others:
                    other.is_through = False
                    self.begin(other)
        return any(lane.is_open for lane in self.lanes)

    def _attach(self, lane: Lane, worker: Worker) -> None:
        lane.worker, lane.gone_since_s, lane.has_begun = worker, None, False
        if not self._was_in_vain(lane):
            lane.asked[self.workers.ask(worker, self.look)] = "look"

    def _was_in_vain(self, lane: Lane) -> bool:
        """Count that a lane is asked anew; give it up if that never helps."""
        lane.in_vain += 1
        if lane.in_vain > _MOST_IN_VAIN:
            lane.failure = (
                f"was asked {_MOST_IN_VAIN} times and measured nothing; its worker may have said why"
            )
            self._let_go(lane)
        return bool(lane.failure)

    def _let_go(self, lane: Lane) -> None:
        self.workers.forget(lane.asked)
        lane.leave()

    def _fill(self, lane: Lane) -> None:
        """Ask for as many rounds as a machine may have in hand."""
        while lane.worker and lane.has_begun and len(lane.asked) < WINDOW:
            following = next(lane.rounds, None)
            if following is None:
                if lane.asked or not lane.is_open:
                    return
                lane.is_through = next(lane.sweep.pending(), None) is None
                if lane.is_through or self._was_in_vain(lane):
                    return
                # A round was cut off.
                lane.rounds = lane.sweep.rounds()
                continue
            case, number = following
            request = {"do": "round", "sweep": lane.sweep.plan.sweep, "case": case, "number": number}
            lane.asked[self.workers.ask(lane.worker, request)] = f"{case} {_round(number)}"

    def begin(self, lane: Lane) -> None:
        """Let a lane's station take up the sweep as it is in the folder here."""
        if lane.worker is None:
            return
        lane.has_begun = False
        rows, losses = tuple(lane.sweep.folder.rows()), lane.sweep.losses
        request = {
            "do": "begin",
            "plan": encode(lane.sweep.plan),
            "environment": lane.environment,
            "has": Parcel(rows=rows, losses=losses).packed(),
        }
        lane.rounds = iter(())
        lane.asked[self.workers.ask(lane.worker, request)] = "begin"

    def _heard(self, lane: Lane, what: str, reply: Mapping[str, Any]) -> None:
        if "error" in reply:
            lane.failure = str(reply["error"])
            self._let_go(lane)
        elif "again" in reply:
            # Who is there is found out anew; if it is the same worker, it is asked from the start.
            self._let_go(lane)
        elif what == "look":
            lane.failure = self.differs(lane, reply)
            if lane.failure:
                self._let_go(lane)
            else:
                self.begin(lane)
        else:
            self._take(lane, reply)
            if what == "begin":
                lane.has_begun = True
                lane.rounds = lane.sweep.rounds()

    def _take(self, lane: Lane, reply: Mapping[str, Any]) -> None:
        parcel = Parcel.unpacked(reply)
        new = lane.sweep.take(parcel.rows, parcel.losses)
        if new:
            lane.in_vain = 0
        for row in new:
            at = f"{_round(row.run.round)} {row.run.case}"
            self.advance(lane.machine, at, lane.sweep.plan.estimate_of(row.run))


def _round(number: int) -> str:
    return f"round {number}" if number else "warm-up"
