"""What one would use instead of the fastest contender, and from which size on. Pure: tables in, tables out."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from harness.read.frames import CASE, in_order

STEPS = 100 * 100
"""Training steps of the article's training, 100 epochs of 100 samples: over so many a start-up is spread."""
COLUMNS = [
    *(*CASE, "contender", "fastest", "times_as_long", "low", "high", "verdict", "against_reference"),
    *("start_s", "article_s", "parity"),
]


SINCE = ("beats_from", "ties_from", "pays_from")


def fastest(medians: pd.DataFrame, names: Sequence[str]) -> str:
    """Return who has the shortest training step on most cases, of several the first of ``names``."""
    right = medians[medians["status"] == "ok"]
    best = right.loc[right.groupby(["method", "layers"])["median"].idxmin(), "contender"]
    return max(names, key=lambda name: int((best == name).sum()))


def alternatives(
    summary: pd.DataFrame,
    became: pd.DataFrame,
    speedups: pd.DataFrame,
    against_fastest: pd.DataFrame,
    name: str,
) -> pd.DataFrame:
    """Return a line per case and contender that has the right losses: how far it is from the contender ``name``.

    ``times_as_long`` a training step takes, with its interval and verdict, is the inverse of its ratio in
    ``against_fastest``; ``against_reference`` is the verdict of its ratio in ``speedups``. ``start_s`` is its
    start-up with what it compiles at run time, ``article_s`` that and the steps of the article's training.
    """
    seconds = summary[summary["status"] == "ok"].pivot_table(
        index=["method", "layers", "contender"], columns="measure", values="median", sort=False
    )
    parities = became.drop_duplicates(["method", "layers", "contender"]).set_index(list(seconds.index.names))
    ratios, verdicts = (
        table[(table["measure"] == "training") & ~table["control"]].set_index(list(seconds.index.names))
        for table in (against_fastest, speedups)
    )
    lines = []
    for lane, own in seconds.iterrows():
        about = parities.loc[lane]
        start_s = own["startup_s"] + (0.0 if np.isnan(own.get("compile_s", np.nan)) else own["compile_s"])
        line = {
            **{column: about[column] for column in CASE if column in about},
            **dict(zip(seconds.index.names, lane, strict=True)),
            **{"fastest": name, "times_as_long": 1.0, "low": np.nan, "high": np.nan},
            **{"verdict": "", "against_reference": ""},
            **{"start_s": start_s, "article_s": start_s + STEPS * own["step_s"], "parity": about["parity"]},
        }
        if lane in ratios.index:
            one = ratios.loc[lane]
            line |= {"times_as_long": 1.0 / one["ratio"], "low": 1.0 / one["high"], "high": 1.0 / one["low"]}
            line["verdict"] = one["verdict"]
        if lane in verdicts.index:
            line["against_reference"] = verdicts.loc[lane]["verdict"]
        lines.append(line)
    return in_order(pd.DataFrame(lines, columns=COLUMNS))


def thresholds(table: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Return from how many neurons on, up to the largest size, each contender is worth it; nan if nowhere.

    ``beats_from``: its step is surely shorter than the reference's. ``ties_from``: it cannot be told from the
    fastest contender, or is ahead. ``pays_from``: with its start-up it is through the article's training before
    the reference.
    """
    lines = []
    for method, group in table.groupby("method", sort=False):
        limit = group[group["contender"] == reference].set_index("layers")["article_s"]
        for contender, own in group.groupby("contender", sort=False):
            sizes = own.sort_values("neurons", kind="stable")
            pays = sizes["article_s"].to_numpy() < sizes["layers"].map(limit).to_numpy(float)
            holds = {
                "beats_from": sizes["against_reference"].eq("faster").to_numpy(),
                "ties_from": sizes["verdict"].isin(["", "cannot tell", "equal", "faster"]).to_numpy(),
                "pays_from": pays | sizes["layers"].map(limit).isna().to_numpy(),
            }
            neurons = sizes["neurons"].to_numpy(float)
            since = {name: neurons[_tail(right)] if right[-1] else np.nan for name, right in holds.items()}
            lines.append(
                {
                    "method": method,
                    "contender": contender,
                    "start_s": sizes["start_s"].min(),
                    **since,
                }
            )
    return pd.DataFrame(lines, columns=["method", "contender", "start_s", *SINCE])


def _tail(right: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> int:
    """Return where the run of true values begins with which ``right`` ends."""
    wrong = np.flatnonzero(~right)
    return int(wrong[-1]) + 1 if wrong.size else 0
