"""Predictions, written down before they are checked, and how often they came true."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from harness.analysis.cost import Cost
from harness.analysis.crossover import FARTHEST
from harness.analysis.frames import only, read_csv
from harness.analysis.intervals import share_interval
from harness.analysis.results import Results
from harness.case import Job, Shape

KEY = ["sweep", "contender", "method", "layers"]
COLUMNS = [
    *("predicted_utc", *KEY, "reference", "samples", "epochs", "beyond"),
    *("step_s", "step_low", "step_high", "training_s", "training_low", "training_high"),
    *("job_s", "job_low", "job_high", "speedup", "speedup_low", "speedup_high"),
    *("checked_by", "measured_step_s", "ratio", "hit"),
]
_ENOUGH = 0.8
"""The share of hits that supports predictions."""
_FEWEST = 5
"""Checks of a contender and method that are a record."""


def predicted(results: Results, costs: Sequence[Cost], shape: Shape, job: Job, now: str) -> pd.DataFrame:
    """Return a line of predictions.csv for each of ``costs``; the reference may have no model near enough."""
    layers = shape.layers
    lines = []
    for cost in costs:
        step, reference = cost.step(layers), results.costs.get((results.reference, cost.method))
        training = step.times(job.training_steps)
        figures = {"step_s": step, "training_s": training, "job_s": cost.job(layers, job)}
        if reference and reference is not cost and reference.beyond(layers) <= FARTHEST:
            figures["speedup"] = reference.step(layers).over(step)
        about = {"contender": cost.contender, "method": cost.method}
        line: dict[str, Any] = {**about, "sweep": results.sweep, "beyond": cost.beyond(layers)}
        for name, figure in figures.items():
            kind = name.removesuffix("_s")
            line |= {name: figure.value, f"{kind}_low": figure.low, f"{kind}_high": figure.high}
        lines.append(line)
    table = pd.DataFrame(lines, columns=COLUMNS)
    table = table.assign(predicted_utc=now, layers=str(shape), reference=results.reference)
    return table.assign(samples=job.samples, epochs=job.epochs, checked_by="", hit="")


def read(path: Path) -> pd.DataFrame:
    """Return the predictions on record, if any; raise ResultsError for any other file."""
    texts = ["predicted_utc", *KEY, "reference", "checked_by", "hit"]
    blank = ["speedup", "speedup_low", "speedup_high", "checked_by", "measured_step_s", "ratio", "hit"]
    return read_csv(path, COLUMNS, "make predict ARGS=--check", texts=texts, blank=blank)


def checked(table: pd.DataFrame, truth: Results) -> pd.DataFrame:
    """Return predictions with what a later sweep measured, where it did."""
    medians = only(truth.medians, status="ok").set_index(KEY[1:])["median"]
    seconds = table.join(medians, on=KEY[1:])["median"]
    held = seconds.between(table["step_low"], table["step_high"]).map({True: "yes", False: "no"})
    found = {"checked_by": truth.sweep, "hit": held, "measured_step_s": seconds}
    found["ratio"] = table["step_s"] / seconds
    is_new = seconds.notna() & (table["checked_by"] == "")
    return table.assign(**{name: table[name].mask(is_new, value) for name, value in found.items()})


def limit(record: pd.DataFrame, contender: str, method: str) -> float:
    """Return how far beyond measured sizes enough checks were hits; FARTHEST without a record."""
    own = only(record[record["hit"] != ""], contender=contender, method=method)
    if len(own) < _FEWEST:
        return FARTHEST
    own = own.sort_values("beyond", kind="stable")
    shares = (own["hit"] == "yes").cumsum() / np.arange(1, len(own) + 1)
    held = own["beyond"][shares >= _ENOUGH]
    return min(FARTHEST, float(held.max())) if len(held) else 1.0


def hits(table: pd.DataFrame) -> pd.DataFrame:
    """Return checks, hits, their share's interval, median error, distance by contender and method."""
    lines = []
    for (contender, method), own in table[table["hit"] != ""].groupby(["contender", "method"], sort=False):
        count = int((own["hit"] == "yes").sum())
        about = *share_interval(count, len(own)), median_error(own), own["beyond"].max()
        lines.append((contender, method, len(own), count, *about))
    names = ["contender", "method", "checks", "hits", "low", "high", "median_error", "farthest"]
    return pd.DataFrame(lines, columns=names)


def median_error(own: pd.DataFrame) -> float:
    """Return the median error of predictions, as a share."""
    return float(np.expm1(np.median(np.abs(np.log(own["ratio"].astype(float))))))
