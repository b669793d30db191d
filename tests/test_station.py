"""The process that measures for others: what it answers, and what is left if it is killed."""

from pathlib import Path
from typing import Any

import pytest

from harness.records import SweepFolder, packed, unpacked
from tests import stations, sweeps
from tests.gates import Gate
from tests.stations import SWEEP, round_, station


@pytest.fixture
def machine(tmp_path: Path) -> str:
    """A name that no other test has: a machine measures one thing at a time."""
    return f"test-{tmp_path.parent.name}-{tmp_path.name}"[-60:].lstrip("-_.")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return stations.checkout(tmp_path / "there", {"a": "honest:4e-7", "b": "honest:5e-8"})


def keys(reply: dict[str, Any]) -> list[tuple[str, bool, int]]:
    return [(row.run.contender, row.run.control, row.run.round) for row in unpacked(reply)[0]]


def journal(checkout: Path, machine: str) -> SweepFolder:
    return SweepFolder(checkout / "results" / "stations" / machine / "sweeps" / SWEEP)


WARM_UP = [("a", False, 0), ("b", False, 0), ("a", True, 0)]


def test_a_look_a_plan_and_a_round(checkout: Path, machine: str) -> None:
    with station(checkout, machine) as talk:
        look = talk.look()["machine"]
        versions = {name: about["version"] for name, about in look["environment"]["contenders"].items()}
        assert list(versions.items()) == [("a", "fake honest"), ("b", "fake honest")]
        assert look["environment"]["host"] == machine
        assert look["environment"]["uncommitted_changes"] is False
        options = {"shapes": ["4-2-1"], "methods": ["naive"], "rounds": 2, "run_s": 0.001}
        planned = talk.ask({"do": "plan", "options": options, "sweep": SWEEP, "memory_bytes": 2**30})
        assert [case["rounds"] for case in planned["plan"]["cases"]] == [2]
        assert talk.begin(stations.plan("a", "b")) == {"rows": [], "losses": []}
        first = talk.ask(round_(0))
        assert keys(first) == WARM_UP
        assert {tuple(key) for key, _ in first["losses"]} == {
            ("a", "naive", "4-2-1"),
            ("b", "naive", "4-2-1"),
        }
        assert [row.status for row in unpacked(first)[0]] == ["ok"] * 3
        assert {row.host for row in unpacked(first)[0]} == {machine}
        # Losses are told once.
        assert talk.ask(round_(1))["losses"] == []


def test_what_was_measured_is_not_measured_again(checkout: Path, machine: str) -> None:
    """Neither by the same station, nor by the next one, nor by one that has it from the client only."""
    with station(checkout, machine) as talk:
        talk.look()
        talk.begin(stations.plan("a", "b"))
        first = talk.ask(round_(0))
        assert talk.ask(round_(0))["rows"] == first["rows"]
    with station(checkout, machine) as talk:
        talk.look()
        taken = talk.begin(stations.plan("a", "b"))
        assert (taken["rows"], len(taken["losses"])) == (first["rows"], 2)
        assert talk.ask(round_(0))["rows"] == first["rows"]
    elsewhere = stations.clone(checkout.with_name("elsewhere"), checkout)
    with station(elsewhere, machine) as talk:
        talk.look()
        assert talk.begin(stations.plan("a", "b"), first) == {"rows": [], "losses": []}
        assert talk.ask(round_(0)) == {"rows": first["rows"], "losses": []}
        assert keys(talk.ask(round_(1))) == [(name, again, 1) for name, again, _ in reversed(WARM_UP)]


