"""The folder of a sweep: its plan, its environment, a row for every process, the losses of every case.

Rows and losses are appended and flushed as each process ends, so what was measured stays whatever happens
next, and a run costs the same whatever was measured before. A line that was only half written when its writer
was killed has no line break at its end: it is set aside, and the process is run again.
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
from harness.rows import COLUMNS, ESSENTIAL, Row, cells, count, read_row

RUNS = "runs.csv"
LOSSES = "losses.csv"
PLAN = "plan.json"
ENVIRONMENT = "environment.json"
LOSS_COLUMNS = ("contender", "method", "layers", "epoch", "loss")
LossKey = tuple[str, str, str]
"""Whose losses on what: contender, method, shape."""


class SweepFolder:
    """The folder of one sweep. Every method raises ResultsError if a file cannot be read or written."""

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
        self._append(RUNS, tuple(COLUMNS), [])
        self._append(LOSSES, LOSS_COLUMNS, [])

    def append_row(self, row: Row) -> None:
        """Append ``row`` to runs.csv."""
        self._append(RUNS, tuple(COLUMNS), [cells(row)])

    def append_losses(self, key: LossKey, losses: Sequence[float]) -> None:
        """Append the losses of a contender on a case to losses.csv: before training, then by epoch."""
        lines = ([*key, str(epoch), repr(loss)] for epoch, loss in enumerate(losses))
        self._append(LOSSES, LOSS_COLUMNS, lines)

    def _append(self, name: str, columns: Sequence[str], lines: Iterable[Sequence[str]]) -> None:
        path = self.path / name
        with (
            explained(path, "cannot be written", _KEPT),
            _open_to_append(path) as file,
        ):
            header = [] if file.tell() else [columns]
            file.write(_csv([*header, *lines]))

    def rows(self) -> list[Row]:
        """Return all rows of runs.csv, none if there is no such file; refuse a run that is there twice."""
        path = self.path / RUNS
        found: dict[object, int] = {}
        rows = []
        for number, texts in self._table(RUNS, ESSENTIAL):
            try:
                row = read_row(texts)
            except ValueError as error:
                raise ResultsError(f"{path}, line {number}: {error}; restore or remove the line") from error
            first = found.setdefault((row.sweep, row.run.key), number)
            if first != number:
                raise ResultsError(
                    f"{path}, line {number}: repeats line {first} ({row.run}); remove one of the two"
                )
            rows.append(row)
        return rows

    def losses(self) -> dict[LossKey, tuple[float, ...]]:
        """Return what losses.csv holds, nothing if there is no such file.

        Epoch 0 begins the losses of a case; if it comes again, the first time was not written to its end.
        """
        losses: dict[LossKey, list[float]] = {}
        for number, texts in self._table(LOSSES, LOSS_COLUMNS):
            key = texts["contender"], texts["method"], texts["layers"]
            try:
                epoch, loss = count(texts["epoch"]), float(texts["loss"])
                if epoch == 0:
                    losses[key] = []
                if epoch != len(losses.get(key, ())):
                    raise ValueError(epoch)
            except ValueError as error:
                raise ResultsError(
                    f"{self.path / LOSSES}, line {number}: is not the next epoch's loss:"
                    f" {shown(','.join(texts.values()))}; restore the file or remove it"
                ) from error
            losses[key].append(loss)
        return {key: tuple(values) for key, values in losses.items()}

    def can_grow(self) -> bool:
        """Whether rows of this version can be appended: false if another version wrote the column names."""
        return tuple(next(_lines(self.path / RUNS), COLUMNS)) == tuple(COLUMNS)

    def set_half_lines_aside(self) -> list[str]:
        """Cut off what stands after the last line break of each table, and return which tables had any.

        It is kept in a file of its own beside the table. A file that is no such table is not touched.
        """
        cut = []
        for name, essential in ((RUNS, ESSENTIAL), (LOSSES, LOSS_COLUMNS)):
            path = self.path / name
            next(self._table(name, essential), None)  # The column names are right.
            with explained(path, "cannot be repaired", _KEPT), suppress(FileNotFoundError):
                content = path.read_bytes()
                whole = content.rfind(b"\n") + 1
                if whole < len(content):
                    with _open_to_append(self.path / f"{name}.half") as file:
                        file.write(content[whole:].decode(errors="replace") + "\n")
                    os.truncate(path, whole)
                    cut.append(name)
        return cut

    def _table(self, name: str, essential: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
        """Yield the lines below the column names: the number, and the cells by column."""
        path = self.path / name
        lines = _lines(path)
        header = next(lines, None)
        if header is None:
            return
        if missing := next((column for column in essential if column not in header), None):
            raise ResultsError(f"{path}: has no column {missing!r}; restore the file or move it away")
        if len(set(header)) < len(header):
            raise ResultsError(f"{path}: has two columns of one name; restore the file or move it away")
        known = COLUMNS if name == RUNS else LOSS_COLUMNS
        places = [(column, place) for place, column in enumerate(header) if column in known]
        for number, texts in enumerate(lines, start=2):
            if len(texts) != len(header):
                raise ResultsError(
                    f"{path}, line {number}: has {len(texts)} cells instead of {len(header)};"
                    " restore or remove the line"
                )
            yield number, {column: texts[place] for column, place in places}

    def plan(self) -> Plan | None:
        """Return what plan.json says, None if there is no such file."""
        document = self.read_json(PLAN)
        if document is None:
            return None
        path = self.path / PLAN
        try:
            plan: Plan = decode(Plan, document)
        except ValueError as error:
            raise ResultsError(f"{path}: is not a plan: {error}; restore the file or remove it") from error
        return plan

    def environment(self) -> dict[str, Any]:
        """Return what environment.json says, nothing if there is no such file."""
        return self.read_json(ENVIRONMENT) or {}

    def read_json(self, name: str) -> dict[str, Any] | None:
        """Return what the JSON file ``name`` holds, None if there is no such file."""
        path = self.path / name
        try:
            document = json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except RecursionError:
            raise ResultsError(f"{path}: is nested too deeply; restore the file or remove it") from None
        except (OSError, ValueError) as error:
            raise ResultsError(
                f"{path}: cannot be read: {shown_error(error)}; restore the file or remove it"
            ) from error
        if not isinstance(document, dict):
            raise ResultsError(f"{path}: is not a JSON object; restore the file or remove it")
        return document

    def write_json(self, name: str, document: Mapping[str, object]) -> None:
        """Replace the JSON file ``name``."""
        self.write_file(name, (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode())

    def write_file(self, name: str, content: bytes) -> None:
        """Write a whole file so that, killed at any moment, it is the old one or the new one."""
        replace_file(self.path / name, content)


_KEPT = "what was measured before is kept, mend this and run the same command again"


def replace_file(path: Path, content: bytes) -> None:
    """Write a whole file so that, killed at any moment, it is the old one or the new one; follow no link."""
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
    """Open a file at its end, a new one if there is none; a link is not followed."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
    return os.fdopen(os.open(path, flags, 0o666), "a", encoding="utf-8", newline="")


