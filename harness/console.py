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
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from harness.contract import Case
from harness.plan import Plan
from harness.records import Row
from harness.sweep import Run

if TYPE_CHECKING:
    import pandas as pd


class Terminal:
    """Writes reports to standard output, notices and errors to standard error."""

    def __init__(self, out: Console | None = None, err: Console | None = None) -> None:
        self._out = out or _wide(Console(highlight=False, emoji=False))
        self._err = err or Console(file=sys.stderr, highlight=False, emoji=False, soft_wrap=True)

    def say(self, text: str) -> None:
        """Write one line of a report."""
        self._out.print(text, markup=False, soft_wrap=True)

    def note(self, text: str) -> None:
        """Write one line that is not part of a report."""
        self._err.print(f"[yellow]note:[/] {escape(text)}")

    def error(self, text: str) -> None:
        """Write the line with which a command fails."""
        self._err.print(f"[red]error:[/] {escape(' '.join(text.splitlines()))}")

    def missing(self, missing: Mapping[str, str]) -> None:
        """Say which contenders are skipped, and why."""
        for name, reason in missing.items():
            self.note(f"{name} is skipped: {reason}")

    def plan(self, plan: Plan) -> None:
        """Show what a sweep is going to do."""
        table = Table(title=f"Plan of sweep {plan.sweep}", title_justify="left")
        for heading in ("method", "shape"):
            table.add_column(heading)
        for heading in ("samples", "epochs", "learning rate", "seconds a round"):
            table.add_column(heading, justify="right")
        table.add_column("contenders")
        for planned in plan.cases:
            case = planned.case
            names = [
                *planned.run_s,
                *([f"{plan.reference} again (control)"] if planned.control else []),
            ]
            table.add_row(
                case.method,
                case.shape,
                str(case.samples),
                str(case.epochs),
                f"{case.learning_rate:g}",
                f"{planned.round_s(plan.reference):.2f}",
                escape(", ".join(names)),
            )
        self._out.print(table)
        for line in plan.left_out:
            self.say(f"left out: {line}")
        rounds = plan.options.rounds
        self.say(f"{rounds} timed rounds after one that warms up: about {plan.estimate_s:.0f} s")

    @contextmanager
    def pilots(self) -> Iterator[Callable[[str], None]]:
        """Show which pilot run is being made; the function that is handed out takes its name."""
        with self._err.status("pilot runs") as status:
            yield lambda text: status.update(f"pilot run: {escape(text)}")

    @contextmanager
    def progress(self, runs: Sequence[Run], rounds: int) -> Iterator["SweepProgress"]:
        """Show case, contender, round and the time left while ``runs`` are made."""
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=self._err,
            transient=True,
        ) as progress:
            task = progress.add_task("", total=sum(run.planned_s for run in runs))
            yield SweepProgress(progress, task, rounds)

    def failures(self, rows: Iterable[Row], spared: Mapping[tuple[str, str], Case]) -> None:
        """Say which runs failed, and what was therefore not run."""
        seen = set()
        for row in rows:
            where = f"{row.contender} {row.method} {row.layers}, round {row.round}"
            if row.status != "ok" and (row.contender, row.method, row.layers, row.status) not in seen:
                seen.add((row.contender, row.method, row.layers, row.status))
                self.note(f"{where}: {row.status}: {row.error or row.parity}")
        for (contender, method), case in spared.items():
            self.note(f"{contender} {method} was not run again at {case.shape} and larger shapes")

    def results(self, medians: "pd.DataFrame", speedups: "pd.DataFrame", reference: str) -> None:
        """Show per shape and method the time of a training step, the speedups and the parity."""
        names = list(dict.fromkeys([reference, *medians["contender"]]))
        rivals = names[1:]
        table = Table(title="Time per training step, and speedup", title_justify="left")
        for heading in ("method", "shape"):
            table.add_column(heading)
        for heading in ("neurons", "parameters", *names):
            table.add_column(escape(heading), justify="right")
        for name in rivals:
            table.add_column(escape(f"{name}: training"), justify="right")
            table.add_column(escape(f"{name}: whole process"), justify="right")
            table.add_column(escape(f"{name}: parity"))
        last = None
        for (method, layers), case in medians.groupby(["method", "layers"], sort=False):
            if last not in (None, method):
                table.add_section()
            last = method
            times = case.set_index("contender")["median"]
            first = case.iloc[0]
            cells = [method, layers, str(first["neurons"]), str(first["parameters"])]
            cells += [duration(times[name]) if name in times else "-" for name in names]
            for name in rivals:
                own = speedups[
                    (speedups["method"] == method)
                    & (speedups["layers"] == layers)
                    & (speedups["contender"] == name)
                    & ~speedups["control"].astype(bool)
                ].set_index("measure")
                cells += [
                    interval(own.loc[word]) if word in own.index else "-" for word in ("training", "process")
                ]
                cells.append(str(own["parity"].iloc[0]) if len(own) else "-")
            table.add_row(*(escape(str(cell)) for cell in cells))
        self._out.print(table)
        for _, line in speedups[speedups["control"].astype(bool)].iterrows():
            self.say(
                f"control: {reference} against itself, {line['method']} {line['layers']}, {line['measure']}: "
                f"{interval(line)}; a ratio within {line['noise_floor']:.3f} of 1 is called none"
            )

    def scaling(self, scaling: "pd.DataFrame") -> None:
        """Show how training time grows with the neurons."""
        if scaling.empty:
            return
        table = Table(title="Training time per step grows as neurons to the power of", title_justify="left")
        for heading in ("method", "contender"):
            table.add_column(heading)
        for heading in (
            "exponent",
            "95% interval",
            "by count of multiply-adds",
            "neurons",
            "sizes",
        ):
            table.add_column(heading, justify="right")
        for _, line in scaling.iterrows():
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

    def kernels(self, table: "pd.DataFrame") -> None:
        """Show what the in-process benchmarks measured, beside what the methods are meant to reach."""
        shown = Table(title="One call of each kernel, in process", title_justify="left")
        for heading in ("contender", "kernel", "shape"):
            shown.add_column(heading)
        for heading in (
            "median",
            "quartiles",
            "times as fast",
            "target",
            "ns/parameter",
            "target",
            "share of peak",
        ):
            shown.add_column(heading, justify="right")
        for _, line in table.iterrows():
            shown.add_row(
                escape(line["contender"]),
                escape(line["kernel"]),
                escape(line["layers"]),
                duration(line["median_s"]),
                f"{duration(line['lower_quartile_s'])} to {duration(line['upper_quartile_s'])}",
                _times(line["times_as_fast"], line["against"]),
                _or_nothing(line["target_times_as_fast"], "{:g} or more"),
                _or_nothing(line["ns_per_parameter"], "{:.2f}"),
                _or_nothing(line["target_ns_per_parameter"], "{:g} or less"),
                _or_nothing(line["share_of_peak"], "{:.0%}"),
            )
        self._out.print(shown)


