"""The plan as a file: read back exactly, or refused, whatever somebody has done to it."""

import copy
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.case import LARGEST_INTEGER, METHODS, Shape
from harness.codec import decode, encode
from harness.measure.contract import arguments
from harness.plan import LeftOut, Options, Plan, PlannedCase, Run
from harness.records import SweepFolder
from harness.rows import Made, Row
from tests import fakes, sweeps

PLAN = Plan(
    sweep="2026-01-01T00-00-00.000Z",
    options=Options(shapes=(Shape((4, 2, 1)), Shape((10, 5, 1))), rounds=3, memory_bytes=2**30),
    reference="a",
    versions={"a": "a 1", "b": "b 1"},
    memory_bytes=2**30,
    cases=(
        PlannedCase(case=fakes.case("4-2-1"), run_s={"a": 0.5, "b": 0.25}, control=True, rounds=3),
        PlannedCase(case=fakes.case("10-5-1", "backprop"), run_s={"b": 0.1}, control=False, rounds=1),
    ),
    left_out=(LeftOut(method="naive", shape=Shape((10, 5, 1)), contender=None, reason="too dear"),),
)


def test_a_plan_reads_back_exactly(tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path)
    folder.begin(PLAN, {})
    assert folder.plan() == PLAN
    document = json.loads((tmp_path / "plan.json").read_text(encoding="utf-8"))
    assert document["cases"][0]["case"]["shape"] == "4-2-1"


def test_the_estimate() -> None:
    # 3 rounds and 1 and the warm-ups; the control runs a second time: 0.5 + 0.25 + 0.5, and 0.1.
    assert PLAN.estimate_s == pytest.approx(4 * 1.25 + 2 * 0.1)
    assert [PLAN.estimate_of(run) for run in PLAN.schedule()][:4] == [0.5, 0.25, 0.5, 0.1]


def test_the_rounds_of_each_case_are_spread_evenly_over_the_sweep() -> None:
    rounds = [(str(run.case), run.round) for run in PLAN.schedule() if run.position == 1]
    # After the warm-ups at (n - 0.5) / rounds of the way: 1/6, 3/6, 5/6, and 1/2.
    a, b = "naive 4-2-1", "backprop 10-5-1"
    assert rounds == [(a, 0), (b, 0), (a, 1), (a, 2), (b, 1), (a, 3)]
    assert len({run.key for run in PLAN.schedule()}) == 4 * 3 + 2 * 1


def test_how_many_runs_there_are() -> None:
    # Three turns in each of 3 rounds and the warm-up, one in 1 round and the warm-up.
    assert PLAN.runs == 4 * 3 + 2 == len(list(PLAN.schedule()))


def test_what_is_still_to_be_made() -> None:
    def pending(rows: list[Row]) -> list[Run]:
        return list(Made(PLAN, rows).pending())

    # Three turns in each of 3 rounds and the warm-up, one in 1 round and the warm-up.
    assert PLAN.runs == 4 * 3 + 2 == len(pending([]))
    made = [replace(sweeps.row(), run=run) for run in PLAN.schedule()]
    assert pending(made[2:]) == [row.run for row in made[:2]]
    assert pending(made) == []
    failed = next(row for row in made if (row.run.contender, row.run.case.method) == ("b", "naive"))
    left = pending([replace(failed, status="crash", training_s=None)])
    # b is spared three more runs of that case, and keeps its other method.
    assert len(left) == PLAN.runs - 1 - 3
    assert {run.case.method for run in left if run.contender == "b"} == {"backprop"}


