"""What a sweep showed: the numbers of every table and picture."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from harness.analysis import alternatives, cost, crossover, ratios, scaling
from harness.analysis.cost import Costs
from harness.analysis.frames import CASE, LANE, in_order, only, runs_frame
from harness.analysis.job import STILL_WARMING, warming, with_jobs
from harness.analysis.ratios import MEASURES, SUMMARISED, Lane, Rounds
from harness.case import Job, Shape, example
from harness.errors import NothingMeasured, ResultsError, UsageError
from harness.parity import IDENTICAL, REFERENCE, REPEATED
from harness.plan import Plan
from harness.records import LOSS_COLUMNS, PLAN, SweepFolder
from harness.rows import FAILED, WITH_LOSSES, Made, Row

LEFT_OUT, NOT_RUN = "left out", "not run"
"""Without a timed run: the plan has none, or has some that are still to be made."""


@dataclass(frozen=True, kw_only=True)
class Results:
    """A sweep, understood. Frames are sorted by method, then size, and computed when first asked for."""

    sweep: str
    folder: SweepFolder
    reference: str
    """The contender that the others are compared with."""
    margin: float | None
    """Ratios within it of 1 are called equal."""
    contenders: tuple[str, ...]
    """In the manifest's order."""
    environment: Mapping[str, Any]
    """The machine; empty if not known."""
    plan: Plan
    left: int
    """How many runs are still to be made."""
    runs: pd.DataFrame
    outcomes: pd.DataFrame
    """What became of each contender on each case."""

    @property
    def path(self) -> Path:
        """The sweep's folder."""
        return self.folder.path

    @cached_property
    def losses(self) -> pd.DataFrame:
        """One line an epoch, per contender and case."""
        kept = self.folder.losses().items()
        lines = [(*key, epoch, loss) for key, losses in kept for epoch, loss in enumerate(losses)]
        return pd.DataFrame(lines, columns=LOSS_COLUMNS)

    @cached_property
    def _rounds(self) -> Rounds:
        after = self.runs[~self.runs["warm_up"] & self.runs["status"].isin(WITH_LOSSES)]
        after = after.merge(self.outcomes[[*LANE, "control", "status"]]).set_index("round")
        lanes = after.groupby([*LANE, "control"], sort=False)[[*SUMMARISED, "layout", "torn"]]
        return {(str(of[0]), str(of[1]), str(of[2]), bool(of[3])): own for of, own in lanes}

    @cached_property
    def summary(self) -> pd.DataFrame:
        """Each measure per case and contender that has a time."""
        return ratios.summary(self._rounds, self.outcomes)

    @cached_property
    def medians(self) -> pd.DataFrame:
        """Of these, the seconds of a training step."""
        return only(self.summary, measure="step_s").reset_index(drop=True)

    @cached_property
    def speedups(self) -> pd.DataFrame:
        """How many times as fast as the reference."""
        return self.over(self.reference)

    @property
    def rivals(self) -> pd.DataFrame:
        """The same without controls."""
        return only(self.speedups, control=False)

    def over(self, reference: str) -> pd.DataFrame:
        """How many times as fast as another contender."""
        became = self.outcomes[self.outcomes["status"] != LEFT_OUT]
        return ratios.speedups(self._rounds, became, reference, self.margin)

    @cached_property
    def standings(self) -> pd.DataFrame:
        """One line per case and contender, without controls: its outcome, its time of a step, its ratios.

        These are ``step_s``, ``step_low``, ``step_high``, and for each measure ``training_ratio``, ``_low``,
        ``_high``, ``_floor`` and ``_verdict``; nan, or an empty verdict, if missing.
        """
        steps = self.medians.set_index(LANE)[["median", "low", "high"]]
        steps.columns = ["step_s", "step_low", "step_high"]
        table = only(self.outcomes, control=False).drop(columns="control").join(steps, on=LANE)
        for measure in MEASURES.values():
            own = only(self.rivals, measure=measure).set_index(LANE)
            own = own[["ratio", "low", "high", "floor", "verdict"]].add_prefix(f"{measure}_")
            table = table.join(own, on=LANE).fillna({f"{measure}_verdict": ""})
        return table

    @cached_property
    def alternatives(self) -> pd.DataFrame:
        """How far each contender is from the one that is fastest on most cases."""
        fastest = alternatives.fastest(self.medians, self.contenders)
        against = self.speedups if fastest == self.reference else self.over(fastest)
        return alternatives.alternatives(self.standings, self.summary, against, fastest)

    @cached_property
    def thresholds(self) -> pd.DataFrame:
        """From which size on each contender is worth it; empty for two."""
        table = self.alternatives if len(self.contenders) > 2 else self.alternatives[:0]
        return alternatives.thresholds(table, self.reference)

    @staticmethod
    def _steady(table: pd.DataFrame) -> pd.DataFrame:
        """Return the lines of a table that models may be fitted to."""
        return only(table[table["warming"] != STILL_WARMING], status="ok")

    @cached_property
    def exponents(self) -> pd.DataFrame:
        """How training time grows with the neurons."""
        return scaling.exponents(self._steady(self.medians), self._rounds, self.reference)

    @cached_property
    def costs(self) -> Costs:
        """What a training step costs, by contender and method."""
        return cost.costs(self._steady(self.summary), self._rounds, self.job)

    @cached_property
    def crossovers(self) -> pd.DataFrame:
        """From which size on one overtakes another."""
        return crossover.crossovers(self.costs, self._steady(self.medians), self.reference, self.job)

    @property
    def job(self) -> Job:
        """What a whole process is asked for."""
        return self.plan.options.job

    @property
    def shape(self) -> str:
        """The shape of sentences and single pictures: the article's, otherwise the smallest."""
        return example(self.medians["layers"])


