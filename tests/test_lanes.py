"""Who is asked for what, with machines that never were: nothing is lost, nothing is measured twice."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from harness.case import Case
from harness.codec import decode
from harness.machines.cluster import Cluster, Worker
from harness.machines.lanes import GRACE_S, Fleet, Lane
from harness.machines.split import hand_over, shares
from harness.measure.sweep import Progress
from harness.plan import Options, Plan, RunKey
from harness.records import SweepFolder, packed, unpacked
from harness.rows import Row
from tests import fakes, sweeps

SMALL, LARGE = fakes.case("4-2-1"), fakes.case("6-3-1")
ARTICLE = fakes.case("10-5-1")
LOSSES = tuple(1.0 / (epoch + 1) for epoch in range(SMALL.epochs + 1))


def plan(*cases: Case, rounds: int = 3, control: Case | None = None) -> Plan:
    options = Options(rounds=rounds)
    return sweeps.plan(("a", "b"), cases, options=options, control=control, run_s=(1.0, 0.5))


def look(name: str, tree: str = "same") -> dict[str, Any]:
    """Return what a station says of its machine."""
    contenders = {"a": {"version": "1.0"}, "b": {"version": "1.0"}}
    environment = {"host": name, "tree": tree, "contenders": contenders}
    about = {"environment": environment, "memory_bytes": None}
    return {"machine": about}


class Machine:
    """A machine that measures at once, and keeps a journal."""

    def __init__(self, name: str, status: str = "ok") -> None:
        self.name = name
        self.journal: dict[RunKey, Row] = {}
        self.measured: Counter[RunKey] = Counter()
        self.processes = 0
        self.is_up = True
        self.always: dict[str, Any] | None = None
        self._status = status
        self._plan: Plan | None = None

    @property
    def worker(self) -> Worker:
        """The worker that is there now."""
        number, address = self.processes, f"tcp://{self.name}:{self.processes}"
        return Worker(address=address, machine=self.name, boot="", process=number, offers=True)

    def restart(self) -> None:
        """Start another worker."""
        self.processes += 1
        self.is_up = True
        self._plan = None

    def answer(self, request: Mapping[str, Any], most_runs: int | None = None) -> dict[str, Any]:
        """Answer; with ``most_runs`` be killed after so many."""
        if self.always:
            return self.always
        if request["do"] == "look":
            return look(self.name)
        if request["do"] == "begin":
            self._plan = decode(Plan, request["plan"])
            theirs = {row.run.key: row for row in unpacked(request["has"])[0]}
            mine = [row for key, row in self.journal.items() if key not in theirs]
            self.journal |= theirs
            return packed(mine, {})
        if self._plan is None:
            return {"again": "has not begun"}
        of_round = [
            run
            for run in self._plan.schedule()
            if (str(run.case), run.round) == (request["case"], request["number"])
            and not (self._status == "crash" and self.journal)
        ]
        for run in [run for run in of_round if run.key not in self.journal][:most_runs]:
            self.measured[run.key] += 1
            row = sweeps.row(run.contender, run.round, of=run.case, control=run.control)
            self.journal[run.key] = replace(row, run=run, status=self._status)
        rows = [self.journal[run.key] for run in of_round if run.key in self.journal]
        return packed(rows, {("a", "naive", "4-2-1"): LOSSES})


class Crowd(Cluster):
    """Machines as workers. ``before`` is called before each reply, and may do harm."""

    def __init__(self, *machines: Machine) -> None:
        self.machines = {machine.name: machine for machine in machines}
        self.waited_s = 0.0
        self.queue: list[tuple[str, Worker, Mapping[str, Any]]] = []
        self.asked = 0

    def before(self, machine: Machine, request: Mapping[str, Any]) -> bool:  # noqa: ARG002
        """Return whether the machine answers."""
        return True

    def present(self) -> list[Worker]:
        """Return who is up."""
        return [machine.worker for machine in self.machines.values() if machine.is_up]

    def ask(self, worker: Worker, request: Mapping[str, Any]) -> str:
        """Put a request into the queue."""
        self.asked += 1
        self.queue.append((str(self.asked), worker, request))
        return str(self.asked)

    def replies(self, timeout_s: float) -> list[tuple[str, dict[str, Any]]]:
        """Let the first machine that can answer its request."""
        for place, (ticket, worker, request) in enumerate(self.queue):
            machine = self.machines[worker.machine]
            if machine.is_up and worker == machine.worker:
                del self.queue[place]
                return [(ticket, machine.answer(request))] if self.before(machine, request) else []
        self.waited_s += timeout_s
        return []

    def forget(self, tickets: Iterable[str]) -> None:
        """Take requests out of the queue."""
        gone = set(tickets)
        self.queue = [one for one in self.queue if one[0] not in gone]


def lanes(path: Path, crowd: Crowd, plans: Mapping[str, Plan]) -> list[Lane]:
    found = []
    for name, own in plans.items():
        folder = SweepFolder(path / name)
        if not folder.path.exists():
            folder.path.mkdir(parents=True)
            folder.begin(own, look(name)["machine"]["environment"])
        machine, progress = crowd.machines[name], Progress(folder.plan() or own, folder)
        worker = machine.worker if machine.is_up else None
        found.append(Lane(machine=name, progress=progress, worker=worker))
    return found


def carried_out(
    path: Path, crowd: Crowd, plans: Mapping[str, Plan], *, restarted: str = "", split: bool = False
) -> list[Lane]:
    """Return the lanes of these plans, when all that can be measured is."""
    own = lanes(path, crowd, plans)
    for name in restarted:
        crowd.machines[name].restart()
    Fleet(
        lanes=own,
        workers=crowd,
        look={"contenders": []},
        advance=lambda *_: None,
        hand_over=hand_over if split else None,
        clock=lambda: crowd.waited_s,
    ).carry_out()
    return own


def keys(path: Path, name: str) -> list[RunKey]:
    return [row.run.key for row in SweepFolder(path / name).rows()]


def scheduled(of: Plan) -> list[RunKey]:
    return [run.key for run in of.schedule()]


def test_a_sweep_on_each(tmp_path: Path) -> None:
    what = plan(SMALL, LARGE, control=SMALL)
    crowd = Crowd(Machine("a"), Machine("b"))
    own = carried_out(tmp_path, crowd, {"a": what, "b": what})
    assert [lane.is_through for lane in own] == [True, True]
    for name in ("a", "b"):
        assert keys(tmp_path, name) == scheduled(what)
        assert SweepFolder(tmp_path / name).losses() == {("a", "naive", "4-2-1"): LOSSES}
    # One request to begin and one a round.
    assert crowd.asked == 2 * (1 + 2 * 4)


class Killers(Crowd):
    """Kills machines in the midst of requests, and starts them again a while later."""

    def __init__(self, random: Random, kills: int, *machines: Machine) -> None:
        super().__init__(*machines)
        self._random = random
        self.kills = kills

    def before(self, machine: Machine, request: Mapping[str, Any]) -> bool:
        """Kill, perhaps."""
        if not self.kills or self._random.random() < (0.5 if request["do"] == "round" else 0.8):
            return True
        self.kills -= 1
        if request["do"] == "round":
            machine.answer(request, most_runs=self._random.randrange(1, 4))
        machine.is_up = False
        return False

    def present(self) -> list[Worker]:
        """Start machines again, perhaps."""
        for machine in self.machines.values():
            if not machine.is_up and self._random.random() < 0.7:
                machine.restart()
        return super().present()


@pytest.mark.parametrize("seed", range(12))
def test_killed_at_random_nothing_is_lost_and_nothing_doubled(tmp_path: Path, seed: int) -> None:
    what = plan(SMALL, LARGE, rounds=24, control=SMALL)
    crowd = Killers(Random(seed), 20, Machine("a"), Machine("b"))
    carried_out(tmp_path, crowd, {"a": what, "b": what})
    assert crowd.kills == 0
    for name in ("a", "b"):
        assert sorted(keys(tmp_path, name)) == sorted(scheduled(what))
        assert set(crowd.machines[name].measured.values()) == {1}


@pytest.mark.parametrize("heard", range(1, 12))
def test_a_client_that_is_killed_and_run_again(tmp_path: Path, heard: int) -> None:
    """The journal is ahead of the client by the rounds that were under way."""
    what = plan(SMALL, LARGE)
    crowd = Crowd(Machine("a"), Machine("b"))
    left = iter(range(heard))

    def dies(machine: Machine, request: Mapping[str, Any]) -> bool:
        if next(left, None) is None:
            machine.answer(request)
            raise KeyboardInterrupt
        return True

    crowd.before = dies  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        carried_out(tmp_path, crowd, {"a": what, "b": what})
    carried_out(tmp_path, Crowd(*crowd.machines.values()), {"a": what, "b": what})
    for name in ("a", "b"):
        assert sorted(keys(tmp_path, name)) == sorted(scheduled(what))
        assert set(crowd.machines[name].measured.values()) == {1}


def dies_in_round_2(crowd: Crowd, name: str) -> None:
    """Let a machine go when it is asked for its second round."""

    def before(machine: Machine, request: Mapping[str, Any]) -> bool:
        machine.is_up = not (machine.name == name and request.get("number") == 2)
        return machine.is_up

    crowd.before = before  # type: ignore[method-assign]


def test_a_machine_that_does_not_return(tmp_path: Path) -> None:
    """The other one finishes; the rest is made when the same command is run with the machine back."""
    what = plan(SMALL)
    crowd = Crowd(Machine("a"), Machine("b"))
    dies_in_round_2(crowd, "b")
    own = carried_out(tmp_path, crowd, {"a": what, "b": what})
    assert [lane.is_through for lane in own] == [True, False]
    assert own[1].failure == "is gone; the same command resumes its sweep when it is back"
    assert crowd.waited_s >= GRACE_S
    assert keys(tmp_path, "b") == scheduled(what)[:4]
    crowd.machines["b"].restart()
    carried_out(tmp_path, Crowd(*crowd.machines.values()), {"a": what, "b": what})
    assert keys(tmp_path, "b") == scheduled(what)


def test_a_failure_spares_larger_shapes_on_that_machine_only(tmp_path: Path) -> None:
    what = plan(SMALL, LARGE)
    crowd = Crowd(Machine("a", status="crash"), Machine("b"))
    carried_out(tmp_path, crowd, {"a": what, "b": what})
    assert {key[2] for key in keys(tmp_path, "a")} == {"4-2-1"}
    assert keys(tmp_path, "b") == scheduled(what)


@pytest.mark.parametrize(
    ("reply", "failure"),
    [
        ({"error": "disk is full"}, "disk is full"),
        (
            look("a", tree="other"),
            "came back changed: its environment.json has another tree; change that back, or use --fresh",
        ),
    ],
)
def test_an_error_or_other_files_end_a_lane(tmp_path: Path, reply: dict[str, Any], failure: str) -> None:
    what = plan(SMALL)
    crowd = Crowd(Machine("a"), Machine("b"))
    crowd.machines["a"].always = reply
    own = carried_out(tmp_path, crowd, {"a": what, "b": what}, restarted="a")
    assert [lane.failure for lane in own] == [failure, ""]
    assert (keys(tmp_path, "a"), keys(tmp_path, "b")) == ([], scheduled(what))


def test_a_machine_that_never_measures_anything_is_given_up(tmp_path: Path) -> None:
    crowd = Crowd(Machine("a"))

    def dies(machine: Machine, request: Mapping[str, Any]) -> bool:  # noqa: ARG001
        machine.restart()
        return False

    crowd.before = dies  # type: ignore[method-assign]
    (lane,) = carried_out(tmp_path, crowd, {"a": plan(SMALL)})
    assert lane.failure.startswith("was asked 10 times and measured nothing")


def test_shares_are_about_equal_and_all_have_the_control() -> None:
    cases = [fakes.case(f"{size}-2-1") for size in range(3, 12)]
    what = plan(ARTICLE, *cases, control=ARTICLE)
    parts = shares(what, ["a", "b", "c"])
    assert all(ARTICLE in [one.case for one in part.cases] for part in parts.values())
    assert {len(part.cases) for part in parts.values()} == {4}
    alone = Counter(one.case for part in parts.values() for one in part.cases if one.case != ARTICLE)
    assert alone == Counter(cases)


def test_cases_of_a_machine_that_is_gone_are_measured_anew_as_a_whole(tmp_path: Path) -> None:
    """It has two of three rounds; its rows are kept, and another machine makes the case from the start."""
    what = plan(ARTICLE, SMALL, LARGE, control=ARTICLE)
    parts = shares(what, ["a", "b"])
    (lost_case,) = (one.case for one in parts["b"].cases if one.case != ARTICLE)
    crowd = Crowd(Machine("a"), Machine("b"))
    dies_in_round_2(crowd, "b")
    own = carried_out(tmp_path, crowd, parts, split=True)
    assert [lane.is_through for lane in own] == [True, True]
    assert own[1].failure == "is gone; what it had not finished was measured again on others"
    made = Counter(key[2] for key in keys(tmp_path, "a"))
    assert made[str(lost_case.shape)] == 2 * 4
    assert keys(tmp_path, "b")
    left = SweepFolder(tmp_path / "b").plan()
    assert left is not None
    assert left.cases == ()
    assert left.left_out[0].reason == "its machine was gone; measured again on a"
    for machine in crowd.machines.values():
        assert set(machine.measured.values()) == {1}


def test_all_machines_of_a_split_sweep_are_gone(tmp_path: Path) -> None:
    parts = shares(plan(ARTICLE, SMALL, control=ARTICLE), ["a", "b"])
    crowd = Crowd(Machine("a"), Machine("b"))
    for machine in crowd.machines.values():
        machine.is_up = False
    own = carried_out(tmp_path, crowd, parts, split=True)
    assert [lane.failure for lane in own] == ["is gone", "is gone"]
    assert not any(lane.is_through for lane in own)
