"""All that a person reads in the terminal. No other module prints.

pandas is not imported: what is shown while programs are timed must not make their parent large.
"""

import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from harness.case import Case
from harness.errors import ResultsError
from harness.plan import Plan, Run
from harness.records import Row, SweepFolder

if TYPE_CHECKING:
    import pandas as pd

    from harness.read.results import Results

_WIDE = 120
"""Columns from which on tables have intervals. What goes into a file has 80, or what COLUMNS says."""


class Terminal:
    """Writes reports to standard output, notices and errors to standard error."""

    def __init__(self, out: Console | None = None, err: Console | None = None) -> None:
        self._out = out or Console(highlight=False, emoji=False)
        self._err = err or Console(file=sys.stderr, highlight=False, emoji=False, soft_wrap=True)

    def say(self, text: str) -> None:
        """Write one line of a report."""
        self._out.print(text, markup=False, soft_wrap=True)

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
        """Show what a sweep is going to do."""
        table = self._table(f"Plan of sweep {plan.sweep}")
        for heading in ("method", "shape"):
            table.add_column(heading)
        for heading in ("samples", "epochs", "rate", "s/round"):
            table.add_column(heading, justify="right")
        table.add_column("without", overflow="fold")
        for planned in plan.cases:
            case = planned.case
            table.add_row(
                case.method,
                f"{case.shape}*" if planned.control else str(case.shape),
                str(case.samples),
                str(case.epochs),
                f"{case.learning_rate:g}",
                f"{planned.round_s(plan.reference):.2f}",
                escape(", ".join(name for name in plan.versions if name not in planned.run_s)),
            )
        self._out.print(table)
        if any(planned.control for planned in plan.cases):
            self.say(f"* {plan.reference} runs twice a round, which shows the noise floor")
        for entry in plan.left_out:
            self.say(f"left out: {entry}")
        self.say(
            f"{plan.options.rounds} timed rounds after one that warms up: about {plan.estimate_s:.0f} s,"
            f" with {_joined(plan.versions)}"
        )

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """Show that something is being done that takes a moment."""
        with self._err.status(escape(what)):
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
    def progress(self, plan: Plan, pending: Sequence[Run]) -> Iterator["SweepProgress"]:
        """Show case, contender, round and the time left while the ``pending`` runs are made."""
        percent = TextColumn("{task.percentage:>3.0f}%")
        left = (TimeRemainingColumn(), TextColumn("left"))
        with self._bar(BarColumn(bar_width=16), percent, *left) as progress:
            task = progress.add_task("", total=sum(map(plan.estimate_of, pending)))
            yield SweepProgress(progress, task, plan)

    def _bar(self, *columns: ProgressColumn) -> Progress:
        """Return a progress bar that leaves no trace, and is not drawn at all into a file."""
        description = TextColumn("{task.description}")
        is_file = not self._err.is_terminal
        return Progress(description, *columns, console=self._err, transient=True, disable=is_file)

    def failures(self, failed: Iterable[Row], spared: Mapping[tuple[str, str], Case]) -> None:
        """Say which runs failed, and what was therefore not run."""
        seen = set()
        for row in failed:
            what = (row.run.contender, str(row.run.case), row.status)
            if what not in seen:
                seen.add(what)
                self.note(f"{row.run}: {row.status}: {row.error or row.parity}")
        for (contender, method), case in spared.items():
            self.note(f"{contender} {method} was not run again at {case.shape} and larger shapes")

    def results(self, results: "Results") -> None:
        """Show every case, the exponents, and the answer."""
        wide = self._out.width >= _WIDE
        table = self._table(f"Seconds of a training step, and how many times as fast as {results.reference}")
        for heading in ("method", "shape", "contender"):
            table.add_column(heading, no_wrap=True)
        for heading in ("a step", "training", "process"):
            table.add_column(heading, justify="right", no_wrap=True)
        table.add_column("losses", no_wrap=True)
        ratios = {
            (line["method"], line["layers"], line["contender"], line["measure"]): line
            for _, line in results.speedups[~results.speedups["control"]].iterrows()
        }
        before = None
        for _, line in results.medians.iterrows():
            case = (line["method"], line["layers"])
            if before not in (None, case):
                table.add_section()
            own = [ratios.get((*case, line["contender"], measure)) for measure in ("training", "process")]
            table.add_row(
                *(case if before != case else ("", "")),
                escape(line["contender"]),
                duration(line["median"]),
                *("" if ratio is None else interval(ratio) if wide else times(ratio) for ratio in own),
                _losses(line, own[0]),
            )
            before = case
        self._out.print(table)
        self._exponents(results.exponents)
        for sentence in results.crossovers:
            self.say(sentence)
        for sentence in _answer(results):
            self.say(sentence)

    def _exponents(self, exponents: "pd.DataFrame") -> None:
        if exponents.empty:
            return
        table = self._table("Seconds of a training step grow as neurons to the power of")
        for heading in ("method", "contender"):
            table.add_column(heading, no_wrap=True)
        for heading in ("power", "95% interval", "by count", "neurons", "sizes"):
            table.add_column(heading, justify="right", no_wrap=True)
        for _, line in exponents.iterrows():
            table.add_row(
                line["method"],
                escape(line["contender"]),
                f"{line['exponent']:.2f}",
                f"{line['low']:.2f} to {line['high']:.2f}",
                f"{line['counted_exponent']:.2f}",
                f"{line['fewest_neurons']} to {line['most_neurons']}",
                str(line["points"]),
            )
        self._out.print(table)

    def sweeps(self, sweeps: Iterable[SweepFolder]) -> None:
        """List sweeps: when, where, who, how much of the plan is done."""
        table = self._table("Sweeps")
        for heading in ("sweep", "machine", "commit"):
            table.add_column(heading, no_wrap=True)
        for heading in ("cases", "runs", "failed"):
            table.add_column(heading, justify="right", no_wrap=True)
        table.add_column("contenders")
        for sweep in sweeps:
            try:
                rows, plan, machine = sweep.rows(), sweep.plan(), sweep.environment()
            except ResultsError as error:
                self.error(str(error))
                continue
            names = plan.versions if plan else dict.fromkeys(row.run.contender for row in rows)
            table.add_row(
                sweep.name,
                escape(str(machine.get("host", ""))),
                escape(str(machine.get("commit") or "")[:7]),
                str(len({str(row.run.case) for row in rows})),
                str(len(rows)),
                str(sum(row.status not in ("ok", "paused") for row in rows)),
                escape(_joined(names)),
            )
        self._out.print(table)

    def kernels(self, kernels: "pd.DataFrame") -> None:
        """Show what the in-process benchmarks measured, beside what the methods are meant to reach."""
        table = self._table("One call of each kernel, in process (in brackets: what is wanted)")
        for heading in ("by", "kernel", "shape"):
            table.add_column(heading, no_wrap=True)
        for heading in ("median", "times as fast", "ns/param.", "of peak"):
            table.add_column(heading, justify="right", no_wrap=True)
        for _, line in kernels.iterrows():
            table.add_row(
                escape(line["contender"]),
                escape(line["kernel"]),
                escape(line["layers"]),
                duration(line["median_s"]),
                _wanted(line["times_as_fast"], line["target_times_as_fast"], times_text),
                _wanted(line["ns_per_parameter"], line["target_ns_per_parameter"], "{:.2f}".format),
                "" if math.isnan(line["share_of_peak"]) else f"{line['share_of_peak']:.0%}",
            )
        self._out.print(table)

    def _table(self, title: str) -> Table:
        return Table(title=escape(title), title_justify="left", box=None, pad_edge=False, header_style="bold")


