"""How often the harness is right, from the parts of a long sweep, each taken for a sweep."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from harness.analysis.frames import read_csv
from harness.analysis.intervals import share_interval
from harness.analysis.ratios import MEASURES
from harness.analysis.results import Results, understand
from harness.errors import NothingMeasured, ResultsError
from harness.records import SweepFolder
from harness.rows import Row

COLUMNS = [
    *("sweep", "machine", "contender", "reference", "measure", "extra_epochs"),
    *("rounds", "effective_rounds", "ratio", "low", "high", "level", "verdict", "true_ratio", "holds"),
]
SEEN = 0.9
"""The share of sweeps that must see a difference for it to be called seen."""


def intervals(folder: SweepFolder, parts: int) -> pd.DataFrame:
    """Return a line for each part of a sweep, contender and measure: the interval, and whether it is right.

    The rounds are cut into so many consecutive ``parts``. ``true_ratio`` is 1 for a copy of the reference
    without extra work, else the median over all parts. ``extra_epochs`` is empty for others than copies.
    Controls have no line: their interval is the floor of the verdicts.
    """
    tables = []
    for results in _cut(folder, parts):
        table = results.speedups[~results.speedups["control"] & (results.speedups["rounds"] > 1)]
        where = results.environment
        table = table.assign(sweep=results.sweep, machine=f"{where['cpu']}, {where['usable_cores']} cores")
        extra = extra_epochs(where["contenders"], results.reference)
        tables.append(table.assign(extra_epochs=table["contender"].map(extra).astype(float)))
    if not tables:
        return pd.DataFrame(columns=COLUMNS)
    table = pd.concat(tables, ignore_index=True)
    medians = table.groupby(["contender", "measure"])["ratio"].transform("median")
    table["true_ratio"] = np.where(table["extra_epochs"] == 0.0, 1.0, medians)
    table["holds"] = table["true_ratio"].between(table["low"], table["high"])
    return table[COLUMNS]


def extra_epochs(contenders: Mapping[str, Mapping[str, Any]], reference: str) -> dict[str, float]:
    """Return the share of additional epochs of each contender that is else described as the reference is."""
    same = ("command", "threads", "env", "tolerance")
    own = contenders[reference]
    return {
        name: about["extra_epochs"]
        for name, about in contenders.items()
        if name != reference and all(about[key] == own[key] for key in same)
    }


def _cut(folder: SweepFolder, parts: int) -> Iterator[Results]:
    """Yield what each part with a timed run shows; its id is the sweep's and a number."""
    plan = folder.plan()
    if plan is None:
        raise ResultsError(f"{folder.path}: has no plan.json, so its rounds cannot be cut into parts")
    of_part: dict[int, list[Row]] = {}
    for row in folder.rows():
        if not row.run.warm_up:
            part = (row.run.round - 1) * parts // plan.rounds_of(row.run)
            of_part.setdefault(part, []).append(row)
    for part, rows in of_part.items():
        with suppress(NothingMeasured):
            yield replace(understand(folder, rows=rows), sweep=f"{plan.sweep}+{part + 1}")


def read(path: Path) -> pd.DataFrame:
    """Return the table that ``selfcheck`` wrote, if any; raise ResultsError for any other file."""
    texts = ["sweep", "machine", "contender", "reference", "measure", "verdict"]
    table = read_csv(path, COLUMNS, "make selfcheck", texts=texts, flags=["holds"], blank=["extra_epochs"])
    return table[table["measure"].isin(MEASURES.values())]


def shares(table: pd.DataFrame) -> pd.DataFrame:
    """Return how often the interval holds, and a difference is seen, by contender and measure.

    Both with the exact binomial interval of the share, and the median half width of the intervals.
    """
    lines = []
    for (contender, measure), own in table.groupby(["contender", "measure"], sort=False):
        holds, seen = int(own["holds"].sum()), int(own["verdict"].isin(["faster", "slower"]).sum())
        half_width = float(np.median(np.log(own["high"] / own["low"]))) / 2.0
        counts = holds, *share_interval(holds, len(own)), seen, *share_interval(seen, len(own))
        lines.append((contender, measure, len(own), own["true_ratio"].iloc[0], half_width, *counts))
    names = ["contender", "measure", "sweeps", "true_ratio", "half_width"]
    names += [f"{count}{end}" for count in ("holds", "seen") for end in ("", "_low", "_high")]
    return pd.DataFrame(lines, columns=names)
