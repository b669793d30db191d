"""All that a person reads in the terminal. No other module prints.

pandas is not imported: what is shown while programs are timed must not make their parent large.
"""

import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markup import escape
from rich.measure import Measurement
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table as Grid
from rich.text import Text

from harness.case import Case
from harness.digits import duration
from harness.plan import LeftOut, Plan
from harness.rows import Row
from harness.table import Cell, Table, above_zero, words

_HEAD = 9
"""Characters of a heading that stand in one line, however narrow its column is."""
_WIDE = 120
"""Columns from which on tables have whole intervals. What goes into a file has 80, or what COLUMNS says."""


class Terminal:
    """Writes reports to standard output, notices and errors to standard error."""

    def __init__(self, out: Console | None = None, err: Console | None = None) -> None:
        self._out = out or Console(highlight=False, emoji=False)
        self._err = err or Console(file=sys.stderr, highlight=False, emoji=False, soft_wrap=True)

    def say(self, text: str) -> None:
        """Write one line of a report."""
        self._out.print(text, markup=False, soft_wrap=True)

    def show(self, *parts: Table | str) -> None:
        """Write tables and sentences, except empty ones.

        Sentences are wrapped between words on a terminal; into a file each goes in one line.
        """
        for part in parts:
            if isinstance(part, Table):
                if part.rows:
                    self._out.print(part.caption, style="italic", markup=False)
                    self._out.print(_grid(part, is_wide=self._out.width >= _WIDE))
            elif part:
                self._out.print(part, markup=False, soft_wrap=not self._out.is_terminal)

    def note(self, text: str) -> None:
        """Write one line that is not part of a report."""
        self._err.print(f"[yellow]note:[/] {escape(' '.join(text.splitlines()))}")

    def error(self, text: str) -> None:
        """Write a line about what failed, with which the command does not end."""
        self._err.print(f"[red]error:[/] {escape(' '.join(text.splitlines()))}")

    def missing(self, missing: Mapping[str, str]) -> None:
        """Say which contenders are skipped, and why."""
        for name, reason in missing.items():
            self.note(f"{name} is skipped: {reason}")

    def plan(self, plan: Plan) -> None:
        """Show what a sweep is going to do, in a line for each method; plan.json has every case."""
        columns = {
            **{head: words(head) for head in ("method", "shapes", "rounds", "steps a run")},
            "time": above_zero("seconds"),
        }
        lines = []
        for method in dict.fromkeys(one.case.method for one in plan.cases):
            own = [one for one in plan.cases if one.case.method == method]
            lines.append(
                {
                    "method": method,
                    "shapes": f"{len(own)}: {_span([str(one.case.shape) for one in own])}",
                    "rounds": _span(sorted(one.rounds for one in own)),
                    "steps a run": _span(sorted(one.case.training_steps for one in own)),
                    "seconds": sum(one.round_s(plan.reference) * (one.rounds + 1) for one in own),
                }
            )
        self.show(
            Table("plan", f"Plan of sweep {plan.sweep}", columns, lines),
            *_left_out(plan.left_out),
            f"About {duration(plan.estimate_s)} with {', '.join(plan.versions)}: a warm-up, then the timed"
            " rounds"
            + (
                f"; {plan.reference} runs twice a round at some shapes, which shows the noise floor"
                if any(one.control for one in plan.cases)
                else ""
            ),
        )

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """Show that something is being done that takes a moment."""
        with self._err.status(escape(what)) if self._err.is_terminal else nullcontext():
            yield

    @contextmanager
    def counting(self, what: str, total: int | None) -> Iterator[Callable[..., None]]:
        """Show how far something is; the function that is handed out is called at each step of it."""
        with self._bar(BarColumn(bar_width=24), MofNCompleteColumn()) as progress:
            task = progress.add_task(what, total=total)

            def advance(step: str = "") -> None:
                progress.update(task, advance=1, description=escape(f"{what}: {step}" if step else what))

            yield advance

    @contextmanager
    def progress(
        self, seconds: Mapping[str, tuple[float, float]]
    ) -> Iterator[Callable[[str, str, float], None]]:
        """Show how far each of several things is: of all its planned seconds, those of runs that are made.

        The function that is handed out is told a name, what that is at, and by how many planned seconds to
        advance it. A single thing may be called "".
        """
        columns = TextColumn("{task.percentage:>3.0f}%"), TimeRemainingColumn(), TextColumn("left")
        with self._bar(BarColumn(bar_width=16), *columns) as progress:
            tasks: dict[str, TaskID] = {
                name: progress.add_task(escape(name), total=total, completed=int(made))
                for name, (made, total) in seconds.items()
            }

            def advance(name: str, at: str, made_s: float) -> None:
                description = escape(f"{name}: {at}" if name else at)
                progress.update(tasks[name], advance=made_s, description=description)

            yield advance

    def _bar(self, *columns: ProgressColumn) -> Progress:
        """Return a progress bar that leaves no trace, and is not drawn at all into a file."""
        description = TextColumn("{task.description}")
        is_file = not self._err.is_terminal
        return Progress(description, *columns, console=self._err, transient=True, disable=is_file)

    def failures(
        self, failed: Iterable[Row], spared: Mapping[tuple[str, str], Case], where: str = ""
    ) -> None:
        """Say which runs failed, and what was therefore not run; ``where`` stands before each line."""
        seen = set()
        for row in failed:
            what = (row.run.contender, str(row.run.case), row.status)
            if what not in seen:
                seen.add(what)
                self.note(f"{where}{row.run}: {row.status}: {row.error or row.parity}")
        for (contender, method), case in spared.items():
            self.note(f"{where}{contender} {method} was not run again at {case.shape} and larger shapes")


