"""Who overtakes whom, from costs that are known."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.analysis.cost import TERMS, counted
from harness.analysis.crossover import path
from harness.analysis.results import Results
from harness.case import Shape
from harness.report.sentences import overtakings as sentences
from tests.sweeps import case, row, understood

SHAPES = [f"{2 * n}-{n}-1" for n in (2, 4, 8, 16, 32, 64)]


def sweep(folder: Path, reference: str | None = None, **nanoseconds: float) -> Results:
    """Return a sweep in which a multiply-add of contender_method costs so many nanoseconds."""
    rows = []
    for lane, cost in nanoseconds.items():
        contender, method = lane.split("_")
        for place, shape in enumerate(SHAPES):
            products = counted(Shape.parse(shape).layers, method)[TERMS.index("multiply_adds")]
            for number in range(1, 8):
                # No size is just as the model has it.
                off = 1.0 + 0.02 * (-1) ** place + 0.001 * number
                seconds = float(products) * cost * 1e-9 * off
                of = case(shape, method)
                rows.append(
                    row(contender, number, of=of, training_s=float(seconds), wall_s=float(seconds) + 0.001)
                )
    return understood(folder, rows, reference=reference)


def crossing(method: str, than: str, ratio: float) -> float:
    """Return from how many neurons on one method has so many times fewer multiply-adds than another."""
    for n in np.linspace(2, 64, 6200):
        layers = (2 * n, n, 1)
        counts = [counted(layers, name)[TERMS.index("multiply_adds")] for name in (method, than)]
        if counts[1] / counts[0] >= ratio:
            return float(sum(layers))
    return float("nan")


def test_a_path_leads_through_the_measured_shapes() -> None:
    points = path(["16-8-1", "4-2-1", "8-4-1", "100-1"])
    assert points[0] == pytest.approx((4, 2, 1))
    assert points[-1] == pytest.approx((16, 8, 1))
    assert any(point == pytest.approx((8, 4, 1)) for point in points)
    neurons = [sum(point) for point in points]
    assert neurons == sorted(neurons)
    assert path(["3-1"]) == [(3.0, 1.0)]
    # More work, but no more neurons than before, is off the path.
    strange = path(["4-2-1", "1-200-1", "10-5-1", "64-32-1", "128-64-1", "256-128-1"])
    assert all(one < other for one, other in pairwise([sum(point) for point in strange]))
    assert not any(point == pytest.approx((64, 32, 1)) for point in strange)


def test_where_one_overtakes_another(tmp_path: Path) -> None:
    results = sweep(tmp_path, python_backprop=500.0, rust_naive=1.0, rust_backprop=1.0, python_naive=500.0)
    table = results.crossovers[results.crossovers["kind"] == "training"]
    (one,) = table[table["contender"] == "python"].to_dict("records")
    assert (one["method"], one["than_contender"], one["than_method"]) == ("backprop", "rust", "naive")
    expected = crossing("backprop", "naive", 500.0)
    assert one["neurons"] == pytest.approx(expected, rel=0.06)
    assert one["low"] < expected < one["high"]
    assert one["most_neurons"] == sum(Shape.parse(SHAPES[-1]).layers)


def test_what_never_happens_and_what_always_does(tmp_path: Path) -> None:
    results = sweep(
        tmp_path, python_backprop=1e6, rust_incremental=1.0, rust_backprop=1.0, python_incremental=1e6
    )
    assert sentences(results.crossovers)[0] == (
        "python with backprop does not overtake rust with incremental up to 193 neurons"
    )
    always = sweep(tmp_path / "b", python_backprop=2.0, rust_naive=1.0, rust_backprop=1.0, python_naive=2.0)
    (line,) = [line for line in sentences(always.crossovers) if line.startswith("python")]
    assert line.startswith("python with backprop overtakes rust with naive at 7 neurons (7 to 7) in training")


def test_where_no_size_is_near_enough_nothing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.analysis.crossover.FARTHEST", 0.5)
    found = sweep(tmp_path, python_naive=100.0, python_backprop=100.0, rust_naive=10.0, rust_backprop=10.0)
    assert found.crossovers.empty


def test_one_of_the_two_is_the_reference(tmp_path: Path) -> None:
    lanes: dict[str, Any] = {
        f"{name}_{method}": factor
        for name, factor in (("python", 500.0), ("rust", 1.0), ("c", 1.5))
        for method in ("naive", "backprop")
    }
    for reference, expected in (
        ("python", {("python", "rust"), ("python", "c")}),
        ("c", {("python", "c"), ("c", "rust")}),
    ):
        table = sweep(tmp_path / reference, reference, **lanes).crossovers
        pairs = table[table["kind"] == "training"]
        assert set(zip(pairs["contender"], pairs["than_contender"], strict=True)) == expected


def test_nobody_is_slower_who_is_so_at_some_sizes_only(tmp_path: Path) -> None:
    results = sweep(tmp_path, python_backprop=1.001, rust_naive=1.0, rust_backprop=1.0, python_naive=1.0)
    assert set(results.crossovers["contender"]) == {"python"}