def understand(
    folder: SweepFolder,
    reference: str | None = None,
    margin: float | None = None,
    only: tuple[str, Shape] | None = None,
    rows: Sequence[Row] | None = None,
) -> Results:
    """Return what the sweep in ``folder`` showed, compared with ``reference`` instead of the plan's.

    Ratios within the ``margin`` of 1, 0.05 for a twentieth, are called equal. ``only`` is the one case that
    is wanted; ``rows`` are some of the folder's instead of all.

    Raises NothingMeasured if there is nothing to show, UsageError if no contender is called ``reference``.
    """
    rows, plan = folder.rows() if rows is None else rows, plan_of(folder)
    if only:
        rows = [row for row in rows if (row.run.case.method, row.run.case.shape) == only]
        plan = plan.only(*only)
    if not any(row.status in WITH_LOSSES and not (row.run.warm_up or row.run.control) for row in rows):
        raise NothingMeasured(
            f"{folder.path}: no timed run has ended well yet, so there is nothing to show; run bench again"
        )
    contenders = tuple(dict.fromkeys([*plan.versions, *(row.run.contender for row in rows)]))
    reference = plan.reference if reference is None else reference
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
        plan=plan,
        left=len(list(Made(plan, rows).pending())),
        runs=with_jobs(runs_frame(rows), plan),
        outcomes=outcomes(rows, plan),
    )


def plan_of(folder: SweepFolder) -> Plan:
    """Return the plan of the sweep in ``folder``; raise ResultsError if there is none."""
    if plan := folder.plan():
        return plan
    raise ResultsError(f"{folder.path}: has no {PLAN}, which says what was to be measured; restore it")


def outcomes(rows: Sequence[Row], plan: Plan) -> pd.DataFrame:
    """Return a line per case and contender that was planned or has run, and per control.

    ``status`` is ok if a timed run had the right losses; else mismatch if one had losses; else why the first
    run failed; else that none was timed, or planned. ``with_losses`` counts the runs with losses, warm-ups
    included, ``differing`` those with wrong ones; ``failure`` and ``error`` are of the first run that failed.
    ``warming`` is as in the runs; ``samples`` and ``epochs`` are nan without a run.
    """
    asked = _asked(plan)
    runs: dict[Lane, list[Row]] = {lane: [] for lane in asked}
    for row in rows:
        lane = row.run.case.method, str(row.run.case.shape), row.run.contender, row.run.control
        runs.setdefault(lane, []).append(row)
    lines = []
    for (method, layers, contender, control), own in runs.items():
        shape, statuses = Shape.parse(layers), [row.status for row in own]
        after_warm_up = {row.status for row in own if row.run.round}
        failure, error = next(((row.status, row.error) for row in own if row.status in FAILED), ("", ""))
        ended = [status for status in WITH_LOSSES if status in after_warm_up]
        words = [*ended, failure, *after_warm_up, asked.get((method, layers, contender, control), NOT_RUN)]
        with_losses = sum(status in WITH_LOSSES for status in statuses)
        became = next(filter(None, words)), with_losses, statuses.count("mismatch"), _parity(own)
        size = (own[0].run.case.samples, own[0].run.case.epochs) if own else (math.nan, math.nan)
        case = method, layers, shape.neurons, shape.parameters, shape.multiply_adds(method)
        lines.append((*case, contender, control, *became, failure, error, *size))
    names = ["contender", "control", "status", "with_losses", "differing", "parity"]
    table = pd.DataFrame(lines, columns=[*CASE, *names, "failure", "error", "samples", "epochs"])
    warm = warming(plan)[[*LANE, "warming"]]
    return in_order(table.merge(warm, "left", on=LANE).fillna({"warming": ""}))


def _asked(plan: Plan) -> dict[Lane, str]:
    """Return the status that each lane has without a run."""
    asked: dict[Lane, str] = {}
    for one in plan.cases:
        for turn in one.turns:
            asked[one.case.method, str(one.case.shape), *turn] = NOT_RUN
    for entry in plan.left_out:
        for name in [entry.contender] if entry.contender else plan.versions:
            asked[entry.method, str(entry.shape), name, False] = LEFT_OUT
    return asked


def _parity(rows: Sequence[Row]) -> str:
    """Return the parity of several runs: the first that is not identical, wrong losses before others."""
    texts = [row.parity for row in sorted(rows, key=lambda row: row.status != "mismatch") if row.parity]
    others = (text for text in texts if text not in (IDENTICAL, REFERENCE, REPEATED))
    alone = REFERENCE if texts else ""
    return next(others, IDENTICAL if IDENTICAL in texts else alone)
