"""What the parts of a long sweep, each taken for a sweep, show about the harness: how often it is right."""

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
"""The share of sweeps in which a difference must be seen to be called one that is."""


def intervals(folder: SweepFolder, parts: int) -> pd.DataFrame:
    """Return a line for each part of a sweep, contender and measure: the interval, and whether it is right.

    The rounds are cut into so many ``parts`` of consecutive ones. ``true_ratio`` is 1 for a copy of the
    reference without extra work, else the median over all parts. ``extra_epochs`` is empty for whoever is no
    copy. The control is in no line: its own interval is the floor of the verdicts.
    """
    tables = []
    for results in _cut(folder, parts):
        table = results.speedups[~results.speedups["control"] & (results.speedups["rounds"] > 1)]
        machine = results.environment
        extra = extra_epochs(machine["contenders"], results.reference)
        tables.append(
            table.assign(
                sweep=results.sweep,
                machine=f"{machine['cpu']}, {machine['usable_cores']} cores",
                extra_epochs=table["contender"].map(extra).astype(float),
            )
        )
    if not tables:
        return pd.DataFrame(columns=COLUMNS)
    table = pd.concat(tables, ignore_index=True)
    medians = table.groupby(["contender", "measure"])["ratio"].transform("median")
    table["true_ratio"] = np.where(table["extra_epochs"] == 0.0, 1.0, medians)
    table["holds"] = (table["low"] <= table["true_ratio"]) & (table["true_ratio"] <= table["high"])
    return table[COLUMNS]


def extra_epochs(contenders: Mapping[str, Mapping[str, Any]], reference: str) -> dict[str, float]:
    """Return the share of additional epochs of each copy of the reference, from what is known of contenders.

    A copy has the reference's command, threads, variables and tolerance.
    """
    same = ("command", "threads", "env", "tolerance")
    own = contenders[reference]
    return {
        name: about["extra_epochs"]
        for name, about in contenders.items()
        if name != reference and all(about[key] == own[key] for key in same)
    }


def _cut(folder: SweepFolder, parts: int) -> Iterator[Results]:
    """Yield what each part of a sweep shows that has a timed run; its id is the sweep's and a number."""
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
    """Return for each contender and measure how often the interval holds, and a difference is seen.

    Both with the exact binomial interval of the share, and the mean half width of the intervals.
    """
    lines = []
    for (contender, measure), own in table.groupby(["contender", "measure"], sort=False):
        holds, seen = int(own["holds"].sum()), int(own["verdict"].isin(["faster", "slower"]).sum())
        lines.append(
            {
                "contender": contender,
                "measure": measure,
                "sweeps": len(own),
                "true_ratio": own["true_ratio"].iloc[0],
                "half_width": float(np.median(np.log(own["high"] / own["low"]))) / 2.0,
                "holds": holds,
                **dict(zip(("holds_low", "holds_high"), share_interval(holds, len(own)), strict=True)),
                "seen": seen,
                **dict(zip(("seen_low", "seen_high"), share_interval(seen, len(own)), strict=True)),
            }
        )
    return pd.DataFrame(lines)
