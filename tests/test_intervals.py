"""Intervals against hand-worked answers, exact distributions, independent libraries and simulated noise."""

import math
from math import comb

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.analysis.intervals import (
    BLOCKS,
    autocorrelation,
    block_half_width,
    block_medians,
    median_interval,
    median_rank,
    order_interval,
    power_law,
    quotient,
    share_interval,
    verdict,
)


@pytest.mark.parametrize(
    ("n", "rank", "misses"),
    # What falls short: k - 1 values or fewer on one side, of 2^n ways in all.
    [(2, 1, 1), (5, 1, 1), (6, 1, 1), (7, 1, 1), (9, 2, 1 + 9), (15, 4, 1 + 15 + 105 + 455)],
)
def test_the_level_of_order_statistics_by_hand(n: int, rank: int, misses: int) -> None:
    found, level = median_rank(n)
    assert found == rank
    assert level == pytest.approx(1.0 - 2.0 * misses / 2**n, rel=1e-12)


@pytest.mark.parametrize("n", range(2, 120))
def test_the_level_of_order_statistics_against_counting(n: int) -> None:
    rank, level = median_rank(n)
    levels = [1.0 - 2.0 * sum(comb(n, i) for i in range(k)) / 2**n for k in (rank, rank + 1)]
    assert level == pytest.approx(levels[0], rel=1e-9)
    assert levels[1] < 0.95
    assert level >= 0.95 or (n < 6 and rank == 1)


@pytest.mark.parametrize("n", [6, 7, 15, 16, 31, 61])
def test_independent_rounds_have_the_order_statistics_of_scipy(n: int) -> None:
    values = np.random.default_rng(n).lognormal(size=n)
    theirs = stats.quantile_test(values, q=1.0, p=0.5).confidence_interval(0.95)
    assert order_interval(values, n)[:2] == (theirs.low, theirs.high)  # type: ignore[attr-defined]


def test_fewer_effective_rounds_widen_to_the_same_shares() -> None:
    # 15 rounds have the 4th of 15, a quarter of the way; so of 31 values it is the 8th, and not the 10th.
    values = np.random.default_rng(7).permutation(np.arange(1.0, 32.0))
    assert order_interval(values, 31)[:2] == (10.0, 22.0)
    assert order_interval(values, 15)[:2] == (8.0, 24.0)
    assert order_interval(values, 5)[:2] == (1.0, 31.0)


def test_values_from_which_little_follows() -> None:
    for few in ([2.0], []):
        found = median_interval(np.array(few))
        assert all(map(math.isnan, (found.low, found.high, found.level, found.lag1)))
        assert found.effective_rounds == len(few)
    equal = median_interval(np.full(9, 2.0))
    assert (equal.low, equal.high, equal.effective_rounds, equal.lag1) == (2.0, 2.0, 9.0, 0.0)
    # Of these there are no logarithms.
    found = median_interval(np.array([0.0, 1.0, 2.0, 1.0, 0.0, 2.0, 1.0]))
    assert (found.low, found.high) == (0.0, 2.0)


def test_a_drift_widens_to_student_t_over_blocks() -> None:
    # Six blocks of five; within a block nothing moves.
    levels = np.array([1.0, 1.3, 1.1, 1.6, 0.9, 1.2])
    found = median_interval(np.repeat(levels, 5))
    middle = math.log(np.median(np.repeat(levels, 5)))
    low, high = stats.t.interval(0.95, 5, loc=middle, scale=math.sqrt(3.0) * stats.sem(np.log(levels)))
    assert found.low == pytest.approx(min(0.9, math.exp(low)))
    assert found.high == pytest.approx(max(1.6, math.exp(high)))
    assert found.effective_rounds < 15.0


@pytest.mark.parametrize("n", [2, 3, 5])
def test_few_rounds_have_student_t(n: int) -> None:
    values = np.array([1.0, 1.1, 0.95, 1.05, 1.02])[:n]
    found = median_interval(values)
    half = float(stats.t.ppf(0.975, n - 1)) * math.sqrt(3.0) * float(stats.sem(np.log(values)))
    assert found.low == pytest.approx(min(values.min(), np.median(values) * math.exp(-half)))
    assert found.high == pytest.approx(max(values.max(), np.median(values) * math.exp(half)))
    assert found.level < 0.95


