"""What a sweep showed: one value, from which every table and picture takes its numbers."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from harness.analysis import alternatives, cost, crossover, scaling
from harness.analysis.cost import Cost
from harness.analysis.frames import CASE, LANE, in_order, losses_frame, runs_frame
from harness.analysis.intervals import Numbers, median_interval, verdict
from harness.case import Shape, example
from harness.errors import NothingMeasured, UsageError
from harness.plan import Plan
from harness.records import SweepFolder
from harness.rows import FAILED, WITH_LOSSES, Row

MEASURES = {"training_s": "training", "wall_s": "process"}
"""What ratios are made of: a column of a frame of runs, and the word for it."""
LEFT_OUT, NOT_RUN = "left out", "not run"
"""The status of who was asked for: the plan has no run of it; the plan has, but none was timed yet."""
Lane = tuple[str, str, str, bool]
"""Whose runs: method, shape, contender, control."""
_SUMMARISED = ["step_s", "training_s", "wall_s", "cpu_s", "startup_s", "compile_s", "peak_memory_bytes"]
_OUTLIER = 3.5
"""Modified z-score from which on a run is flagged (Iglewicz & Hoaglin, How to Handle Outliers, 1993)."""
_MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True, kw_only=True)
class Results:
    """A sweep, understood. What follows from the runs is computed when it is first asked for, and kept.

    Frames are sorted by method, then by size.
    """

    sweep: str
    """The sweep's id."""
    folder: SweepFolder
    """Where it is."""
    reference: str
    """The contender that the others are compared with."""
    margin: float | None
    """Ratios within it of 1 are called equal."""
    contenders: tuple[str, ...]
    """All contenders, in the manifest's order."""
    environment: Mapping[str, Any]
    """The machine; empty if that is not known."""
    runs: pd.DataFrame
    """One line a run."""
    outcomes: pd.DataFrame
    """What became of each contender on each case, whether or not it can be compared."""

    @property
    def path(self) -> Path:
        """The sweep's folder."""
        return self.folder.path

    @cached_property
    def losses(self) -> pd.DataFrame:
        """One line an epoch, per contender and case."""
        return losses_frame(self.folder.losses())

    @cached_property
    def _rounds(self) -> dict[Lane, pd.DataFrame]:
        """The timed runs of each lane by round: those of its status, with the right losses or wrong ones."""
        after = self.runs[~self.runs["warm_up"] & self.runs["status"].isin(WITH_LOSSES)]
        after = after.merge(self.outcomes[[*LANE, "control", "status"]]).set_index("round")
        return {
            (str(method), str(layers), str(contender), bool(control)): own
            for (method, layers, contender, control), own in after.groupby([*LANE, "control"], sort=False)[
                _SUMMARISED
            ]
        }

    @cached_property
    def summary(self) -> pd.DataFrame:
        """Every measure per case and contender that has a time."""
        return summary(self._rounds, self.outcomes)

    @cached_property
    def medians(self) -> pd.DataFrame:
        """The part of the summary that is about the seconds of a training step."""
        return self.summary[self.summary["measure"] == "step_s"].reset_index(drop=True)

    @cached_property
    def speedups(self) -> pd.DataFrame:
        """How many times as fast as the reference; the verdict of who has no ratio says why."""
        return speedups(self._rounds, self.outcomes, self.reference, self.margin)

    @cached_property
    def standings(self) -> pd.DataFrame:
        """One line per case and contender: what became of it, its time of a step, its ratios.

        The columns of the outcomes, but controls are left out; ``step_s``, ``step_low``, ``step_high``; and
        for each measure ``training_ratio``, ``training_low``, ``training_high``, ``training_floor`` and
        ``training_verdict``. What there is not is nan, or an empty verdict: the reference has no ratio.
        """
        steps = self.medians.set_index(LANE)[["median", "low", "high"]]
        steps.columns = ["step_s", "step_low", "step_high"]
        table = self.outcomes[~self.outcomes["control"]].drop(columns="control").join(steps, on=LANE)
        rivals = self.speedups[~self.speedups["control"]]
        for measure in MEASURES.values():
            own = rivals[rivals["measure"] == measure].set_index(LANE)
            own = own[["ratio", "low", "high", "floor", "verdict"]].add_prefix(f"{measure}_")
            table = table.join(own, on=LANE).fillna({f"{measure}_verdict": ""})
        return table

    @cached_property
    def alternatives(self) -> pd.DataFrame:
        """How far each contender is from the one that is the fastest on most cases."""
        fastest = alternatives.fastest(self.medians, self.contenders)
        against = self.speedups
        if fastest != self.reference:
            against = speedups(self._rounds, self.outcomes, fastest, self.margin)
        return alternatives.alternatives(self.summary, self.outcomes, self.speedups, against, fastest)

    @cached_property
    def thresholds(self) -> pd.DataFrame:
        """From which size on each contender is worth it; empty where there is nobody to choose from."""
        enough = len(self.contenders) > 2
        return alternatives.thresholds(self.alternatives if enough else self.alternatives[:0], self.reference)

    @cached_property
    def _right(self) -> pd.DataFrame:
        return self.medians[self.medians["status"] == "ok"]

    @cached_property
    def _steps(self) -> dict[tuple[str, str, str], Numbers]:
        """The seconds of a step in each round, by method, shape and contender."""
        return {lane[:3]: own["step_s"].to_numpy() for lane, own in self._rounds.items() if not lane[3]}

    @cached_property
    def exponents(self) -> pd.DataFrame:
        """How training time grows with the neurons, and where that is no power law."""
        return scaling.exponents(self._right, self._steps)

    @cached_property
    def costs(self) -> Mapping[tuple[str, str], Cost]:
        """What a training step costs, by contender and method."""
        return cost.costs(self.summary, self.runs, self._steps)

    @cached_property
    def crossovers(self) -> pd.DataFrame:
        """From which size on who overtakes whom, and start-up no longer counts."""
        return crossover.crossovers(self.costs, self._right, self.reference)

    @cached_property
    def cut_offs(self) -> pd.DataFrame:
        """The first run of each case and contender that failed, with its seconds per step.

        These are a lower bound for a timeout, and no measurement at all for the others.
        """
        failed = self.runs[self.runs["status"].isin(FAILED)].drop_duplicates(LANE)
        return in_order(failed.assign(step_s=failed["wall_s"] / (failed["samples"] * failed["epochs"])))

    @property
    def shape(self) -> str:
        """The shape that sentences and single pictures speak of: the article's, or else the smallest."""
        return example(self.medians["layers"])


