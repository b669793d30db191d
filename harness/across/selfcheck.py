"""What many sweeps of one plan show about the harness: how often it is right. Pure."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from harness.analysis.frames import read_csv
from harness.analysis.intervals import share_interval
from harness.analysis.ratios import MEASURES
from harness.analysis.results import Results

COLUMNS = [
    *("sweep", "machine", "contender", "reference", "measure", "extra_epochs"),
    *("rounds", "effective_rounds", "ratio", "low", "high", "level", "verdict", "true_ratio", "holds"),
]
SEEN = 0.9
"""The share of sweeps in which a difference must be seen to be called one that is."""


def intervals(sweeps: Sequence[Results]) -> pd.DataFrame:
    """Return a line for each sweep, contender and measure: the interval, and whether it holds what is true.

    ``true_ratio`` is 1 for a copy of the reference without extra work, else the median over all sweeps.
    ``extra_epochs`` is empty for whoever is no copy. The control is in no line: its own interval is the floor
    of the verdicts.
    """
    tables = []
    for results in sweeps:
        table = results.speedups[~results.speedups["control"] & (results.speedups["rounds"] > 1)]
        machine = results.environment
        commands = {name: about["command"] for name, about in machine["contenders"].items()}
        extra = {
            name: about["extra_epochs"]
            for name, about in machine["contenders"].items()
            if name != results.reference and commands[name] == commands[results.reference]
        }
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