@pytest.mark.parametrize(
    ("correlation", "n", "drift"),
    [(0.0, 7, 0.0), (0.0, 31, 0.0), (0.3, 31, 0.0), (0.6, 61, 0.0), (0.0, 31, 1.0)],
)
def test_the_interval_holds_in_simulated_noise(correlation: float, n: int, drift: float) -> None:
    """It holds 1 in 95% of the trials, though a round resembles the one before, or all drift."""
    random = np.random.default_rng(20_011)
    hits, trials = 0, 1500
    for _ in range(trials):
        noise = random.normal(size=n)
        for i in range(1, n):
            noise[i] = correlation * noise[i - 1] + math.sqrt(1.0 - correlation**2) * noise[i]
        noise += np.repeat(random.normal(scale=drift, size=BLOCKS), math.ceil(n / BLOCKS))[:n]
        found = median_interval(np.exp(0.05 * noise))
        hits += found.low <= 1.0 <= found.high
    assert hits / trials >= 0.95 - 2.0 * math.sqrt(0.05 * 0.95 / trials)


def test_autocorrelation_by_hand() -> None:
    # Ranks 1 2 3 4 5 less 3: -2 -1 0 1 2; products of neighbours 2 + 0 + 0 + 2, of each with itself 10:
    # r = 0.4. The bias is -(1 + 4 * 0.4) / 5 = -0.52.
    assert autocorrelation(np.array([1.0, 10.0, 11.0, 12.0, 1000.0])) == pytest.approx(0.92)
    # Ties share their rank: 1 1 2 2 has the ranks 1.5 1.5 3.5 3.5, less 2.5: -1 -1 1 1; 1 - 1 + 1 of 4.
    assert autocorrelation(np.array([1.0, 1.0, 2.0, 2.0])) == pytest.approx(0.25 + (1.0 + 1.0) / 4.0)
    assert autocorrelation(np.ones(5)) == 0.0


def test_block_medians_take_the_rounds_in_their_order() -> None:
    assert block_medians(np.arange(7.0), 3).tolist() == [1.0, 3.5, 5.5]
    assert block_half_width(np.array([1.0, 2.0, 3.0])) == pytest.approx(
        float(stats.t.ppf(0.975, 2))  # of three blocks, which are worth one
    )


@pytest.mark.parametrize(("hits", "trials"), [(0, 20), (1, 20), (13, 40), (20, 20), (1, 1)])
def test_the_interval_of_a_share_against_scipy(hits: int, trials: int) -> None:
    theirs = stats.binomtest(hits, trials).proportion_ci(0.95, method="exact")
    assert share_interval(hits, trials) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


@pytest.mark.parametrize(
    ("ratio", "low", "high", "floor", "margin", "word"),
    [
        (1.2, 1.05, 1.3, 1.1, None, "faster"),
        (1.1, 1.05, 1.3, 1.1, None, "cannot tell"),  # no more than the floor
        (1.2, 1.0, 1.3, 1.1, None, "cannot tell"),  # holds 1
        (0.8, 0.5, 0.95, 1.1, None, "slower"),
        (0.92, 0.5, 0.95, 1.1, None, "cannot tell"),  # 1 / 1.1 = 0.909
        (0.8, 0.5, 1.0, 1.1, None, "cannot tell"),
        (1.03, 1.02, 1.04, 1.01, None, "faster"),
        (1.03, 1.02, 1.04, 1.01, 0.05, "equal"),
        (1.03, 1.02, 1.06, 1.01, 0.05, "faster"),  # not wholly within the margin
        (0.96, 1.0 / 1.05, 1.0, 1.01, 0.05, "equal"),
        (0.96, 0.95, 1.0, 1.01, 0.05, "cannot tell"),  # 0.95 is less than 1 / 1.05
        (math.nan, math.nan, math.nan, 1.1, 0.05, "cannot tell"),
        (1.2, 1.05, 1.3, math.nan, None, "faster"),  # without a control the interval decides
        (1.2, 0.95, 1.3, math.nan, None, "cannot tell"),
    ],
)
def test_verdict(
    ratio: float, low: float, high: float, floor: float, margin: float | None, word: str
) -> None:
    assert verdict(ratio, low, high, floor, margin) == word


