"""One case over many sweeps: a table, and a picture of it."""

import math
from collections.abc import Iterable
from typing import Any

import pandas as pd

from harness.analysis.results import understand
from harness.case import Shape
from harness.errors import NothingMeasured
from harness.records import SweepFolder
from harness.rows import Row

COLUMNS = [
    *("sweep", "host", "cpu", "commit", "uncommitted_changes", "contender", "reference"),
    *("step_s", "step_low", "step_high", "ratio", "ratio_low", "ratio_high", "floor", "verdict"),
]


def overview(sweep: SweepFolder) -> dict[str, Any]:
    """Return what a list says of a sweep; ``floor`` is the factor of 1 within which the first control is."""
    rows, plan, machine = sweep.rows(), sweep.plan(), sweep.environment()
    names = plan.versions if plan else dict.fromkeys(row.run.contender for row in rows)
    return {
        "sweep": sweep.name,
        "host": str(machine.get("host", "")),
        "commit": str(machine.get("commit") or "")[:7] + ("+" if machine.get("uncommitted_changes") else ""),
        "cases": len({str(row.run.case) for row in rows}),
        "runs": len(rows),
        "failed": sum(row.status not in ("ok", "paused") for row in rows),
        "floor": _floor(sweep, rows),
        "contenders": tuple(names),
    }


def _floor(sweep: SweepFolder, rows: Iterable[Row]) -> float:
    controlled = next((row.run.case for row in rows if row.run.control), None)
    if not controlled:
        return math.nan
    try:
        lines = understand(sweep, only=(controlled.method, controlled.shape)).speedups
    except NothingMeasured:
        return math.nan
    return float(lines["floor"][lines["control"] & (lines["measure"] == "training")].max())


def history(sweeps: Iterable[SweepFolder], method: str, shape: Shape) -> pd.DataFrame:
    """Return a line per sweep and contender, the latest sweep last: seconds of a training step, speedup.

    The reference has no ratio. Sweeps that have no times of the case are left out; raises NothingMeasured if
    none has.
    """
    lines = []
    for sweep in sweeps:
        try:
            results = understand(sweep, only=(method, shape))
        except NothingMeasured:
            continue
        ratios = results.speedups[~results.speedups["control"] & (results.speedups["measure"] == "training")]
        ratio_of = {one["contender"]: one for one in ratios.to_dict("records")}
        machine = results.environment
        for one in results.medians.to_dict("records"):
            ratio = ratio_of.get(one["contender"], {})
            lines.append(
                {
                    "sweep": sweep.name,
                    **{name: machine.get(name) for name in ("host", "cpu", "commit", "uncommitted_changes")},
                    "contender": one["contender"],
                    "reference": results.reference,
                    "step_s": one["median"],
                    "step_low": one["low"],
                    "step_high": one["high"],
                    "ratio": ratio.get("ratio"),
                    "ratio_low": ratio.get("low"),
                    "ratio_high": ratio.get("high"),
                    "floor": ratio.get("floor"),
                    "verdict": ratio.get("verdict", ""),
                }
            )
    if not lines:
        raise NothingMeasured(f"no sweep has a time of {method} {shape}; make sweeps lists them")
    numbers = dict.fromkeys([name for name in COLUMNS if name.startswith(("ratio", "step_", "floor"))], float)
    return pd.DataFrame(lines, columns=COLUMNS).astype(numbers)
