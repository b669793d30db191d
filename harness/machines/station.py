"""The process that measures on a machine of its own: requests come in on standard input, replies go out.

    python -m harness.machines.station    one JSON object a line, both ways; ends when its input ends

It is small and stands alone, so that no program is timed as the child of a large one, and it measures with
the tree in which it was started. What it measures it keeps, as each process ends, in a journal on the
machine's own disk: the sweep's folder in results/stations. A run that is in there is not made again, so
whoever is killed, nothing is lost and nothing is measured twice.
"""

import fcntl
import hashlib
import json
import os
import re
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any

from harness.archive import STATIONS, SWEEPS, Archive
from harness.codec import decode, encode, shown, shown_error
from harness.errors import FlatnetError, UsageError
from harness.measure import environment, revisions
from harness.measure.contenders import Lineup, build, lineup, load_manifest, select
from harness.measure.guard import end_leftovers
from harness.measure.pilots import make_plan
from harness.measure.runner import guarded
from harness.measure.sweep import Sweep
from harness.paths import RESULTS, ROOT
from harness.plan import Options, Plan, Run, RunKey
from harness.records import RUNS, LossKey, SweepFolder, replace_file
from harness.rows import COLUMNS, Row, cells, read_row

VARIABLE = "FLATNET_MACHINE"
"""Names the machine, if its host name will not do."""


def machine_name(name: str) -> str:
    """Return the name of a machine; raise UsageError if no folder can be called so."""
    if not re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z._-]{0,62}", name):
        raise UsageError(f"{VARIABLE}: got {shown(name)}, takes letters, digits, '.', '_' and '-'")
    return name


@contextmanager
def machine_locked(machine: str) -> Iterator[None]:
    """Wait until nobody else measures on this machine, and keep others out meanwhile."""
    path = Path(tempfile.gettempdir()) / f"flatnet-{machine}.lock"
    try:
        # Whose file it is does not matter: to lock it, reading is enough.
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL, 0o644))
        lock = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        raise UsageError(f"{path}: cannot be locked: {error.strerror}; remove it") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """Rows and losses on their way from one machine to another."""

    rows: tuple[Row, ...]
    """Processes that have ended."""
    losses: Mapping[LossKey, tuple[float, ...]]
    """Losses of contenders on cases."""

    def packed(self) -> dict[str, Any]:
        """Return it in types that JSON has; numbers read back exactly."""
        return {
            "rows": [cells(row) for row in self.rows],
            "losses": [[list(key), list(values)] for key, values in self.losses.items()],
        }

    @classmethod
    def unpacked(cls, packed: Mapping[str, Any]) -> "Parcel":
        """Return what was packed; raise ValueError, TypeError or KeyError if it was something else."""
        rows = (read_row(dict(zip(COLUMNS, texts, strict=True))) for texts in packed["rows"])
        losses = {_loss_key(*key): tuple(map(float, values)) for key, values in packed["losses"]}
        return cls(rows=tuple(rows), losses=losses)


def _loss_key(contender: str, method: str, layers: str) -> LossKey:
    return contender, method, layers


