"""Statistics against hand-worked answers and independent libraries."""

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from harness import analysis
from harness.contract import Case, multiply_adds
from harness.records import Row
from tests import fakes

SMALL = fakes.case((4, 2, 1), samples=1, epochs=1)
ARTICLE = fakes.case((10, 5, 1), samples=1, epochs=1)


def pairs(
    seconds: Iterable[tuple[float, float]], of: Case = SMALL, names: tuple[str, str] = ("python", "rust")
) -> list[Row]:
    """Return rounds 1, 2, ... in which the two took so many seconds to train, and half a second to start."""
    return [
        fakes.row(name, number, of=of, training_s=value, wall_s=value + 0.5)
        for number, both in enumerate(seconds, start=1)
        for name, value in zip(names, both, strict=True)
    ]


def test_spread_by_hand() -> None:
    # Sorted 1 2 4 4 9: the median is 4; the distances 3 2 0 0 5, sorted 0 0 2 3 5, have the median 2.
    # Quartiles at ranks 1 and 3: 2 and 4. 3.5 * 1.4826 * 2 = 10.4: nothing is that far from 4.
    assert analysis.spread(np.array([4.0, 1.0, 9.0, 4.0, 2.0])) == {
        "n": 5,
        "median": 4.0,
        "mad": 2.0,
        "minimum": 1.0,
        "lower_quartile": 2.0,
        "upper_quartile": 4.0,
        "outliers": 0,
    }
    # 1 2 3 4: median 2.5, distances 0.5 0.5 1.5 1.5, MAD 1. Quartiles 1 + 0.75 and 3 + 0.25.
    even = analysis.spread(np.array([1.0, 2.0, 3.0, 4.0]))
    assert (even["median"], even["mad"]) == (2.5, 1.0)
    assert (even["lower_quartile"], even["upper_quartile"]) == (1.75, 3.25)


def test_outliers_begin_beyond_three_and_a_half_sigma() -> None:
    # 8 9 10 11 12 and x: with x above 12 the median is 10.5; distances 2.5 1.5 0.5 0.5 1.5 and x - 10.5,
    # MAD 1.5; 3.5 * 1.4826 * 1.5 = 7.78365, so an outlier is above 18.28365.
    for last, count in ((18.28, 0), (18.29, 1)):
        assert analysis.spread(np.array([8.0, 9.0, 10.0, 11.0, 12.0, last]))["outliers"] == count


def test_one_value() -> None:
    assert analysis.spread(np.array([3.0])) == {
        "n": 1,
        "median": 3.0,
        "mad": 0.0,
        "minimum": 3.0,
        "lower_quartile": 3.0,
        "upper_quartile": 3.0,
        "outliers": 0,
    }


@settings(deadline=None)
@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=20))
def test_spread_against_scipy_and_numpy(values: list[float]) -> None:
    sample = np.array(values)
    found = analysis.spread(sample)
    assert found["mad"] == pytest.approx(stats.median_abs_deviation(sample), rel=1e-12)
    assert found["median"] == float(np.median(sample))
    assert found["lower_quartile"] == pytest.approx(stats.scoreatpercentile(sample, 25), rel=1e-12)
    assert found["upper_quartile"] == pytest.approx(stats.scoreatpercentile(sample, 75), rel=1e-12)


def test_summary_has_a_line_per_case_contender_and_measure() -> None:
    rows = pairs([(4.0, 1.0), (1.0, 2.0), (9.0, 4.0), (4.0, 4.0), (2.0, 9.0)])
    table = analysis.summary(analysis.frame(rows))
    assert list(table.columns[:7]) == [
        *("method", "layers", "neurons", "parameters", "multiply_adds", "contender", "measure")
    ]
    assert len(table) == 2 * 6
    line = table[(table["contender"] == "rust") & (table["measure"] == "training_s")].iloc[0]
    assert (line["n"], line["median"], line["mad"], line["minimum"]) == (5, 4.0, 2.0, 1.0)
    startup = table[table["measure"] == "startup_s"]
    assert list(startup["median"]) == [0.5, 0.5]
    cpu = table[table["measure"] == "cpu_s"]
    assert list(cpu["median"]) == [0.75, 0.75]  # 0.25 in user mode and 0.5 in the kernel


