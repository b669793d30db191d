"""Alternatives to the fastest contender, and from which size on each is worth it. Pure."""

from collections.abc import Sequence

import pandas as pd

from harness.analysis.crossover import since
from harness.analysis.frames import CASE, LANE, only
from harness.analysis.job import STILL_WARMING

COLUMNS = [
    *(*CASE, "contender", "fastest", "times_as_long", "low", "high", "verdict", "against_reference"),
    *("startup_s", "compile_s", "job_s", "warming", "parity"),
]
SINCE = ("beats_from", "ties_from", "pays_from")


def fastest(medians: pd.DataFrame, names: Sequence[str]) -> str:
    """Return the contender with the shortest training step on most cases; of several, the first named."""
    right = only(medians, status="ok")
    best = right.loc[right.groupby(["method", "layers"])["median"].idxmin(), "contender"].tolist()
    return max(names, key=best.count)


def alternatives(
    standings: pd.DataFrame, summary: pd.DataFrame, against_fastest: pd.DataFrame, name: str
) -> pd.DataFrame:
    """Return alternatives.csv: how far contenders are from the one called ``name``, by case."""
    seconds = summary.pivot(index=LANE, columns="measure", values="median")
    seconds = seconds.reindex(columns=["startup_s", "compile_s", "job_s"]).fillna({"compile_s": 0.0})
    ratios = only(against_fastest, control=False, measure="training")
    table = (
        only(standings, status="ok")
        .join(seconds, on=LANE)
        .join(ratios.set_index(LANE)[["ratio", "low", "high", "verdict"]], on=LANE)
        .fillna({"verdict": ""})
        .rename(columns={"training_verdict": "against_reference"})
    )
    return table.assign(
        fastest=name,
        times_as_long=1.0 / table["ratio"].where(table["contender"] != name, 1.0),
        low=1.0 / table["high"],
        high=1.0 / table["low"],
    )[COLUMNS].reset_index(drop=True)


def thresholds(table: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Return from how many neurons on, to the fastest's largest size, each is worth it; nan if nowhere.

    ``beats_from``: its step is faster than the reference's. ``ties_from``: it cannot be told from the fastest
    contender, or is ahead. ``pays_from``: it ends the job before the reference. A reference without a time is
    beaten. A contender that is still warming up does none of this.
    """
    case = ["method", "layers"]
    limits = only(table, contender=reference).set_index(case)["job_s"].rename("limit_s")
    table = table.join(limits, on=case)
    table = table.assign(
        beats_from=(table["against_reference"] == "faster") | table["limit_s"].isna(),
        ties_from=table["verdict"].isin(["", "cannot tell", "equal", "faster"])
        & table["times_as_long"].notna(),
        pays_from=~(table["job_s"] >= table["limit_s"]) & (table["warming"] != STILL_WARMING),
    )
    measured = table[table["contender"] == table["fastest"]].sort_values("neurons", kind="stable")
    lines = []
    for (method, contender), own in table.groupby(["method", "contender"], sort=False):
        # A size that only the fastest ended well counts against the other.
        sizes = only(measured, method=method)[["layers", "neurons"]].merge(own[["layers", *SINCE]], "left")
        found = [since(sizes["neurons"].tolist(), sizes[name].eq(True)) for name in SINCE]
        lines.append((method, contender, own["startup_s"].min(), own["compile_s"].min(), *found))
    return pd.DataFrame(lines, columns=["method", "contender", "startup_s", "compile_s", *SINCE])
