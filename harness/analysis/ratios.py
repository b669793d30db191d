"""Times of contenders, and how many times as fast as the reference they are. Pure."""

import math
from collections.abc import Mapping
from functools import cache
from statistics import median
from typing import Any

import numpy as np
import pandas as pd

from harness.analysis.frames import CASE, LANE, only
from harness.analysis.intervals import BLOCKS, Numbers, block_medians, median_interval, verdict
from harness.analysis.job import STILL_WARMING
from harness.rows import WITH_LOSSES

MEASURES = {"step_s": "training", "job_s": "job"}
"""What has ratios: columns of the runs, and the word for each."""
Lane = tuple[str, str, str, bool]
"""Whose runs: method, shape, contender, control."""
Rounds = Mapping[Lane, pd.DataFrame]
"""The timed runs of each lane that have its status, by round."""
SUMMARISED = ["step_s", "job_s", "startup_s", "compile_s", "peak_memory_bytes"]
_OUTLIER = 3.5
"""Modified z-score of an outlier (Iglewicz & Hoaglin, How to Handle Outliers, 1993)."""
_MAD_TO_SIGMA = 1.4826
_EPOCHS = ("samples", "epochs", "reference_epochs")
_INTERVAL = ("effective_rounds", "lag1", "ratio", "low", "high", "floor")
COLUMNS = [
    *(*CASE, "contender", "reference", "control", "measure", *_EPOCHS, "rounds", *_INTERVAL),
    *("floor_layers", "verdict", "parity"),
]


def summary(rounds: Rounds, became: pd.DataFrame) -> pd.DataFrame:
    """Return summary.csv; a contender that never had the right losses has the times of the wrong ones."""
    lines: list[dict[Any, Any]] = []
    for one in only(became[became["status"].isin(WITH_LOSSES)], control=False).to_dict("records"):
        own = rounds[one["method"], one["layers"], one["contender"], False]
        layouts = own["layout"].to_numpy()
        for measure in SUMMARISED:
            values = own[measure].to_numpy(float)
            if (known := ~np.isnan(values)).any():
                lines.append({**one, "measure": measure, **spread(values[known], layouts[known])})
    about = ["contender", "measure", "status", "warming", "samples", "epochs"]
    return pd.DataFrame(lines, columns=[*CASE, *about, *spread(np.zeros(1))])


def spread(values: Numbers, layouts: Numbers | None = None) -> dict[str, float]:
    """Describe a sample: n, median and its interval, MAD (unscaled), minimum, quartiles, outliers."""
    middle = median(values.tolist())
    lower, upper = np.percentile(values, [25, 75]).tolist()
    distances = np.abs(values - middle)
    mad = median(distances.tolist())
    return {
        "n": values.size,
        "median": middle,
        **median_interval(values, layouts)._asdict(),
        "mad": mad,
        "minimum": float(values.min()),
        "lower_quartile": lower,
        "upper_quartile": upper,
        "outliers": int((distances > _OUTLIER * _MAD_TO_SIGMA * mad).sum()) if mad > 0 else 0,
    }


def steps_by_block(rounds: Rounds, medians: pd.DataFrame) -> Numbers:
    """Return a row for each block, no more than there are rounds: the median step of each of ``medians``."""
    lanes = medians[LANE].itertuples(index=False, name=None)
    steps_s = [rounds[method, layers, contender, False]["step_s"] for method, layers, contender in lanes]
    blocks = min(BLOCKS, *map(len, steps_s))
    return np.array([block_medians(own.to_numpy(float), blocks) for own in steps_s]).T


def speedups(rounds: Rounds, became: pd.DataFrame, reference: str, margin: float | None) -> pd.DataFrame:
    """Return speedup.csv; a ratio is the median of those of the rounds, reference over contender."""
    of_lane = became.set_index([*LANE, "control"]).to_dict("index")
    unknown = {"status": "", "epochs": math.nan, "warming": ""}
    none = pd.DataFrame(columns=[*MEASURES, "layout", "torn"], dtype=float)

    @cache
    def right(lane: Lane) -> pd.DataFrame:
        own = rounds[lane] if of_lane.get(lane, unknown)["status"] == "ok" else none
        return own.loc[own["torn"] == 0, [*MEASURES, "layout"]]

    lines: list[dict[Any, Any]] = []
    for one in became.to_dict("records"):
        name, control = one["contender"], one["control"]
        if name == reference and not control:
            continue
        against: Lane = (one["method"], one["layers"], name if control else reference, False)
        both = right(against).align(right((*against[:2], name, control)), "inner", axis=0)
        above, below = (own.to_numpy(float) for own in both)
        with np.errstate(all="ignore"):
            ratios = above / below
        known = ~np.isnan(ratios[:, : len(MEASURES)]).any(axis=1)
        layouts = np.where(above > 0, above, below)[known, -1]
        other = of_lane.get(against, unknown)
        is_warming = STILL_WARMING in (one["warming"], other["warming"])
        for values, measure in zip(ratios[known].T, MEASURES.values(), strict=False):
            ratio = median(values.tolist()) if values.size else math.nan
            line = {**one, "measure": measure, "rounds": values.size, "ratio": ratio}
            line |= {"reference": against[2], "reference_epochs": other["epochs"]}
            line |= {"warming": STILL_WARMING if is_warming else ""}
            lines.append(line | median_interval(values, layouts)._asdict())
    floors = [line for line in lines if line["control"] and line["rounds"] > 1]
    for line in lines:
        kind, neurons = (line["method"], line["measure"]), line["neurons"]
        own = [floor for floor in floors if (floor["method"], floor["measure"]) == kind]
        nearest = min(own, key=lambda floor: abs(math.log(floor["neurons"] / neurons)), default=None)
        line["floor"] = max(nearest["high"], 1.0 / nearest["low"]) if nearest else math.nan
        line["floor_layers"] = nearest["layers"] if nearest else ""
        word = verdict(line["ratio"], line["low"], line["high"], line["floor"], margin)
        line["verdict"] = (line["warming"] or word) if line["status"] == "ok" else line["status"]
    types = {"control": bool, **dict.fromkeys((*_EPOCHS, *_INTERVAL), float)}
    return pd.DataFrame(lines, columns=COLUMNS).astype(types)
