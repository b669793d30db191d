"""Intervals and verdicts. Pure functions of numbers.

Medians have percentile-bootstrap intervals (Efron & Tibshirani, An Introduction to the Bootstrap, 1993,
chapter 13); the slope of a straight line through logarithms has Student's t. SciPy's own bootstrap and
regression are what the tests compare with: to import them takes longer than to read a sweep.
"""

from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

Numbers = npt.NDArray[np.float64]
Ranks = npt.NDArray[np.int64]
CONFIDENCE = 0.95
_RESAMPLES = 4999
_SEED = 20_011


def median_interval(values: Numbers) -> tuple[float, float]:
    """Return the percentile-bootstrap interval of the median; nan if there are not two values."""
    if values.size < 2:
        return float("nan"), float("nan")
    lower, upper = _middle_ranks(values.size)
    ordered = np.sort(values)
    tail = (1.0 - CONFIDENCE) / 2.0
    low, high = np.quantile((ordered[lower] + ordered[upper]) / 2.0, [tail, 1.0 - tail])
    return float(low), float(high)


@cache
def _middle_ranks(size: int) -> tuple[Ranks, Ranks]:
    """Return the ranks of the two middle values of each resample: twice the same if ``size`` is odd.

    A resample draws the ranks floor(size * u) with u uniform on [0, 1). The k-th smallest of n such u has a
    beta(k, n + 1 - k) distribution, and the next one is the least of the n - k that lie above it (David &
    Nagaraja, Order Statistics, 2003, chapter 2): so the middle ones are drawn without the others.
    """
    random = np.random.default_rng(_SEED)
    k = (size + 1) // 2
    lower = upper = random.beta(k, size + 1 - k, _RESAMPLES)
    if size % 2 == 0:
        upper = lower + (1.0 - lower) * random.beta(1, size - k, _RESAMPLES)
    return (size * lower).astype(np.int64), (size * upper).astype(np.int64)


def verdict(low: float, high: float, noise_floor: float) -> str:
    """Say in one word what an interval of a ratio means: faster, slower, none or unknown."""
    if np.isnan(low) or np.isnan(noise_floor):
        return "unknown"
    if low > noise_floor:
        return "faster"
    return "slower" if high < 1.0 / noise_floor else "none"


def power_law(x: Numbers, y: Numbers) -> dict[str, float]:
    """Fit y = a * x^exponent by least squares on the logarithms; an interval for the exponent."""
    u, v = np.log(x), np.log(y)
    (slope, _), covariance = np.polyfit(u, v, 1, cov=True)
    half = stdtrit(x.size - 2, 0.5 + CONFIDENCE / 2.0) * np.sqrt(covariance[0, 0])
    with np.errstate(invalid="ignore"):  # All y may be equal.
        correlation = np.corrcoef(u, v)[0, 1]
    return {
        "exponent": float(slope),
        "low": float(slope - half),
        "high": float(slope + half),
        "r_squared": float(correlation**2),
    }
