"""How time grows with neurons."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.analysis.intervals import BLOCKS
from harness.analysis.scaling import power_law
from harness.case import Shape
from tests.sweeps import case, curve, row, understood


def test_scaling_fits_from_the_article_shape_up(tmp_path: Path) -> None:
    shapes = ["4-2-1", "10-5-1", "16-8-1", "32-16-1", "64-32-1"]
    # Exactly neurons^3, but for the shape below the article's, which must not count.
    times = {layers: 1e-9 * Shape.parse(layers).neurons ** 3 for layers in shapes} | {"4-2-1": 100.0}
    line = understood(tmp_path, curve("python", "naive", times)).exponents.iloc[0]
    assert (line["contender"], line["method"], line["points"]) == ("python", "naive", 4)
    assert (line["fewest_neurons"], line["most_neurons"]) == (16, 97)
    assert line["exponent"] == pytest.approx(3.0, rel=1e-12)
    counts = [Shape.parse(layers).multiply_adds("naive") for layers in shapes[1:]]
    slope = np.polyfit(np.log([16, 25, 49, 97]), np.log(counts), 1)[0]
    assert line["counted_exponent"] == pytest.approx(slope, rel=1e-12)
    assert line["straight_from_neurons"] == 16
    assert line["curvature"] == pytest.approx(0.0, abs=1e-9)


def test_a_curve_is_straight_from_the_size_on_where_it_stops_bending(tmp_path: Path) -> None:
    # Flat up to 25 neurons, from there on neurons^2.
    shapes = ("10-5-1", "16-8-1", "32-16-1", "64-32-1", "128-64-1")
    times = {layers: max(1.0, Shape.parse(layers).neurons / 25) ** 2 for layers in shapes}
    line = understood(tmp_path, curve("p", "naive", times)).exponents.iloc[0]
    assert line["straight_from_neurons"] == 25
    assert line["exponent"] < 2.0
    assert line["curvature_low"] > 0.0
    # Bent everywhere: log2 of the time is 0, 1, 3, 6, 10 where that of the neurons grows by about 1.
    bent = dict(zip(shapes, (1.0, 2.0, 8.0, 64.0, 1024.0), strict=True))
    line = understood(tmp_path / "bent", curve("p", "naive", bent)).exponents.iloc[0]
    assert np.isnan(line["straight_from_neurons"])


def test_the_interval_of_an_exponent_is_that_of_the_rounds(tmp_path: Path) -> None:
    # Two rounds: neurons^3 and twice that at the largest size only. So the slope differs, and by how much
    # decides, with Student's t of one degree of freedom.
    shapes = ("10-5-1", "16-8-1", "32-16-1")
    n = np.array([Shape.parse(layers).neurons for layers in shapes], float)
    rows = [
        row("p", number, of=case(layers), training_s=seconds, wall_s=seconds + 1.0)
        for number, factor in ((1, 1.0), (2, 2.0))
        for layers, seconds in zip(shapes, (n**3 * np.array([1.0, 1.0, factor])).tolist(), strict=True)
    ]
    line = understood(tmp_path, rows).exponents.iloc[0]
    slopes = [np.polyfit(np.log(n), np.log(n**3 * np.array([1.0, 1.0, f])), 1)[0] for f in (1.0, 2.0)]
    half = 12.706204736 * abs(slopes[1] - slopes[0]) / 2.0
    assert line["high"] - line["exponent"] == pytest.approx(half, rel=1e-6)
    assert line["exponent"] - line["low"] == pytest.approx(half, rel=1e-6)
    # One round has an exponent without an interval.
    line = understood(tmp_path / "one", rows[: len(shapes)]).exponents.iloc[0]
    assert line["exponent"] == pytest.approx(3.0)
    assert np.isnan(line["low"]) and np.isnan(line["straight_from_neurons"])


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


def test_exponents_are_fitted_to_the_sizes_of_the_reference(tmp_path: Path) -> None:
    # q has one size more, at which it is slow; p lacks it.
    times = {"10-5-1": 16.0, "16-8-1": 25.0, "32-16-1": 49.0}
    rows = [*curve("p", "naive", times), *curve("q", "naive", times | {"64-32-1": 1e6})]
    table = understood(tmp_path, rows).exponents.set_index("contender")
    assert table["most_neurons"].tolist() == [49, 49]
    assert table["exponent"].tolist() == pytest.approx([1.0, 1.0])
    # Without enough sizes in common it has its own.
    rows = [*curve("p", "naive", {"10-5-1": 16.0}), *curve("q", "naive", times)]
    table = understood(tmp_path / "own", rows).exponents
    assert table[["contender", "most_neurons"]].to_numpy().tolist() == [["q", 49]]


def test_a_power_law_by_hand() -> None:
    # y = 3 * x^2, in the second block twice that.
    x = np.array([1.0, 2.0, 4.0, 8.0])
    fit = power_law(x, 3.0 * x**2, np.array([3.0 * x**2, 6.0 * x**2]))
    assert [fit[name] for name in ("exponent", "low", "high")] == pytest.approx([2.0] * 3, rel=1e-9)
    assert fit["curvature"] == pytest.approx(0.0, abs=1e-12)
    # Logarithms to base 2: x 0 1 2, y 0 1 3. Slope ((-1)(-4/3) + 0 + (1)(5/3)) / 2 = 1.5.
    # The slope is 1 at first, then 2: it grows by 1 with each doubling.
    y = np.array([1.0, 2.0, 8.0])
    fit = power_law(x[:3], y, y[None])
    assert fit["exponent"] == pytest.approx(1.5, rel=1e-12)
    assert fit["curvature"] == pytest.approx(1.0, rel=1e-9)
    assert np.isnan(fit["low"]) and np.isnan(fit["curvature_high"])


def test_the_interval_of_an_exponent_is_student_t_over_the_blocks() -> None:
    random = np.random.default_rng(3)
    x = np.array([16.0, 25.0, 49.0, 97.0])
    by_block = 2.0 * x**1.7 * np.exp(random.normal(scale=0.05, size=(BLOCKS, x.size)))
    fit = power_law(x, np.median(by_block, axis=0), by_block)
    slopes = [stats.linregress(np.log(x), np.log(row)).slope for row in by_block]
    ends = stats.t.interval(0.95, BLOCKS - 1, loc=fit["exponent"], scale=stats.sem(slopes))
    assert (fit["low"], fit["high"]) == pytest.approx(ends, rel=1e-9)


def test_a_bend_beyond_the_noise_is_no_power_law() -> None:
    x = np.array([16.0, 25.0, 49.0, 97.0])
    noise = np.exp(np.random.default_rng(3).normal(scale=0.01, size=(BLOCKS, x.size)))
    bent = 2.0 * x**1.7 * np.exp(0.1 * np.log(x) ** 2)
    fit = power_law(x, x**1.7, x**1.7 * noise)
    assert fit["curvature_low"] < 0.0 < fit["curvature_high"]
    assert power_law(x, bent, bent * noise)["curvature_low"] > 0.0


@settings(deadline=None)
@given(st.lists(st.floats(1e-9, 1e3), min_size=3, max_size=9))
def test_power_law_against_scipy(values: list[float]) -> None:
    y = np.array(values)
    x = np.array([2.0**n for n in range(1, y.size + 1)])
    theirs = stats.linregress(np.log(x), np.log(y))
    assert power_law(x, y, y[None])["exponent"] == pytest.approx(theirs.slope, rel=1e-6, abs=1e-9)
