"""A random-effects summary: what several machines say together, and how far apart they are. Pure.

Each machine has an effect of its own, normal around a common mean with variance tau^2, and measures it with
the variance of its interval. tau^2 is that of Paule & Mandel (Journal of Research of the NBS 87, 1982): it
makes the weighted squares around the mean k - 1. The interval of the mean is that of Hartung & Knapp
(Statistics in Medicine 20, 2001), by Student's t with k - 1 degrees of freedom, never narrower than by the
weights alone (Röver et al., BMC Medical Research Methodology 15, 2015).
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq

from harness.analysis.intervals import Numbers, student_t

_LEAST_VARIANCE = 1e-12


class Pooled(NamedTuple):
    """What k effects say together."""

    mean: float
    low: float
    high: float
    tau: float
    """Standard deviation of the effects between machines."""


def pooled(effects: Numbers, variances: Numbers) -> Pooled:
    """Return the mean effect of machines, its interval, and the spread between them; nan but for one's mean.

    ``variances`` are those of the effects within machines.
    """
    k = effects.size
    if k < 2:
        return Pooled(float(effects[0]), np.nan, np.nan, np.nan)
    # Nobody believes an interval without width.
    variances = np.maximum(variances, _LEAST_VARIANCE)
    tau2 = between(effects, variances)
    weights = 1.0 / (variances + tau2)
    mean = float(weights @ effects / weights.sum())
    scale = max(1.0, float(weights @ (effects - mean) ** 2) / (k - 1))
    half = student_t(k - 1) * float(np.sqrt(scale / weights.sum()))
    return Pooled(mean, mean - half, mean + half, float(np.sqrt(tau2)))


def between(effects: Numbers, variances: Numbers) -> float:
    """Return tau^2 by Paule & Mandel; 0 if the effects differ no more than their own variances explain."""

    def excess(tau2: float) -> float:
        weights = 1.0 / (variances + tau2)
        mean = weights @ effects / weights.sum()
        return float(weights @ (effects - mean) ** 2) - (effects.size - 1)

    # The weighted squares fall as tau^2 grows; at the sum of all squares they are below k - 1 for certain.
    most = float(((effects - effects.mean()) ** 2).sum())
    return float(brentq(excess, 0.0, most, xtol=1e-15)) if excess(0.0) > 0.0 else 0.0
