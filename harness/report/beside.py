"""What other commands left beside a sweep, and what is known of its machine, as tables to read."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from harness.across import predictions, selfcheck
from harness.analysis import article as claims
from harness.analysis.results import Results
from harness.digits import duration, three_digits, times
from harness.errors import NothingMeasured, ResultsError
from harness.plan import Plan
from harness.report.tables import EMPTY, Cell, Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """The tables of a results folder that belong to no sweep; None if there is no such file."""

    selfcheck: pd.DataFrame | None = None
    """The intervals of repeated sweeps."""
    claims: pd.DataFrame | None = None
    """The article's claims with their verdicts."""
    predictions: pd.DataFrame | None = None
    """Predictions, and what became of those that were checked."""
    parts: pd.DataFrame | None = None
    """Seconds of each part of the article's run."""


def read(folder: Path) -> Beside:
    """Return what ``folder`` has; raise ResultsError if a file cannot be understood."""
    return Beside(
        selfcheck=_read(folder / "selfcheck.csv", selfcheck.read),
        claims=_read(folder / "claims.csv", claims.read),
        predictions=_read(folder / "predictions.csv", predictions.read),
        parts=_read(folder / "parts.csv", lambda path: claims.parts(claims.read(path))),
    )


def _read(path: Path, reader: Callable[[Path], pd.DataFrame]) -> pd.DataFrame | None:
    if not path.exists():
        return None
    try:
        table = reader(path)
    except NothingMeasured:
        return None
    except (OSError, ValueError, KeyError) as error:
        raise ResultsError(f"{path}: cannot be read: {error}; move it away") from error
    return None if table.empty else table


def claims_table(found: pd.DataFrame) -> Table:
    """Return a row for each claim of the article, with its verdict and its figures."""
    return Table(
        name="claims",
        caption="What the article says, and what was measured",
        heads=("the article", "verdict", "measured (95% interval)", "from"),
        rows=tuple(
            tuple(Cell("" if pd.isna(one[column]) else str(one[column])) for column in _CLAIM_COLUMNS)
            for one in found.to_dict("records")
        ),
        source="claims.csv",
    )


_CLAIM_COLUMNS = ("says", "verdict", "figure", "basis")


def hits(found: pd.DataFrame) -> Table:
    """Return a row for each contender and method: how often its predictions held."""
    return Table(
        name="hits",
        caption="How often the 95% interval of a prediction held",
        heads=("contender", "method", "checks", "hits", "95% interval", "median error", "farthest"),
        rows=tuple(
            (
                Cell(one["contender"]),
                Cell(one["method"]),
                Cell(str(one["checks"]), one["checks"]),
                Cell(str(one["hits"]), one["hits"]),
                Cell(f"{one['low']:.0%} to {one['high']:.0%}", one["low"]),
                Cell(f"{one['median_error']:.1%}", one["median_error"]),
                Cell(times(one["farthest"]), one["farthest"]),
            )
            for one in predictions.hits(found).to_dict("records")
        ),
        source="predictions.csv",
    )


def checks(found: pd.DataFrame) -> Table:
    """Return a row for each prediction: the time of a training step, its interval, what was measured."""
    rows = []
    for one in found.to_dict("records"):
        is_done = not pd.isna(one["measured_step_s"])
        rows.append(
            (
                Cell(one["layers"]),
                Cell(one["contender"]),
                Cell(one["method"]),
                Cell(duration(one["step_s"]), one["step_s"]),
                Cell(f"{duration(one['step_low'])} to {duration(one['step_high'])}", one["step_low"]),
                Cell(duration(one["measured_step_s"]), one["measured_step_s"]) if is_done else EMPTY,
                Cell(three_digits(one["ratio"]), one["ratio"]) if is_done else EMPTY,
                Cell({"yes": "held", "no": "missed"}.get(one["hit"], "not checked")),
                Cell("within" if one["beyond"] == 1.0 else times(one["beyond"]), one["beyond"]),
            )
        )
    return Table(
        name="checks",
        caption="Every prediction: time of a training step, as predicted and as measured",
        heads=(
            *("shape", "contender", "method", "predicted", "95% interval", "measured"),
            *("predicted / measured", "interval", "beyond what was measured"),
        ),
        rows=tuple(rows),
        source="predictions.csv",
    )


