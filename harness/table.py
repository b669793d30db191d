"""A table that people read: lines, and what a column says of each."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from harness.digits import MARKS, duration, plus_minus, three_digits, times

Line = Mapping[Any, Any]
"""Values by field."""


class Cell(NamedTuple):
    """The content of a cell."""

    text: str
    """As it is read if there is room."""
    value: float | None = None
    """The number that the text rounds, in seconds or as a ratio; None for words."""
    short: str = ""
    """What a narrow terminal shows, if not the same."""
    is_bad: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """What a column says of a line."""

    write: Callable[..., str]
    fields: tuple[str, ...]
    """The first is the number behind the text."""
    none: str = ""
    """The text if that is not known."""
    short: Callable[..., str] | None = None
    """Writes the fields for a narrow terminal, if that differs."""
    is_wide: bool = False
    """Whether a narrow terminal leaves it out."""
    is_wrapped: bool = False
    """Whether it wraps long texts; any other keeps its width."""

    def cell(self, line: Line) -> Cell:
        """Return the cell for ``line``."""
        value, *others = (line.get(name) for name in self.fields)
        if isinstance(value, Cell):
            return value
        if value is None or value != value:  # noqa: PLR0124 - nan
            return Cell(self.none)
        text = self.write(value, *others)
        is_number = bool(text) and isinstance(value, int | float) and not isinstance(value, bool)
        short = self.short(value, *others) if self.short else ""
        return Cell(text, float(value) if is_number else None, short)


def words(name: str, none: str = "", *, wide: bool = False) -> Column:
    """Return a column of words."""
    return Column(str, (name,), none, is_wide=wide)


def prose(name: str) -> Column:
    """Return a column of texts that may be long."""
    return Column(str, (name,), is_wrapped=True)


def _writer(write: Callable[[Any], str]) -> Callable[..., Column]:
    """Return what makes columns of one field, or from one to another."""

    def column(*names: str, none: str = "") -> Column:
        return Column(lambda *values: " to ".join(map(write, values)), names, none)

    return column


seconds = _writer(duration)
number = _writer(three_digits)
factor = _writer(times)
whole = _writer("{:.0f}".format)
two = _writer("{:.2f}".format)
three = _writer("{:.3f}".format)
percent = _writer("{:.0%}".format)
permille = _writer("{:.1%}".format)
above_one = _writer(lambda value: "" if value == 1.0 else times(value))


def share(hits: str, trials: str) -> Column:
    """Return a column that says how many of how many."""
    return Column("{}/{}".format, (hits, trials))


def estimate(
    write: Callable[[float], str], value: str, low: str, high: str, verdict: str = "", none: str = ""
) -> Column:
    """Return a column such as 43.2x? (41.0 to 44.9), on a narrow terminal 43.2x? ±4.5%."""

    def writer(interval: Callable[[float, float], str]) -> Callable[..., str]:
        def text(value: float, low: float, high: float, word: str = "") -> str:
            marked = write(value) + MARKS.get(word, "")
            return marked if low != low else f"{marked} {interval(low, high)}"  # noqa: PLR0124 - nan

        return text

    # The unit of a ratio need not be repeated, that of a time may differ.
    end = three_digits if write is times else write
    full = writer(lambda low, high: f"({end(low)} to {end(high)})")
    fields = (value, low, high, *filter(None, [verdict]))
    return Column(full, fields, none, short=writer(plus_minus))


@dataclass(frozen=True)
class Table:
    """Lines with their columns."""

    name: str
    """Unique on a page; letters, digits and dashes."""
    caption: str
    """What is seen, in a sentence without its full stop."""
    columns: Mapping[str, Column]
    """By head, from left to right."""
    lines: Iterable[Line] = field(repr=False)
    keys: int = 0
    """How many first columns a terminal leaves blank if they repeat those above."""
    is_grouped: bool = False
    """Whether a terminal shows the first column as headings above its rows."""

    @property
    def heads(self) -> tuple[str, ...]:
        """The columns' names."""
        return tuple(self.columns)

    @cached_property
    def rows(self) -> list[tuple[Cell, ...]]:
        """All cells."""
        return [tuple(column.cell(line) for column in self.columns.values()) for line in self.lines]

    @property
    def numeric(self) -> list[bool]:
        """For each column, whether it has more numbers than words."""
        filled = [[row[place] for row in self.rows if row[place].text] for place in range(len(self.columns))]
        return [2 * sum(cell.value is not None for cell in cells) > len(cells) for cells in filled]

    @property
    def markdown(self) -> str:
        """The table in Markdown, without the exact numbers."""
        texts = [self.heads, ["---"] * len(self.heads), *([cell.text for cell in row] for row in self.rows)]
        return "\n".join("| " + " | ".join(text.replace("|", "\\|") for text in row) + " |" for row in texts)

    def turned(self, most: int = 8) -> "Table":
        """Turn a table of more than ``most`` columns on its side, if that leaves fewer; drop empty rows."""
        if len(self.columns) <= max(most, len(self.rows) + 1) or not self.rows:
            return self
        texts, *columns = zip(*self.rows, strict=True)
        corner, *heads = self.heads
        names = [corner, *(cell.text for cell in texts)]
        lines = [
            dict(zip(names, [Cell(head), *cells], strict=True))
            for head, cells in zip(heads, columns, strict=True)
            if any(cell.text for cell in cells)
        ]
        return Table(self.name, self.caption, {name: words(name) for name in names}, lines)
