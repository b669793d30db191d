"""How training time grows with the neurons. Pure: medians in, a table out."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from harness.analysis.frames import in_order
from harness.analysis.intervals import Numbers, medians_by_block, power_law
from harness.case import ARTICLE

FIT_FROM_NEURONS = ARTICLE.neurons
"""Fits begin at the article's shape: below it, the fixed cost of a step hides how the rest grows."""
FEWEST_POINTS = 3
COLUMNS = [
    *("contender", "method", "exponent", "low", "high", "counted_exponent"),
    *("curvature", "curvature_low", "curvature_high"),
    *("straight_from_neurons", "straight_exponent", "straight_low", "straight_high"),
    *("fewest_neurons", "most_neurons", "points", "r_squared"),
]


def exponents(medians: pd.DataFrame, steps: Mapping[tuple[str, str, str], Numbers]) -> pd.DataFrame:
    """Fit training time per step = a * neurons^exponent, per contender and method.

    A straight line through the logarithms of the medians, so that small sizes count as much as large ones.
    ``steps`` has the seconds of each round by method, shape and contender: the intervals come from fits to
    blocks of them. ``counted_exponent`` is the same fit to the number of multiply-adds: what the exponent
    would be if every multiply-add took the same time. The fit needs three sizes from 10-5-1 up. The
    ``straight`` columns are of the longest range up to the largest size that shows no curvature.
    """
    lines = []
    for (contender, method), group in medians.groupby(["contender", "method"], sort=False):
        points = group[group["neurons"] >= FIT_FROM_NEURONS].sort_values("neurons", kind="stable")
        if points["neurons"].nunique() < FEWEST_POINTS:
            continue
        blocks = medians_by_block([steps[str(method), of, str(contender)] for of in points["layers"]])
        by_block = blocks if len(blocks) > 1 else None
        neurons = points["neurons"].to_numpy(float)
        fits = {}
        for start in dict.fromkeys(np.searchsorted(neurons, neurons)):
            if np.unique(neurons[start:]).size >= FEWEST_POINTS:
                fits[neurons[start]] = power_law(
                    neurons[start:],
                    points["median"].to_numpy(float)[start:],
                    None if by_block is None else by_block[:, start:],
                )
        fit = next(iter(fits.values()))
        straight = [(start, tail) for start, tail in fits.items() if by_block is not None and tail.fits]
        start, tail = straight[0] if straight else (np.nan, None)
        about = ("exponent", "low", "high", "r_squared", "curvature", "curvature_low", "curvature_high")
        lines.append(
            {
                "contender": contender,
                "method": method,
                **{name: getattr(fit, name) for name in about},
                "counted_exponent": power_law(neurons, points["multiply_adds"].to_numpy(float)).exponent,
                "straight_from_neurons": start,
                "straight_exponent": tail.exponent if tail else np.nan,
                "straight_low": tail.low if tail else np.nan,
                "straight_high": tail.high if tail else np.nan,
                "fewest_neurons": int(points["neurons"].min()),
                "most_neurons": int(points["neurons"].max()),
                "points": len(points),
            }
        )
    return in_order(pd.DataFrame(lines, columns=COLUMNS))