def parts_table(found: pd.DataFrame) -> Table:
    """Return a row for each contender and method: the seconds of each part of the article's run."""
    return Table(
        name="parts",
        caption="Where the time of the article's run goes: seconds of each part, and of the whole process",
        heads=("contender", "method", *claims.PARTS, "whole"),
        rows=tuple(
            (
                Cell(one["contender"]),
                Cell(one["method"]),
                *(_part(one[f"{part}_s"]) for part in (*claims.PARTS, "whole")),
            )
            for one in found.to_dict("records")
        ),
        source="parts.csv",
    )


def _part(seconds: float) -> Cell:
    return Cell(duration(seconds), seconds) if seconds > 0.0 else Cell("0", 0.0)


def left_out(plan: Plan | None) -> Table:
    """Return a row for each case, or contender on a case, that the plan left out."""
    return Table(
        name="left-out",
        caption="What was asked for and did not fit",
        heads=("method", "shape", "contender", "why"),
        rows=tuple(
            (Cell(one.method), Cell(str(one.shape)), Cell(one.contender or "everybody"), Cell(one.reason))
            for one in (plan.left_out if plan else ())
        ),
        source="plan.json",
    )


_LABELS = {
    "cpu": "processor",
    "measuring_core": "core kept for the programs",
    "governor": "CPU governor",
    "load_1min": "load of the minute before",
    "memory_bytes": "memory",
    "host": "name",
    "python": "Python of the harness",
    "python_compiler": "compiled by",
    "python_build_options": "configured with",
    "variables": "variables of the environment",
}


def environment(results: Results) -> Table:
    """Return a row for each thing that is known of the machine."""
    known = {"sweep": results.sweep, **results.environment}
    return Table(
        name="environment",
        caption="The machine and the system",
        heads=("what", "value"),
        rows=tuple(
            (Cell(_LABELS.get(name, name.replace("_", " "))), _shown(name, value))
            for name, value in known.items()
            if name not in ("contenders", "missing")
        ),
        source="environment.json",
    )


def _shown(name: str, value: Any) -> Cell:
    """Write a value of environment.json."""
    if value is None or value in ("", {}, []):
        return Cell("none" if value is not None else "not known")
    if isinstance(value, bool):
        return Cell("yes" if value else "no")
    if name.endswith("_bytes") and isinstance(value, int):
        return Cell(f"{value / 2**30:.1f} GiB", value)
    if isinstance(value, int | float):
        return Cell(f"{value:.3g}" if isinstance(value, float) else str(value), value)
    if isinstance(value, Mapping):
        return Cell("; ".join(f"{key}: {text}" for key, text in value.items()))
    return Cell(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def programs(results: Results) -> Table:
    """Return a row for each contender, with its version and command, and for each that was skipped."""
    versions = dict(zip(results.runs["contender"], results.runs["version"], strict=True))
    known = _mapping(results.environment.get("contenders"))
    rows = []
    for name in results.contenders:
        about = _mapping(known.get(name))
        toolchain = str(about.get("toolchain") or "").partition("\n")[0]
        words = versions.get(name, about.get("version")), about.get("command"), about.get("build"), toolchain
        rows.append((Cell(name), *(Cell(str(word or "")) for word in words)))
    for name, reason in _mapping(results.environment.get("missing")).items():
        rows.append((Cell(name), Cell(f"skipped: {reason}"), EMPTY, EMPTY, EMPTY))
    return Table(
        name="programs",
        caption="The programs",
        heads=("contender", "version", "command", "built by", "toolchain"),
        rows=tuple(rows),
        source="environment.json",
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    """Return what environment.json has where an object belongs, or an empty one."""
    return value if isinstance(value, Mapping) else {}
