"""The random-effects summary, against hand-worked numbers and a published example."""

import math

import numpy as np
import pytest

from harness.analysis.intervals import between, pooled

# Trials of the BCG vaccine against tuberculosis (Colditz et al., JAMA 271, 1994): cases and others among the
# vaccinated, and among those who were not.
BCG = [
    *((4, 119, 11, 128), (6, 300, 29, 274), (3, 228, 11, 209), (62, 13536, 248, 12619), (33, 5036, 47, 5761)),
    *((180, 1361, 372, 1079), (8, 2537, 10, 619), (505, 87886, 499, 87892), (29, 7470, 45, 7232)),
    *((17, 1699, 65, 1600), (186, 50448, 141, 27197), (5, 2493, 3, 2338), (27, 16886, 29, 17825)),
]


def test_two_machines_by_hand() -> None:
    """Equal variances v: the mean is the plain one, and tau^2 is the effects' variance less v."""
    mean, low, high, tau = pooled(np.array([1.0, 3.0]), np.array([0.5, 0.5]))
    assert mean == pytest.approx(2.0)
    # Variance 2 between, 0.5 of it within: 1.5. The mean's standard error is sqrt(2 / 2), t(1) is 12.7062.
    assert tau == pytest.approx(math.sqrt(1.5))
    assert (low, high) == pytest.approx((2.0 - 12.7062, 2.0 + 12.7062), abs=1e-4)


def test_machines_that_agree_have_no_spread_and_no_narrower_interval() -> None:
    mean, _, high, tau = pooled(np.array([1.0, 1.0, 1.0]), np.array([0.03, 0.03, 0.03]))
    assert (mean, tau) == pytest.approx((1.0, 0.0), abs=1e-15)
    # Standard error sqrt(0.03 / 3), t(2) is 4.30265.
    assert high - mean == pytest.approx(4.30265 * 0.1, abs=1e-5)
    # One says nothing of others.
    mean, *others = pooled(np.array([1.5]), np.array([0.1]))
    assert mean == 1.5
    assert all(math.isnan(value) for value in others)


def test_a_published_example() -> None:
    """Log risk ratios of the BCG trials, tau^2 by Paule and Mandel, as metafor and statsmodels have it."""
    table = np.array(BCG, float)
    yes, no, control_yes, control_no = table.T
    effects = np.log(yes / (yes + no)) - np.log(control_yes / (control_yes + control_no))
    variances = 1 / yes - 1 / (yes + no) + 1 / control_yes - 1 / (control_yes + control_no)
    assert between(effects, variances) == pytest.approx(0.3181, abs=5e-5)
    assert pooled(effects, variances)[:3] == pytest.approx((-0.7150, -1.1091, -0.3208), abs=5e-5)
