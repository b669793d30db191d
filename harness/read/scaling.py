"""How training time grows with the neurons, and who overtakes whom. Pure: medians in, tables out."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from harness.case import ARTICLE, METHODS
from harness.read.frames import in_order
from harness.read.intervals import BLOCKS, Numbers, block_medians, power_law

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
        rounds = [steps[str(method), layers, str(contender)] for layers in points["layers"]]
        blocks = min(BLOCKS, *(own.size for own in rounds))
        by_block = np.array([block_medians(own, blocks) for own in rounds]).T if blocks > 1 else None
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
        lines.append(
            {
                "contender": contender,
                "method": method,
                **{name: getattr(fit, name) for name in ("exponent", "low", "high", "r_squared")},
                **{name: getattr(fit, name) for name in ("curvature", "curvature_low", "curvature_high")},
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


def crossovers(medians: pd.DataFrame, reference: str) -> tuple[str, ...]:
    """Say from which size on a better method in a slower contender beats a worse method in a faster one.

    One of the two is the reference. Compared are the medians of different cases of one sweep, so this is a
    statement about large factors.
    """
    curves = {
        lane: dict(zip(zip(own["neurons"], own["layers"], strict=True), own["median"], strict=True))
        for lane, own in medians.groupby(["contender", "method"], sort=False)
    }
    beaten: dict[tuple[str, str], list[str]] = {}
    for (slow, better), left in curves.items():
        for (fast, worse), right in curves.items():
            if reference not in (slow, fast) or METHODS.index(better) <= METHODS.index(worse):
                continue
            same = curves.get((fast, better), {})
            both, sizes = left.keys() & same.keys(), sorted(left.keys() & right.keys())
            if not both or not sizes or any(left[size] <= same[size] for size in both):
                continue
            behind = max((size[0] for size in sizes if left[size] >= right[size]), default=0)
            since = next((neurons for neurons, _ in sizes if neurons > behind), None)
            is_it, until = (
                ("is", f"from {since} neurons on") if since else ("is not", f"up to {behind} neurons")
            )
            claim = f"{slow} with {better} {is_it} faster than", f"with {worse} {until}"
            beaten.setdefault(claim, []).append(str(fast))
    return tuple(f"{start} {', '.join(names)} {end}" for (start, end), names in beaten.items())
