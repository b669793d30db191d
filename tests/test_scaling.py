"""How time grows with neurons, and who overtakes whom."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from harness.case import Shape
from harness.records import Row
from tests.sweeps import curve, understood


def test_scaling_fits_from_the_article_shape_up(tmp_path: Path) -> None:
    shapes = ["4-2-1", "10-5-1", "16-8-1", "32-16-1", "64-32-1"]
    # Exactly neurons^3, but for the shape below the article's, which must not count.
    times = {layers: 1e-9 * Shape.parse(layers).neurons ** 3 for layers in shapes} | {"4-2-1": 100.0}
    table = understood(tmp_path, curve("python", "naive", times)).exponents
    assert list(table.columns) == [
        *("contender", "method", "exponent", "low", "high", "counted_exponent"),
        *("fewest_neurons", "most_neurons", "points", "r_squared"),
    ]
    line = table.iloc[0]
    assert (line["contender"], line["method"], line["points"]) == ("python", "naive", 4)
    assert (line["fewest_neurons"], line["most_neurons"]) == (16, 97)
    assert line["exponent"] == pytest.approx(3.0, rel=1e-12)
    counts = [Shape.parse(layers).multiply_adds("naive") for layers in shapes[1:]]
    slope = np.polyfit(np.log([16, 25, 49, 97]), np.log(counts), 1)[0]
    assert line["counted_exponent"] == pytest.approx(slope, rel=1e-12)


def test_scaling_needs_three_sizes(tmp_path: Path) -> None:
    def fits(name: str, times: dict[str, float]) -> int:
        return len(understood(tmp_path / name, curve("p", "naive", times)).exponents)

    two = {"10-5-1": 1.0, "16-8-1": 2.0}
    assert fits("two", two) == 0
    # Three shapes, but two of them have 16 neurons.
    assert fits("twins", two | {"5-10-1": 1.0}) == 0
    assert fits("three", two | {"32-16-1": 4.0}) == 1


def test_exponents_come_by_method(tmp_path: Path) -> None:
    times = {"10-5-1": 1.0, "16-8-1": 2.0, "32-16-1": 4.0}
    rows = [*curve("p", "backprop", times), *curve("p", "naive", times), *curve("q", "naive", times)]
    table = understood(tmp_path, rows).exponents
    assert [*zip(table["method"], table["contender"], strict=True)] == [
        *(("naive", "p"), ("naive", "q"), ("backprop", "p"))
    ]


SIZES = ("4-2-1", "10-5-1", "16-8-1")


def over(sizes: Iterable[str], **times: list[float]) -> list[Row]:
    """Return the runs of lanes named contender_method."""
    rows = []
    for lane, seconds in times.items():
        contender, method = lane.split("_")
        rows += curve(contender, method, dict(zip(sizes, seconds, strict=True)))
    return rows


def crossing(path: Path, python_backprop: list[float]) -> tuple[str, ...]:
    rows = over(
        SIZES,
        python_naive=[100.0, 1000.0, 10000.0],
        rust_naive=[1.0, 10.0, 100.0],
        python_backprop=python_backprop,
        rust_backprop=[0.1, 0.2, 0.4],
    )
    return understood(path, rows).crossovers


@pytest.mark.parametrize(
    ("python_backprop", "sentence"),
    [
        ([2.0, 5.0, 9.0], "python with backprop is faster than rust with naive from 16 neurons on"),
        ([0.5, 5.0, 9.0], "python with backprop is faster than rust with naive from 7 neurons on"),
        # Equal is not faster.
        ([1.0, 5.0, 9.0], "python with backprop is faster than rust with naive from 16 neurons on"),
        # Ahead at 16 neurons, but not at 25: there is no size from which on it holds.
        ([2.0, 5.0, 900.0], "python with backprop is not faster than rust with naive up to 25 neurons"),
        # Where Python's backprop beats even Rust's it is not the slower language.
        ([0.05, 0.1, 0.2], "rust with backprop is faster than python with naive from 7 neurons on"),
    ],
)
def test_crossovers(tmp_path: Path, python_backprop: list[float], sentence: str) -> None:
    assert crossing(tmp_path, python_backprop) == (sentence,)


def test_nobody_is_slower_who_is_so_at_some_sizes_only(tmp_path: Path) -> None:
    assert crossing(tmp_path, [0.05, 0.3, 0.5]) == ()


def test_crossovers_of_shapes_with_equally_many_neurons(tmp_path: Path) -> None:
    rows = over(
        ("10-5-1", "5-10-1", "16-8-1"),
        python_backprop=[2.0, 0.5, 3.0],
        rust_naive=[1.0, 1.0, 9.0],
        rust_backprop=[0.1, 0.1, 0.1],
    )
    # Of the two with 16 neurons one is ahead and one is not.
    assert understood(tmp_path, rows).crossovers == (
        "python with backprop is faster than rust with naive from 25 neurons on",
    )


def test_crossovers_are_told_of_the_reference_and_once_for_all_rivals_alike(tmp_path: Path) -> None:
    rows = over(
        SIZES,
        python_backprop=[2.0, 5.0, 9.0],
        rust_naive=[1.0, 10.0, 100.0],
        rust_backprop=[0.1, 0.2, 0.4],
        c_naive=[1.0, 11.0, 90.0],
        c_backprop=[0.2, 0.3, 0.5],
    )
    assert understood(tmp_path / "a", rows).crossovers == (
        "python with backprop is faster than rust, c with naive from 16 neurons on",
    )
    # Seen from C: it beats Rust's worse method, and is itself beaten by Python.
    assert understood(tmp_path / "b", rows, reference="c").crossovers == (
        "python with backprop is faster than c with naive from 16 neurons on",
        "c with backprop is faster than rust with naive from 7 neurons on",
    )
