"""Sweeps side by side: a list of them, and one case over many. Pure."""

import math
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

import pandas as pd

from harness.analysis.results import understand
from harness.case import Shape
from harness.errors import NothingMeasured
from harness.records import SweepFolder
from harness.rows import Made, Row

COLUMNS = [
    *("sweep", "host", "cpu", "commit", "uncommitted_changes", "contender", "reference"),
    *("step_s", "step_low", "step_high", "ratio", "ratio_low", "ratio_high", "floor", "verdict"),
]
_OF_TRAINING = {"training_ratio": "ratio", "training_low": "ratio_low", "training_high": "ratio_high"}
_OF_TRAINING |= {"training_floor": "floor", "training_verdict": "verdict"}


def short_commit(commit: object, uncommitted_changes: object) -> str:
    """Return a commit as people write it, with a + if there were changes; "" if it is not known."""
    return str(commit or "")[:7] + ("+" if uncommitted_changes else "")


def overview(sweep: SweepFolder) -> dict[str, Any]:
    """Return what a list says of a sweep; ``floor`` is the factor of 1 within which the first control is."""
    rows, plan, machine = sweep.rows(), sweep.plan(), sweep.environment()
    left = len(list(Made(plan, rows).pending())) if plan else 0
    names = plan.versions if plan else dict.fromkeys(row.run.contender for row in rows)
    return {
        "sweep": sweep.name,
        "host": str(machine.get("host", "")),
        "commit": short_commit(machine.get("commit"), machine.get("uncommitted_changes")),
        "cases": len({str(row.run.case) for row in rows}),
        "runs": f"{plan.runs - left} of {plan.runs}" if plan and left else str(len(rows)),
        "failed": sum(row.status not in ("ok", "paused") for row in rows),
        "floor": _floor(sweep, rows),
        "contenders": tuple(names),
    }


def _floor(sweep: SweepFolder, rows: Sequence[Row]) -> float:
    controlled = next((row.run.case for row in rows if row.run.control), None)
    if not controlled:
        return math.nan
    try:
        lines = understand(sweep, only=(controlled.method, controlled.shape), rows=rows).speedups
    except NothingMeasured:
        return math.nan
    return float(lines["floor"][lines["control"] & (lines["measure"] == "training")].max())


def history(sweeps: Iterable[SweepFolder], method: str, shape: Shape) -> pd.DataFrame:
    """Return a line per sweep and contender, the latest sweep last: seconds of a training step, speedup.

    The reference has no ratio. Sweeps that have no times of the case are left out; raises NothingMeasured if
    none has.
    """
    tables = []
    for sweep in sweeps:
        with suppress(NothingMeasured):
            results = understand(sweep, only=(method, shape))
            machine = results.environment
            standings = results.standings.rename(columns=_OF_TRAINING)
            tables.append(
                standings[standings["step_s"].notna()].assign(
                    sweep=sweep.name,
                    reference=results.reference,
                    **{name: machine.get(name) for name in ("host", "cpu", "commit", "uncommitted_changes")},
                )
            )
    if not tables:
        raise NothingMeasured(f"no sweep has a time of {method} {shape}; make sweeps lists them")
    return pd.concat(tables, ignore_index=True)[COLUMNS]
