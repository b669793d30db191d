"""Intervals of medians and of means, and what they say. Pure.

Consecutive rounds are correlated, so the interval of a median is that of order statistics for as many
independent rounds as these are worth. docs/method.md compares this with other estimators on recorded noise.
"""

import math
from functools import cache
from statistics import median
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import bdtr, betaincinv, stdtrit

Numbers = npt.NDArray[np.float64]
CONFIDENCE = 0.95
SIGMAS = 1.96
"""Standard deviations in half a 95% interval."""
_ORDER_CONFIDENCE = 0.97
"""That of order statistics: sweeps differ by a little more than their rounds tell."""
BLOCKS = 6
"""How many blocks of consecutive rounds a sweep is split into."""
_MOST_LAG1 = 0.9
NOISY = 1.15
"""A control's interval beyond this factor of 1 shows a machine too noisy."""


class Interval(NamedTuple):
    """An interval of a median."""

    low: float
    high: float
    effective_rounds: float
    """How many independent rounds these are worth."""
    lag1: float


def median_interval(values: Numbers, layouts: Numbers | None = None) -> Interval:
    """Return the interval of the median of ``values`` in the order of measuring; nan without two.

    If rounds have several ``layouts``, these are what varies: Student's t over the medians of each. If rounds
    are too few for order statistics, it is over those of up to BLOCKS consecutive blocks.
    """
    n = values.size
    if n < 2:
        return Interval(math.nan, math.nan, effective_rounds=float(n), lag1=math.nan)
    lag1 = autocorrelation(values)
    correlated = min(max(lag1, 0.0), _MOST_LAG1)
    effective = n * (1.0 - correlated) / (1.0 + correlated)
    groups = [] if layouts is None else [values[layouts == layout] for layout in np.unique(layouts)]
    rank = median_rank(round(effective))
    if len(groups) > 1 or math.isnan(rank):
        medians = np.array([*map(median, groups)]) if len(groups) > 1 else block_medians(values)
        middle = float(median(values))
        if medians.min() <= 0.0:
            half = block_half_width(medians)
            return Interval(middle - half, middle + half, effective, lag1)
        factor = float(np.exp(block_half_width(np.log(medians))))
        return Interval(middle / factor, middle * factor, effective, lag1)
    # Ranks become the same shares of all rounds.
    place = rank / (round(effective) + 1) * (n + 1) - 1.0
    low, high = np.interp([place, n - 1 - place], np.arange(n), np.sort(values))
    return Interval(float(low), float(high), effective, lag1)


