"""The folder of a sweep: its plan, its environment, a row for every process, the losses of every case.

Tables grow as each process ends. A line without a line break was half written when its writer was killed.
"""

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from harness.codec import decode, encode, shown, shown_error
from harness.errors import ResultsError
from harness.plan import Plan
from harness.rows import COLUMNS, ESSENTIAL, Made, Row, cells, read_row, values

RUNS = "runs.csv"
LOSSES = "losses.csv"
PLAN = "plan.json"
ENVIRONMENT = "environment.json"
LOSS_COLUMNS = ("contender", "method", "layers", "epoch", "loss")
_TABLES = {RUNS: (tuple(COLUMNS), ESSENTIAL), LOSSES: (LOSS_COLUMNS, LOSS_COLUMNS)}
"""The columns of each table, and those without which it cannot be understood."""
LossKey = tuple[str, str, str]
"""Contender, method, shape."""
Losses = Mapping[LossKey, tuple[float, ...]]


class SweepFolder:
    """The folder of a sweep. Methods raise ResultsError if a file cannot be read or written."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def name(self) -> str:
        """The sweep's id."""
        return self.path.name

    def begin(self, plan: Plan, environment: Mapping[str, object]) -> None:
        """Write the plan, the environment, and the column names of both tables."""
        self.write_json(PLAN, encode(plan))
        self.write_json(ENVIRONMENT, {"sweep": plan.sweep, **environment})
        for name in _TABLES:
            self._append(name, [])

    def append_row(self, row: Row) -> None:
        """Append ``row`` to runs.csv."""
        self._append(RUNS, [cells(row)])

    def append_losses(self, key: LossKey, losses: Sequence[float]) -> None:
        """Append losses to losses.csv: before training, then by epoch."""
        self._append(LOSSES, ([*key, str(epoch), repr(loss)] for epoch, loss in enumerate(losses)))

    def _append(self, name: str, lines: Iterable[Sequence[str]]) -> None:
        path = self.path / name
        with explained(path, "cannot be written", _KEPT), _open_to_append(path) as file:
            header = [] if file.tell() else [_TABLES[name][0]]
            file.write(_csv([*header, *lines]))

    def rows(self) -> list[Row]:
        """Return all rows of runs.csv, none if there is no file; refuse a run that is there twice."""
        found: dict[object, int] = {}
        rows: list[Row] = []
        with self._table(RUNS) as lines:
            for number, texts in lines:
                row = read_row(texts)
                if rows and row.sweep != rows[0].sweep:
                    raise ValueError(f"is of another sweep, {shown(row.sweep)}, than the lines above")
                first = found.setdefault(row.run.key, number)
                if first != number:
                    raise ValueError(f"repeats line {first} ({row.run})")
                rows.append(row)
        return rows

    def losses(self) -> dict[LossKey, tuple[float, ...]]:
        """Return what losses.csv has, nothing if there is no file.

        Epoch 0 begins a case's losses; if it comes again, those before are incomplete.
        """
        losses: dict[LossKey, list[float]] = {}
        with self._table(LOSSES) as lines:
            for _, texts in lines:
                key = texts["contender"], texts["method"], texts["layers"]
                read = values(texts, {"epoch": int, "loss": float})
                if read["epoch"] == 0:
                    losses[key] = []
                if read["epoch"] != len(losses.get(key, ())):
                    raise ValueError(f"epoch is {read['epoch']}, which is not the next")
                losses[key].append(read["loss"])
        return {key: tuple(own) for key, own in losses.items()}

    def can_grow(self) -> bool:
        """Whether rows can be appended: false if another version wrote the column names."""
        return tuple(self._reader(RUNS).fieldnames or COLUMNS) == tuple(COLUMNS)

    def set_half_lines_aside(self) -> list[str]:
        """Move what follows the last line break of a table to a file beside it; return which had any."""
        cut = []
        for name in _TABLES:
            with self._table(name):  # It is a table of ours.
                content = self._content(name) or b""
            whole = content.rfind(b"\n") + 1
            if whole < len(content):
                self._set_aside(name, content[whole:].decode(errors="replace") + "\n", content[:whole])
                cut.append(name)
        return cut

    def set_cut_rounds_aside(self, plan: Plan) -> int:
        """Move the runs of unfinished rounds to a file beside runs.csv; return how many there were."""
        rows = self.rows()
        cut = {(str(run.case), run.round) for run in Made(plan, rows).pending()}
        gone = [row for row in rows if (str(row.run.case), row.run.round) in cut]
        if gone:
            kept = [tuple(COLUMNS), *(cells(row) for row in rows if row not in gone)]
            self._set_aside(RUNS, _csv(map(cells, gone)), _csv(kept).encode())
        return len(gone)

    def _set_aside(self, name: str, gone: str, kept: bytes) -> None:
        with explained(self.path / name, "cannot be repaired", _KEPT):
            with _open_to_append(self.path / f"{name}.half") as file:
                file.write(gone)
            replace_file(self.path / name, kept)

    def _content(self, name: str) -> bytes | None:
        """Return what is in a file, None if there is none."""
        path = self.path / name
        if path.exists() and not path.is_file():
            raise _broken(path, "is no file")
        with explained(path, "cannot be read", "mend that or move it away"), suppress(FileNotFoundError):
            return path.read_bytes()
        return None

    def _reader(self, name: str) -> "csv.DictReader[str]":
        """Return what reads a table's lines, without a half-written one at its end."""
        content = self._content(name) or b""
        if b"\n" not in content and not _csv([_TABLES[name][0]]).encode().startswith(content):
            raise _broken(self.path / name, "is not a table of flatnet's")
        whole = io.BytesIO(content[: content.rfind(b"\n") + 1])
        return csv.DictReader(io.TextIOWrapper(whole, encoding="utf-8-sig", newline=""), strict=True)

    @contextmanager
    def _table(self, name: str) -> Iterator[Iterator[tuple[int, dict[str, str]]]]:
        """Yield number and cells of each line; a ValueError meanwhile becomes its ResultsError."""
        path, reader = self.path / name, self._reader(name)
        try:
            header = reader.fieldnames or ()
            for column in _TABLES[name][1] if header else ():
                if column not in header:
                    raise _broken(path, f"has no column {column!r}")
            yield ((reader.line_num, _whole(texts)) for texts in reader)
        except (csv.Error, UnicodeDecodeError) as error:
            raise _broken(path, f"is not CSV: {error}", reader.reader.line_num) from error
        except ValueError as error:
            raise _broken(path, str(error), reader.line_num) from error

    def plan(self) -> Plan | None:
        """Return what plan.json says, None if there is no file."""
        document = self.read_json(PLAN)
        try:
            return None if document is None else decode(Plan, document)
        except ValueError as error:
            raise _broken(self.path / PLAN, f"is not a plan: {error}") from error

    def environment(self) -> dict[str, Any]:
        """Return what environment.json says, nothing if there is no file."""
        found = self.read_json(ENVIRONMENT) or {}
        contenders, missing = found.get("contenders", {}), found.get("missing", {})
        parts = [missing, contenders, *(contenders.values() if isinstance(contenders, dict) else ())]
        if not all(isinstance(part, dict) for part in parts):
            raise _broken(self.path / ENVIRONMENT, "has something else than contenders under that name")
        return found

    def read_json(self, name: str) -> dict[str, Any] | None:
        """Return what the JSON file ``name`` says, None if there is no file."""
        path, content = self.path / name, self._content(name)
        if content is None:
            return None
        try:
            document = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise _broken(path, f"cannot be read: {shown_error(error)}") from error
        if not isinstance(document, dict):
            raise _broken(path, "is not a JSON object")
        return document

    def write_json(self, name: str, document: Mapping[str, object]) -> None:
        """Replace the JSON file ``name``."""
        text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        replace_file(self.path / name, text.encode())