def test_a_quotient_by_hand() -> None:
    # Logarithms to base 2: 3 (2 to 5) less 1 (0 to 4) is 2; below it hypot(1, 3), above it hypot(2, 1).
    found = np.log2(quotient((8.0, 4.0, 32.0), (2.0, 1.0, 16.0)))
    assert found.tolist() == pytest.approx([2.0, 2.0 - math.sqrt(10.0), 2.0 + math.sqrt(5.0)])


def test_an_exact_power_law() -> None:
    # y = 3 * x^2.
    x = np.array([1.0, 2.0, 4.0, 8.0])
    fit = power_law(x, 3.0 * x**2, np.array([3.0 * x**2, 6.0 * x**2]))
    assert (fit.exponent, fit.low, fit.high) == pytest.approx((2.0, 2.0, 2.0), rel=1e-9)
    assert (fit.curvature, fit.r_squared) == pytest.approx((0.0, 1.0), abs=1e-12)
    assert fit.fits
    flat = power_law(x, np.ones(4))
    assert flat.exponent == pytest.approx(0.0, abs=1e-12)
    assert math.isnan(flat.r_squared)


def test_a_power_law_by_hand() -> None:
    # Logarithms to base 2: x 0 1 2, y 0 1 3. Slope ((-1)(-4/3) + 0 + (1)(5/3)) / 2 = 1.5.
    # Residuals 1/6, -1/3, 1/6: sum of squares 1/6, of the total 14/3, so R^2 = 1 - 1/28 = 27/28.
    # The slope is 1 at first, then 2: it grows by 1 with each doubling.
    fit = power_law(np.array([1.0, 2.0, 4.0]), np.array([1.0, 2.0, 8.0]))
    assert fit.exponent == pytest.approx(1.5, rel=1e-12)
    assert fit.r_squared == pytest.approx(27 / 28, rel=1e-12)
    assert fit.curvature == pytest.approx(1.0, rel=1e-9)
    assert math.isnan(fit.low) and math.isnan(fit.curvature_high)


def test_the_interval_of_an_exponent_is_student_t_over_the_blocks() -> None:
    random = np.random.default_rng(3)
    x = np.array([16.0, 25.0, 49.0, 97.0])
    by_block = 2.0 * x**1.7 * np.exp(random.normal(scale=0.05, size=(BLOCKS, x.size)))
    fit = power_law(x, np.median(by_block, axis=0), by_block)
    slopes = [stats.linregress(np.log(x), np.log(row)).slope for row in by_block]
    low, high = stats.t.interval(0.95, BLOCKS - 1, loc=fit.exponent, scale=math.sqrt(3.0) * stats.sem(slopes))
    assert (fit.low, fit.high) == pytest.approx((low, high), rel=1e-9)


def test_a_bend_beyond_the_noise_is_no_power_law() -> None:
    x = np.array([16.0, 25.0, 49.0, 97.0])
    noise = np.exp(np.random.default_rng(3).normal(scale=0.01, size=(BLOCKS, x.size)))
    bent = 2.0 * x**1.7 * np.exp(0.1 * np.log(x) ** 2)
    assert power_law(x, x**1.7, x**1.7 * noise).fits
    assert not power_law(x, bent, bent * noise).fits


@settings(deadline=None)
@given(st.lists(st.floats(1e-9, 1e3), min_size=3, max_size=9))
def test_power_law_against_scipy(values: list[float]) -> None:
    # Equal values but for the rounding have no spread to compare.
    assume(max(values) > 1.001 * min(values))
    y = np.array(values)
    x = np.array([2.0**n for n in range(1, y.size + 1)])
    theirs = stats.linregress(np.log(x), np.log(y))
    fit = power_law(x, y)
    assert fit.exponent == pytest.approx(theirs.slope, rel=1e-6, abs=1e-9)
    assert fit.r_squared == pytest.approx(theirs.rvalue**2, rel=1e-6, abs=1e-9)
