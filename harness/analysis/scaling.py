"""How training time grows with the neurons. Pure."""

import math

import numpy as np
import pandas as pd

from harness.analysis.frames import only
from harness.analysis.intervals import Numbers, block_half_width
from harness.analysis.ratios import Rounds, steps_by_block
from harness.case import ARTICLE

_FEWEST_SIZES = 3
_ROUNDING = 1e-9
COLUMNS = [
    *("contender", "method", "exponent", "low", "high", "counted_exponent"),
    *("curvature", "curvature_low", "curvature_high", "straight_from_neurons"),
    *("fewest_neurons", "most_neurons", "points"),
]


def exponents(medians: pd.DataFrame, rounds: Rounds, reference: str) -> pd.DataFrame:
    """Return scaling.csv; it begins at 10-5-1: below it the fixed cost of a step hides how the rest grows."""
    lines = []
    for (contender, method), group in medians.groupby(["contender", "method"], sort=False):
        points = group[group["neurons"] >= ARTICLE.neurons].sort_values("neurons", kind="stable")
        shared = points[points["layers"].isin(only(medians, method=method, contender=reference)["layers"])]
        if shared["neurons"].nunique() >= _FEWEST_SIZES:
            points = shared
        neurons, times = points["neurons"].to_numpy(float), points["median"].to_numpy(float)
        sizes = np.unique(neurons)
        if sizes.size < _FEWEST_SIZES:
            continue
        by_block = steps_by_block(rounds, points)
        fits = {}
        for fewest in sizes[: 1 - _FEWEST_SIZES]:
            kept = neurons >= fewest
            fits[fewest] = power_law(neurons[kept], times[kept], by_block[:, kept])
        straight = (
            fewest
            for fewest, fit in fits.items()
            if fit["curvature_low"] <= _ROUNDING and fit["curvature_high"] >= -_ROUNDING
        )
        counts = points["multiply_adds"].to_numpy(float)
        about = {"contender": contender, "method": method, "points": len(points)}
        about["counted_exponent"] = np.polyfit(np.log(neurons), np.log(counts), 1)[0]
        about["straight_from_neurons"] = next(straight, math.nan)
        about |= {"fewest_neurons": int(sizes[0]), "most_neurons": int(sizes[-1])}
        lines.append(about | fits[sizes[0]])
    return pd.DataFrame(lines, columns=COLUMNS)


def power_law(x: Numbers, y: Numbers, by_block: Numbers) -> dict[str, float]:
    """Fit y = a * x^exponent by least squares on the logarithms; ``x`` has three different values or more.

    ``curvature`` is how much the exponent grows each time that x doubles. ``by_block`` has a row of ``y`` for
    each block, whose fits give the intervals; nan without two.
    """
    found: dict[str, float] = {}
    for name, degree, factor in (("", 1, 1.0), ("curvature_", 2, 2.0 * math.log(2.0))):
        value = factor * float(np.polyfit(np.log(x), np.log(y), degree)[0])
        half = factor * block_half_width(np.polyfit(np.log(x), np.log(by_block).T, degree)[0])
        middle = name.removesuffix("_") or "exponent"
        found |= {middle: value, f"{name}low": value - half, f"{name}high": value + half}
    return found
