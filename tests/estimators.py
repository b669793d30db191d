"""Estimators of an interval, tried on recorded noise: the table of docs/method.md.

docs/noise.csv has the training seconds of 507 rounds that were run one after another for five minutes on a
shared machine: python with 100 steps of naive, rust with as many and with a hundred times as many, and rust
with 10^4 and 10^6 steps of backprop. ``python -m tests.estimators`` prints the table.
"""

import csv
import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr

from harness.analysis.intervals import (
    Numbers,
    autocorrelation,
    block_half_width,
    block_medians,
    median_interval,
)
from harness.paths import ROOT

Bounds = tuple[float, float]
Places = npt.NDArray[np.int64]
RESAMPLES = 499
PAIRS = (("P", "r"), ("P", "R"), ("P", "b"), ("P", "B"), ("R", "B"), ("r", "b"))


def percentile_bootstrap(values: Numbers, length: int = 1) -> Bounds:
    """Resample single rounds, or moving blocks of so many."""
    random = np.random.default_rng(1)
    starts = random.integers(0, values.size - length + 1, (RESAMPLES, math.ceil(values.size / length)))
    chosen = (starts[:, :, None] + np.arange(length)).reshape(RESAMPLES, -1)[:, : values.size]
    low, high = np.quantile(np.median(values[chosen], axis=1), [0.025, 0.975])
    return float(low), float(high)


def block_bootstrap(values: Numbers) -> Bounds:
    """Resample consecutive blocks of three rounds."""
    random = np.random.default_rng(1)
    blocks = values[: values.size // 3 * 3].reshape(-1, 3)
    chosen = random.integers(0, len(blocks), (RESAMPLES, len(blocks)))
    low, high = np.quantile(np.median(blocks[chosen].reshape(RESAMPLES, -1), axis=1), [0.025, 0.975])
    return float(low), float(high)


def hodges_lehmann(values: Numbers) -> Bounds:
    """Take the order statistics of the pairs' means that Wilcoxon's signed ranks do not reject."""
    n = values.size
    i, j = np.triu_indices(n)
    means = np.sort((values[i] + values[j]) / 2.0)
    half = 1.96 * math.sqrt(n * (n + 1) * (2 * n + 1) / 24.0)
    rank = max(0, math.floor(n * (n + 1) / 4.0 - half))
    return float(means[rank]), float(means[-1 - rank])


def student_t_of_blocks(values: Numbers) -> Bounds:
    """Student's t over the medians of six blocks, around the median of all, as if they were independent."""
    half = block_half_width(block_medians(values))
    return float(np.median(values)) - half, float(np.median(values)) + half


def student_t_of_lasting_noise(values: Numbers) -> Bounds:
    """The same with three blocks for an independent one."""
    half = block_half_width(block_medians(values)) * math.sqrt(3.0)
    return float(np.median(values)) - half, float(np.median(values)) + half


def order_statistics(values: Numbers, effective: float | None = None) -> Bounds:
    """Whole ranks for so many independent values, or all; their range if 95% is out of reach."""
    n, size = int(effective or values.size), values.size
    rank = max(1, sum(1.0 - 2.0 * bdtr(k - 1, n, 0.5) >= 0.95 for k in range(1, n // 2 + 1)))
    place = int(rank / (n + 1) * (size + 1)) if n > 5 else 1
    ordered = np.sort(values)
    return float(ordered[place - 1]), float(ordered[size - place])


def order_of_effective(values: Numbers) -> Bounds:
    """Order statistics for as many rounds as the autocorrelation leaves."""
    correlated = min(max(autocorrelation(values), 0.0), 0.9)
    return order_statistics(values, values.size * (1.0 - correlated) / (1.0 + correlated))


def used(values: Numbers) -> Bounds:
    """The same, interpolated between ranks: what the harness uses."""
    found = median_interval(np.exp(values))
    return math.log(found.low), math.log(found.high)


ESTIMATORS: dict[str, Callable[[Numbers], Bounds]] = {
    "percentile bootstrap": percentile_bootstrap,
    "block bootstrap, 3 rounds": block_bootstrap,
    "moving-block bootstrap, 3 rounds": lambda values: percentile_bootstrap(values, 3),
    "Hodges-Lehmann on the logarithms": hodges_lehmann,
    "order statistics": order_statistics,
    "order statistics, effective rounds": order_of_effective,
    "Student's t over 6 blocks": student_t_of_blocks,
    "Student's t, three blocks for one": student_t_of_lasting_noise,
    "order statistics, effective rounds, interpolated (used)": used,
}


def ratios() -> list[Numbers]:
    """Return the logarithms of the ratios of each pair, over all rounds."""
    with (ROOT / "docs" / "noise.csv").open(encoding="utf-8", newline="") as file:
        rounds = list(csv.DictReader(file))
    seconds = {name: np.log([float(one[name]) for one in rounds]) for name in "PrRbB"}
    return [seconds[one] - seconds[other] for one, other in PAIRS]


def designs(size: int) -> Iterator[tuple[str, list[Places]]]:
    """Yield how the rounds of a sweep may lie in the series, with their places."""
    for count in (7, 31):
        starts = range(0, size - count + 1, 8)
        yield f"{count} in a row", [np.arange(count) + start for start in starts]
    step = size // 31
    yield "31 spread", [np.arange(31) * step + start for start in range(step)]


def sharpness(found: Sequence[tuple[Bounds, float, float]]) -> float:
    """Return the 95th percentile of error / half width, from bounds, estimates and truths."""
    errors = [
        abs(truth - middle) / max(middle - low if truth < middle else high - middle, 1e-12)
        for (low, high), middle, truth in found
    ]
    return float(np.quantile(errors, 0.95))


def table() -> str:
    """Return how often each estimator's interval contains the median of its series, and how sharp it is."""
    series = ratios()
    columns = dict(designs(series[0].size))
    lines = [f"| estimator | {' | '.join(columns)} |", f"|{' --- |' * (1 + len(columns))}"]
    for name, estimate in ESTIMATORS.items():
        cells = [name]
        for places in columns.values():
            of_all = [
                (estimate(values[of]), float(np.median(values[of])), float(np.median(values)))
                for values in series
                for of in places
            ]
            found = [(bounds, truth) for bounds, _, truth in of_all]
            contained = np.mean([low <= truth <= high for (low, high), truth in found])
            width = np.mean([(high - low) / 2.0 for (low, high), _ in found])
            sharp = ">100" if sharpness(of_all) > 100.0 else f"{sharpness(of_all):.2f}"
            cells.append(f"{contained:.0%}, ±{100.0 * width:.2g}%, {sharp}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
