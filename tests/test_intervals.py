"""Intervals against hand-worked answers, exact distributions and independent libraries."""

import math
from collections import Counter
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.read.intervals import median_interval, power_law, verdict


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
    assert median_interval(np.array(values)) == exact_median_interval(values)


@pytest.mark.parametrize("size", [2, 3, 4, 5, 6])
def test_the_interval_against_all_resamples_that_there_are(size: int) -> None:
    values = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0])[:size]
    medians = np.sort([np.median(resample) for resample in product(values, repeat=size)])
    chances = {value: count / medians.size for value, count in Counter(medians.tolist()).items()}
    for quantile, found in zip((0.025, 0.975), median_interval(values), strict=True):
        # What lies strictly below has at most the quantile's chance, what lies at most there no less, but
        # for the error of 4999 draws: four of its standard deviations.
        error = 4.0 * math.sqrt(0.025 * 0.975 / 4999)
        assert found in chances
        assert sum(chance for value, chance in chances.items() if value < found) <= quantile + error
        assert sum(chance for value, chance in chances.items() if value <= found) >= quantile - error


@pytest.mark.parametrize("size", [7, 8, 9, 20, 101])
def test_the_bootstrap_interval_against_scipy(size: int) -> None:
    values = np.random.default_rng(size).lognormal(size=size)
    theirs = stats.bootstrap(
        (values,), np.median, method="percentile", n_resamples=9999, rng=np.random.default_rng(7)
    ).confidence_interval
    ours = median_interval(values)
    # Each is as far off as its number of resamples lets it be: at most one order statistic.
    ordered = np.sort(values)
    for mine, other in zip(ours, theirs, strict=True):
        assert abs(np.searchsorted(ordered, mine) - np.searchsorted(ordered, other)) <= 1
    if size % 2:  # At 15 the limit is so near to an order statistic's chance that 9999 draws decide.
        assert ours == pytest.approx(tuple(theirs), rel=1e-12)


def test_an_interval_of_very_many_values() -> None:
    # The median of n uniform numbers is normal with the variance 1 / 4n: 0.5 -+ 1.96 / (2 sqrt(n)).
    n = 100_001
    low, high = median_interval((np.arange(n) + 0.5) / n)
    half = 1.96 / (2.0 * math.sqrt(n))
    assert (low, high) == pytest.approx((0.5 - half, 0.5 + half), abs=half / 20)


def test_the_interval_is_the_same_every_time_and_none_for_fewer_than_two() -> None:
    values = np.array([1.0, 2.0, 4.0, 8.0])
    assert median_interval(values) == median_interval(values[::-1])
    assert median_interval(np.array([2.0, 2.0, 2.0])) == (2.0, 2.0)
    for few in ([2.0], []):
        assert all(map(math.isnan, median_interval(np.array(few))))


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
    assert verdict(low, high, floor) == word


def test_an_exact_power_law() -> None:
    # y = 3 * x^2.
    x = np.array([1.0, 2.0, 4.0, 8.0])
    fit = power_law(x, 3.0 * x**2)
    assert fit["exponent"] == pytest.approx(2.0, rel=1e-12)
    assert [fit["low"], fit["high"]] == pytest.approx([2.0, 2.0], abs=1e-6)
    assert fit["r_squared"] == pytest.approx(1.0, rel=1e-12)


def test_a_power_law_by_hand() -> None:
    # Logarithms to base 2: x 0 1 2, y 0 1 3. Slope ((-1)(-4/3) + 0 + (1)(5/3)) / 2 = 1.5.
    # Residuals 1/6, -1/3, 1/6: sum of squares 1/6, of the total 14/3, so R^2 = 1 - 1/28 = 27/28.
    # Standard error sqrt((1/6) / (3 - 2) / 2) = sqrt(1/12); t of 1 degree at 97.5%: 12.7062.
    fit = power_law(np.array([1.0, 2.0, 4.0]), np.array([1.0, 2.0, 8.0]))
    assert fit["exponent"] == pytest.approx(1.5, rel=1e-12)
    assert fit["r_squared"] == pytest.approx(27 / 28, rel=1e-12)
    assert fit["high"] - fit["exponent"] == pytest.approx(12.706204736 * math.sqrt(1 / 12), rel=1e-9)
    assert fit["exponent"] - fit["low"] == pytest.approx(12.706204736 * math.sqrt(1 / 12), rel=1e-9)


def test_a_power_law_of_what_does_not_grow() -> None:
    fit = power_law(np.array([1.0, 2.0, 4.0, 8.0]), np.ones(4))
    assert [fit["exponent"], fit["low"], fit["high"]] == pytest.approx([0.0, 0.0, 0.0], abs=1e-12)
    assert math.isnan(fit["r_squared"])


@settings(deadline=None)
@given(st.lists(st.floats(1e-9, 1e3), min_size=3, max_size=9))
def test_power_law_against_scipy(values: list[float]) -> None:
    # Equal values but for the rounding have no spread to compare.
    assume(max(values) > 1.001 * min(values))
    y = np.array(values)
    x = np.array([2.0**n for n in range(1, y.size + 1)])
    theirs = stats.linregress(np.log(x), np.log(y))
    fit = power_law(x, y)
    assert fit["exponent"] == pytest.approx(theirs.slope, rel=1e-6, abs=1e-9)
    assert fit["r_squared"] == pytest.approx(theirs.rvalue**2, rel=1e-6, abs=1e-9)
    half = float(stats.t.ppf(0.975, y.size - 2)) * theirs.stderr
    assert fit["high"] - fit["exponent"] == pytest.approx(half, rel=1e-5, abs=1e-6)
    assert fit["exponent"] - fit["low"] == pytest.approx(half, rel=1e-5, abs=1e-6)