@cache
def median_rank(n: int) -> float:
    """Return k: the median is between the k-th smallest and the k-th largest of n values; nan for a small n.

    It is not if fewer than k values are on one side: twice a binomial tail (David & Nagaraja, Order
    Statistics, 2003, chapter 7.1). k is interpolated between whole ranks as by Hettmansperger & Sheather
    (Statistics & Probability Letters 4, 1986), so that the level is exact.
    """
    levels = [1.0 - 2.0 * float(bdtr(k - 1, n, 0.5)) for k in range(1, n // 2 + 1)]
    rank = sum(level >= _ORDER_CONFIDENCE for level in levels)
    if not rank:
        return math.nan
    share = (levels[rank - 1] - _ORDER_CONFIDENCE) / (levels[rank - 1] - levels[rank])
    return rank + (n - rank) * share / (rank + (n - 2 * rank) * share)


def autocorrelation(values: Numbers) -> float:
    """Return the correlation of the ranks of neighbours, less its bias of -(1 + 4 r) / n; 0 if all are equal.

    Ranks, so that one run that stalls does not hide the rest (bias: Marriott & Pope, Biometrika 41, 1954).
    """
    least = np.sort(values)
    # Twice a rank less its mean.
    ranks = least.searchsorted(values) + least.searchsorted(values, "right") - float(values.size)
    total = float(ranks @ ranks)
    if total == 0.0:
        return 0.0
    r = float(ranks[:-1] @ ranks[1:]) / total
    return r + (1.0 + 4.0 * r) / values.size


def block_medians(values: Numbers, blocks: int = BLOCKS) -> Numbers:
    """Return the medians of ``blocks`` consecutive parts of ``values``, or of all values if fewer."""
    if values.size <= blocks:
        return values
    return np.array([median(part) for part in np.array_split(values, blocks)])


def block_half_width(estimates: Numbers) -> float:
    """Return half the width of Student's t interval from one estimate for each block; nan without two.

    Blocks are hardly correlated (batch means: Conway, Management Science 10, 1963).
    """
    count = estimates.size
    if count < 2:
        return math.nan
    return student_t(count - 1) * float(estimates.std(ddof=1)) / math.sqrt(count)


def student_t(freedom: float) -> float:
    """Return how many standard errors half a 95% interval has, given the degrees of freedom."""
    return float(stdtrit(freedom, 0.5 + CONFIDENCE / 2.0))


def share_interval(hits: int, trials: int) -> tuple[float, float]:
    """Return the exact binomial interval of a share (Clopper & Pearson, Biometrika 26, 1934)."""
    tail = (1.0 - CONFIDENCE) / 2.0
    low = float(betaincinv(hits, trials - hits + 1, tail)) if hits else 0.0
    high = float(betaincinv(hits + 1, trials - hits, 1.0 - tail)) if hits < trials else 1.0
    return low, high


def verdict(ratio: float, low: float, high: float, floor: float, margin: float | None = None) -> str:
    """Say what a ratio means: equal, faster, slower or cannot tell.

    ``equal``: the interval is within the ``margin``, 0.05 for a twentieth. ``faster``, ``slower``: it
    excludes 1, and the ratio is beyond the ``floor``: how far the control's interval is from 1; nan without.
    """
    floor = 1.0 if np.isnan(floor) else floor
    if margin and 1.0 / (1.0 + margin) <= low and high <= 1.0 + margin:
        return "equal"
    if low > 1.0 and ratio > floor:
        return "faster"
    return "slower" if high < 1.0 and ratio < 1.0 / floor else "cannot tell"


def quotient(above: npt.ArrayLike, below: npt.ArrayLike) -> Numbers:
    """Return the quotient of independent values, all three with the low and high of their intervals.

    Half widths add as squares of logarithms. All may be arrays.
    """
    (top, top_low, top_high), (bottom, bottom_low, bottom_high) = np.log(above), np.log(below)
    middle = top - bottom
    less, more = np.hypot(top - top_low, bottom_high - bottom), np.hypot(top_high - top, bottom - bottom_low)
    return np.exp([middle, middle - less, middle + more])


def pooled(effects: Numbers, variances: Numbers) -> tuple[float, float, float, float]:
    """Return what machines say together: the mean effect, its interval, and the spread; nan of one.

    A machine's effect is normal around a common mean with variance tau^2, and measured with the variance of
    its interval. The interval of the mean is that of Hartung & Knapp (Statistics in Medicine 20, 2001), by
    Student's t with k - 1 degrees of freedom, never narrower than by the weights alone (Röver et al., BMC
    Medical Research Methodology 15, 2015). The spread is tau.
    """
    k = effects.size
    if k < 2:
        return float(effects[0]), math.nan, math.nan, math.nan
    # An interval without width is not credible.
    variances = np.maximum(variances, 1e-12)
    tau2 = between(effects, variances)
    weights = 1.0 / (variances + tau2)
    mean = float(weights @ effects / weights.sum())
    scale = max(1.0, float(weights @ (effects - mean) ** 2) / (k - 1))
    half = student_t(k - 1) * float(np.sqrt(scale / weights.sum()))
    return mean, mean - half, mean + half, math.sqrt(tau2)


def between(effects: Numbers, variances: Numbers) -> float:
    """Return tau^2; 0 if the effects differ no more than their own variances explain.

    It makes the weighted squares around the mean k - 1 (Paule & Mandel, J. Res. NBS 87, 1982).
    """

    def excess(tau2: float) -> float:
        weights = 1.0 / (variances + tau2)
        mean = weights @ effects / weights.sum()
        return float(weights @ (effects - mean) ** 2) - (effects.size - 1)

    # The weighted squares fall as tau^2 grows, below k - 1 at the sum of all squares.
    most = float(((effects - effects.mean()) ** 2).sum())
    return float(brentq(excess, 0.0, most, xtol=1e-15)) if excess(0.0) > 0.0 else 0.0
