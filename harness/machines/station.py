"""The process that measures on a machine, and records each run in a journal: docs/machines.md says how.

``python -m harness.machines.station MACHINE`` takes requests and gives replies, one JSON object a line.
"""

import json
import os
import sys
import threading
from collections.abc import Callable, Set
from contextlib import suppress
from dataclasses import replace
from queue import SimpleQueue
from typing import Any

from harness.archive import STATIONS, SWEEPS, Archive
from harness.codec import decode, encode, shown_error
from harness.errors import FlatnetError, UsageError
from harness.measure import revisions
from harness.measure.contenders import load_manifest, select
from harness.measure.environment import Machine, look_around
from harness.measure.lock import machine_locked
from harness.measure.planner import make_plan
from harness.measure.runner import guarded
from harness.measure.session import prepared
from harness.measure.sweep import Sweep, mended
from harness.paths import RESULTS
from harness.plan import Options, Plan, RunKey
from harness.records import PLAN, RUNS, LossKey, SweepFolder, packed, replace_file, unpacked


class Station:
    """Answers requests: ``do`` names what is asked for, the rest are arguments.

    look    build the contenders, and describe them and the machine
    plan    make pilot runs and a plan
    begin   take up a sweep, with what the client has of it; return what else the journal has
    round   make the missing runs of a round of a case; return all its rows

    A reply has ``error`` if that fails, ``again`` if a ``look`` and a ``begin`` must come first.
    """

    def __init__(self, machine: str) -> None:
        self.has_ended = threading.Event()
        """Set when the client is gone."""
        self._machine = machine
        self._archive = Archive(RESULTS / STATIONS / machine)
        self._here: Machine | None = None
        self._sweep: Sweep | None = None
        self._size = -1
        self._told: set[LossKey] = set()

    def answer(self, line: bytes) -> dict[str, Any]:
        """Return the reply to a request."""
        try:
            request = json.loads(line)
            do = request.pop("do")
            with machine_locked(self._machine):
                if do == "look":
                    return self._look(**request)
                if self._here is None:
                    return {"again": "this machine was not looked at yet"}
                known: dict[str, Callable[..., dict[str, Any]]]
                known = {"plan": self._plan, "begin": self._begin, "round": self._round}
                return known[do](self._here, **request)
        except FlatnetError as error:
            return {"error": str(error)}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            return {"error": f"cannot understand the request: {shown_error(error)}"}
        except OSError as error:
            return {"error": f"cannot measure: {error.strerror}"}

    def _look(self, manifest: str, contenders: list[str]) -> dict[str, Any]:
        path = self._archive.path / "contenders.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, manifest.encode())
        chosen = select(load_manifest(path), contenders)
        notes = prepared(chosen)
        here = self._here = look_around(chosen, contenders)
        try:
            tree: str | None = revisions.tree_of(revisions.UNCOMMITTED)
        except UsageError:
            tree = None
        return {
            "machine": {
                "environment": {**here.environment, "host": self._machine, "tree": tree},
                "memory_bytes": here.memory_bytes,
            },
            "notes": [*notes, *here.notes],
        }

    def _plan(
        self, here: Machine, options: dict[str, Any], sweep: str, memory_bytes: int | None
    ) -> dict[str, Any]:
        here = replace(here, memory_bytes=memory_bytes)
        plan = make_plan(decode(Options, options), here, sweep=sweep, on_pilot=lambda _: None)
        return {"plan": encode(plan)}

    def _begin(
        self, here: Machine, plan: dict[str, Any], environment: dict[str, Any], has: dict[str, Any]
    ) -> dict[str, Any]:
        what: Plan = decode(Plan, plan)
        rows, losses = unpacked(has)
        folder = SweepFolder(self._archive.path / SWEEPS / what.sweep)
        if folder.plan() is None:
            self._archive.filled(what.sweep, lambda new: new.begin(what, environment))
        folder.write_json(PLAN, plan)
        mended(folder)
        sweep = self._load(what, folder, here)
        sweep.take(rows, losses)
        self._told = set(losses)
        return self._parcel(sweep, sweep.rows.keys() - {row.run.key for row in rows})

    def _round(self, here: Machine, sweep: str, case: str, number: int) -> dict[str, Any]:
        current = self._sweep
        if current is None or current.plan.sweep != sweep:
            return {"again": f"sweep {sweep} has not begun here"}
        # Another worker of this machine may have written.
        if (current.folder.path / RUNS).stat().st_size != self._size:
            current = self._load(current.plan, current.folder, here)
        runs = [run for run in current.plan.schedule() if run.round == number and str(run.case) == case]
        for run in runs:
            # A run that fails spares the contender's others.
            if current.is_pending(run) and not self.has_ended.is_set():
                current.perform(run)
        return self._parcel(current, {run.key for run in runs})

    def _load(self, plan: Plan, folder: SweepFolder, here: Machine) -> Sweep:
        folder.set_half_lines_aside()
        self._sweep = Sweep(plan, here.contenders, folder, self._machine)
        return self._sweep

    def _parcel(self, sweep: Sweep, keys: Set[RunKey]) -> dict[str, Any]:
        """Pack the rows of some runs, and all losses that were not sent yet."""
        new = {key: values for key, values in sweep.losses.items() if key not in self._told}
        self._told |= new.keys()
        self._size = (sweep.folder.path / RUNS).stat().st_size
        return packed((row for key, row in sweep.rows.items() if key in keys), new)


def main() -> None:
    """Answer until standard input ends, which stops a round after the current run."""
    # Keep the pipes to the client from builders and programs.
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    station = Station("".join(sys.argv[1:]))
    lines: SimpleQueue[bytes | None] = SimpleQueue()

    def read() -> None:
        for line in requests:
            lines.put(line)
        station.has_ended.set()
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    with guarded(), suppress(BrokenPipeError):
        while (line := lines.get()) is not None:
            replies.write(json.dumps(station.answer(line)).encode() + b"\n")
            replies.flush()


if __name__ == "__main__":
    main()