_KEPT = "what was measured before is kept, mend this and run the same command again (tables alone: make plot)"


def replace_file(path: Path, content: bytes) -> None:
    """Write a file so that, killed at any moment, it is the old or the new one; follow no link."""
    new = path.with_name(f".{path.name}.new")
    with explained(path, "cannot be written", _KEPT):
        try:
            new.unlink(missing_ok=True)
            with new.open("xb") as file:
                file.write(content)
            new.replace(path)
        except OSError:
            with suppress(OSError):
                new.unlink()
            raise


def _open_to_append(path: Path) -> TextIO:
    """Open a file at its end, a new one if there is none; follow no link."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
    return os.fdopen(os.open(path, flags, 0o666), "a", encoding="utf-8", newline="")


@contextmanager
def explained(path: Path, what: str, then: str) -> Iterator[None]:
    """Turn an OSError into a ResultsError: the path, what failed, why, and what to do."""
    try:
        yield
    except OSError as error:
        raise ResultsError(f"{path}: {what}: {error.strerror}; {then}") from error


def _broken(path: Path, what: str, line: int | None = None) -> ResultsError:
    """Return the error of a file, or of a line, that cannot be understood."""
    where, part = (path, "file") if line is None else (f"{path}, line {line}", "line")
    return ResultsError(f"{where}: {what}; restore or remove the {part}")


def _whole(texts: dict[str, str]) -> dict[str, str]:
    """Return the cells of a line; raise ValueError if there are too many or too few."""
    # DictReader has None for the column of cells too many, and for cells too few.
    if None in texts or None in texts.values():
        raise ValueError("has more or fewer cells than there are columns")
    return texts


def packed(rows: Iterable[Row], losses: Losses) -> dict[str, Any]:
    """Return them in types that JSON has; numbers read back exactly."""
    return {"rows": [cells(row) for row in rows], "losses": list(losses.items())}


def unpacked(parcel: Mapping[str, Any]) -> tuple[list[Row], Losses]:
    """Return what was packed; raise ValueError, TypeError or KeyError if nothing was."""
    rows = [read_row(dict(zip(COLUMNS, texts, strict=True))) for texts in parcel["rows"]]
    losses = {
        (contender, method, shape): tuple(map(float, values))
        for (contender, method, shape), values in parcel["losses"]
    }
    return rows, losses


def _csv(lines: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()