def _times(ratio: float, kernel: str) -> str:
    return "" if math.isnan(ratio) else f"{_three_digits(ratio)}x {kernel}"


def _or_nothing(value: float, form: str) -> str:
    return "" if math.isnan(value) else form.format(value)


def _wide(console: Console) -> Console:
    """Let tables keep their width where the output is no terminal that could wrap them."""
    if not console.is_terminal:
        console.width = 200
    return console


class SweepProgress:
    """The progress bar of a sweep, in planned seconds."""

    def __init__(self, progress: Progress, task: TaskID, rounds: int) -> None:
        self._progress = progress
        self._task = task
        self._rounds = rounds

    def starting(self, run: Run) -> None:
        """Show which run is being made."""
        turn = f"round {run.round}/{self._rounds}" if run.round else "warm-up"
        who = f"{run.contender} (control)" if run.control else run.contender
        self._progress.update(
            self._task, description=escape(f"{turn} {run.case.method} {run.case.shape} {who}")
        )

    def finished(self, run: Run) -> None:
        """Advance by what the run was planned to take."""
        self._progress.advance(self._task, run.planned_s)


def duration(seconds: float) -> str:
    """Write a time with three digits and its unit: 4.56 ms."""
    for factor, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= factor * 0.9995:
            return f"{_three_digits(seconds / factor)} {unit}"
    return f"{_three_digits(seconds / 1e-9)} ns"


def interval(line: "pd.Series[float]") -> str:
    """Write a ratio with its interval: 43.2x (41.0 to 44.9)."""
    if math.isnan(line["low"]):
        return f"{_three_digits(line['ratio'])}x (one round)"
    return f"{_three_digits(line['ratio'])}x ({_three_digits(line['low'])} to {_three_digits(line['high'])})"


def _three_digits(value: float) -> str:
    # The limits are those from which on rounding gives one more digit.
    if value >= 99.95:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"
