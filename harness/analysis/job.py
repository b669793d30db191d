"""Seconds of a whole job: start-up, data, compiling, and as many training steps as are asked for. Pure.

A contender has as many epochs as its timing takes, so a job is the sum of what happens once and its steps.
"""

import numpy as np
import pandas as pd
from scipy.optimize import nnls

from harness.analysis.frames import LANE
from harness.analysis.intervals import Numbers
from harness.case import Shape
from harness.plan import Plan

WARM, STILL_WARMING = "warms up", "still warming up"
"""A contender becomes faster while it runs, and its runs are the job, or too short."""


def warming(plan: Plan) -> pd.DataFrame:
    """Return which contender warms up on which case, and its seconds if its runs are the job."""
    lines = []
    for planned in plan.cases:
        for name, seconds in planned.warm_up_s.items():
            is_job = planned.of(name).training_steps >= plan.options.job.training_steps
            found = (WARM, seconds) if is_job else (STILL_WARMING, 0.0)
            lines.append((planned.case.method, str(planned.case.shape), name, *found))
    return pd.DataFrame(lines, columns=[*LANE, "warming", "warm_up_s"]).astype({"warm_up_s": float})


def with_jobs(runs: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """Add ``warming``, ``step_s``, the seconds of a training step, and ``job_s``, those of the job.

    The step of a contender that warms up is that of the end of its run, if that is half of it. The samples
    that a run lacks to those of the job take what ``startup`` finds.
    """
    job = plan.options.job
    runs = runs.merge(warming(plan), "left", on=LANE).fillna({"warming": "", "warm_up_s": 0.0})
    # Pilots are too rough to subtract a warm-up that is most of a run.
    is_most = runs["warm_up_s"] > runs.groupby(LANE)["training_s"].transform("median") / 2.0
    warm_up_s = runs.pop("warm_up_s").mask(is_most, 0.0)
    step_s = (runs["training_s"] - warm_up_s) / (runs["samples"] * runs["epochs"])
    weights = runs["layers"].map(lambda layers: sum(Shape.parse(layers).weights))
    cost_s = runs["contender"].map(_data_costs(runs, weights)).fillna(0.0)
    data_s = (job.samples - runs["samples"]) * weights * cost_s
    once_s = runs["startup_s"] + data_s + runs["compile_s"].fillna(0.0) + warm_up_s
    return runs.assign(step_s=step_s, job_s=once_s + job.training_steps * step_s)


def _data_costs(runs: pd.DataFrame, weights: "pd.Series[int]") -> dict[str, float]:
    """Return the seconds that a start-up takes for each sample and weight, by contender."""
    work = runs[["contender", "layers", "samples", "startup_s"]].assign(work=runs["samples"] * weights)
    sizes = work.groupby(["contender", "layers", "samples"], sort=False).median()
    return {
        str(contender): startup(own["work"], own["startup_s"])[1]
        for contender, own in sizes[sizes["startup_s"] > 0.0].groupby("contender", sort=False)
    }


def startup(sample_weights: "pd.Series[float]", seconds: "pd.Series[float]") -> Numbers:
    """Return the fixed seconds of a start-up and those for each sample and weight, neither below 0.

    What never varied costs nothing.
    """
    varied = sample_weights * (sample_weights.nunique() > 1)
    work = np.array([np.ones(len(seconds)), varied], float).T
    return relative_fit(work, np.asarray(seconds, float))


def relative_fit(work: Numbers, seconds: Numbers) -> Numbers:
    """Return non-negative seconds for each column of ``work``, a row of which took ``seconds``.

    Least squares of the relative errors (Lawson & Hanson, Solving Least Squares Problems, 1974).
    """
    relative = work / seconds[:, None]
    # Columns of like size keep the problem well conditioned.
    scale = relative.max(axis=0)
    scale[scale == 0.0] = 1.0
    return np.asarray(nnls(relative / scale, np.ones(len(seconds)))[0] / scale)
