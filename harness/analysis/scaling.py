"""How training time grows with the neurons. Pure: medians in, a table out."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from harness.analysis.frames import only
from harness.analysis.intervals import medians_by_block, power_law
from harness.analysis.ratios import Lane
from harness.case import ARTICLE

_FROM_NEURONS = ARTICLE.neurons
"""Below the article's shape the fixed cost of a step hides how the rest grows."""
_FEWEST_SIZES = 3
COLUMNS = [
    *("contender", "method", "exponent", "low", "high", "counted_exponent"),
    *("curvature", "curvature_low", "curvature_high"),
    *("straight_from_neurons", "straight_exponent", "straight_low", "straight_high"),
    *("fewest_neurons", "most_neurons", "points", "r_squared"),
]


def exponents(medians: pd.DataFrame, rounds: Mapping[Lane, pd.DataFrame], reference: str) -> pd.DataFrame:
    """Fit training time per step = a * neurons^exponent, per contender and method, from 10-5-1 up.

    To be comparable they are fitted to the sizes that the reference has with that method, if it has enough.

    A straight line through the logarithms of the medians, so that small sizes count as much as large ones.
    The intervals come from fits to blocks of the ``rounds``. ``counted_exponent`` is the same fit to the
    number of multiply-adds: what the exponent would be if each took the same time. The ``straight`` columns
    are of the longest range up to the largest size that shows no curvature.
    """
    lines = []
    for (contender, method), group in medians.groupby(["contender", "method"], sort=False):
        points = group[group["neurons"] >= _FROM_NEURONS].sort_values("neurons", kind="stable")
        shared = points[points["layers"].isin(only(medians, method=method, contender=reference)["layers"])]
        if shared["neurons"].nunique() >= _FEWEST_SIZES:
            points = shared
        neurons, times = points["neurons"].to_numpy(float), points["median"].to_numpy(float)
        sizes = np.unique(neurons)
        if sizes.size < _FEWEST_SIZES:
            continue
        own = (rounds[str(method), layers, str(contender), False] for layers in points["layers"])
        by_block = medians_by_block([of_shape["step_s"].to_numpy() for of_shape in own])
        fits = {}
        for fewest in sizes[: 1 - _FEWEST_SIZES]:
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
