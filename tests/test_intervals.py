"""Intervals against hand-worked answers, exact distributions, independent libraries and simulated noise."""

import math
from math import comb

import numpy as np
import pytest
from scipy import stats

from harness.analysis.intervals import (
    BLOCKS,
    autocorrelation,
    block_half_width,
    block_medians,
    median_interval,
    median_rank,
    quotient,
    share_interval,
    verdict,
)


def test_the_rank_by_hand() -> None:
    # Of 2^6 ways 2 leave all values on one side: 96.875%, which is less than 97%.
    assert all(math.isnan(median_rank(n)) for n in range(7))
    # Of 2^7 2 do, 98.4375%, and 16 leave one or none: 87.5%. I = (98.4375 - 97) / (98.4375 - 87.5) = 23/175.
    # Hettmansperger & Sheather: (n - k) I / (k + (n - 2k) I) = 6 * 23 / (175 + 5 * 23) = 138/290 of the way.
    assert median_rank(7) == pytest.approx(1.0 + 138 / 290, rel=1e-12)


@pytest.mark.parametrize("n", range(7, 120))
def test_the_rank_lies_between_those_whose_levels_are_on_either_side(n: int) -> None:
    rank = math.floor(median_rank(n))
    levels = [1.0 - 2.0 * sum(comb(n, i) for i in range(k)) / 2**n for k in (rank, rank + 1)]
    assert levels[1] < 0.97 <= levels[0]


@pytest.mark.parametrize("n", [7, 12, 31])
@pytest.mark.parametrize("law", ["normal", "exponential"])
def test_the_level_of_independent_rounds_is_what_was_asked_for(n: int, law: str) -> None:
    trials = 40_000
    values = np.sort(getattr(np.random.default_rng(n), law)(size=(trials, n)), axis=1)
    place = median_rank(n) - 1.0
    below, share = math.floor(place), place % 1.0
    ends = [
        (1.0 - share) * values[:, one] + share * values[:, other]
        for one, other in ((below, below + 1), (n - 1 - below, n - 2 - below))
    ]
    truth = 0.0 if law == "normal" else math.log(2.0)
    hits = np.mean((ends[0] <= truth) & (truth <= ends[1]))
    # Interpolation is exact but for some tenths of a percent, whatever the law.
    assert hits == pytest.approx(0.97, abs=0.005)


def test_fewer_effective_rounds_widen_to_the_same_shares() -> None:
    # Rounds that resemble the one before: the interval is that of few which are independent.
    values = np.repeat(np.random.default_rng(7).permutation(np.arange(1.0, 14.0)), 3)
    found = median_interval(values)
    assert found.lag1 > 0.5
    rank = median_rank(round(found.effective_rounds)) / (round(found.effective_rounds) + 1) * 40
    expected = np.interp([rank, 40 - rank], np.arange(1, 40), np.sort(values))
    assert (found.low, found.high) == pytest.approx(tuple(expected))
    apart = median_interval(np.random.default_rng(1).permutation(values))
    assert apart.high - apart.low < found.high - found.low


def test_values_from_which_little_follows() -> None:
    for few in ([2.0], []):
        found = median_interval(np.array(few))
        assert all(map(math.isnan, (found.low, found.high, found.lag1)))
        assert found.effective_rounds == len(few)
    equal = median_interval(np.full(9, 2.0))
    assert (equal.low, equal.high, equal.effective_rounds, equal.lag1) == (2.0, 2.0, 9.0, 0.0)
    # Of these there are no logarithms: Student's t over five values is as wide on either side.
    found = median_interval(np.array([0.0, 1.0, 2.0, 1.0, -3.0]))
    half = float(stats.t.ppf(0.975, 4)) * float(stats.sem([0.0, 1.0, 2.0, 1.0, -3.0]))
    assert (found.low, found.high) == pytest.approx((1.0 - half, 1.0 + half))


@pytest.mark.parametrize("n", [2, 3, 5, 6])
def test_few_rounds_have_student_t(n: int) -> None:
    values = np.array([1.0, 1.1, 0.95, 1.05, 1.02, 0.97])[:n]
    found = median_interval(values)
    half = float(stats.t.ppf(0.975, n - 1)) * float(stats.sem(np.log(values)))
    assert found.low == pytest.approx(np.median(values) * math.exp(-half))
    assert found.high == pytest.approx(np.median(values) * math.exp(half))


def test_layouts_are_what_varies_if_there_are_several() -> None:
    # 40 rounds of four links: within each nothing moves, between them much.
    layouts = np.arange(40.0) % 4.0
    levels = np.array([1.0, 1.09, 0.96, 1.02])
    values = levels[layouts.astype(int)]
    found = median_interval(values, layouts)
    half = float(stats.t.ppf(0.975, 3)) * float(stats.sem(np.log(levels)))
    assert math.log(found.high / np.median(values)) == pytest.approx(half)
    assert math.log(np.median(values) / found.low) == pytest.approx(half)
    # One link, whatever its number, is no reason to look at anything but the rounds.
    assert median_interval(values, np.full(40, 3.0)) == median_interval(values)


@pytest.mark.parametrize(
    ("correlation", "n", "drift"),
    [(0.0, 7, 0.0), (0.0, 31, 0.0), (0.3, 31, 0.0), (0.6, 61, 0.0), (0.0, 31, 0.4)],
)
def test_the_interval_contains_the_truth_in_simulated_noise(correlation: float, n: int, drift: float) -> None:
    """It contains 1 in 95% of the trials, though a round resembles the one before, or all drift."""
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
    assert block_medians(np.arange(3.0)).tolist() == [0.0, 1.0, 2.0]
    assert block_half_width(np.array([1.0, 2.0, 3.0])) == pytest.approx(
        float(stats.t.ppf(0.975, 2)) / math.sqrt(3.0)
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
