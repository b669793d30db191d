"""Predictions of times: written down before they are checked, and how often they held."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from harness.analysis.cost import Cost
from harness.analysis.crossover import FARTHEST
from harness.analysis.frames import read_csv
from harness.analysis.intervals import share_interval
from harness.analysis.results import Results
from harness.case import Shape

KEY = ["sweep", "contender", "method", "layers"]
COLUMNS = [
    *("predicted_utc", *KEY, "reference", "samples", "epochs", "beyond"),
    *("step_s", "step_low", "step_high", "training_s", "training_low", "training_high"),
    *("process_s", "process_low", "process_high", "speedup", "speedup_low", "speedup_high"),
    *("checked_by", "measured_step_s", "ratio", "hit"),
]
_ENOUGH = 0.8
"""The share of hits below which nothing so far away is predicted."""
_FEWEST = 5
"""Checks of a contender and method that are a record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """Models, and where they come from."""

    costs: Mapping[tuple[str, str], Cost]
    """By contender and method."""
    sweeps: Mapping[str, str]
    """The sweep behind a contender's models."""
    reference: str
    """The contender that speedups are over."""


def learned(found: Sequence[Results], reference: str = "") -> Learned:
    """Return the models of one sweep or more; the reference is the first one's, if none is named."""
    return Learned(
        costs={lane: cost for results in found for lane, cost in results.costs.items()},
        sweeps={name: results.sweep for results in found for name in results.contenders},
        reference=reference or found[0].reference,
    )


def predicted(
    learned: Learned, costs: Sequence[Cost], shape: Shape, samples: int, epochs: int, now: str
) -> pd.DataFrame:
    """Return a line for each of ``costs``, with 95% prediction intervals.

    ``beyond`` is how many times the multiply-adds of the largest measured size a step takes, or the smallest
    measured size those of a step; 1 within. The speedup is that of a training step; it is empty where the
    reference has no model, or one of sizes too far away.
    """
    layers = shape.layers
    lines: list[dict[str, Any]] = []
    for cost in costs:
        step, reference = cost.step(layers), learned.costs.get((learned.reference, cost.method))
        process = cost.process(layers, samples, epochs)
        figures = {"step_s": step, "training_s": step.times(samples * epochs), "process_s": process}
        if reference and reference is not cost and reference.beyond(layers) <= FARTHEST:
            figures["speedup"] = reference.step(layers).over(step)
        line = {
            "predicted_utc": now,
            "sweep": learned.sweeps[cost.contender],
            "contender": cost.contender,
            "method": cost.method,
            "layers": str(shape),
            "reference": learned.reference,
            "samples": samples,
            "epochs": epochs,
            "beyond": cost.beyond(layers),
            "checked_by": "",
            "hit": "",
        }
        for name, figure in figures.items():
            ends = {f"{name.removesuffix('_s')}_{end}": getattr(figure, end) for end in ("low", "high")}
            line |= {name: figure.value, **ends}
        lines.append(line)
    return pd.DataFrame(lines, columns=COLUMNS)


def read(path: Path) -> pd.DataFrame:
    """Return the predictions that were written down, if any; raise ResultsError for any other file."""
    return read_csv(
        path,
        COLUMNS,
        "make predict ARGS=--check",
        texts=["predicted_utc", *KEY, "reference", "checked_by", "hit"],
        blank=["speedup", "speedup_low", "speedup_high", "checked_by", "measured_step_s", "ratio", "hit"],
    )


def checked(table: pd.DataFrame, truth: Results) -> pd.DataFrame:
    """Return predictions with what a later sweep measured, where it did."""
    table = table.copy()
    right = truth.medians[truth.medians["status"] == "ok"]
    measured = right.set_index(["contender", "method", "layers"])["median"].to_dict()
    for place, one in table.iterrows():
        seconds = measured.get((one["contender"], one["method"], one["layers"]))
        if seconds is not None and not one["checked_by"]:
            is_hit = one["step_low"] <= seconds <= one["step_high"]
            table.loc[place, ["checked_by", "hit"]] = [truth.sweep, "yes" if is_hit else "no"]
            table.loc[place, ["measured_step_s", "ratio"]] = [seconds, one["step_s"] / seconds]
    return table


def limit(record: pd.DataFrame, contender: str, method: str) -> float:
    """Return how far beyond the measured sizes predictions are supported by those that were checked.

    So far that of all checks up to there enough were hits; FARTHEST without a record.
    """
    own = record[(record["contender"] == contender) & (record["method"] == method) & (record["hit"] != "")]
    if len(own) < _FEWEST:
        return FARTHEST
    own = own.sort_values("beyond", kind="stable")
    shares = (own["hit"] == "yes").cumsum() / np.arange(1, len(own) + 1)
    held = own["beyond"][shares >= _ENOUGH]
    return min(FARTHEST, float(held.max())) if len(held) else 1.0


def hits(table: pd.DataFrame) -> pd.DataFrame:
    """Return by contender and method: checks, hits, the interval of their share, median error, distance."""
    lines = []
    done = table[table["hit"] != ""]
    for (contender, method), own in done.groupby(["contender", "method"], sort=False):
        count = int((own["hit"] == "yes").sum())
        interval = share_interval(count, len(own))
        lines.append(
            (contender, method, len(own), count, *interval, median_error(own), float(own["beyond"].max()))
        )
    names = ["contender", "method", "checks", "hits", "low", "high", "median_error", "farthest"]
    return pd.DataFrame(lines, columns=names)


def median_error(own: pd.DataFrame) -> float:
    """Return by how much predictions are wrong, as a share: the median."""
    return float(np.expm1(np.median(np.abs(np.log(own["ratio"].astype(float))))))
