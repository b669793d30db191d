"""All that a person reads in the terminal. No other module prints.

Without pandas, because the parent of timed programs must stay small.
"""

import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table as Grid
from rich.text import Text

from harness.case import Case
from harness.codec import printable
from harness.digits import duration
from harness.plan import LeftOut, Plan
from harness.rows import Row
from harness.table import Cell, Table, seconds, words

_HEAD = 9
"""The fewest characters in a line of a heading."""
_NARROWEST = 80
_WIDE = 120
"""The fewest columns for whole intervals. A file has 80, or what COLUMNS says."""
_Advance = Callable[[str, str, float], None]


class Terminal:
    """Writes reports to standard output, notices and errors to standard error."""

    def __init__(self, out: Console | None = None, err: Console | None = None) -> None:
        self._out = out or Console(highlight=False, emoji=False)
        self._err = err or Console(file=sys.stderr, highlight=False, emoji=False, soft_wrap=True)

    def say(self, *texts: str) -> None:
        """Write lines of a report."""
        for text in texts:
            self._out.print(_clean(text), markup=False, soft_wrap=True)

    def show(self, *parts: Table | str) -> None:
        """Write tables and sentences, except empty ones; a sentence is one line in a file."""
        for part in parts:
            if isinstance(part, Table):
                if part.rows:
                    self._out.print(_clean(part.caption), style="italic", markup=False)
                    width = self._out.width
                    # A narrower terminal wraps lines and loses no column.
                    self._out.width = max(width, _NARROWEST)
                    self._out.print(_grid(part, is_wide=width >= _WIDE))
                    self._out.width = width
            elif part:
                self._out.print(_clean(part), markup=False, soft_wrap=not self._out.is_terminal)

    def note(self, *texts: str) -> None:
        """Write lines that are not part of a report."""
        for text in texts:
            self._err.print(f"[yellow]note:[/] {_line(text)}")

    def error(self, *texts: str) -> None:
        """Write what failed, a line each."""
        for text in texts:
            self._err.print(f"[red]error:[/] {_line(text)}")

    def plan(self, plan: Plan) -> None:
        """Show what a sweep will do, a line for each method."""
        columns = {head: words(head) for head in ("method", "shapes", "rounds", "steps a run")}
        columns["time"] = seconds("seconds")
        lines = []
        for method in dict.fromkeys(one.case.method for one in plan.cases):
            own = [one for one in plan.cases if one.case.method == method]
            steps = sorted(one.of(name).training_steps for one in own for name in one.run_s)
            lines.append(
                {
                    "method": method,
                    "shapes": f"{len(own)}: {_span([one.case.shape for one in own])}",
                    "rounds": _span(sorted(one.rounds for one in own)),
                    "steps a run": _span(steps),
                    "seconds": sum(one.total_s for one in own) or None,
                }
            )
        twice = f"; {plan.reference} runs twice a round at some shapes, which shows the noise floor"
        self.show(
            Table("plan", f"Plan of sweep {plan.sweep}", columns, lines),
            *_left_out(plan.left_out),
            f"About {duration(plan.estimate_s)} with {', '.join(plan.versions)}: a warm-up, then the timed"
            f" rounds{twice if any(one.control for one in plan.cases) else ''}",
        )

    def doing(self, what: str) -> AbstractContextManager[object]:
        """Show that something takes a moment."""
        return self._err.status(escape(what)) if self._err.is_terminal else nullcontext()

    @contextmanager
    def counting(self, what: str, total: int | None) -> Iterator[Callable[..., None]]:
        """Show how far something is; what is handed out is called at each step."""
        with self._bars({what: (0, total)}, BarColumn(bar_width=24), MofNCompleteColumn()) as advance:
            yield lambda step="": advance(what, step, 1)

    def progress(self, seconds: Mapping[str, tuple[float, float]]) -> AbstractContextManager[_Advance]:
        """Show how far several things are, by name: planned seconds of runs that are made, and of all.

        What is handed out takes a name, what that is at, and by how many seconds to advance it.
        """
        percent = TextColumn("{task.percentage:>3.0f}%")
        return self._bars(
            seconds, BarColumn(bar_width=16), percent, TimeRemainingColumn(), TextColumn("left")
        )

    @contextmanager
    def _bars(
        self, amounts: Mapping[str, tuple[float, float | None]], *columns: ProgressColumn
    ) -> Iterator[_Advance]:
        """Show bars of amounts, done and in total, that leave no trace, and none in a file."""
        text, is_file = TextColumn("{task.description}"), not self._err.is_terminal
        with Progress(text, *columns, console=self._err, transient=True, disable=is_file) as bars:
            tasks = {
                name: bars.add_task(escape(name), total=total, completed=int(done))
                for name, (done, total) in amounts.items()
            }

            def advance(name: str, at: str, by: float) -> None:
                description = escape(": ".join(filter(None, (name, at))))
                bars.update(tasks[name], advance=by, description=description)

            yield advance

    def failures(
        self, failed: Iterable[Row], spared: Mapping[tuple[str, str], Case], where: str = ""
    ) -> None:
        """Say what failed, and what was not run for that; ``where`` begins each line."""
        first: dict[tuple[str, str, str], Row] = {}
        for row in failed:
            first.setdefault((row.run.contender, str(row.run.case), row.status), row)
        for row in first.values():
            self.note(f"{where}{row.run}: {row.status}: {row.error or row.parity}")
        for (contender, method), case in spared.items():
            self.note(f"{where}{contender} {method} was not run again at {case.shape} and larger shapes")


