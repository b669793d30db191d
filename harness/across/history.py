"""Sweeps side by side: a list of them, and one case over many. Pure."""

import math
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

import pandas as pd

from harness.analysis.frames import only
from harness.analysis.results import plan_of, understand
from harness.case import ARTICLE, Shape
from harness.errors import NothingMeasured
from harness.records import SweepFolder
from harness.rows import Made, Row

_MACHINE = ("host", "cpu", "commit", "uncommitted_changes")
_RATIO = ("ratio", "ratio_low", "ratio_high", "floor", "verdict")
_OF_TRAINING = {f"training_{name.removeprefix('ratio_')}": name for name in _RATIO}
COLUMNS = ["sweep", *_MACHINE, "contender", "reference", "step_s", "step_low", "step_high", *_RATIO]


def short_commit(commit: object, uncommitted_changes: object) -> str:
    """Return a commit as people write it, with a + if there were changes; "" if it is not known."""
    return str(commit or "")[:7] + ("+" if uncommitted_changes else "")


def overview(sweep: SweepFolder) -> dict[str, Any]:
    """Return what a list says of a sweep; ``floor`` is the article's shape's, else the smallest's."""
    rows, plan, machine = sweep.rows(), plan_of(sweep), sweep.environment()
    left = len(list(Made(plan, rows).pending()))
    return {
        "sweep": sweep.name,
        "host": str(machine.get("host", "")),
        "commit": short_commit(machine.get("commit"), machine.get("uncommitted_changes")),
        "cases": len({str(row.run.case) for row in rows}),
        "runs": f"{plan.runs - left} of {plan.runs}" if left else str(len(rows)),
        "failed": sum(row.status not in ("ok", "paused") for row in rows),
        "floor": _floor(sweep, rows),
        "contenders": tuple(plan.versions),
    }


def _floor(sweep: SweepFolder, rows: Sequence[Row]) -> float:
    cases = {row.run.case.shape: row.run.case for row in reversed(rows) if row.run.control}
    if not cases:
        return math.nan
    controlled = cases.get(ARTICLE, min(cases.values(), key=lambda case: case.shape.size))
    try:
        lines = understand(sweep, only=(controlled.method, controlled.shape), rows=rows).speedups
    except NothingMeasured:
        return math.nan
    return float(only(lines, control=True, measure="training")["floor"].max())


def history(sweeps: Iterable[SweepFolder], method: str, shape: Shape) -> pd.DataFrame:
    """Return a line per sweep with times of the case and contender: seconds of a training step, speedup.

    The reference has no ratio. Raises NothingMeasured if no sweep has such times.
    """
    tables = []
    for sweep in sweeps:
        with suppress(NothingMeasured):
            results = understand(sweep, only=(method, shape))
            about = {name: results.environment.get(name) for name in _MACHINE}
            about |= {"sweep": sweep.name, "reference": results.reference}
            lines = results.standings.rename(columns=_OF_TRAINING).dropna(subset="step_s")
            tables.append(lines.assign(**about))
    if not tables:
        raise NothingMeasured(f"no sweep has a time of {method} {shape}; make sweeps lists them")
    return pd.concat(tables, ignore_index=True)[COLUMNS]
