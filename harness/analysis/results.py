"""What a sweep showed: one value, computed once, from which every table and picture takes its numbers."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from harness.analysis import alternatives, cost, crossover, scaling
from harness.analysis.cost import Cost
from harness.analysis.frames import CASE, in_order, losses_frame, runs_frame, timed
from harness.analysis.intervals import Numbers, median_interval, verdict
from harness.case import ARTICLE, Shape
from harness.errors import NothingMeasured, UsageError
from harness.plan import Plan
from harness.records import SweepFolder
from harness.rows import FAILED, WITH_LOSSES, Row

MEASURES = {"training_s": "training", "wall_s": "process", "cpu_s": "cpu"}
"""What ratios are made of: a column of a frame of runs, and the word for it."""
LEFT_OUT, NOT_RUN = "left out", "not run"
"""The status of who was asked for: the plan has no run of it; the plan has, but none was timed yet."""
LANE = ["method", "layers", "contender", "control"]
Lane = tuple[str, str, str, bool]
"""Whose runs: method, shape, contender, control."""
_SUMMARISED = ("step_s", "training_s", "wall_s", "cpu_s", "startup_s", "compile_s", "peak_memory_bytes")
_OUTLIER = 3.5
"""Modified z-score from which on a run is flagged (Iglewicz & Hoaglin, How to Handle Outliers, 1993)."""
_MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """A sweep, understood. Frames are sorted by method, then by size."""

    sweep: str
    """The sweep's id."""
    path: Path
    """Its folder."""
    reference: str
    """The contender that the others are compared with."""
    contenders: tuple[str, ...]
    """All contenders, in the manifest's order."""
    environment: Mapping[str, Any]
    """The machine; empty if that is not known."""
    runs: pd.DataFrame
    """One line a run."""
    losses: pd.DataFrame
    """One line an epoch, per contender and case."""
    outcomes: pd.DataFrame
    """What became of each contender on each case, whether or not it can be compared."""
    summary: pd.DataFrame
    """Every measure per case and contender that has a time."""
    medians: pd.DataFrame
    """The part of the summary that is about the seconds of a training step."""
    speedups: pd.DataFrame
    """How many times as fast as the reference; the verdict of who has no ratio says why."""
    alternatives: pd.DataFrame
    """How far each contender is from the one that is the fastest on most cases."""
    exponents: pd.DataFrame
    """How training time grows with the neurons, and where that is no power law."""
    cut_offs: pd.DataFrame
    """The first run of each case and contender that failed."""
    costs: Mapping[tuple[str, str], Cost]
    """What a training step costs, by contender and method."""
    crossovers: pd.DataFrame
    """From which size on who overtakes whom, and start-up no longer counts."""

    @property
    def shape(self) -> str:
        """The shape that sentences and single pictures speak of: the article's, or else the smallest."""
        shapes = list(self.medians["layers"])
        return str(ARTICLE) if str(ARTICLE) in shapes else str(shapes[0])

    @property
    def thresholds(self) -> pd.DataFrame:
        """From which size on each contender is worth it; empty where there is nobody to choose from."""
        enough = len(self.contenders) > 2
        return alternatives.thresholds(self.alternatives if enough else self.alternatives[:0], self.reference)


