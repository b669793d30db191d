"""The results folder: a CSV row for every process, the losses of every case, the plan, the environment.

Rows are appended and flushed as each process ends, so what was measured stays whatever happens next. A
row that was only half written when its writer was killed has no line break at its end: it is dropped, and
the process is run again.
"""

import csv
import io
import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from harness.contract import METHODS, parse_layers
from harness.errors import ResultsError, UsageError

RUNS = "runs.csv"
LOSSES = "losses.csv"
PLAN = "plan.json"
ENVIRONMENT = "environment.json"
FAILED = ("timeout", "crash", "flood", "stray", "garbled")
"""The status of a run that ended without losses."""
STATUSES = ("ok", "mismatch", *FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One process, as it stands in runs.csv; a field that is None is an empty cell."""

    sweep: str
    """The sweep that it belongs to: the UTC time at which that was planned."""
    started_utc: str
    """When the process was started, ISO 8601."""
    host: str
    """The machine's name."""
    contender: str
    """The contender's name in the manifest."""
    version: str
    """What its version command said."""
    control: bool
    """Whether this is the reference run a second time in its round, to show the noise floor."""
    method: str
    """naive, incremental or backprop."""
    layers: str
    """The shape: layer sizes with hyphens between them."""
    neurons: int
    """The sum of the layer sizes."""
    parameters: int
    """Weights and biases."""
    multiply_adds: int
    """Multiply-adds of one training step."""
    samples: int
    """Training samples."""
    epochs: int
    """Passes over the samples."""
    step: float
    """h of the central difference."""
    learning_rate: float
    """Factor on the gradient in every update."""
    low: float
    """Least value of an input."""
    high: float
    """Greatest value of an input."""
    seed: int
    """Seed of the random stream."""
    threads: int
    """Threads that the contender was told to use."""
    round: int
    """0 for the warm-up, then 1, 2, ..."""
    position: int
    """The process's place in its round, from 1."""
    warm_up: bool
    """Whether it is kept out of every statistic because it is the case's first round."""
    status: str
    """ok, mismatch, or why it failed: timeout, crash, flood, stray, garbled."""
    wall_s: float
    """Seconds from start to end, seen from outside."""
    user_s: float
    """CPU seconds in user mode."""
    system_s: float
    """CPU seconds in the kernel."""
    training_s: float | None
    """Seconds of the training loop by the program's own clock."""
    peak_memory_bytes: int | None
    """The program's own high-water mark."""
    initial_loss: float | None
    """The loss before training."""
    final_loss: float | None
    """The loss after the last epoch."""
    parity: str
    """reference, identical, within N ulp, or the first epoch that differs; empty without losses."""
    error: str
    """What went wrong, in words."""


COLUMNS = tuple(field.name for field in fields(Row))
LOSS_COLUMNS = ("sweep", "contender", "method", "layers", "epoch", "loss")


def encode(row: Row) -> list[str]:
    """Return the cells of ``row``; numbers are written so that they read back exactly."""
    return [_cell(getattr(row, name)) for name in COLUMNS]


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    # A line break in a cell would make a half-written row look like a whole one.
    return " ".join(value.splitlines()) if isinstance(value, str) else repr(value)


def decode(cells: Sequence[str], where: str) -> Row:
    """Return the row that ``cells`` hold; raise ResultsError, which begins with ``where``."""
    if len(cells) != len(COLUMNS):
        raise ResultsError(
            f"{where}: has {len(cells)} cells instead of {len(COLUMNS)}; restore or remove the line"
        )
    values: dict[str, Any] = {}
    for field, cell in zip(fields(Row), cells, strict=True):
        kind, read = _READERS[field.type]
        try:
            values[field.name] = read(cell)
        except (ValueError, KeyError) as error:
            raise ResultsError(
                f"{where}: {field.name} is {cell!r}, takes {kind}; restore or remove the line"
            ) from error
    row = Row(**values)
    if problem := _problem(row):
        raise ResultsError(f"{where}: {problem}; restore or remove the line")
    return row


def _problem(row: Row) -> str:
    """Return what no run could have, nothing where all is well."""
    try:
        neurons = sum(parse_layers(row.layers))
    except UsageError as error:
        return str(error)
    if row.neurons != neurons:
        return f"neurons is {row.neurons}, but {row.layers} has {neurons}"
    for name, value, known in (("method", row.method, METHODS), ("status", row.status, STATUSES)):
        if value not in known:
            return f"{name} is {value!r}, takes {', '.join(known)}"
    if not row.training_s and row.status not in FAILED:
        return f"training_s is empty or zero, and the status is {row.status}"
    return next(_out_of_range(row), "")


def _out_of_range(row: Row) -> Iterator[str]:
    for name in ("samples", "epochs"):
        if (count := getattr(row, name)) < 1:
            yield f"{name} is {count}, takes an integer of at least 1"
    for name in ("wall_s", "user_s", "system_s", "training_s"):
        if not 0.0 <= (getattr(row, name) or 0.0) < math.inf:
            yield f"{name} is {getattr(row, name)!r}, takes seconds of at least 0"


_READERS: dict[Any, tuple[str, Callable[[str], Any]]] = {
    str: ("a text", str),
    int: ("an integer", int),
    float: ("a number", float),
    bool: ("yes or no", {"yes": True, "no": False}.__getitem__),
    float | None: ("a number or nothing", lambda cell: float(cell) if cell else None),
    int | None: ("an integer or nothing", lambda cell: int(cell) if cell else None),
}

Losses = dict[tuple[str, str, str, str], tuple[float, ...]]
"""The losses of every contender and case, by (sweep, contender, method, layers)."""


class Folder:
    """A results folder and its files. Every method raises ResultsError where a file will not have it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def create(self) -> None:
        """Make the folder, if it is not there."""
        with _explained(self.path, "cannot be created"):
            self.path.mkdir(parents=True, exist_ok=True)

    def append_row(self, row: Row) -> None:
        """Append ``row`` to runs.csv, below a line of column names where the file is new."""
        with (
            _explained(self.path / RUNS, "cannot be written"),
            (self.path / RUNS).open("a", encoding="utf-8", newline="") as file,
        ):
            header = [] if file.tell() else [COLUMNS]
            file.write(_lines([*header, encode(row)]))

    def read_rows(self) -> list[Row]:
        """Return all rows of runs.csv, none where there is no such file."""
        path = self.path / RUNS
        lines = _read_table(path, COLUMNS)
        return [decode(cells, f"{path}, line {number}") for number, cells in lines]

    def drop_half_row(self) -> bool:
        """Remove what stands after the last line break of runs.csv, and say whether anything did."""
        path = self.path / RUNS
        with _explained(path, "cannot be repaired"):
            try:
                content = path.read_bytes()
            except FileNotFoundError:
                return False
            whole = content.rfind(b"\n") + 1
            if whole == len(content):
                return False
            os.truncate(path, whole)
            return True

    def write_losses(self, losses: Losses) -> None:
        """Replace losses.csv by ``losses``."""
        rows = [
            [*key, str(epoch), repr(loss)]
            for key, values in losses.items()
            for epoch, loss in enumerate(values)
        ]
        self.write_file(LOSSES, _lines([LOSS_COLUMNS, *rows]).encode())

    def read_losses(self) -> Losses:
        """Return what losses.csv holds, nothing where there is no such file."""
        path = self.path / LOSSES
        losses: dict[tuple[str, str, str, str], list[float]] = {}
        for number, cells in _read_table(path, LOSS_COLUMNS):
            try:
                sweep, contender, method, layers, epoch, loss = cells
                values = losses.setdefault((sweep, contender, method, layers), [])
                if int(epoch) != len(values):
                    raise ValueError(epoch)
                values.append(float(loss))
            except ValueError as error:
                raise ResultsError(
                    f"{path}, line {number}: is not the next epoch's loss: {','.join(cells)!r};"
                    " restore the file or remove it"
                ) from error
        return {key: tuple(values) for key, values in losses.items()}

    def write_json(self, name: str, document: Mapping[str, object]) -> None:
        """Replace the JSON file ``name``."""
        self.write_file(name, (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode())

    def read_json(self, name: str) -> dict[str, Any] | None:
        """Return what the JSON file ``name`` holds, None where there is no such file."""
        path = self.path / name
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise ResultsError(f"{path}: cannot be read: {error}; restore the file or remove it") from error
        if not isinstance(document, dict):
            raise ResultsError(f"{path}: is not a JSON object; restore the file or remove it")
        return document

    def write_file(self, name: str, content: bytes) -> None:
        """Write a whole file so that, killed at any moment, it is the old one or the new one."""
        path = self.path / name
        with _explained(path, "cannot be written"):
            new = path.with_name(f".{name}.new")
            try:
                new.write_bytes(content)
                new.replace(path)
            except OSError:
                with suppress(OSError):
                    new.unlink()
                raise


@contextmanager
def _explained(path: Path, what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ResultsError(
            f"{path}: {what}: {error.strerror}; what was measured before is kept,"
            " mend this and run the same command again"
        ) from error


def _lines(rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _read_table(path: Path, columns: Sequence[str]) -> list[tuple[int, list[str]]]:
    """Return the numbered lines below the column names, without a half-written one at the end."""
    try:
        content = path.read_bytes()
        text = content[: content.rfind(b"\n") + 1].decode("utf-8")
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise ResultsError(f"{path}: cannot be read: {error}; restore the file or remove it") from error
    lines = csv.reader(io.StringIO(text, newline=""))
    try:
        table = [(lines.line_num, cells) for cells in lines if cells]
    except csv.Error as error:
        raise ResultsError(f"{path}, line {lines.line_num}: is not CSV: {error}; restore the file") from error
    if table and table[0][1] != list(columns):
        raise ResultsError(
            f"{path}: its columns are not those that this version of flatnet writes;"
            " move the file away or name another results folder"
        )
    return table[1:]