def changed(**changes: object) -> dict[str, Any]:
    """Return the plan as a document in which a value is another: cases__0__case__epochs=1 and so on."""
    document: dict[str, Any] = encode(copy.deepcopy(PLAN))
    for path, value in changes.items():
        *parents, last = path.split("__")
        place: Any = document
        for name in parents:
            place = place[int(name) if name.isdigit() else name]
        place[int(last) if last.isdigit() else last] = value
    return document


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"options__rounds": 2.0}, "options.rounds: got 2.0, takes an integer"),
        ({"cases__0__rounds": 0}, "cases[0]: rounds is 0, takes an integer from 1 to 100000"),
        ({"options__run_s": None}, "options.run_s: got None, takes a finite number"),
        ({"options__timeout_s": float("inf")}, "options.timeout_s: got inf, takes a finite number"),
        ({"options__timeout_s": 10**400}, "options.timeout_s: int too large to convert to float"),
        (
            {"options__shapes": ["4"]},
            "options.shapes[0]: got '4', takes two or more positive sizes such as 10-5-1",
        ),
        ({"cases__0__run_s": {}}, "cases[0]: run_s takes the seconds of one contender or more"),
        ({"cases__0__run_s": {"c": 1.0}}, "versions has none for 'c'"),
        ({"cases__1__control": True}, "backprop 10-5-1 has a control, but not the reference first"),
        ({"cases__0__case__shape": "4-\0-1"}, "cases[0].case.shape: got '4-\\x00-1', takes two or more"),
        ({"cases__0__case__shape": []}, "cases[0].case.shape: got [], takes a table"),
        (
            {"cases__0__case__shape": {"layers": ["4", "--plot=/elsewhere/x.png"]}},
            "cases[0].case.shape.layers[0]: got '4', takes an integer",
        ),
        ({"cases__0__case__epochs": 1e20}, "cases[0].case.epochs: got 1e+20, takes an integer"),
        ({"cases__0__case__epochs": 0}, "cases[0]: epochs takes at least 1 in a sweep"),
        ({"cases__0__case__samples": 10**400}, "cases[0].case: samples is a int, takes an integer from 1"),
        ({"sweep": "[red]x"}, "sweep takes a file name of letters, digits, '.', '+' and '-'"),
        ({"sweep": "../../x"}, "sweep takes a file name of letters"),
        ({"versions__a": "\ud800"}, "versions.a: got '\\ud800', takes a text"),
        ({"cases__1": encode(PLAN.cases[0])}, "cases has one shape twice for a method"),
        ({"colour": 1}, "unknown key 'colour', takes sweep, options"),
    ],
    ids=lambda value: ascii(value)[:50],
)
def test_a_plan_edited_into_nonsense(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        decode(Plan, changed(**changes))
    assert str(caught.value).startswith(
        message.replace("is a int", f"is {'1' + '0' * 56}...") if "a int" in message else message
    )


NASTY = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(
        ["4-2-1", "--plot=x", "naive", "\0", "\ud800", 10**400, [], {}, ["4", "-1"], {"layers": [1, 2]}]
    ),
)


def nodes(document: Any, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    children: Iterable[tuple[object, Any]] = document.items() if isinstance(document, dict) else ()
    if isinstance(document, list):
        children = enumerate(document)
    return [path, *(node for key, child in children for node in nodes(child, (*path, key)))]


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_whatever_is_taken_runs_nothing_but_cases(data: st.DataObject) -> None:
    """A document with some of its nodes replaced or dropped: refused, or a plan of valid command lines."""
    document: Any = encode(PLAN)
    for _ in range(data.draw(st.integers(1, 3))):
        places = nodes(document)[1:]
        # An index is drawn in less time than one of so many paths.
        *parents, last = places[data.draw(st.integers(0, len(places) - 1))]
        place = document
        for key in parents:
            place = place[key]
        if data.draw(st.booleans()):
            place[last] = copy.deepcopy(data.draw(NASTY))
        elif isinstance(place, dict):
            del place[last]
    try:
        plan = decode(Plan, document)
    except ValueError as error:
        assert "\n" not in str(error)
        return
    for planned in plan.cases:
        words = arguments(planned.case)
        layers = [word for word in words if not word.startswith("--")]
        assert len(layers) >= 2
        assert all(word.isascii() and word.isdigit() and 1 <= int(word) <= LARGEST_INTEGER for word in layers)
        assert [word.partition("=")[0] for word in words[:8]] == [
            *("--method", "--samples", "--epochs", "--step", "--learning-rate", "--low", "--high", "--seed")
        ]
        assert planned.case.method in METHODS
    assert next(plan.schedule(), None) or not plan.cases
