"""What is concluded from the rows of a sweep, against hand-worked answers and independent libraries."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.analysis.intervals import median_interval
from harness.analysis.ratios import spread
from harness.analysis.results import understand
from harness.case import Case, Shape
from harness.errors import NothingMeasured, ResultsError, UsageError
from harness.plan import LeftOut
from harness.records import PLAN
from harness.rows import Row
from tests.sweeps import SMALL, case, failure, floor, mismatch, pairs, plan, row, understood, write


def test_spread_by_hand() -> None:
    # Sorted 1 2 4 4 9: the median is 4; the distances 3 2 0 0 5, sorted 0 0 2 3 5, have the median 2.
    # Quartiles at ranks 1 and 3: 2 and 4. 3.5 * 1.4826 * 2 = 10.4: nothing is that far from 4.
    values = np.array([4.0, 1.0, 9.0, 4.0, 2.0])
    found = spread(values)
    interval = median_interval(values)._asdict()
    assert {name: found.pop(name) for name in interval} == interval
    quartiles = {"lower_quartile": 2.0, "upper_quartile": 4.0}
    assert found == {"n": 5, "median": 4.0, "mad": 2.0, "minimum": 1.0, "outliers": 0, **quartiles}
    one = spread(np.array([3.0]))
    assert all(math.isnan(one.pop(name)) for name in ("low", "high", "lag1"))
    of_value = dict.fromkeys(("median", "minimum", "lower_quartile", "upper_quartile"), 3.0)
    assert one == {"n": 1, "effective_rounds": 1.0, "mad": 0.0, "outliers": 0, **of_value}
    # Outliers begin beyond three and a half sigma.
    # 8 9 10 11 12 and x: with x above 12 the median is 10.5; distances 2.5 1.5 0.5 0.5 1.5 and x - 10.5,
    # MAD 1.5; 3.5 * 1.4826 * 1.5 = 7.78365, so an outlier is above 18.28365.
    for last, count in ((18.28, 0), (18.29, 1)):
        assert spread(np.array([8.0, 9.0, 10.0, 11.0, 12.0, last]))["outliers"] == count
    assert spread(np.array([1.0, 1.0, 1.0, 9.0]))["outliers"] == 0  # MAD 0: nobody can tell.


@settings(deadline=None)
@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=20))
def test_spread_against_scipy_and_numpy(values: list[float]) -> None:
    sample = np.array(values)
    found = spread(sample)
    assert found["mad"] == pytest.approx(stats.median_abs_deviation(sample), rel=1e-12)
    assert found["median"] == pytest.approx(np.median(sample), rel=1e-12)
    assert found["lower_quartile"] == pytest.approx(stats.scoreatpercentile(sample, 25), rel=1e-12)
    assert found["upper_quartile"] == pytest.approx(stats.scoreatpercentile(sample, 75), rel=1e-12)


def test_summary_has_a_line_per_case_contender_and_measure(tmp_path: Path) -> None:
    rows = pairs([(4.0, 1.0), (1.0, 2.0), (9.0, 4.0), (4.0, 4.0), (2.0, 9.0)])
    results = understood(tmp_path, rows)
    table = results.summary
    assert table["measure"].unique().tolist() == ["step_s", "job_s", "startup_s", "peak_memory_bytes"]
    assert len(table) == 2 * 4
    line = table[(table["contender"] == "rust") & (table["measure"] == "step_s")].iloc[0]
    assert (line["samples"], line["epochs"], line["warming"]) == (1, 1, "")
    assert (line["n"], line["median"], line["mad"], line["minimum"]) == (5, 4.0, 2.0, 1.0)
    interval = median_interval(np.array([1.0, 2.0, 4.0, 4.0, 9.0]))
    assert (line["low"], line["high"], line["status"]) == (interval.low, interval.high, "ok")
    startup = table[table["measure"] == "startup_s"]
    assert list(startup["median"]) == [0.5, 0.5]
    assert results.runs["cpu_s"].tolist() == [0.75] * 10  # 0.25 in user mode and 0.5 in the kernel
    assert results.medians["median"].tolist() == [4.0, 4.0]  # one step a run: the seconds of the training


def test_losses_have_a_line_per_epoch(tmp_path: Path) -> None:
    losses = {("python", "naive", "4-2-1"): (1.0, 0.5), ("rust", "naive", "4-2-1"): (9.0,)}
    folder = write(tmp_path, pairs([(1.0, 1.0)]), losses=losses)
    assert understand(folder).losses.to_numpy().tolist() == [
        ["python", "naive", "4-2-1", 0, 1.0],
        ["python", "naive", "4-2-1", 1, 0.5],
        ["rust", "naive", "4-2-1", 0, 9.0],
    ]
    assert understood(tmp_path / "none", pairs([(1.0, 1.0)])).losses.empty


def test_standings_have_a_line_per_case_and_contender(tmp_path: Path) -> None:
    rows = [*pairs([(4.0, 1.0), (8.0, 1.0), (2.0, 1.0)]), *controls(SMALL, (2.0,) * 3), failure("go", 0)]
    rows += [mismatch("late", number) for number in (1, 2)]
    results = understood(tmp_path, rows, plan(["python", "rust", "go", "late", "absent"]))
    table = results.standings
    assert table["contender"].tolist() == list(results.contenders)
    assert table["status"].tolist() == ["ok", "ok", "crash", "mismatch", "not run"]
    python, rust, go, late, absent = table.to_dict("records")
    assert (python["step_s"], late["step_s"], rust["step_low"], rust["step_high"]) == (4.0, 1.0, 1.0, 1.0)
    assert all(math.isnan(one["step_s"]) for one in (go, absent))
    # 4 / 1, 8 / 1 and 2 / 1, and with half a second each 4.5, 8.5 and 2.5 / 1.5; of the control a half each.
    interval = median_interval(np.array([4.0, 8.0, 2.0]))
    assert (rust["training_ratio"], rust["job_ratio"]) == (4.0, 3.0)
    assert (rust["training_low"], rust["training_high"]) == (interval.low, interval.high)
    assert rust["training_floor"] == floor(2.0, 4.0, 1.0)
    assert rust["job_floor"] == floor(4.5 / 1.5, 8.5 / 1.5, 2.5 / 1.5)
    assert rust["training_verdict"] == "cannot tell"
    assert python["training_verdict"] == "" and math.isnan(python["training_ratio"])
    assert [one["training_verdict"] for one in (go, late, absent)] == ["crash", "mismatch", "not run"]


def test_one_contender_has_no_ratios_and_what_nobody_knows_no_line(tmp_path: Path) -> None:
    results = understood(tmp_path, [row(round=number, peak_memory_bytes=None) for number in (1, 2)])
    (one,) = results.standings.to_dict("records")
    assert (one["step_s"], one["training_verdict"]) == (1.0, "")
    assert math.isnan(one["training_ratio"]) and math.isnan(one["job_floor"])
    assert "peak_memory_bytes" not in set(results.summary["measure"])


def test_the_speedup_is_the_median_of_the_ratios_within_each_round(tmp_path: Path) -> None:
    # Ratios 4/1, 6/2, 10/2: 4, 3, 5, median 4. The ratio of the medians would be 6/2 = 3.
    # A job of one step, half a second of start-up: 4.5/1.5 = 3, 6.5/2.5 = 2.6, 10.5/2.5 = 4.2: median 3.
    rows, of = pairs([(4.0, 1.0), (6.0, 2.0), (10.0, 2.0)]), plan(["python", "rust"], control=False)
    table = understood(tmp_path, rows, of).speedups
    assert list(table["measure"]) == ["training", "job"]
    assert list(table["ratio"]) == [4.0, 3.0]
    interval = median_interval(np.array([4.0, 3.0, 5.0]))
    assert (table["low"][0], table["high"][0]) == (interval.low, interval.high)
    assert list(table["rounds"]) == [3, 3]
    assert table[["contender", "reference", "control"]].to_numpy().tolist() == [["rust", "python", False]] * 2
    # Without a control the interval decides: of three rounds it is wide.
    assert table["floor"].isna().all()
    assert list(table["verdict"]) == ["faster" if low > 1.0 else "cannot tell" for low in table["low"]]
    assert set(table["parity"]) == {"identical"}
    one = understood(tmp_path / "one round", pairs([(4.0, 1.0)]), of).speedups
    assert list(one["ratio"]) == [4.0, 3.0]
    assert one[["low", "high"]].isna().all(axis=None)
    assert set(one["verdict"]) == {"cannot tell"}


def controls(of: Case, seconds: Sequence[float]) -> list[Row]:
    """Return runs of python against itself, which takes one second, and then so many."""
    return [
        row("python", number, of=of, control=True, training_s=value, wall_s=1.5)
        for number, value in enumerate(seconds, start=1)
    ]


def test_the_floor_is_the_interval_of_the_control(tmp_path: Path) -> None:
    rows = [*pairs([(1.0, 0.25)] * 3), *controls(SMALL, (0.8, 1.0, 1.25))]
    # Another method, which has no control.
    rows += pairs([(1.0, 0.5)] * 2, of=replace(SMALL, method="backprop"))
    table = understood(tmp_path, rows).speedups
    training = table[(table["measure"] == "training") & (table["method"] == "naive")].set_index("control")
    interval = median_interval(np.array([1.25, 1.0, 0.8]))
    assert training.loc[True, "low"] == interval.low
    # The interval is symmetrical as a factor.
    assert training["floor"].tolist() == pytest.approx([interval.high] * 2)
    assert set(training["floor_layers"]) == {"4-2-1"}
    assert training.loc[False, "ratio"] == 4.0
    assert training.loc[False, "verdict"] == "faster"
    assert training.loc[True, "verdict"] == "cannot tell"
    backprop = table[table["method"] == "backprop"]
    assert backprop["floor"].isna().all()
    assert set(backprop["floor_layers"]) == {""}
    assert list(backprop["verdict"]) == ["faster", "faster"]


def test_the_floor_is_that_of_the_nearest_size(tmp_path: Path) -> None:
    rows = []
    for layers in ("4-2-1", "10-5-1", "128-64-1", "512-256-1"):
        rows += pairs([(1.0, 0.125)] * 2, of=case(layers))
    rows += controls(case("10-5-1"), (1.0, 1.0)) + controls(case("512-256-1"), (4.0, 4.0))
    table = understood(tmp_path, rows).speedups
    training = table[(table["measure"] == "training") & ~table["control"]].set_index("layers")
    # 193 neurons are 12 times as many as 16, and a quarter of 769.
    shapes = ["4-2-1", "10-5-1", "128-64-1", "512-256-1"]
    assert [training["floor_layers"][shape] for shape in shapes] == [*["10-5-1"] * 2, *["512-256-1"] * 2]
    assert [training["floor"][shape] for shape in shapes] == [1.0, 1.0, 4.0, 4.0]


def test_what_lies_within_the_margin_is_equal(tmp_path: Path) -> None:
    folder = write(tmp_path, [*pairs([(1.0, 0.98)] * 3), *controls(SMALL, (1.0, 1.0, 1.0))])
    for margin, word in ((None, "faster"), (0.05, "equal"), (0.01, "faster")):
        table = understand(folder, margin=margin).speedups
        assert table["verdict"][(table["measure"] == "training") & ~table["control"]].tolist() == [word]


def test_only_rounds_in_which_both_ended_well_are_paired(tmp_path: Path) -> None:
    rows = pairs([(4.0, 1.0), (6.0, 2.0), (10.0, 2.0), (7.0, 1.0)])
    rows[2] = failure("python", 2, "timeout")
    rows[5] = mismatch("rust", 3)
    del rows[7]  # rust, round 4
    # By number, not by place.
    of = plan(["python", "rust"], control=False)
    table = understood(tmp_path, [*rows[::2], *rows[1::2][::-1]], of).speedups
    assert list(table["ratio"]) == [4.0, 3.0]
    assert list(table["rounds"]) == [1, 1]
    assert set(table["parity"]) == {"epoch 3: 2.0 instead of 1.0 (off by 5e-01 of the initial loss)"}


def test_warm_up_control_and_failures_are_in_no_statistic(tmp_path: Path) -> None:
    rows = [
        row("python", 0, training_s=100.0),
        row("python", 1, training_s=1.0),
        mismatch("python", 2, training_s=100.0),
        failure("python", 3, "timeout"),
        row("python", 4, status="paused", training_s=100.0),
        row("python", 1, control=True, training_s=100.0),
    ]
    results = understood(tmp_path, rows)
    assert list(results.medians["median"]) == [1.0]
    assert list(results.summary["n"]) == [1] * 4


def test_who_has_other_losses_is_marked_and_in_no_ratio(tmp_path: Path) -> None:
    shapes = [case(layers) for layers in ("10-5-1", "16-8-1", "32-16-1")]
    rows = [row("python", number, of=of, training_s=4.0) for of in shapes for number in (1, 2)]
    rows += [mismatch("rust", number, of=of) for of in shapes for number in (1, 2)]
    results = understood(tmp_path, rows)
    rust = results.outcomes[results.outcomes["contender"] == "rust"]
    assert rust[["status", "with_losses", "differing"]].to_numpy().tolist() == [["mismatch", 2, 2]] * 3
    # Its time is there, marked.
    assert results.medians[["contender", "status", "median"]].to_numpy().tolist() == [
        *(["python", "ok", 4.0], ["rust", "mismatch", 1.0]) * 3,
    ]
    assert set(results.summary["status"][results.summary["contender"] == "rust"]) == {"mismatch"}
    assert results.speedups["rounds"].tolist() == [0] * 6
    assert results.speedups[["ratio", "low", "high"]].isna().all(axis=None)
    assert set(results.speedups["verdict"]) == {"mismatch"}
    assert set(results.speedups["parity"]) == {
        "epoch 1: 2.0 instead of 1.0 (off by 5e-01 of the initial loss)"
    }
    # No curve is fitted through its times, nobody is said to overtake it, and it did not fail.
    assert set(results.exponents["contender"]) == {"python"}
    assert results.crossovers.empty and set(results.outcomes["failure"]) == {""}


def test_who_is_right_in_some_rounds_has_a_ratio_of_those(tmp_path: Path) -> None:
    rows = [*pairs([(4.0, 1.0), (6.0, 2.0), (8.0, 2.0)]), mismatch("rust", 0)]
    allowed = "within 3e-16 of the initial loss"
    rows[1] = replace(rows[1], parity=allowed)
    assert understood(tmp_path / "a", rows[:6]).outcomes["parity"].tolist() == ["identical", allowed]
    rows[3] = mismatch("rust", 2)
    results = understood(tmp_path, rows, plan(["python", "rust"], control=False))
    rust = results.outcomes.set_index("contender").loc["rust"]
    assert list(rust[["status", "with_losses", "differing"]]) == ["ok", 4, 2]
    # What is wrong is told before what is allowed to differ.
    assert rust["parity"].startswith("epoch 2: 2.0 instead of 1.0")
    # Rounds 1 and 3; 4.5/1.5 = 3, 8.5/2.5 = 3.4
    assert results.speedups["ratio"].tolist() == [4.0, 3.2]
    assert results.medians["median"].tolist() == [6.0, 1.5]


@pytest.mark.parametrize(
    ("rows", "ended", "word"),
    [
        ([mismatch("python", 1), row("rust", 1)], ["mismatch", "ok"], "cannot tell"),
        ([mismatch("python", 1), mismatch("rust", 1)], ["mismatch", "mismatch"], "mismatch"),
        ([failure("python", 0), row("rust", 1), row("rust", 2)], ["crash", "ok"], "cannot tell"),
    ],
)
def test_nobody_is_compared_with_a_reference_without_right_losses(
    tmp_path: Path, rows: list[Row], ended: list[str], word: str
) -> None:
    results = understood(tmp_path, rows, plan(["python", "rust"], control=False))
    assert results.reference == "python"
    assert results.outcomes["status"].tolist() == ended
    assert results.speedups[["contender", "verdict"]].to_numpy().tolist() == [["rust", word]] * 2
    assert results.speedups["ratio"].isna().all()


def test_nobody_who_was_asked_for_vanishes(tmp_path: Path) -> None:
    large = case("10-5-1")
    rows = [
        *(row("python", number, of=of) for of in (SMALL, large) for number in (0, 1)),
        failure("crashed", 0),
        *(row("later", 1), failure("later", 2, "timeout"), failure("later", 3, "crash")),
        *(row("warm", 0), row("asleep", 1, status="paused")),
    ]
    names = ["python", "crashed", "later", "warm", "asleep", "absent"]
    left_out = LeftOut(method="backprop", shape=Shape.parse("4-2-1"), contender="absent", reason="too slow")
    everybody = LeftOut(method="backprop", shape=Shape.parse("10-5-1"), contender=None, reason="too slow")
    of = plan(names, (SMALL, large), control=False, left_out=(left_out, everybody))
    results = understood(tmp_path, rows, of)
    assert results.contenders == tuple(names)
    # In the plan's order; each one's runs as they were made.
    runs = understood(tmp_path / "reversed", rows[::-1], of).runs
    assert list(runs["contender"].unique()) == names[:-1]
    assert runs["round"][runs["contender"] == "later"].tolist() == [3, 2, 1]
    columns = ["method", "layers", "contender", "status", "failure"]
    assert results.outcomes[columns].to_numpy().tolist() == [
        ["naive", "4-2-1", "python", "ok", ""],
        ["naive", "4-2-1", "crashed", "crash", "crash"],
        ["naive", "4-2-1", "later", "ok", "timeout"],
        ["naive", "4-2-1", "warm", "not run", ""],
        ["naive", "4-2-1", "asleep", "paused", ""],
        ["naive", "4-2-1", "absent", "not run", ""],
        ["naive", "10-5-1", "python", "ok", ""],
        *(["naive", "10-5-1", name, "not run", ""] for name in names[1:]),
        ["backprop", "4-2-1", "absent", "left out", ""],
        *(["backprop", "10-5-1", name, "left out", ""] for name in names),
    ]
    # A line for each rival that was to be run, with the reason for which it has no ratio.
    first = results.speedups.query("layers == '4-2-1' and measure == 'training'")
    assert [*zip(first["contender"], first["verdict"], strict=True)] == [
        *(("crashed", "crash"), ("later", "cannot tell"), ("warm", "not run")),
        *(("asleep", "paused"), ("absent", "not run")),
    ]
    assert first["rounds"].tolist() == [0, 1, 0, 0, 0]
    assert set(results.speedups["method"]) == {"naive"}


def test_the_control_has_an_outcome_of_its_own(tmp_path: Path) -> None:
    rows = [*pairs([(1.0, 0.5)]), replace(mismatch("python", 1), run=replace(row(control=True).run))]
    results = understood(tmp_path, rows, plan(["python", "rust"]))
    table = results.outcomes[["contender", "control", "status"]].to_numpy().tolist()
    assert table == [["python", False, "ok"], ["rust", False, "ok"], ["python", True, "mismatch"]]
    control = results.speedups[results.speedups["control"]]
    assert control["verdict"].tolist() == ["mismatch"] * 2
    assert control["floor"].isna().all()


def three(path: Path, reference: str | None) -> pd.DataFrame:
    """Two rounds of three contenders, whose quickest rounds differ, and a control of the first one."""
    rows = pairs([(12.0, 3.0, 2.0), (20.0, 2.0, 5.0)], names=("python", "rust", "c"))
    rows += [row("python", number, control=True, training_s=10.0) for number in (1, 2)]
    table = understood(path, rows, plan(["python", "rust", "c"]), reference).speedups
    return table[table["measure"] == "training"].set_index(["contender", "control"])


def test_another_reference_is_paired_within_the_same_rounds(tmp_path: Path) -> None:
    own = three(tmp_path / "a", None)
    everybody = [("rust", False), ("c", False), ("python", True)]
    # 12/3 and 20/2; 12/2 and 20/5; 12/10 and 20/10.
    assert own["ratio"].to_dict() == dict(zip(everybody, (7.0, 5.0, 1.6), strict=True))
    other = three(tmp_path / "b", "rust")
    everybody[0] = ("python", False)
    # 3/12 and 2/20; 3/2 and 2/5; 12/10 and 20/10.
    assert other["ratio"].to_dict() == dict(zip(everybody, (0.175, 0.95, 1.6), strict=True))
    assert other["reference"].to_dict() == dict(zip(everybody, ("rust", "rust", "python"), strict=True))
    # The control still is who ran twice.
    floor = median_interval(np.array([1.2, 2.0])).high
    assert set(own["floor"]) == set(other["floor"]) == {floor}


def test_who_the_reference_is(tmp_path: Path) -> None:
    folder = write(tmp_path, pairs([(1.0, 1.0)]))
    for name in ("go", ""):
        with pytest.raises(UsageError) as caught:
            understand(folder, name)
        assert str(caught.value) == f"--reference: got {name!r}, takes python, rust"
    # It is the plan's if no other is asked for.
    assert understand(folder).reference == "python"
    assert understand(folder, "rust").reference == "rust"
    (folder.path / PLAN).unlink()
    with pytest.raises(
        ResultsError, match=r"has no plan\.json, which says what was to be measured; restore it$"
    ):
        understand(folder)


@pytest.mark.parametrize("rows", [[], [failure("python", 1)], [row(round=0)], [row(control=True)]])
def test_nothing_measured(tmp_path: Path, rows: list[Row]) -> None:
    folder = write(tmp_path, rows)
    with pytest.raises(NothingMeasured) as caught:
        understand(folder)
    assert (
        str(caught.value)
        == f"{folder.path}: no timed run has ended well yet, so there is nothing to show; run bench again"
    )


def test_of_several_failures_the_first_is_told(tmp_path: Path) -> None:
    rows = [
        replace(failure("python", 1, "timeout"), error="ended after 60 s"),
        replace(failure("python", 2), error="exit status 3"),
        *(mismatch("rust", 1), row("rust", 2), row("rust", 3, status="paused")),
    ]
    table = understood(tmp_path, rows).outcomes
    assert table[["contender", "status", "failure", "error"]].to_numpy().tolist() == [
        ["python", "timeout", "timeout", "ended after 60 s"],
        ["rust", "ok", "", ""],
    ]


def test_the_shape_that_is_spoken_of(tmp_path: Path) -> None:
    rows = [row(of=case(layers)) for layers in ("16-8-1", "4-2-1")]
    assert understood(tmp_path / "a", rows).shape == "4-2-1"
    assert understood(tmp_path / "b", [*rows, row(of=case("10-5-1"))]).shape == "10-5-1"
    # Nothing is to be said of a shape at which nobody ended well.
    assert understood(tmp_path / "c", [*rows, failure("python", 1, of=case("10-5-1"))]).shape == "4-2-1"


def test_a_round_that_was_finished_later_makes_no_ratio(tmp_path: Path) -> None:
    """The machine's speed may have changed: python ran before an interruption, rust hours after."""
    rows = pairs([(4.0, 2.0)] * 3)
    times = ["03:00:00.000", "03:00:05.000", "03:00:10.000", "06:00:00.000", "06:00:03.000", "06:00:07.500"]
    rows = [
        replace(one, started_utc=f"2026-01-01T{time}+00:00") for one, time in zip(rows, times, strict=True)
    ]
    # In the second round rust, at 06:00, was three times as slow.
    rows[3] = replace(rows[3], training_s=6.0, wall_s=6.5)
    results = understood(tmp_path, rows)
    assert results.runs["torn"].tolist() == [False, True, False, False, True, False]
    training = results.speedups[results.speedups["measure"] == "training"]
    assert training[["ratio", "rounds"]].to_numpy().tolist() == [[2.0, 2]]
    # Without a whole round there are times, and no ratio.
    results = understood(tmp_path / "alone", [rows[2], rows[3]])
    assert results.medians["median"].tolist() == [4.0, 6.0]
    assert results.speedups["verdict"].tolist() == ["cannot tell"] * 2


def test_shapes_that_nobody_can_run(tmp_path: Path) -> None:
    huge = case("9000000000000000000-9000000000000000000-1")
    results = understood(tmp_path, [*pairs([(4.0, 2.0)] * 3), *pairs([(4.0, 2.0)] * 3, of=huge)])
    assert results.speedups["ratio"].notna().all()
    assert results.crossovers.empty


def test_a_round_whose_runs_take_long_is_not_torn(tmp_path: Path) -> None:
    """They followed one another at once: first python, then c, then rust, which tables have before c."""
    starts = {"python": "03:00:00.000", "rust": "03:00:22.000", "c": "03:00:11.000"}
    rows = [
        replace(row(name, 1), started_utc=f"2026-01-01T{time}+00:00", wall_s=11.0)
        for name, time in starts.items()
    ]
    assert understood(tmp_path, rows).runs["torn"].tolist() == [False] * 3