def understand(
    folder: SweepFolder,
    reference: str | None = None,
    margin: float | None = None,
    only: tuple[str, Shape] | None = None,
    rows: Sequence[Row] | None = None,
) -> Results:
    """Return what the sweep in ``folder`` showed, compared with ``reference`` instead of the plan's.

    Ratios within the ``margin`` of 1, 0.05 for a twentieth, are called equal. ``only`` is the method and the
    shape of the one case that is wanted; ``rows`` are those of the folder that are, if not all.

    Raises NothingMeasured if there is nothing to show, UsageError if nobody is called ``reference``.
    """
    rows, plan = folder.rows() if rows is None else rows, folder.plan()
    if only:
        rows = [row for row in rows if (row.run.case.method, row.run.case.shape) == only]
        plan = plan.only(*only) if plan else None
    if not any(row.status in WITH_LOSSES and not (row.run.warm_up or row.run.control) for row in rows):
        raise NothingMeasured(f"{folder.path}: no timed run has ended well yet, so there is nothing to show")
    planned = plan.versions if plan else ()
    contenders = tuple(dict.fromkeys([*planned, *(row.run.contender for row in rows)]))
    if reference is None:
        controls = (row.run.contender for row in rows if row.run.control)
        reference = plan.reference if plan else next(controls, contenders[0])
    if reference not in contenders:
        raise UsageError(f"--reference: got {reference!r}, takes {', '.join(contenders)}")
    runs = runs_frame(rows, contenders)
    lanes = {
        (str(method), str(layers), str(contender), bool(control)): own
        for (method, layers, contender, control), own in runs.groupby(LANE, sort=False)
    }
    became = outcomes(lanes, plan)
    spreads = summary(lanes, became)
    medians = spreads[spreads["measure"] == "step_s"].reset_index(drop=True)
    right = medians[medians["status"] == "ok"]
    steps = {
        (method, layers, contender): timed(own)["step_s"].to_numpy()
        for (method, layers, contender, control), own in lanes.items()
        if not control
    }
    costs = cost.costs(spreads, runs, steps)
    ratios = speedups(lanes, became, reference, margin)
    fastest = alternatives.fastest(medians, contenders)
    against_fastest = ratios if fastest == reference else speedups(lanes, became, fastest, margin)
    return Results(
        sweep=rows[0].sweep,
        path=folder.path,
        reference=reference,
        contenders=contenders,
        environment=folder.environment(),
        runs=runs,
        losses=losses_frame(folder.losses()),
        outcomes=became,
        summary=spreads,
        medians=medians,
        speedups=ratios,
        alternatives=alternatives.alternatives(spreads, became, ratios, against_fastest, fastest),
        exponents=scaling.exponents(right, steps),
        cut_offs=cut_offs(runs),
        costs=costs,
        crossovers=crossover.crossovers(costs, right, reference),
    )


def outcomes(lanes: Mapping[Lane, pd.DataFrame], plan: Plan | None) -> pd.DataFrame:
    """Return what became of everybody who was asked for: a line per case and contender, and per control.

    ``status`` is ok if a timed run had the right losses; or else mismatch if one had losses at all; or else
    why the first run failed; or else that none was timed, or planned. ``with_losses`` counts the runs that
    had some, warm-ups included, ``differing`` those of them that had wrong ones, and ``failure`` is why the
    first of those that failed did.
    """
    asked = _asked(plan) if plan else {}
    none = next(iter(lanes.values())).iloc[:0]
    lines = []
    for lane in {**asked, **lanes}:
        method, layers, contender, control = lane
        shape, own = Shape.parse(layers), lanes.get(lane, none)
        statuses, after_warm_up = list(own["status"]), set(own["status"][~own["warm_up"]])
        failure = next((status for status in statuses if status in FAILED), "")
        ended = [status for status in WITH_LOSSES if status in after_warm_up]
        words = [*ended, failure, *after_warm_up, asked.get(lane, NOT_RUN)]
        lines.append(
            {
                "method": method,
                "layers": layers,
                "neurons": shape.neurons,
                "parameters": shape.parameters,
                "multiply_adds": shape.multiply_adds(method),
                "contender": contender,
                "control": control,
                "status": next(filter(None, words)),
                "with_losses": sum(status in WITH_LOSSES for status in statuses),
                "differing": statuses.count("mismatch"),
                "parity": parity_of(own),
                "failure": failure,
            }
        )
    return in_order(pd.DataFrame(lines))


def _asked(plan: Plan) -> dict[Lane, str]:
    """Return the status that each lane has without a run."""
    asked: dict[Lane, str] = {}
    for planned in plan.cases:
        for name, control in planned.turns(plan.reference):
            asked[planned.case.method, str(planned.case.shape), name, control] = NOT_RUN
    for entry in plan.left_out:
        for name in [entry.contender] if entry.contender else plan.versions:
            asked[entry.method, str(entry.shape), name, False] = LEFT_OUT
    return asked


def parity_of(runs: pd.DataFrame) -> str:
    """Return the one word for the parity of several runs, or the first text that says worse."""
    wrong = runs["parity"][runs["status"] == "mismatch"]
    texts = [text for text in (*wrong, *runs["parity"]) if text]
    others = [text for text in texts if text not in ("identical", "reference")]
    return others[0] if others else "identical" if texts else ""