def test_a_measure_that_nobody_knows_has_no_line() -> None:
    rows = [replace(row, peak_memory_bytes=None) for row in pairs([(1.0, 1.0)])]
    assert "peak_memory_bytes" not in set(analysis.summary(analysis.frame(rows))["measure"])


def test_the_speedup_is_the_median_of_the_ratios_within_each_round() -> None:
    # Ratios 4/1, 6/2, 10/2: 4, 3, 5, median 4. The ratio of the medians would be 6/2 = 3.
    # Whole process: 4.5/1.5 = 3, 6.5/2.5 = 2.6, 10.5/2.5 = 4.2: median 3.
    table = analysis.speedups(analysis.frame(pairs([(4.0, 1.0), (6.0, 2.0), (10.0, 2.0)])), "python")
    assert list(table["measure"]) == ["training", "process"]
    assert list(table["ratio"]) == [4.0, 3.0]
    assert list(table["rounds"]) == [3, 3]
    assert list(table["contender"]) == ["rust", "rust"]
    assert list(table["reference"]) == ["python", "python"]
    assert list(table["verdict"]) == ["unknown", "unknown"]
    assert list(table["parity"]) == ["identical", "identical"]


def exact_median_interval(values: list[float]) -> tuple[float, float]:
    """Return the quantiles of the bootstrap distribution of the median itself, without drawing samples.

    For odd n the median of a resample is at most the k-th smallest value if more than half of the n draws
    are: a binomial tail (Efron & Tibshirani 1993, chapter 2).
    """
    ordered, n = sorted(values), len(values)
    at_most = [float(stats.binom.sf(n // 2, n, k / n)) for k in range(1, n + 1)]
    low = next(value for value, chance in zip(ordered, at_most, strict=True) if chance >= 0.025)
    high = next(value for value, chance in zip(ordered, at_most, strict=True) if chance >= 0.975)
    return low, high


@pytest.mark.parametrize(
    "values", [[1.0, 2.0, 3.0, 4.0, 5.0], [3.0, 9.0, 1.0, 4.0, 8.0, 2.0, 7.0], [float(n) for n in range(15)]]
)
def test_the_bootstrap_interval_against_the_exact_distribution(values: list[float]) -> None:
    assert analysis.median_interval(np.array(values)) == exact_median_interval(values)


def test_the_interval_is_the_same_every_time_and_none_for_one_round() -> None:
    values = np.array([1.0, 2.0, 4.0, 8.0])
    assert analysis.median_interval(values) == analysis.median_interval(values)
    assert analysis.median_interval(np.array([2.0, 2.0, 2.0])) == (2.0, 2.0)
    assert all(map(math.isnan, analysis.median_interval(np.array([2.0]))))
    table = analysis.speedups(analysis.frame(pairs([(4.0, 1.0)])), "python")
    assert list(table["ratio"]) == [4.0, 3.0]
    assert table["low"].isna().all()
    assert list(table["verdict"]) == ["unknown", "unknown"]


@pytest.mark.parametrize(
    ("low", "high", "floor", "word"),
    [
        (1.2, 1.3, 1.1, "faster"),
        (1.1, 1.3, 1.1, "none"),
        (0.8, 1.3, 1.1, "none"),
        (0.95, 1.05, 1.1, "none"),
        (0.5, 0.9, 1.1, "slower"),  # 1 / 1.1 = 0.909
        (0.5, 0.91, 1.1, "none"),
        (math.nan, math.nan, 1.1, "unknown"),
        (1.2, 1.3, math.nan, "unknown"),
    ],
)
def test_verdict(low: float, high: float, floor: float, word: str) -> None:
    assert analysis.verdict(low, high, floor) == word


def test_the_noise_floor_is_the_control_interval() -> None:
    # The control's ratios are 1.25 and 0.5 in training: their interval is 0.5 to 1.25, and 1 / 0.5 = 2 is
    # further from 1 than 1.25 is.
    rows = pairs([(1.0, 0.25), (1.0, 0.25)])
    for number, seconds in ((1, 0.8), (2, 2.0)):
        rows.append(fakes.row("python", number, of=SMALL, control=True, training_s=seconds, wall_s=1.5))
    table = analysis.speedups(analysis.frame(rows), "python")
    training = table[table["measure"] == "training"].set_index("control")
    assert (training.loc[True, "contender"], training.loc[True, "low"], training.loc[True, "high"]) == (
        *("python", 0.5),
        1.25,
    )
    assert list(training["noise_floor"]) == [2.0, 2.0]
    assert training.loc[False, "ratio"] == 4.0
    assert training.loc[False, "verdict"] == "faster"
    assert training.loc[True, "verdict"] == "none"
    # Another method without a control has no noise floor.
    other = pairs([(1.0, 0.5)] * 2, of=replace(SMALL, method="backprop"))
    both = analysis.speedups(analysis.frame(rows + other), "python")
    assert both[both["method"] == "backprop"]["noise_floor"].isna().all()
    assert set(both[both["method"] == "backprop"]["verdict"]) == {"unknown"}


def test_only_rounds_in_which_both_ended_well_are_paired() -> None:
    rows = pairs([(4.0, 1.0), (6.0, 2.0), (10.0, 2.0), (7.0, 1.0)])
    rows[2] = replace(rows[2], status="timeout", training_s=None)  # python, round 2
    rows[5] = replace(rows[5], status="mismatch", parity="epoch 1: 2.0 instead of 1.0 (9 ulp)")  # rust, 3
    del rows[7]  # rust, round 4
    table = analysis.speedups(analysis.frame(rows), "python")
    assert list(table["ratio"]) == [4.0, 3.0]
    assert list(table["rounds"]) == [1, 1]
    assert list(table["parity"]) == ["epoch 1: 2.0 instead of 1.0 (9 ulp)"] * 2


def test_warm_up_and_failures_are_in_no_statistic() -> None:
    rows = [
        fakes.row("python", 0, of=SMALL, training_s=100.0),
        fakes.row("python", 1, of=SMALL, training_s=1.0),
        fakes.row("python", 2, of=SMALL, status="mismatch", training_s=100.0),
        fakes.row("python", 3, of=SMALL, status="timeout", training_s=None, wall_s=100.0),
        fakes.row("python", 1, of=SMALL, control=True, training_s=100.0),
    ]
    runs = analysis.frame(rows)
    assert list(analysis.step_medians(runs)["median"]) == [1.0]
    table = analysis.summary(runs)
    assert list(table[table["measure"] == "training_s"]["n"]) == [1]
    assert list(analysis.timed(runs, control=True)["training_s"]) == [100.0]


def test_only_the_last_sweep_of_a_file_counts() -> None:
    old = [replace(row, sweep="old", training_s=100.0) for row in pairs([(1.0, 1.0)] * 3)]
    runs = analysis.frame(old + pairs([(4.0, 1.0)]))
    assert set(runs["sweep"]) == {"2024-01-01T00:00:00+00:00"}
    assert len(runs) == 2


def test_columns_that_follow_from_others() -> None:
    of = fakes.case(samples=4, epochs=8)
    runs = analysis.frame([fakes.row(of=of, training_s=1.0, wall_s=2.0)])
    assert runs.loc[0, "step_s"] == 1 / 32
    assert runs.loc[0, "startup_s"] == 1.0
    assert runs.loc[0, "cpu_s"] == 0.75


def test_nothing_at_all() -> None:
    runs = analysis.frame([])
    for table in (
        analysis.summary(runs),
        analysis.speedups(runs, "python"),
        analysis.scaling(runs),
        analysis.step_medians(runs),
        analysis.cut_offs(runs),
        analysis.timed(runs),
    ):
        assert table.empty
    assert analysis.crossovers(runs) == []
    assert analysis.losses_frame({}, "now").empty


def test_nothing_but_failures() -> None:
    runs = analysis.frame([fakes.row(of=SMALL, status="crash", training_s=None, parity="")])
    assert analysis.summary(runs).empty
    assert analysis.speedups(runs, "python").empty
    assert analysis.scaling(runs).empty
    assert analysis.crossovers(runs) == []
    assert len(analysis.cut_offs(runs)) == 1


def test_a_reference_that_never_ended_well() -> None:
    rows = [fakes.row("rust", number, of=SMALL) for number in (1, 2)]
    rows.append(fakes.row("python", 0, of=SMALL, status="crash", training_s=None))
    assert analysis.speedups(analysis.frame(rows), "python").empty


def test_an_exact_power_law() -> None:
    # y = 3 * x^2.
    x = np.array([1.0, 2.0, 4.0, 8.0])
    fit = analysis.power_law(x, 3.0 * x**2)
    assert fit["exponent"] == pytest.approx(2.0, rel=1e-12)
    assert fit["factor"] == pytest.approx(3.0, rel=1e-12)
    assert [fit["low"], fit["high"]] == pytest.approx([2.0, 2.0], abs=1e-6)
    assert fit["r_squared"] == pytest.approx(1.0, rel=1e-12)


def test_a_power_law_by_hand() -> None:
    # Logarithms to base 2: x 0 1 2, y 0 1 3. Slope ((-1)(-4/3) + 0 + (1)(5/3)) / 2 = 1.5; intercept -1/6.
    # Residuals 1/6, -1/3, 1/6: sum of squares 1/6, of the total 14/3, so R^2 = 1 - 1/28 = 27/28.
    # Standard error sqrt((1/6) / (3 - 2) / 2) = sqrt(1/12); t of 1 degree at 97.5%: 12.7062.
    fit = analysis.power_law(np.array([1.0, 2.0, 4.0]), np.array([1.0, 2.0, 8.0]))
    assert fit["exponent"] == pytest.approx(1.5, rel=1e-12)
    assert fit["factor"] == pytest.approx(2 ** (-1 / 6), rel=1e-12)
    assert fit["r_squared"] == pytest.approx(27 / 28, rel=1e-12)
    assert fit["high"] - fit["exponent"] == pytest.approx(12.706204736 * math.sqrt(1 / 12), rel=1e-9)
    assert fit["exponent"] - fit["low"] == pytest.approx(12.706204736 * math.sqrt(1 / 12), rel=1e-9)


@settings(deadline=None)
@given(st.lists(st.floats(1e-9, 1e3), min_size=4, max_size=9))
def test_power_law_against_numpy(values: list[float]) -> None:
    # Equal values but for the rounding have no spread to compare.
    assume(max(values) > 1.001 * min(values))
    y = np.array(values)
    x = 2.0 ** np.arange(1, y.size + 1)
    (slope, intercept), covariance = np.polyfit(np.log(x), np.log(y), 1, cov=True)
    fit = analysis.power_law(x, y)
    assert fit["exponent"] == pytest.approx(slope, rel=1e-6, abs=1e-9)
    assert math.log(fit["factor"]) == pytest.approx(intercept, rel=1e-6, abs=1e-8)
    half = float(stats.t.ppf(0.975, y.size - 2)) * math.sqrt(covariance[0, 0])
    assert fit["high"] - fit["exponent"] == pytest.approx(half, rel=1e-5, abs=1e-7)


def curve(contender: str, method: str, times: dict[tuple[int, ...], float]) -> list[Row]:
    """Return two equal timed runs of every shape: seconds per training step."""
    return [
        fakes.row(contender, number, of=replace(SMALL, layers=layers, method=method), training_s=seconds)
        for layers, seconds in times.items()
        for number in (1, 2)
    ]


def test_scaling_fits_from_the_article_shape_up() -> None:
    shapes: list[tuple[int, ...]] = [(4, 2, 1), (10, 5, 1), (16, 8, 1), (32, 16, 1), (64, 32, 1)]
    # Exactly neurons^3, but for the shape below the article's, which must not count.
    times = {layers: 1e-9 * sum(layers) ** 3 for layers in shapes} | {(4, 2, 1): 100.0}
    line = analysis.scaling(analysis.frame(curve("python", "naive", times))).iloc[0]
    assert (line["contender"], line["method"], line["points"]) == ("python", "naive", 4)
    assert (line["fewest_neurons"], line["most_neurons"]) == (16, 97)
    assert line["exponent"] == pytest.approx(3.0, rel=1e-12)
    counts = [multiply_adds(layers, "naive") for layers in shapes[1:]]
    slope = np.polyfit(np.log([16, 25, 49, 97]), np.log(counts), 1)[0]
    assert line["counted_exponent"] == pytest.approx(slope, rel=1e-12)


def test_scaling_needs_three_sizes() -> None:
    two: dict[tuple[int, ...], float] = {(10, 5, 1): 1.0, (16, 8, 1): 2.0}
    assert analysis.scaling(analysis.frame(curve("p", "naive", two))).empty
    # Three shapes, but two of them have 16 neurons.
    assert analysis.scaling(analysis.frame(curve("p", "naive", two | {(5, 10, 1): 1.0}))).empty
    assert len(analysis.scaling(analysis.frame(curve("p", "naive", two | {(32, 16, 1): 4.0})))) == 1


def test_cut_offs_are_the_first_failure_of_each_case() -> None:
    of = fakes.case((10, 5, 1), samples=4, epochs=8)
    rows = [
        fakes.row("python", 1, of=of, status="timeout", training_s=None, wall_s=64.0),
        fakes.row("python", 2, of=of, status="crash", training_s=None, wall_s=32.0),
        fakes.row("rust", 1, of=of, status="mismatch"),
        fakes.row("rust", 2, of=of),
    ]
    table = analysis.cut_offs(analysis.frame(rows))
    assert [tuple(line) for line in table[["contender", "layers", "status", "step_s"]].to_numpy()] == [
        ("python", "10-5-1", "timeout", 2.0)  # at least 64 s for 32 steps
    ]


SIZES: list[tuple[int, ...]] = [(4, 2, 1), (10, 5, 1), (16, 8, 1)]


def crossing(python_backprop: list[float]) -> list[str]:
    rows = [
        *curve("python", "naive", dict(zip(SIZES, [100.0, 1000.0, 10000.0], strict=True))),
        *curve("rust", "naive", dict(zip(SIZES, [1.0, 10.0, 100.0], strict=True))),
        *curve("python", "backprop", dict(zip(SIZES, python_backprop, strict=True))),
        *curve("rust", "backprop", dict(zip(SIZES, [0.1, 0.2, 0.4], strict=True))),
    ]
    return analysis.crossovers(analysis.frame(rows))


def test_crossovers() -> None:
    claim = "python with backprop is faster than rust with naive from {} neurons on"
    assert crossing([2.0, 5.0, 9.0]) == [claim.format(16)]
    assert crossing([0.5, 5.0, 9.0]) == [claim.format(7)]
    # Ahead at 16 neurons, but not at 25: there is no size from which on it holds.
    assert crossing([2.0, 5.0, 900.0]) == [
        "python with backprop is not faster than rust with naive up to 25 neurons"
    ]
    # Where Python's backprop beats even Rust's it is not the slower language.
    assert crossing([0.05, 0.1, 0.2]) == [
        "rust with backprop is faster than python with naive from 7 neurons on"
    ]


def test_crossovers_of_shapes_with_equally_many_neurons() -> None:
    shapes: list[tuple[int, ...]] = [(10, 5, 1), (5, 10, 1), (16, 8, 1)]
    rows = [
        *curve("rust", "naive", dict(zip(shapes, [1.0, 1.0, 9.0], strict=True))),
        *curve("python", "backprop", dict(zip(shapes, [2.0, 0.5, 3.0], strict=True))),
        *curve("rust", "backprop", dict(zip(shapes, [0.1, 0.1, 0.1], strict=True))),
    ]
    # Of the two with 16 neurons one is ahead and one is not.
    assert analysis.crossovers(analysis.frame(rows)) == [
        "python with backprop is faster than rust with naive from 25 neurons on"
    ]


def test_losses_of_one_sweep() -> None:
    losses = {("now", "p", "naive", "4-2-1"): (1.0, 0.5), ("old", "p", "naive", "4-2-1"): (9.0,)}
    table = analysis.losses_frame(losses, "now")
    assert table.to_numpy().tolist() == [["p", "naive", "4-2-1", 0, 1.0], ["p", "naive", "4-2-1", 1, 0.5]]


def test_tables_are_sorted_by_method_then_by_size() -> None:
    table = pd.DataFrame(
        [("backprop", "4-2-1"), ("naive", "100-1"), ("naive", "10-5-1"), ("naive", "2-2-2-2")],
        columns=["method", "layers"],
    )
    # Weights 100, 55 and 12: W * (W + layers) grows alike.
    assert [tuple(line) for line in analysis.in_order(table).to_numpy()] == [
        ("naive", "2-2-2-2"),
        ("naive", "10-5-1"),
        ("naive", "100-1"),
        ("backprop", "4-2-1"),
    ]
