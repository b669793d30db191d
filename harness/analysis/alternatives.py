"""What one would use instead of the fastest contender, and from which size on. Pure."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from harness.analysis.frames import CASE, in_order
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
    summary: pd.DataFrame,
    became: pd.DataFrame,
    speedups: pd.DataFrame,
    against_fastest: pd.DataFrame,
    name: str,
) -> pd.DataFrame:
    """Return a line per case and contender that has the right losses: how far it is from contender ``name``.

    ``times_as_long`` a training step takes, with its interval and verdict, is the inverse of its ratio in
    ``against_fastest``; ``against_reference`` is the verdict of its ratio in ``speedups``. ``startup_s`` is
    its start-up, ``compile_s`` what it compiles at run time, ``article_s`` both and the steps of the
    article's training.
    """
    right = summary[summary["status"] == "ok"]
    seconds = {(*_lane(one), one["measure"]): one["median"] for one in right.to_dict("records")}
    ratios, verdicts = (
        {
            _lane(one): one
            for one in table.to_dict("records")
            if one["measure"] == "training" and not one["control"]
        }
        for table in (against_fastest, speedups)
    )
    lines = []
    for about in became[(became["status"] == "ok") & ~became["control"]].to_dict("records"):
        lane = _lane(about)
        startup_s, compile_s = seconds[*lane, "startup_s"], seconds.get((*lane, "compile_s"), 0.0)
        ratio = ratios.get(lane, _ITSELF)
        lines.append(
            {
                **{column: about[column] for column in (*CASE, "contender", "parity")},
                "fastest": name,
                "times_as_long": 1.0 / ratio["ratio"],
                "low": 1.0 / ratio["high"],
                "high": 1.0 / ratio["low"],
                "verdict": ratio["verdict"],
                "against_reference": verdicts.get(lane, _ITSELF)["verdict"],
                "startup_s": startup_s,
                "compile_s": compile_s,
                "article_s": startup_s + compile_s + ARTICLE_RUN.training_steps * seconds[*lane, "step_s"],
            }
        )
    return in_order(pd.DataFrame(lines, columns=COLUMNS))


_ITSELF: Mapping[str, Any] = {"ratio": 1.0, "low": np.nan, "high": np.nan, "verdict": ""}


def _lane(one: Mapping[Hashable, Any]) -> tuple[str, str, str]:
    return one["method"], one["layers"], one["contender"]


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
