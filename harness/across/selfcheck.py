"""How often the harness is right, from a long sweep cut into many."""

import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from harness.analysis.frames import only, read_csv
from harness.analysis.intervals import NOISY, share_interval
from harness.analysis.results import Results, plan_of, understand
from harness.archive import ABOUT_CHECK
from harness.errors import NothingMeasured, ResultsError
from harness.records import SweepFolder
from harness.rows import Row

COLUMNS = [
    *("sweep", "machine", "storm", "contender", "reference", "measure", "extra_epochs"),
    *("rounds", "effective_rounds", "ratio", "low", "high", "floor", "verdict", "true_ratio", "contains"),
]


def intervals(folder: SweepFolder) -> pd.DataFrame:
    """Return selfcheck.csv; controls have no line: their interval is the floor of the verdicts."""
    about = folder.environment().get(ABOUT_CHECK)
    if not (isinstance(about, Mapping) and {"sweeps", "storm"} <= about.keys()):
        raise ResultsError(f"{folder.path}: is no sweep of a self-check")
    tables = []
    for results in _cut(folder, int(about["sweeps"])):
        where = results.environment
        others = dict.fromkeys(results.contenders, (results.reference, math.nan))
        against = others | copies_of(where.get("contenders", {}))
        jobs = only(results.summary, measure="job_s").set_index("contender")["median"]
        step_s = results.medians.set_index("contender")["median"]
        share = step_s * results.job.training_steps / jobs
        for original in dict.fromkeys(of for of, _ in against.values()):
            extra_epochs = {name: extra for name, (of, extra) in against.items() if of == original}
            table = only(results.over(original), control=False)
            table = table[(table["rounds"] > 1) & table["contender"].isin(extra_epochs)]
            extra = table["contender"].map(extra_epochs).astype(float)
            trained = np.where(table["measure"] == "job", share.get(original, math.nan), 1.0)
            true = 1.0 / (1.0 + extra * trained)
            tables.append(table.assign(sweep=results.sweep, extra_epochs=extra, true_ratio=true))
    if not tables:
        return pd.DataFrame(columns=COLUMNS)
    table = pd.concat(tables, ignore_index=True)
    lanes = table.groupby(["contender", "measure"])
    truths = lanes["true_ratio"].transform("median").fillna(lanes["ratio"].transform("median"))
    table = table.assign(
        machine=f"{where.get('cpu')}, {where.get('usable_cores')} cores",
        storm=bool(about["storm"]),
        true_ratio=truths,
        contains=truths.between(table["low"], table["high"]),
    )
    return table[COLUMNS]


def copies_of(contenders: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[str, float]]:
    """Return the original of each copy, the first described alike, and its additional epochs."""
    same = ("command", "threads", "env", "tolerance")
    originals: dict[str, str] = {}
    found = {}
    for name, about in contenders.items():
        original = originals.setdefault(str([about.get(key) for key in same]), name)
        if original != name:
            found[name] = original, float(about.get("extra_epochs", 0.0))
    return found


def _cut(folder: SweepFolder, sweeps: int) -> Iterator[Results]:
    """Yield what each part with a timed run shows; its id is the sweep's and a number."""
    plan = plan_of(folder)
    of_part: dict[int, list[Row]] = {}
    for row in folder.rows():
        if not row.run.warm_up:
            part = (row.run.round - 1) * sweeps // plan.by_case[str(row.run.case)].rounds
            of_part.setdefault(part, []).append(row)
    for part, rows in of_part.items():
        with suppress(NothingMeasured):
            yield replace(understand(folder, rows=rows), sweep=f"{plan.sweep}+{part + 1}")


def read(path: Path) -> pd.DataFrame:
    """Return what ``selfcheck`` wrote, if anything; raise ResultsError for any other file."""
    texts = ["sweep", "machine", "contender", "reference", "measure", "verdict"]
    flags, blank = ["storm", "contains"], ["extra_epochs", "floor"]
    return read_csv(path, COLUMNS, "make selfcheck", texts=texts, flags=flags, blank=blank)


def shares(table: pd.DataFrame) -> pd.DataFrame:
    """Return how often the truth is in the interval, and a difference seen, by contender and measure.

    Both shares have exact binomial intervals; ``half_width`` is the median, on a logarithmic axis; a
    ``sharpness`` of 1 is as wide as must be.
    """
    lines = []
    for (contender, measure), own in table.groupby(["contender", "measure"], sort=False):
        contains, seen = int(own["contains"].sum()), int(_is_told(own).sum())
        half_width = float(np.median(np.log(own["high"] / own["low"]))) / 2.0
        counts = contains, *share_interval(contains, len(own)), seen, *share_interval(seen, len(own))
        about = own["reference"].iloc[0], len(own), own["true_ratio"].iloc[0], half_width, sharpness(own)
        lines.append((contender, measure, *about, *counts))
    names = ["contender", "measure", "reference", "sweeps", "true_ratio", "half_width", "sharpness"]
    names += [f"{count}{end}" for count in ("contains", "seen") for end in ("", "_low", "_high")]
    return pd.DataFrame(lines, columns=names)


def _is_told(table: pd.DataFrame) -> "pd.Series[bool]":
    return table["verdict"].isin(["faster", "slower"])


def sharpness(table: pd.DataFrame) -> float:
    """Return the 95th percentile of error / half width, on the truth's side and a logarithmic axis."""
    error = np.log(table["true_ratio"] / table["ratio"])
    width = np.log(table["high"].where(error > 0.0, table["low"]) / table["ratio"])
    return float(np.quantile(np.abs(error / np.where(width == 0.0, np.inf, width)), 0.95))


def right(table: pd.DataFrame) -> tuple[int, int]:
    """Return how many sweeps have the truth in all intervals, of how many."""
    sweeps = table.groupby("sweep")["contains"].all()
    return int(sweeps.sum()), len(sweeps)


def false_alarms(table: pd.DataFrame) -> tuple[int, int]:
    """Return how many comparisons of equal programs found a difference, of how many."""
    equal = only(table, extra_epochs=0.0)
    return int(_is_told(equal).sum()), len(equal)


def disturbed(table: pd.DataFrame) -> int:
    """Return in how many sweeps a control differed by more than a quiet machine's noise."""
    return int((table.groupby("sweep")["floor"].max() > NOISY).sum())