def understand(
    folder: SweepFolder,
    reference: str | None = None,
    margin: float | None = None,
    only: tuple[str, Shape] | None = None,
    rows: Sequence[Row] | None = None,
) -> Results:
    """Return what the sweep in ``folder`` showed, compared with ``reference`` instead of the plan's.

    Ratios within the ``margin`` of 1, 0.05 for a twentieth, are called equal. ``only`` is the method and the
    shape of the one case that is wanted; ``rows`` are those of the folder, if they have been read before.

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
    rows = sorted(rows, key=lambda row: contenders.index(row.run.contender))
    return Results(
        sweep=rows[0].sweep,
        folder=folder,
        reference=reference,
        margin=margin,
        contenders=contenders,
        environment=folder.environment(),
        runs=runs_frame(rows),
        outcomes=outcomes(rows, plan),
    )


def outcomes(rows: Sequence[Row], plan: Plan | None) -> pd.DataFrame:
    """Return what became of everybody who was asked for: a line per case and contender, and per control.

    ``status`` is ok if a timed run had the right losses; or else mismatch if one had losses at all; or else
    why the first run failed; or else that none was timed, or planned. ``with_losses`` counts the runs that
    had some, warm-ups included, ``differing`` those of them that had wrong ones, and ``failure`` is why the
    first of those that failed did.
    """
    asked = _asked(plan) if plan else {}
    runs: dict[Lane, list[Row]] = defaultdict(list)
    for row in rows:
        runs[row.run.case.method, str(row.run.case.shape), row.run.contender, row.run.control].append(row)
    lines = []
    for lane in {**asked, **runs}:
        method, layers, contender, control = lane
        shape, own = Shape.parse(layers), runs.get(lane, [])
        statuses, after_warm_up = [row.status for row in own], {row.status for row in own if row.run.round}
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
                "parity": _parity(own),
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


def _parity(rows: Sequence[Row]) -> str:
    """Return the one word for the parity of several runs, or the first text that says worse."""
    wrong = [row.parity for row in rows if row.status == "mismatch"]
    texts = [text for text in (*wrong, *(row.parity for row in rows)) if text]
    others = [text for text in texts if text not in ("identical", "reference")]
    return others[0] if others else "identical" if texts else ""


def summary(rounds: Mapping[Lane, pd.DataFrame], became: pd.DataFrame) -> pd.DataFrame:
    """Return a line per case, contender and measure: status, n, median and its interval, MAD, quartiles, ...

    Who never had the right losses on a case stays visible, marked, with the times of the wrong ones.
    """
    lines = []
    for one in became[became["status"].isin(WITH_LOSSES) & ~became["control"]].to_dict("records"):
        own = rounds[one["method"], one["layers"], one["contender"], False]
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
    rounds: Mapping[Lane, pd.DataFrame], became: pd.DataFrame, reference: str, margin: float | None
) -> pd.DataFrame:
    """Return how many times as fast as the reference each contender is, per case and measure.

    The ratio is the median of the ratios within each round, reference over contender, with an interval over
    the rounds. A control line holds who ran twice a round against itself. ``floor`` is the factor of 1 within
    which its interval lies; ``floor_layers`` says of what shape, the nearest in size of the same method. If
    there is no ratio, the verdict is the contender's status, or ``cannot tell`` if that is ok.
    """
    lanes = became[became["status"] == "ok"][[*LANE, "control"]].itertuples(index=False, name=None)
    right = {lane: rounds[lane] for lane in lanes}
    lines: list[dict[Any, Any]] = []
    for one in became[became["status"] != LEFT_OUT].to_dict("records"):
        name, control = one["contender"], one["control"]
        against = name if control else reference
        if name == against and not control:
            continue
        case = one["method"], one["layers"]
        ratios = _ratios(right.get((*case, against, False)), right.get((*case, name, control)))
        for word, values in zip(MEASURES.values(), ratios.T, strict=True):
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


def _ratios(above: pd.DataFrame | None, below: pd.DataFrame | None) -> Numbers:
    """Return a row for each round that both have, in order, and a column for each measure."""
    if above is None or below is None:
        return np.empty((0, len(MEASURES)))
    _, *places = np.intersect1d(above.index, below.index, return_indices=True)
    tops, bottoms = (own[[*MEASURES]].to_numpy()[of] for own, of in zip((above, below), places, strict=True))
    return np.asarray(tops / bottoms)


def _distance(one: Mapping[Any, Any], other: Mapping[Any, Any]) -> float:
    """Return how far apart two cases are in size, as a factor's logarithm."""
    return abs(math.log(one["neurons"] / other["neurons"]))