class Station:
    """Answers requests one after the other. What is asked for is named by ``do``; the rest are arguments.

    look    build the contenders, and tell who is here, and what the machine is
    plan    make pilot runs and a plan
    begin   take up a sweep, with what the client has of it; tell what the journal has besides
    round   make what is missing of a round of a case; tell what there is of it now

    A reply has ``error`` if the request cannot be fulfilled, or ``again`` if that would need a ``look`` and a
    ``begin`` first.
    """

    def __init__(self, machine: str) -> None:
        self.has_ended = threading.Event()
        """Set when nobody is there any more who would hear an answer."""
        self._machine = machine
        self._lineup: Lineup | None = None
        self._sweep: Sweep | None = None
        self._size = -1
        self._rounds: dict[tuple[str, int], list[Run]] = {}
        self._rows: dict[RunKey, Row] = {}
        self._told: set[LossKey] = set()

    def answer(self, line: bytes) -> dict[str, Any]:
        """Return the reply to a request, which is a JSON object."""
        requests: dict[str, Callable[..., dict[str, Any]]] = {
            "look": self._look,
            "plan": self._plan,
            "begin": self._begin,
            "round": self._round,
        }
        try:
            request = json.loads(line)
            do = requests[request.pop("do")]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return {
                "error": f"got {shown(line.decode(errors='replace'))}, takes a JSON object with a known 'do'"
            }
        try:
            with machine_locked(self._machine):
                return do(**request)
        except FlatnetError as error:
            return {"error": str(error)}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return {"error": f"cannot understand the request: {shown_error(error)}"}
        except OSError as error:
            return {"error": f"cannot measure: {error.strerror}"}

    def _look(self, manifest: str, contenders: list[str]) -> dict[str, Any]:
        archive = Archive(RESULTS / STATIONS / self._machine)
        archive.path.mkdir(parents=True, exist_ok=True)
        replace_file(archive.path / "contenders.toml", manifest.encode())
        chosen = select(load_manifest(archive.path / "contenders.toml"), contenders)
        ended = end_leftovers()
        if failures := build(chosen):
            raise FlatnetError("; ".join(failures))
        found = lineup(chosen)
        self._lineup = found
        try:
            tree: str | None = revisions.tree_of(revisions.UNCOMMITTED)
        except UsageError:
            tree = None
        described = {**environment.describe(found), "host": self._machine, "tree": tree}
        return {
            "environment": {**described, "built": _hashes(found)},
            "versions": dict(found.versions),
            "reference": found.reference,
            "memory_bytes": environment.memory_limit(),
            "notes": [
                *(f"ended a program that an interrupted bench had left running: {line}" for line in ended),
                *(f"{name} is skipped: {reason}" for name, reason in found.missing.items()),
                *environment.warnings(described),
            ],
        }

    def _plan(self, options: dict[str, Any], sweep: str, memory_bytes: int | None) -> dict[str, Any]:
        if self._lineup is None:
            return {"again": "nobody has looked at this machine yet"}
        plan = make_plan(
            decode(Options, options),
            self._lineup,
            sweep=sweep,
            memory_bytes=memory_bytes,
            on_pilot=lambda _: None,
        )
        return {"plan": encode(plan)}

    def _begin(
        self, plan: dict[str, Any], environment: dict[str, Any], has: dict[str, Any]
    ) -> dict[str, Any]:
        if self._lineup is None:
            return {"again": "nobody has looked at this machine yet"}
        what: Plan = decode(Plan, plan)
        theirs = Parcel.unpacked(has)
        archive = Archive(RESULTS / STATIONS / self._machine)
        folder = SweepFolder(archive.path / SWEEPS / what.sweep)
        before = folder.plan()
        if before is None:
            folder = archive.filled(what.sweep, lambda new: new.begin(what, environment))
        elif before != what:
            folder.write_json("plan.json", encode(what))
        sweep = self._load(what, folder)
        self._rows |= {row.run.key: row for row in sweep.take(theirs.rows, theirs.losses)}
        self._told = set(theirs.losses)
        known = {row.run.key for row in theirs.rows}
        return self._parcel(sweep, [row for key, row in self._rows.items() if key not in known])

    def _round(self, sweep: str, case: str, number: int) -> dict[str, Any]:
        if self._sweep is None or self._sweep.plan.sweep != sweep:
            return {"again": f"sweep {sweep} has not begun here"}
        # Another worker of this machine may have written meanwhile.
        if self._size_of(self._sweep.folder) != self._size:
            self._load(self._sweep.plan, self._sweep.folder)
        current = self._sweep
        runs = self._rounds.get((case, number), [])
        for run in runs:
            # A run that fails spares the contender's others.
            if current.is_pending(run) and not self.has_ended.is_set():
                self._rows[run.key] = current.perform(run)
        return self._parcel(current, [self._rows[run.key] for run in runs if run.key in self._rows])

    def _load(self, plan: Plan, folder: SweepFolder) -> Sweep:
        assert self._lineup is not None
        folder.set_half_lines_aside()
        self._sweep = Sweep(plan, self._lineup.present, folder, self._machine)
        self._rows = {row.run.key: row for row in folder.rows()}
        self._rounds = {}
        for run in plan.schedule():
            self._rounds.setdefault((str(run.case), run.round), []).append(run)
        self._size = self._size_of(folder)
        return self._sweep

    def _size_of(self, folder: SweepFolder) -> int:
        try:
            return (folder.path / RUNS).stat().st_size
        except FileNotFoundError:
            return -1

    def _parcel(self, sweep: Sweep, rows: list[Row]) -> dict[str, Any]:
        """Pack rows, and the losses that were not told yet."""
        new = {key: values for key, values in sweep.losses.items() if key not in self._told}
        self._told |= new.keys()
        self._size = self._size_of(sweep.folder)
        return Parcel(rows=tuple(rows), losses=new).packed()


def _hashes(found: Lineup) -> dict[str, str]:
    """Return the SHA-256 of the files of this tree that the command of each built contender names."""
    hashes = {}
    for contender in found.present:
        paths = [ROOT / word for word in contender.command]
        files = [path for path in paths if path.is_relative_to(ROOT) and path.is_file()]
        if contender.build and files:
            hashes[contender.name] = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    return hashes


def main() -> None:
    """Answer until standard input ends; a round that is being made then stops after the run at hand."""
    # What builders and programs read and write is not ours to talk to the client with.
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    try:
        station = Station(machine_name(os.environ.get(VARIABLE) or socket.gethostname()))
    except UsageError as error:
        replies.write(json.dumps({"error": str(error)}).encode() + b"\n")
        return
    lines: SimpleQueue[bytes | None] = SimpleQueue()
    threading.Thread(target=_read, args=(requests, lines, station.has_ended), daemon=True).start()
    with guarded(), suppress(BrokenPipeError):
        while (line := lines.get()) is not None:
            replies.write(json.dumps(station.answer(line)).encode() + b"\n")
            replies.flush()


def _read(requests: IO[bytes], lines: "SimpleQueue[bytes | None]", ended: threading.Event) -> None:
    for line in requests:
        lines.put(line)
    ended.set()
    lines.put(None)


if __name__ == "__main__":
    main()
