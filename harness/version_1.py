"""Takes over a results folder of version 1.0, which kept the rows of all sweeps in one table."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from harness.archive import SWEEPS, Archive, sweep_name
from harness.codec import decode, encode
from harness.plan import Plan
from harness.records import ENVIRONMENT, LOSSES, PLAN, RUNS, LossKey, SweepFolder, explained
from harness.rows import Row

_KEPT = "version-1.0"
_FILES = (
    *("summary.csv", "speedup.csv", "scaling.csv", "scaling.png", "speedup.png", "methods.png", "loss.png"),
    *(PLAN, ENVIRONMENT, LOSSES),
    # Last: as long as it stands there, the folder has not been taken over.
    RUNS,
)


def is_of_version_1(archive: Archive) -> bool:
    """Whether a table of rows stands in the folder itself, not linked from that of a sweep."""
    runs = archive.path / RUNS
    return runs.is_file() and not runs.is_symlink()


def take_over(archive: Archive) -> None:
    """Turn the files of version 1.0 into a folder a sweep.

    The files are moved to a folder beside them; nothing is lost, also if this is killed and run again.
    """
    old = SweepFolder(archive.path)
    rows, losses = old.rows(), old.losses_by_sweep()
    plan, environment = old.read_json(PLAN) or {}, old.environment()
    of_sweep: dict[str, list[Row]] = {}
    for row in rows:
        of_sweep.setdefault(row.sweep, []).append(row)
    for sweep, own in of_sweep.items():
        name = _name(sweep)
        if not (archive.path / SWEEPS / name).exists():
            is_last = plan.get("sweep") == sweep  # Earlier ones have been overwritten.
            about = (plan, environment) if is_last else ({}, {})
            archive.filled(name, partial(_fill, name, own, losses.get(sweep, {}), about))
    with explained(archive.path, "cannot be taken over", "mend this and run the same command again"):
        (archive.path / _KEPT).mkdir(exist_ok=True)
        for file in _FILES:
            if (archive.path / file).is_file() and not (archive.path / file).is_symlink():
                (archive.path / file).replace(archive.path / _KEPT / file)
    archive.publish()


def _fill(
    name: str,
    rows: list[Row],
    losses: Mapping[LossKey, tuple[float, ...]],
    about: tuple[dict[str, Any], dict[str, Any]],
    folder: SweepFolder,
) -> None:
    plan, environment = about
    if plan and (understood := _plan(plan, name)):
        folder.write_json(PLAN, encode(understood))
    if environment:
        folder.write_json(ENVIRONMENT, {**environment, "sweep": name})
    for row in rows:
        folder.append_row(replace(row, sweep=name))
    for key, values in losses.items():
        folder.append_losses(key, values)


def _name(sweep: str) -> str:
    """Return the id of a sweep that was called by its ISO 8601 time."""
    try:
        return sweep_name(datetime.fromisoformat(sweep).astimezone(UTC))
    except ValueError:
        # Before all others, since nobody knows when it was.
        return "0-" + re.sub(r"[^0-9A-Za-z.+-]+", "-", sweep)[:60]


def _plan(document: dict[str, Any], name: str) -> Plan | None:
    """Return a plan of version 1.0, None if it cannot be understood: the rows can be without it.

    What it left out was written in words only, and is not carried over.
    """
    try:
        cases = []
        for entry in document["cases"]:
            case = dict(entry["case"])
            case["shape"] = "-".join(map(str, case.pop("layers")))
            cases.append({**entry, "case": case, "rounds": document["options"]["rounds"]})
        plan: Plan = decode(
            Plan, {**document, "sweep": name, "cases": cases, "left_out": [], "memory_bytes": None}
        )
    except (KeyError, TypeError, ValueError):
        return None
    return plan