@contextmanager
def explained(path: Path, what: str, then: str) -> Iterator[None]:
    """Turn an OSError into a ResultsError: the path, what failed and why, what to do."""
    try:
        yield
    except OSError as error:
        raise ResultsError(f"{path}: {what}: {error.strerror}; {then}") from error


def _csv(lines: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()


def _lines(path: Path) -> Iterator[list[str]]:
    """Yield the lines of a CSV file that are not empty, without a half-written one at its end."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    except OSError as error:
        raise ResultsError(f"{path}: cannot be read: {error.strerror}; mend that or move it away") from error
    headers = (_csv([columns]).encode() for columns in (tuple(COLUMNS), LOSS_COLUMNS))
    if b"\n" not in content and not any(header.startswith(content) for header in headers):
        raise ResultsError(f"{path}: is not a table of flatnet's; restore the file or move it away")
    whole = io.BytesIO(content[: content.rfind(b"\n") + 1])
    reader = csv.reader(io.TextIOWrapper(whole, encoding="utf-8", newline=""), strict=True)
    try:
        yield from (line for line in reader if line)
    except (csv.Error, UnicodeDecodeError) as error:
        raise ResultsError(
            f"{path}, line {reader.line_num}: is not CSV: {error}; restore the file or move it away"
        ) from error
