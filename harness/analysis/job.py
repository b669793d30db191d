"""Seconds of a whole job: start-up, data, compiling, and as many training steps as are asked for. Pure.

A run stands for longer ones, because a contender has as many epochs as its timing takes. So a job is the sum
of what happens once and its steps. If the run is the job itself, that sum is what was measured.
"""

import numpy as np
import pandas as pd
from scipy.optimize import nnls

from harness.analysis.frames import LANE
from harness.analysis.intervals import Numbers
from harness.case import ARTICLE_JOB, Shape
from harness.plan import Plan

WARM, STILL_WARMING = "warms up", "still warming up"
"""What is said of a contender that becomes faster while it runs: its runs are the job, or are too short."""


def warming(plan: Plan | None) -> dict[tuple[str, str, str], tuple[str, float]]:
    """Return who warms up, by method, shape and contender, and the seconds that it takes."""
    found = {}
    for planned in plan.cases if plan else ():
        for name, seconds in planned.warm_up_s.items():
            is_job = plan and planned.of(name).training_steps >= plan.options.job.training_steps
            lane = planned.case.method, str(planned.case.shape), name
            found[lane] = (WARM, seconds) if is_job else (STILL_WARMING, 0.0)
    return found


def with_jobs(runs: pd.DataFrame, plan: Plan | None) -> pd.DataFrame:
    """Add ``warming``, ``step_s``, the seconds of a training step, and ``job_s``, those of the job.

    The step of a contender that warms up is that of the end of its run, if that is half of it. The samples
    that a run lacks to those of the job take what ``startup`` finds.
    """
    found = warming(plan)
    job = plan.options.job if plan else ARTICLE_JOB
    lanes = pd.Series(list(runs[LANE].itertuples(index=False, name=None)), index=runs.index)
    words = lanes.map(lambda lane: found.get(lane, ("", 0.0))[0])
    warm_up_s = lanes.map(lambda lane: found.get(lane, ("", 0.0))[1]).astype(float)
    steps = runs["samples"] * runs["epochs"]
    step_s = (runs["training_s"] - warm_up_s) / steps
    # Pilots find a warm-up that is most of a run too roughly to leave a step: its average has to do.
    is_most = warm_up_s > runs.groupby(LANE)["training_s"].transform("median") / 2.0
    step_s, warm_up_s = step_s.mask(is_most, runs["training_s"] / steps), warm_up_s.mask(is_most, 0.0)
    lacking = (job.samples - runs["samples"]) * runs["layers"].map(_weights)
    data_s = lacking * runs["contender"].map(_data_costs(runs)).fillna(0.0)
    once_s = runs["startup_s"] + data_s + runs["compile_s"].fillna(0.0) + warm_up_s
    return runs.assign(warming=words, step_s=step_s, job_s=once_s + job.training_steps * step_s)


def _weights(layers: str) -> int:
    return sum(Shape.parse(layers).weights)


def _data_costs(runs: pd.DataFrame) -> dict[str, float]:
    """Return the seconds that a start-up takes for each sample and weight, by contender."""
    medians = (
        runs.groupby(["contender", "layers", "samples"], sort=False)["startup_s"]
        .median()
        .dropna()
        .reset_index()
    )
    return {
        str(contender): startup(own["samples"] * own["layers"].map(_weights), own["startup_s"])[1]
        for contender, own in medians[medians["startup_s"] > 0.0].groupby("contender", sort=False)
    }


def startup(sample_weights: "pd.Series[float]", seconds: "pd.Series[float]") -> Numbers:
    """Return the fixed seconds of a start-up and those for each sample and weight, neither below 0.

    Least squares of the relative errors (Lawson & Hanson, 1974); nothing depends on what never varied.
    """
    work = np.column_stack([np.ones(len(seconds)), sample_weights]) / seconds.to_numpy(float)[:, None]
    if sample_weights.nunique() < 2:
        work[:, 1] = 0.0
    scale = np.where(work.any(axis=0), work.max(axis=0), 1.0)
    return np.asarray(nnls(work / scale, np.ones(len(seconds)))[0] / scale)