def _span(values: "list[int] | list[str]") -> str:
    """Return the first and the last of some values, one if they are the same."""
    return " to ".join(dict.fromkeys([str(values[0]), str(values[-1])]))


def _left_out(entries: Iterable[LeftOut]) -> Iterator[str]:
    """Yield a sentence for each method: who was left out of it, where, and why."""
    by_method: dict[str, dict[str, list[LeftOut]]] = {}
    for entry in entries:
        by_method.setdefault(entry.method, {}).setdefault(entry.contender or "all", []).append(entry)
    for method, by_name in by_method.items():
        parts = []
        for name, own in by_name.items():
            first, *others = sorted(own, key=lambda entry: entry.shape.size)
            more = f" and {len(others)} larger" if others else ""
            parts.append(f"{name} at {first.shape}{more} ({first.reason})")
        yield f"left out of {method}: {'; '.join(parts)}"


def _grid(table: Table, *, is_wide: bool) -> Grid:
    """Return a table as rich shows it: short cells where there is no room, no name of a row twice."""
    grid = Grid(box=None, pad_edge=False, header_style="bold")
    columns, numeric = list(table.columns.items()), table.numeric
    first = int(table.is_grouped)
    places = [place for place in range(first, len(columns)) if is_wide or not columns[place][1].is_wide]
    for place in places:
        head, is_number = columns[place][0], numeric[place]
        column = columns[place][1]
        if is_number:
            grid.add_column(
                _wrapped(head, [row[place] for row in table.rows], is_wide=is_wide),
                justify="right",
                no_wrap=True,
            )
        else:
            grid.add_column(escape(head), no_wrap=not (column.is_name or column.is_prose))
    above: tuple[Cell, ...] = ()
    for row in table.rows:
        if table.is_grouped and above[:1] != row[:1]:
            grid.add_row(_Cut(row[0].text, "bold"))
        texts = [_text(row[place], is_wide=is_wide, is_name=columns[place][1].is_name) for place in places]
        for slot, place in enumerate(places):
            if place < table.keys and above[: place + 1] == row[: place + 1]:
                texts[slot] = Text("")
        grid.add_row(*texts)
        above = row
    return grid


def _wrapped(head: str, cells: Iterable[Cell], *, is_wide: bool) -> Text:
    """Return a heading on as many lines as it takes to be no wider than what stands below it."""
    widest = max(len(word) for word in [*head.split(" "), *(_shown(cell, is_wide=is_wide) for cell in cells)])
    return Text(textwrap.fill(head, max(_HEAD, widest), break_long_words=False, break_on_hyphens=False))


def _shown(cell: Cell, *, is_wide: bool) -> str:
    return cell.text if is_wide else cell.short or cell.text


def _text(cell: Cell, *, is_wide: bool, is_name: bool) -> "Text | _Cut":
    text, style = _shown(cell, is_wide=is_wide), "red" if cell.is_bad else ""
    return _Cut(text, style) if is_name else Text(text, style)


class _Cut:
    """A cell that gives up its middle if its column is too narrow: names differ at either end."""

    def __init__(self, text: str, style: str = "") -> None:
        self._text, self._style = text, style

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(1, max(1, cell_len(self._text)))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        text, width = self._text, options.max_width
        if cell_len(text) > width:
            text = f"{text[: width // 2]}…{text[len(text) - (width - 1) // 2 :]}"
        yield Text(text, self._style, no_wrap=True, overflow="ellipsis")