def test_killed_in_the_midst_of_a_round(tmp_path: Path, machine: str) -> None:
    """Three runs have ended, the fourth is at work: the next station makes the whole round again."""
    gate = Gate(tmp_path / "gate")
    checkout = stations.checkout(tmp_path / "there", {"a": "honest", "b": f"gate:{gate.path}", "c": "honest"})
    what = stations.plan("b", "a", "c")
    with station(checkout, machine) as talk:
        talk.look()
        talk.begin(what)
        talk.send(round_(0))
        gate.pass_one()
        with gate.hold():
            before = journal(checkout, machine).rows()
            talk.process.kill()
            talk.process.wait()
    assert [(row.run.contender, row.run.control) for row in before] == [
        ("b", False),
        ("a", False),
        ("c", False),
    ]
    with station(checkout, machine) as talk:
        talk.look()
        assert talk.begin(what)["rows"] == []
        rows = unpacked(talk.ask(round_(0)))[0]
    assert [row.run for row in rows[:3]] == [row.run for row in before]
    assert min(row.started_utc for row in rows) > max(row.started_utc for row in before)
    assert (rows[3].run.contender, rows[3].run.control, len(rows)) == ("b", True, 4)


def test_the_end_of_input_ends_it_after_the_run_at_hand(tmp_path: Path, machine: str) -> None:
    gate = Gate(tmp_path / "gate")
    checkout = stations.checkout(tmp_path / "there", {"a": f"gate:{gate.path}"})
    with station(checkout, machine) as talk:
        talk.look()
        talk.begin(stations.plan("a"))
        talk.send(round_(0))
        with gate.hold():
            assert talk.process.stdin is not None
            talk.process.stdin.close()
        assert talk.process.wait() == 0
    assert len(journal(checkout, machine).rows()) == 1


def test_two_stations_of_a_machine_measure_one_thing_at_a_time(tmp_path: Path, machine: str) -> None:
    """The second is asked for the round that the first is at: it waits, and finds it made."""
    gate = Gate(tmp_path / "gate")
    checkout = stations.checkout(tmp_path / "there", {"a": f"gate:{gate.path}"})
    with station(checkout, machine) as one, station(checkout, machine) as other:
        for talk in (one, other):
            talk.look()
            talk.begin(stations.plan("a"))
        one.send(round_(0))
        with gate.hold():
            other.send(round_(0))
        assert one.hear()["rows"] == other.hear()["rows"]
    assert len(journal(checkout, machine).rows()) == 2


BAD_REQUESTS: list[tuple[Any, str]] = [
    (b"what?", "cannot understand the request: Expecting value: line 1 column 1 (char 0)"),
    (b"[]", "cannot understand the request: "),
    ({"do": "look"}, "cannot understand the request: "),
    ({"do": "look", "manifest": "contender = 1", "contenders": []}, "contender: got 1, takes a list"),
    ({"do": "dance"}, "cannot understand the request: 'dance'"),
    ({"do": "begin", "plan": {}, "environment": {}, "has": {}}, "cannot understand the request: "),
    (round_(0), "has not begun here"),
]


def test_bad_requests(checkout: Path, machine: str) -> None:
    """Before the machine was looked at, and afterwards; the station is still there after each."""
    with station(checkout, machine) as talk:
        for is_known in (False, True):
            for request, error in BAD_REQUESTS:
                reply = talk.ask(request)
                if not is_known and isinstance(request, dict) and request["do"] != "look":
                    assert reply == {"again": "this machine was not looked at yet"}
                    continue
                (text,) = reply.values()
                assert error in text
                assert "\n" not in text
                if is_known:
                    assert list(talk.look()["machine"]["environment"]["contenders"]) == ["a", "b"]
            talk.look()


def test_a_name_that_is_none_for_a_folder(checkout: Path) -> None:
    with station(checkout, "../up") as talk:
        assert talk.look() == {
            "error": "FLATNET_MACHINE: got '../up', takes letters, digits, '.', '_' and '-'"
        }
    assert not (checkout / "results" / "up").exists()


def test_rows_and_losses_read_back_exactly() -> None:
    failed = sweeps.row("b", status="crash", training_s=None, error="no")
    rows = [sweeps.row("a", training_s=0.1 + 0.2), failed]
    losses = {("a", "naive", "4-2-1"): (0.1, float("inf"), 1e-300)}
    assert unpacked(packed(rows, losses)) == (rows, losses)
