"""How training time grows with the neurons, and who overtakes whom. Pure: medians in, tables out."""

import pandas as pd

from harness.case import ARTICLE, METHODS
from harness.read.frames import in_order
from harness.read.intervals import power_law

FIT_FROM_NEURONS = ARTICLE.neurons
"""Fits begin at the article's shape: below it, the fixed cost of a step hides how the rest grows."""
FEWEST_POINTS = 3
COLUMNS = [
    *("contender", "method", "exponent", "low", "high", "counted_exponent"),
    *("fewest_neurons", "most_neurons", "points", "r_squared"),
]


def exponents(medians: pd.DataFrame) -> pd.DataFrame:
    """Fit training time per step = a * neurons^exponent, per contender and method.

    A straight line through the logarithms of the medians, so that small sizes count as much as large
    ones. ``counted_exponent`` is the same fit to the number of multiply-adds: what the exponent would be
    if every multiply-add took the same time. The fit needs three sizes from 10-5-1 up.
    """
    lines = []
    for (contender, method), group in medians.groupby(["contender", "method"], sort=False):
        points = group[group["neurons"] >= FIT_FROM_NEURONS]
        if points["neurons"].nunique() < FEWEST_POINTS:
            continue
        neurons = points["neurons"].to_numpy(float)
        fit = power_law(neurons, points["median"].to_numpy(float))
        counted = power_law(neurons, points["multiply_adds"].to_numpy(float))
        lines.append(
            {
                "contender": contender,
                "method": method,
                "exponent": fit["exponent"],
                "low": fit["low"],
                "high": fit["high"],
                "counted_exponent": counted["exponent"],
                "fewest_neurons": int(points["neurons"].min()),
                "most_neurons": int(points["neurons"].max()),
                "points": len(points),
                "r_squared": fit["r_squared"],
            }
        )
    return in_order(pd.DataFrame(lines, columns=COLUMNS))


def crossovers(medians: pd.DataFrame) -> tuple[str, ...]:
    """Say from which size on a better method in a slower contender beats a worse method in a faster one.

    Compared are the medians of different cases of one sweep, so this is a statement about large factors.
    """
    curves = {
        lane: group.set_index(["neurons", "layers"])["median"].sort_index()
        for lane, group in medians.groupby(["contender", "method"], sort=False)
    }
    lines = []
    for (slow, better), left in curves.items():
        for (fast, worse), right in curves.items():
            same = curves.get((fast, better))
            if METHODS.index(better) <= METHODS.index(worse) or same is None:
                continue
            shared = left.index.intersection(same.index)
            if shared.empty or not (left[shared] > same[shared]).all():
                continue
            ahead = (left < right.reindex(left.index)).reindex(left.index.intersection(right.index))
            if ahead.empty:
                continue
            sizes = ahead.index.get_level_values("neurons")
            since = next((size for size in sizes if ahead[sizes >= size].all()), None)
            than = f"faster than {fast} with {worse}"
            lines.append(
                f"{slow} with {better} is {than} from {since} neurons on"
                if since is not None
                else f"{slow} with {better} is not {than} up to {sizes[-1]} neurons"
            )
    return tuple(lines)
