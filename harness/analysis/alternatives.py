"""What one would use instead of the fastest contender, and from which size on. Pure."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from harness.analysis.frames import CASE, LANE
from harness.case import ARTICLE_RUN

COLUMNS = [
    *(*CASE, "contender", "fastest", "times_as_long", "low", "high", "verdict", "against_reference"),
    *("startup_s", "compile_s", "article_s", "parity"),
]


SINCE = ("beats_from", "ties_from", "pays_from")


def fastest(medians: pd.DataFrame, names: Sequence[str]) -> str:
    """Return who has the shortest training step on most cases, of several the first of ``names``."""
    right = medians[medians["status"] == "ok"]
    best = right.loc[right.groupby(["method", "layers"])["median"].idxmin(), "contender"]
    return max(names, key=lambda name: int((best == name).sum()))


def alternatives(
    standings: pd.DataFrame, summary: pd.DataFrame, against_fastest: pd.DataFrame, name: str
) -> pd.DataFrame:
    """Return a line per case and contender that has the right losses: how far it is from contender ``name``.

    ``times_as_long`` a training step takes, with its interval and verdict, is the inverse of its ratio in
    ``against_fastest``; ``against_reference`` is the verdict of its own. ``startup_s`` is its start-up,
    ``compile_s`` what it compiles at run time, ``article_s`` both and the steps of the article's training.
    """
    seconds = summary.pivot(index=LANE, columns="measure", values="median")
    ratios = against_fastest[~against_fastest["control"] & (against_fastest["measure"] == "training")]
    table = (
        standings[standings["status"] == "ok"]
        .join(seconds.reindex(columns=["startup_s", "compile_s"]).fillna({"compile_s": 0.0}), on=LANE)
        .join(ratios.set_index(LANE)[["ratio", "low", "high", "verdict"]], on=LANE)
        .fillna({"verdict": ""})
        .rename(columns={"training_verdict": "against_reference"})
    )
    steps_s = ARTICLE_RUN.training_steps * table["step_s"]
    return table.assign(
        fastest=name,
        times_as_long=1.0 / table["ratio"].where(table["contender"] != name, 1.0),
        low=1.0 / table["high"],
        high=1.0 / table["low"],
        article_s=table["startup_s"] + table["compile_s"] + steps_s,
    )[COLUMNS].reset_index(drop=True)


def thresholds(table: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Return from how many neurons on, up to the largest size, each contender is worth it; nan if nowhere.

    ``beats_from``: its step is surely shorter than the reference's. ``ties_from``: it cannot be told from the
    fastest contender, or is ahead. ``pays_from``: with its start-up it is through the article's training
    before the reference, or the reference has no time there.
    """
    lines = []
    for method, group in table.groupby("method", sort=False):
        limit = group[group["contender"] == reference].set_index("layers")["article_s"]
        for contender, own in group.groupby("contender", sort=False):
            sizes = own.sort_values("neurons", kind="stable")
            limits = sizes["layers"].map(limit).to_numpy(float)
            holds = {
                "beats_from": sizes["against_reference"].eq("faster").to_numpy(),
                "ties_from": sizes["verdict"].isin(["", "cannot tell", "equal", "faster"]).to_numpy(),
                "pays_from": (sizes["article_s"].to_numpy() < limits) | np.isnan(limits),
            }
            neurons = sizes["neurons"].to_numpy(float)
            since = {name: neurons[_tail(right)] if right[-1] else np.nan for name, right in holds.items()}
            before = {name: sizes[name].min() for name in ("startup_s", "compile_s")}
            lines.append({"method": method, "contender": contender, **before, **since})
    return pd.DataFrame(lines, columns=["method", "contender", "startup_s", "compile_s", *SINCE])


def _tail(right: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> int:
    """Return where the run of true values begins with which ``right`` ends."""
    wrong = np.flatnonzero(~right)
    return int(wrong[-1]) + 1 if wrong.size else 0
