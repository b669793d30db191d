"""Frames of what is stored: runs, and the tables that commands left."""

from collections.abc import Collection, Sequence
from pathlib import Path

import pandas as pd

from harness.case import METHODS, Shape
from harness.codec import shown_error
from harness.errors import ResultsError
from harness.rows import COLUMNS, Row

CASE = ["method", "layers", "neurons", "parameters", "multiply_adds"]
LANE = ["method", "layers", "contender"]
"""Whose runs, except the control's."""
_TORN = pd.Timedelta(seconds=10)
"""The most that is between two runs of a round."""
_LONGEST_S = 1e9
_MAY_BE_EMPTY = (
    *("training_s", "compile_s", "stolen_s", "involuntary_switches", "peak_memory_bytes"),
    *("initial_loss", "final_loss"),
)


def runs_frame(rows: Sequence[Row]) -> pd.DataFrame:
    """Return the rows as a frame with three more columns: ``cpu_s``, ``startup_s`` and ``torn``.

    A start-up is all but training and compiling. A round is torn, and makes no ratio, if long
    passed between two of its runs.
    """
    runs = pd.DataFrame({name: [get(row) for row in rows] for name, get in COLUMNS.items()})
    runs = _fitting(runs.astype({"layers": str, **dict.fromkeys(_MAY_BE_EMPTY, float)}))
    runs["cpu_s"] = runs["user_s"] + runs["system_s"]
    runs["startup_s"] = runs["wall_s"] - runs["training_s"] - runs["compile_s"].fillna(0.0)
    return runs.assign(torn=_torn(runs))


def _fitting(table: pd.DataFrame) -> pd.DataFrame:
    # The counts of shapes too large to run do not fit into 64 bits.
    return table.astype({name: float for name in CASE[2:] if name in table and table[name].dtype == object})


def _torn(runs: pd.DataFrame) -> "pd.Series[bool]":
    round_of = [runs[name] for name in ("method", "layers", "round")]
    start = pd.to_datetime(runs["started_utc"], format="ISO8601", errors="coerce", utc=True)
    ordered = start.sort_values(kind="stable")
    end = start + pd.to_timedelta(runs["wall_s"].clip(upper=_LONGEST_S), unit="s")
    after = ordered - end[ordered.index].groupby(round_of, sort=False).shift()
    return (after > _TORN).groupby(round_of, sort=False).transform("any")


def only(table: pd.DataFrame, **values: object) -> pd.DataFrame:
    """Return the lines of a table that have these values."""
    for name, value in values.items():
        table = table[table[name] == value]
    return table


def in_order(table: pd.DataFrame) -> pd.DataFrame:
    """Sort by method, then by size."""
    ranks = {"method": METHODS.index, "layers": lambda text: float(Shape.parse(text).size)}
    return _fitting(table).sort_values(
        [*ranks], key=lambda column: column.map(ranks[str(column.name)]), kind="stable", ignore_index=True
    )


def read_csv(
    path: Path,
    columns: list[str],
    command: str,
    *,
    texts: Collection[str],
    flags: Collection[str] = (),
    blank: Collection[str] = (),
) -> pd.DataFrame:
    """Return the table that ``command`` wrote, without a line if there is no such file.

    ``texts`` are columns of words, ``flags`` of yes or no, all others of numbers. Only in ``blank`` may cells
    be empty: "" among words, nan among numbers. Raises ResultsError for any other file.
    """
    if not path.exists():
        return pd.DataFrame(columns=columns)
    try:
        if not path.is_file():
            raise ValueError("it is no file")
        words = dict.fromkeys([*texts, *flags], str)
        table = pd.read_csv(path, dtype=words, keep_default_na=False, na_values=[""])
        if list(table.columns) != list(columns):
            raise ValueError(f"it has other columns than {', '.join(columns)}")
        for name in flags:
            if not table[name].isin(["yes", "no"]).all():
                raise ValueError(f"{name} is neither yes nor no in a line")
            table[name] = table[name] == "yes"
        for name in columns:
            if name not in blank and table[name].isna().any():
                raise ValueError(f"{name} is missing in a line")
            table[name] = table[name].fillna("") if name in texts else pd.to_numeric(table[name])
    except (OSError, ValueError) as error:
        raise ResultsError(
            f"{path}: cannot be understood: {shown_error(error)}; move it away and run {command}"
        ) from error
    return table
