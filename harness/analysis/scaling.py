"""How training time grows with the neurons. Pure: medians in, a table out."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

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
    """Fit training time per step = a * neurons^exponent, per contender and method, from 10-5-1 up.

    A straight line through the logarithms of the medians, so that small sizes count as much as large ones.
    ``steps`` has the seconds of each round by method, shape and contender: the intervals come from fits to
    blocks of them. ``counted_exponent`` is the same fit to the number of multiply-adds: what the exponent
    would be if each took the same time. The ``straight`` columns are of the longest range up to the largest
    size that shows no curvature.
    """
    lines = []
    for (contender, method), group in medians.groupby(["contender", "method"], sort=False):
        points = group[group["neurons"] >= FIT_FROM_NEURONS].sort_values("neurons", kind="stable")
        neurons, times = points["neurons"].to_numpy(float), points["median"].to_numpy(float)
        sizes = np.unique(neurons)
        if sizes.size < FEWEST_POINTS:
            continue
        by_block = medians_by_block([steps[str(method), of, str(contender)] for of in points["layers"]])
        fits = {}
        for fewest in sizes[: 1 - FEWEST_POINTS]:
            kept = neurons >= fewest
            fits[fewest] = power_law(neurons[kept], times[kept], by_block[:, kept])
        straight = next(
            ({"from_neurons": fewest, **fit._asdict()} for fewest, fit in fits.items() if fit.fits), {}
        )
        lines.append(
            {
                "contender": contender,
                "method": method,
                **fits[sizes[0]]._asdict(),
                "counted_exponent": power_law(neurons, points["multiply_adds"].to_numpy(float)).exponent,
                **{f"straight_{name}": value for name, value in straight.items()},
                "fewest_neurons": int(sizes[0]),
                "most_neurons": int(sizes[-1]),
                "points": len(points),
            }
        )
    return pd.DataFrame(lines, columns=COLUMNS)
