"""One process as a row: what it has, and how it is written as a line of runs.csv."""

import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from functools import lru_cache
from operator import attrgetter
from typing import Any, get_type_hints

from harness.case import Case, Shape
from harness.codec import shown
from harness.plan import Plan, Run, RunKey

FAILED = ("timeout", "crash", "memory", "flood", "stray", "garbled")
"""After these, a contender is spared that case and larger shapes."""
STATUSES = ("ok", "mismatch", "paused", *FAILED)
WITH_LOSSES = ("ok", "mismatch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One process, a line of runs.csv: results/README.md has its columns; None is an empty cell."""

    sweep: str
    run: Run
    status: str
    wall_s: float
    training_s: float | None
    compile_s: float | None = None
    user_s: float = 0.0
    system_s: float = 0.0
    peak_memory_bytes: int | None = None
    initial_loss: float | None = None
    final_loss: float | None = None
    parity: str = ""
    error: str = ""
    started_utc: str = ""
    host: str = ""
    version: str = ""
    threads: int = 1
    layout: int = 0
    involuntary_switches: int | None = None
    stolen_s: float | None = None

    def __post_init__(self) -> None:
        """Raise ValueError if no run could have been like this."""
        if self.status not in STATUSES:
            raise ValueError(f"status is {shown(self.status)}, takes {', '.join(STATUSES)}")
        for name in ("wall_s", "user_s", "system_s", "training_s", "compile_s"):
            if not 0.0 <= (getattr(self, name) or 0.0) < math.inf:
                raise ValueError(f"{name} is {getattr(self, name)!r}, takes seconds of at least 0")
        if not self.training_s and self.status in WITH_LOSSES:
            raise ValueError(f"training_s is empty or zero, and the status is {self.status}")


class Made:
    """Which runs of a plan are made; a contender that failed is spared that case, and larger shapes."""

    def __init__(self, plan: Plan, rows: Iterable[Row]) -> None:
        self.plan = plan
        self.rows: dict[RunKey, Row] = {}
        self.failed: list[Row] = []
        """Those that failed or had other losses."""
        self.spared: dict[tuple[str, str], Case] = {}
        """The smallest case that is spared, by contender and method."""
        for row in rows:
            self.note(row)

    def note(self, row: Row) -> None:
        """Count ``row`` among the runs that are made."""
        run = row.run
        self.rows[run.key] = row
        if row.status not in ("ok", "paused"):
            self.failed.append(row)
        if row.status in FAILED and self._is_below_the_spared(run):
            self.spared[run.contender, run.case.method] = run.case

    def is_pending(self, run: Run) -> bool:
        """Whether ``run`` is still to be made."""
        return run.key not in self.rows and self._is_below_the_spared(run)

    def pending(self) -> Iterator[Run]:
        """Yield the runs to be made, each as late as possible: a failure spares others."""
        return filter(self.is_pending, self.plan.schedule())

    def _is_below_the_spared(self, run: Run) -> bool:
        spared = self.spared.get((run.contender, run.case.method))
        return spared is None or run.case.shape.size < spared.shape.size


_PATHS = (
    *("sweep", "started_utc", "host", "run.contender", "version", "run.control"),
    *("run.case.method", "run.case.shape", "run.case.shape.neurons", "run.case.shape.parameters"),
    *("run.case.multiply_adds", "run.case.samples", "run.case.epochs", "run.case.step"),
    *("run.case.learning_rate", "run.case.low", "run.case.high", "run.case.seed", "threads", "layout"),
    *("run.round", "run.position", "run.warm_up", "status", "wall_s", "user_s", "system_s", "training_s"),
    *("compile_s", "peak_memory_bytes", "involuntary_switches", "stolen_s"),
    *("initial_loss", "final_loss", "parity", "error"),
)
COLUMNS: Mapping[str, Callable[[Row], object]] = {
    path.rpartition(".")[2].replace("shape", "layers"): attrgetter(path) for path in _PATHS
}
"""The columns of runs.csv in their order, and where a row has their values."""
_CASE, _RUN, _ROW = (
    {column: hints[name] for name in hints if (column := name.replace("shape", "layers")) in COLUMNS}
    for hints in map(get_type_hints, (Case, Run, Row))
)
"""The types of their columns."""
_OPTIONAL = {field.name for field in fields(Row) if field.default is not MISSING}
ESSENTIAL = tuple(name for name in COLUMNS if name in {*_CASE, *_RUN, *_ROW} - _OPTIONAL)
"""The columns without which a row cannot be understood."""


def cells(row: Row) -> list[str]:
    """Return the cells of ``row``; numbers read back exactly."""
    return [_cell(get(row)) for get in COLUMNS.values()]


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    # With a line break in a cell, a half-written row would look like a whole one.
    return " ".join(str(value).splitlines())


def _count(text: str) -> int:
    """Read an integer of at least 0, of up to 60 digits and nothing else."""
    if not (text.isascii() and text.isdigit() and len(text) <= 60):
        raise ValueError(text)
    return int(text)


_READERS: Mapping[Any, tuple[str, Callable[[str], Any]]] = {
    # The same few texts stand in many rows.
    str: ("a text", sys.intern),
    int: ("an integer", _count),
    float: ("a number", float),
    bool: ("yes or no", {"yes": True, "no": False}.__getitem__),
    Shape: ("a shape such as 10-5-1", Shape.parse),
    int | None: ("an integer or nothing", lambda cell: _count(cell) if cell else None),
    float | None: ("a number or nothing", lambda cell: float(cell) if cell else None),
}


def values(texts: Mapping[str, str], kinds: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of those columns of ``kinds`` that there are; raise ValueError if one is wrong."""
    found = {}
    for name in (name for name in kinds if name in texts):
        takes, read = _READERS[kinds[name]]
        try:
            found[name] = read(texts[name])
        except (ValueError, KeyError) as error:
            raise ValueError(f"{name} is {shown(texts[name])}, takes {takes}") from error
    return found


@lru_cache(maxsize=1024)
def _read_case(texts: tuple[str, ...]) -> Case:
    found = values(dict(zip(_CASE, texts, strict=True)), _CASE)
    return Case(shape=found.pop("layers"), **found)


def read_row(texts: Mapping[str, str]) -> Row:
    """Return the row of these cells, except what follows from others; raise ValueError if it is none."""
    case = _read_case(tuple(texts[name] for name in _CASE))
    return Row(run=Run(case=case, **values(texts, _RUN)), **values(texts, _ROW))
