"""Sweeps side by side: a list of them, and one case over many. Pure."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pandas as pd

from harness.analysis.results import plan_of, understand
from harness.case import Shape
from harness.errors import NothingMeasured, ResultsError
from harness.records import SweepFolder
from harness.rows import Made

_MACHINE = ["host", "cpu", "commit", "uncommitted_changes"]
COLUMNS = [
    *("sweep", *_MACHINE, "contender", "reference", "step_s", "step_low", "step_high"),
    *(f"training_{name}" for name in ("ratio", "low", "high", "floor", "verdict")),
]


def short_commit(machine: Mapping[Any, Any]) -> str:
    """Return a short commit, with a + if there were changes; "" if unknown."""
    return str(machine.get("commit") or "")[:7] + ("+" if machine.get("uncommitted_changes") else "")


def overview(sweep: SweepFolder) -> dict[str, Any]:
    """Return a line for a list of sweeps."""
    rows, plan, machine = sweep.rows(), plan_of(sweep), sweep.environment()
    left = len(list(Made(plan, rows).pending()))
    return {
        "sweep": sweep.name,
        "host": str(machine.get("host", "")),
        "commit": short_commit(machine),
        "cases": len({str(row.run.case) for row in rows}),
        "runs": f"{plan.runs - left} of {plan.runs}" if left else str(len(rows)),
        "failed": sum(row.status not in ("ok", "paused") for row in rows),
        "contenders": tuple(plan.versions),
    }


def history(
    sweeps: Iterable[SweepFolder], method: str, shape: Shape, warn: Callable[[str], None]
) -> pd.DataFrame:
    """Return a line per sweep and contender with a time of the case: seconds of a training step, speedup.

    The reference has no ratio. ``warn`` is told of broken sweeps. Raises NothingMeasured if none has a time.
    """
    tables = []
    for sweep in sweeps:
        try:
            results = understand(sweep, only=(method, shape))
        except NothingMeasured:
            continue
        except ResultsError as error:
            warn(str(error))
            continue
        about = {name: results.environment.get(name) for name in _MACHINE}
        lines = results.standings.dropna(subset="step_s")
        tables.append(lines.assign(sweep=sweep.name, reference=results.reference, **about))
    if not tables:
        raise NothingMeasured(f"no sweep has a time of {method} {shape}; make sweeps lists them")
    return pd.concat(tables, ignore_index=True)[COLUMNS]
