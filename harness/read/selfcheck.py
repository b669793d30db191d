"""What many sweeps of one plan show about the harness: how often it is right. Pure."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from harness.read.intervals import share_interval
from harness.read.results import Results

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
    """Return the table that ``selfcheck`` wrote."""
    table = pd.read_csv(path)
    return table.assign(holds=table["holds"] == "yes")


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


def sentence(table: pd.DataFrame) -> str:
    """Say how often intervals held, how often there was a false alarm, and what difference is seen."""
    of_training = table[table["measure"] == "training"]
    equal = table[(table["extra_epochs"] == 0.0) & table["measure"].isin(["training", "process"])]
    alarms = int(equal["verdict"].isin(["faster", "slower"]).sum())
    held = table[table["measure"].isin(["training", "process"])]
    low, high = share_interval(int(held["holds"].sum()), len(held))
    slowed = of_training[of_training["extra_epochs"] > 0.0]
    seen = (slowed["verdict"] == "slower").groupby(slowed["extra_epochs"]).mean()
    enough = [extra for extra in seen.index if (seen[extra:] >= SEEN).all()]
    least = f"a difference of {enough[0]:.0%} is seen" if enough else "no difference is seen"
    return (
        f"On {table['machine'].iloc[-1]}, {held['holds'].sum()} of {len(held)} intervals held"
        f" ({low:.0%} to {high:.0%}), {_count(alarms, 'false alarm')} in {len(equal)} comparisons of"
        f" {table['reference'].iloc[-1]} with itself, {least} in at least {SEEN * 10:.0f} of 10 sweeps."
    )


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"