def summary(lanes: Mapping[Lane, pd.DataFrame], became: pd.DataFrame) -> pd.DataFrame:
    """Return a line per case, contender and measure: status, n, median and its interval, MAD, quartiles, ...

    Who never had the right losses on a case stays visible, marked, with the times of the wrong ones.
    """
    lines = []
    for one in became[became["status"].isin(WITH_LOSSES) & ~became["control"]].to_dict("records"):
        own = timed(lanes[one["method"], one["layers"], one["contender"], False], one["status"])
        about = {name: one[name] for name in (*CASE, "contender")}
        for measure in _SUMMARISED:
            values = own[measure].dropna().to_numpy()
            if values.size:
                lines.append({**about, "measure": measure, "status": one["status"], **spread(values)})
    return pd.DataFrame(lines, columns=[*CASE, "contender", "measure", "status", *spread(np.zeros(1))])


def spread(values: Numbers) -> dict[str, float]:
    """Describe a sample: n, median and its interval, MAD (unscaled), minimum, quartiles, outliers."""
    median = float(np.median(values))
    distances = np.abs(values - median)
    mad = float(np.median(distances))
    far = distances > _OUTLIER * _MAD_TO_SIGMA * mad
    lower, upper = np.percentile(values, [25, 75])
    return {
        "n": int(values.size),
        "median": median,
        **median_interval(values)._asdict(),
        "mad": mad,
        "minimum": float(values.min()),
        "lower_quartile": float(lower),
        "upper_quartile": float(upper),
        "outliers": int(far.sum()) if mad > 0 else 0,
    }


SPEEDUP_COLUMNS = [
    *CASE,
    *("contender", "reference", "control", "measure", "rounds", "effective_rounds", "lag1"),
    *("ratio", "low", "high", "level", "floor", "floor_layers", "verdict", "parity"),
]


def speedups(
    lanes: Mapping[Lane, pd.DataFrame], became: pd.DataFrame, reference: str, margin: float | None
) -> pd.DataFrame:
    """Return how many times as fast as the reference each contender is, per case and measure.

    The ratio is the median of the ratios within each round, reference over contender, with an interval over
    the rounds. A control line holds who ran twice a round against itself. ``floor`` is the factor of 1 within
    which its interval lies; ``floor_layers`` says of what shape, the nearest in size of the same method. If
    there is no ratio, the verdict is the contender's status, or ``cannot tell`` if that is ok.
    """
    right = {
        lane: timed(own).sort_values("round").set_index("round")[[*MEASURES]] for lane, own in lanes.items()
    }
    none = next(iter(right.values())).iloc[:0]
    lines: list[dict[Any, Any]] = []
    for one in became[became["status"] != LEFT_OUT].to_dict("records"):
        name, control = one["contender"], one["control"]
        against = name if control else reference
        if name == against and not control:
            continue
        case = one["method"], one["layers"]
        ratios = (right.get((*case, against, False), none) / right.get((*case, name, control), none)).dropna()
        for measure, word in MEASURES.items():
            values = ratios[measure].to_numpy()
            lines.append(
                {
                    **one,
                    "reference": against,
                    "measure": word,
                    "rounds": values.size,
                    "ratio": float(np.median(values)) if values.size else np.nan,
                    **median_interval(values)._asdict(),
                }
            )
    floors = [line for line in lines if line["control"] and line["rounds"] > 1]
    for line in lines:
        own = [
            floor
            for floor in floors
            if (floor["method"], floor["measure"]) == (line["method"], line["measure"])
        ]
        nearest = min(own, key=lambda floor: _distance(floor, line), default=None)
        line["floor"] = max(nearest["high"], 1.0 / nearest["low"]) if nearest else np.nan
        line["floor_layers"] = nearest["layers"] if nearest else ""
        word = verdict(line["ratio"], line["low"], line["high"], line["floor"], margin)
        line["verdict"] = word if line["status"] == "ok" else line["status"]
    return pd.DataFrame(lines, columns=SPEEDUP_COLUMNS).astype({"control": bool})


def _distance(one: Mapping[Any, Any], other: Mapping[Any, Any]) -> float:
    """Return how far apart two cases are in size, as a factor's logarithm."""
    return abs(math.log(one["neurons"] / other["neurons"]))


def cut_offs(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the first run of each case and contender that failed, with its seconds per step.

    These are a lower bound for a timeout, and no measurement at all for the others.
    """
    failed = runs[runs["status"].isin(FAILED)].copy()
    failed["step_s"] = failed["wall_s"] / (failed["samples"] * failed["epochs"])
    return in_order(failed.drop_duplicates(["method", "layers", "contender"]))