class SweepProgress:
    """The progress bar of a sweep, in planned seconds."""

    def __init__(self, progress: Progress, task: TaskID, plan: Plan) -> None:
        self._progress = progress
        self._task = task
        self._plan = plan

    def starting(self, run: Run) -> None:
        """Show which run is being made."""
        turn = f"round {run.round}/{self._plan.options.rounds}" if run.round else "warm-up"
        who = f"{run.contender} again" if run.control else run.contender
        self._progress.update(self._task, description=escape(f"{turn} {run.case} {who}"))

    def finished(self, run: Run) -> None:
        """Advance by what the run was planned to take."""
        self._progress.advance(self._task, self._plan.estimate_of(run))


def _answer(results: "Results") -> Iterator[str]:
    """Yield the answer in sentences: how many times as fast on the article's shape, and what it rests on."""
    shape = results.shape
    for _, line in results.speedups.iterrows():
        if line["layers"] == shape and line["measure"] == "training" and not line["control"]:
            if line["verdict"] == "mismatch":
                yield f"{line['contender']} has other losses at {shape} with {line['method']}: no ratio."
            else:
                yield (
                    f"{line['contender']} trains {shape} with {line['method']} {interval(line)} as fast as"
                    f" {line['reference']}: {_VERDICTS[line['verdict']]}."
                )
    wrong = results.runs["status"].ne("ok").sum()
    same = "all with identical losses" if not wrong else f"{wrong} of them failed or with other losses"
    yield f"{len(results.runs)} runs, {same}. Rows and tables: results; pictures: make plot."


_VERDICTS = {
    "faster": "faster",
    "slower": "slower",
    "none": "no difference beyond the noise",
    "unknown": "without a control nobody can tell whether that is noise",
}


def _losses(line: "pd.Series[float]", ratio: "pd.Series[float] | None") -> str:
    if str(line["status"]) == "mismatch":
        return "[red]differ[/]"
    parity = str(ratio["parity"]) if ratio is not None else ""
    if parity.startswith("epoch"):
        return "[red]differ at times[/]"
    return escape(parity)


def _wanted(value: float, target: float, text: Callable[[float], str]) -> str:
    if math.isnan(value):
        return ""
    return text(value) if math.isnan(target) else f"{text(value)} ({target:g})"


def _joined(names: Iterable[str]) -> str:
    return ", ".join(names)


def duration(seconds: float) -> str:
    """Write a time with three digits and its unit: 4.56 ms."""
    for factor, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= factor * 0.9995:
            return f"{_three_digits(seconds / factor)} {unit}"
    return f"{_three_digits(seconds / 1e-9)} ns"


def times_text(ratio: float) -> str:
    """Write a ratio with three digits: 43.2x."""
    return f"{_three_digits(ratio)}x"


def times(line: "pd.Series[float]") -> str:
    """Write a line's ratio: 43.2x."""
    return "-" if math.isnan(line["ratio"]) else times_text(line["ratio"])


def interval(line: "pd.Series[float]") -> str:
    """Write a line's ratio with its interval: 43.2x (41.0 to 44.9)."""
    if math.isnan(line["ratio"]):
        return "-"
    if math.isnan(line["low"]):
        return f"{times(line)} (one round)"
    return f"{times(line)} ({_three_digits(line['low'])} to {_three_digits(line['high'])})"


def _three_digits(value: float) -> str:
    # The limits are those from which on rounding gives one more digit.
    if value >= 99.95:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"