def _clean(text: str) -> str:
    """Escape control characters, but for line breaks: a sweep may say anything."""
    return "\n".join(map(printable, text.split("\n")))


def _line(text: str) -> str:
    return escape(printable(" ".join(text.splitlines())))


def _span(values: Sequence[object]) -> str:
    return " to ".join(dict.fromkeys([str(values[0]), str(values[-1])]))


def _left_out(entries: Iterable[LeftOut]) -> Iterator[str]:
    by_method: dict[str, dict[str, list[LeftOut]]] = {}
    for entry in entries:
        by_method.setdefault(entry.method, {}).setdefault(entry.contender or "all", []).append(entry)
    for method, by_name in by_method.items():
        parts = []
        for name, own in by_name.items():
            first = min(own, key=lambda entry: entry.shape.size)
            more = f" and {len(own) - 1} larger" if len(own) > 1 else ""
            parts.append(f"{name} at {first.shape}{more} ({first.reason})")
        yield f"left out of {method}: {'; '.join(parts)}"


def _grid(table: Table, *, is_wide: bool) -> Grid:
    """Return a table as rich shows it: short cells if there is no room, no name of a row twice."""
    grid = Grid(box=None, pad_edge=False, header_style="bold")
    texts = [
        [printable(cell.text if is_wide else cell.short or cell.text) for cell in row] for row in table.rows
    ]
    numeric, places = table.numeric, []
    for place, (head, column) in enumerate(table.columns.items()):
        if place < table.is_grouped or (column.is_wide and not is_wide):
            continue
        places.append(place)
        if numeric[place]:
            # On as many lines as make it no wider than what is below.
            width = max(_HEAD, *map(len, head.split(" ")), *(len(row[place]) for row in texts))
            lines = textwrap.fill(head, width, break_long_words=False, break_on_hyphens=False)
            grid.add_column(Text(lines), justify="right", no_wrap=True)
        else:
            grid.add_column(Text(head), no_wrap=not column.is_wrapped, overflow="fold")
    above: tuple[Cell, ...] = ()
    for row, own in zip(table.rows, texts, strict=True):
        if table.is_grouped and above[:1] != row[:1]:
            grid.add_row(Text(own[0], "bold"))
        cells = []
        for place in places:
            is_repeated = place < table.keys and above[: place + 1] == row[: place + 1]
            cells.append(Text("" if is_repeated else own[place], "red" if row[place].is_bad else ""))
        grid.add_row(*cells)
        above = row
    return grid
