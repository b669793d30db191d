"""Times of each contender on each case, and how many times as fast as the reference it is. Pure."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from harness.analysis.frames import CASE, LANE
from harness.analysis.intervals import Numbers, median_interval, verdict
from harness.analysis.job import STILL_WARMING
from harness.rows import WITH_LOSSES

MEASURES = {"step_s": "training", "job_s": "job"}
"""What ratios are made of: a column of the runs, and the word for it."""
Lane = tuple[str, str, str, bool]
"""Whose runs: method, shape, contender, control."""
SUMMARISED = ["step_s", "job_s", "startup_s", "compile_s", "peak_memory_bytes"]
_OUTLIER = 3.5
"""Modified z-score of an outlier (Iglewicz & Hoaglin, How to Handle Outliers, 1993)."""
_MAD_TO_SIGMA = 1.4826
COLUMNS = [
    *CASE,
    *("contender", "reference", "control", "measure", "samples", "epochs", "reference_epochs"),
    *("rounds", "effective_rounds", "lag1"),
    *("ratio", "low", "high", "floor", "floor_layers", "verdict", "parity"),
]
_NUMBERS = (
    "samples",
    "epochs",
    "reference_epochs",
    "effective_rounds",
    "lag1",
    "ratio",
    "low",
    "high",
    "floor",
)


def summary(rounds: Mapping[Lane, pd.DataFrame], became: pd.DataFrame) -> pd.DataFrame:
    """Return a line per case, contender and measure: status, and the spread of its values.

    A contender that never had the right losses on a case has the times of the wrong ones.
    """
    lines: list[dict[Any, Any]] = []
    for one in became[became["status"].isin(WITH_LOSSES) & ~became["control"]].to_dict("records"):
        own = rounds[one["method"], one["layers"], one["contender"], False]
        for measure in SUMMARISED:
            known = own.dropna(subset=measure)
            if len(known):
                values = spread(known[measure].to_numpy(), known["layout"].to_numpy())
                lines.append({**one, "measure": measure, **values})
    about = ["contender", "measure", "status", "warming", "samples", "epochs"]
    return pd.DataFrame(lines, columns=[*CASE, *about, *spread(np.zeros(1))])


def spread(values: Numbers, layouts: Numbers | None = None) -> dict[str, float]:
    """Describe a sample: n, median and its interval, MAD (unscaled), minimum, quartiles, outliers."""
    median = float(np.median(values))
    distances = np.abs(values - median)
    mad = float(np.median(distances))
    far = distances > _OUTLIER * _MAD_TO_SIGMA * mad
    lower, upper = np.percentile(values, [25, 75])
    return {
        "n": int(values.size),
        "median": median,
        **median_interval(values, layouts)._asdict(),
        "mad": mad,
        "minimum": float(values.min()),
        "lower_quartile": float(lower),
        "upper_quartile": float(upper),
        "outliers": int(far.sum()) if mad > 0 else 0,
    }


def speedups(
    rounds: Mapping[Lane, pd.DataFrame], became: pd.DataFrame, reference: str, margin: float | None
) -> pd.DataFrame:
    """Return how many times as fast as the reference each contender is, per case and measure.

    The ratio is the median of the ratios within each round, reference over contender, with an interval over
    the rounds. A control is a contender against itself. ``floor`` is the factor of 1 within which its
    interval lies, ``floor_layers`` its shape: the nearest in size of the same method. Without a ratio the
    verdict is the contender's status, or ``cannot tell`` if that is ok; who is still warming up has none.
    """
    lanes = became[became["status"] == "ok"][[*LANE, "control"]].itertuples(index=False, name=None)
    right = {lane: rounds[lane][~rounds[lane]["torn"]] for lane in lanes}
    of_lane = became.set_index([*LANE, "control"])[["epochs", "warming"]].to_dict("index")
    unknown = {"epochs": math.nan, "warming": ""}
    none = pd.DataFrame(columns=[*MEASURES, "layout"], dtype=float)
    lines: list[dict[Any, Any]] = []
    for one in became.to_dict("records"):
        name, control = one["contender"], one["control"]
        if name == reference and not control:
            continue
        case, against = (one["method"], one["layers"]), name if control else reference
        above, below = right.get((*case, against, False), none), right.get((*case, name, control), none)
        ratios = (above[[*MEASURES]] / below[[*MEASURES]]).dropna()
        layouts = above["layout"].where(above["layout"] > 0, below["layout"]).reindex(ratios.index).to_numpy()
        for column, measure in MEASURES.items():
            values = ratios[column].to_numpy()
            about = {"reference": against, "measure": measure, "rounds": values.size}
            other = of_lane.get((*case, against, False), unknown)
            about |= {"reference_epochs": other["epochs"]}
            if STILL_WARMING in (one["warming"], other["warming"]):
                about |= {"warming": STILL_WARMING}
            middle = float(np.median(values)) if values.size else math.nan
            found = median_interval(values, layouts)
            lines.append({**one, **about, "ratio": middle, **found._asdict()})
    floors = [line for line in lines if line["control"] and line["rounds"] > 1]
    for line in lines:
        kind, neurons = (line["method"], line["measure"]), line["neurons"]
        own = [floor for floor in floors if (floor["method"], floor["measure"]) == kind]
        nearest = min(own, key=lambda floor: abs(math.log(floor["neurons"] / neurons)), default=None)
        line["floor"] = max(nearest["high"], 1.0 / nearest["low"]) if nearest else math.nan
        line["floor_layers"] = nearest["layers"] if nearest else ""
        word = verdict(line["ratio"], line["low"], line["high"], line["floor"], margin)
        line["verdict"] = word if line["status"] == "ok" else line["status"]
        if line["status"] == "ok" and line["warming"] == STILL_WARMING:
            line["verdict"] = STILL_WARMING
    # Without a line there are no numbers to tell the types from.
    return pd.DataFrame(lines, columns=COLUMNS).astype({"control": bool, **dict.fromkeys(_NUMBERS, float)})
