"""Intervals and verdicts. Pure functions of numbers.

Medians have percentile-bootstrap intervals (Efron & Tibshirani, An Introduction to the Bootstrap, 1993,
chapter 13); the slope of a straight line through logarithms has Student's t.
"""

from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import stats

Numbers = npt.NDArray[np.float64]
CONFIDENCE = 0.95
_RESAMPLES = 4999
_SEED = 20_011


def median_interval(values: Numbers) -> tuple[float, float]:
    """Return the percentile-bootstrap interval of the median; nan if a single value gives none."""
    if values.size < 2:
        return float("nan"), float("nan")
    medians = np.median(values[_resamples(values.size)], axis=1)
    tail = (1.0 - CONFIDENCE) / 2.0
    low, high = np.quantile(medians, [tail, 1.0 - tail])
    return float(low), float(high)


@cache
def _resamples(size: int) -> npt.NDArray[np.int64]:
    """Return the places that each resample takes: the same for all medians of so many values."""
    return np.random.default_rng(_SEED).integers(0, size, (_RESAMPLES, size))


def verdict(low: float, high: float, noise_floor: float) -> str:
    """Say in one word what an interval of a ratio means: faster, slower or none."""
    if np.isnan(low) or np.isnan(noise_floor):
        return "unknown"
    if low > noise_floor:
        return "faster"
    return "slower" if high < 1.0 / noise_floor else "none"


def power_law(x: Numbers, y: Numbers) -> dict[str, float]:
    """Fit y = factor * x^exponent by least squares on the logarithms; an interval for the exponent."""
    fit = stats.linregress(np.log(x), np.log(y))
    half = float(stats.t.ppf(0.5 + CONFIDENCE / 2, x.size - 2)) * float(fit.stderr)
    return {
        "exponent": float(fit.slope),
        "low": float(fit.slope) - half,
        "high": float(fit.slope) + half,
        "factor": float(np.exp(fit.intercept)),
        "r_squared": float(fit.rvalue) ** 2,
    }
