"""All that a person reads in the terminal. No other module prints.

pandas is not imported: what is shown while programs are timed must not make their parent large.
"""

import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

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
from rich.table import Table
from rich.text import Text

from harness.case import ARTICLE, Case
from harness.digits import MARKS, duration, ratio, three_digits, times
from harness.plan import Plan, Run
from harness.rows import WITH_LOSSES, Row

if TYPE_CHECKING:
    import pandas as pd

    from harness.analysis.results import Results

_MARKED = {"cannot tell": "cannot be told from 1", "equal": "equal within the margin"}
_WIDE = 120
"""Columns from which on tables have intervals. What goes into a file has 80, or what COLUMNS says."""


_MOST_MACHINES = 8
"""Of more machines than that a table shows one shape."""


class Terminal:
    """Writes reports to standard output, notices and errors to standard error."""

    def __init__(self, out: Console | None = None, err: Console | None = None) -> None:
        self._out = out or Console(highlight=False, emoji=False)
        self._err = err or Console(file=sys.stderr, highlight=False, emoji=False, soft_wrap=True)

    def say(self, text: str) -> None:
        """Write one line of a report."""
        self._out.print(text, markup=False, soft_wrap=True)

    def _sentence(self, text: str) -> None:
        """Write a sentence: wrapped between words on a terminal, in one line into a file."""
        self._out.print(text, markup=False, soft_wrap=not self._out.is_terminal)

    def sentences(self, texts: Iterable[str]) -> None:
        """Write sentences of a report, each on lines of its own."""
        for text in texts:
            self._sentence(text)

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
        table = self._table(
            f"Plan of sweep {plan.sweep}",
            *("method", "~shape", ">samples", ">epochs", ">rate", ">rounds", ">s/round", ">contenders"),
        )
        for planned in plan.cases:
            case = planned.case
            table.add_row(
                case.method,
                _Cut(f"{case.shape}*" if planned.control else str(case.shape)),
                str(case.samples),
                str(case.epochs),
                f"{case.learning_rate:g}",
                str(planned.rounds),
                f"{planned.round_s(plan.reference):.2f}",
                f"{len(planned.run_s)} of {len(plan.versions)}",
            )
        self._out.print(table)
        if any(planned.control for planned in plan.cases):
            self._sentence(f"* {plan.reference} runs twice a round, which shows the floor")
        for entry in plan.left_out:
            self._sentence(f"left out: {entry}")
        self._sentence(
            f"Timed rounds, after one that warms up: about {plan.estimate_s:.0f} s, with"
            f" {', '.join(plan.versions)}"
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
    def progress(self, total_s: float) -> Iterator["SweepProgress"]:
        """Show case, contender, round and the time left while runs of so many planned seconds are made."""
        percent = TextColumn("{task.percentage:>3.0f}%")
        left = (TimeRemainingColumn(), TextColumn("left"))
        with self._bar(BarColumn(bar_width=16), percent, *left) as progress:
            yield SweepProgress(progress, progress.add_task("", total=total_s))

    @contextmanager
    def lanes(
        self, seconds: Mapping[str, tuple[float, float]]
    ) -> Iterator[Callable[[str, str, float], None]]:
        """Show how far each machine is: of the planned seconds of all its runs, those that are made.

        The function that is handed out is told a machine, what it is at, and the planned seconds of that.
        """
        percent = TextColumn("{task.percentage:>3.0f}%")
        left = (TimeRemainingColumn(), TextColumn("left"))
        with self._bar(BarColumn(bar_width=16), percent, *left) as progress:
            tasks = {
                name: progress.add_task(escape(name), total=total, completed=int(made))
                for name, (made, total) in seconds.items()
            }

            def advance(machine: str, at: str, made: float) -> None:
                progress.update(tasks[machine], advance=made, description=escape(f"{machine}: {at}"))

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

    def results(self, results: "Results") -> None:
        """Show every case, the exponents, who overtakes whom and, last of all, the answer."""
        wide = self._out.width >= _WIDE
        table = self._table(
            f"Time of a training step; times as fast as {results.reference}",
            *("~shape", "~contender", ">step", ">training", ">process", "losses"),
        )
        names = ["method", "layers", "contender"]
        seconds = results.medians.set_index(names)["median"].to_dict()
        rivals = results.speedups[~results.speedups["control"]]
        ratios = {tuple(one[name] for name in (*names, "measure")): one for one in rivals.to_dict("records")}
        method = layers = None
        for one in results.outcomes[~results.outcomes["control"]].to_dict("records"):
            lane = one["method"], one["layers"], one["contender"]
            if method != one["method"]:
                table.add_row(Text(one["method"], "bold"))
            table.add_row(
                _Cut(one["layers"] if (method, layers) != lane[:2] else ""),
                _Cut(one["contender"]),
                duration(seconds[lane]) if lane in seconds else "",
                *(_ratio(ratios.get((*lane, measure)), wide) for measure in ("training", "process")),
                _losses(one),
            )
            method, layers, _ = lane
        self._out.print(table)
        verdicts = set(rivals["verdict"][rivals["rounds"] > 0])
        for word in [word for word in MARKS if word in verdicts]:
            self._sentence(f"{MARKS[word]} {_MARKED[word]}")
        self._thresholds(results)
        self._exponents(results.exponents)
        from harness.report import sentences  # noqa: PLC0415

        for sentence in (*sentences.overtakings(results.crossovers), *sentences.answer(results)):
            self._sentence(sentence)

    def _thresholds(self, results: "Results") -> None:
        if results.thresholds.empty:
            return
        name = results.alternatives["fastest"].iloc[0]
        table = self._table(
            f"What one would use instead of {name}, from how many neurons on",
            *(
                "method",
                "~contender",
                ">start-up",
                ">compiling",
                f">beats\n{results.reference}",
                f">ties with\n{name}",
            ),
            ">pays for\nits start-up",
        )
        for one in results.thresholds.to_dict("records"):
            since = (one[column] for column in ("beats_from", "ties_from", "pays_from"))
            table.add_row(
                one["method"],
                _Cut(one["contender"]),
                duration(one["startup_s"]),
                duration(one["compile_s"]) if one["compile_s"] else "",
                *("-" if math.isnan(neurons) else f"{neurons:.0f}" for neurons in since),
            )
        self._out.print(table)

    def _exponents(self, exponents: "pd.DataFrame") -> None:
        if exponents.empty:
            return
        table = self._table(
            "The time of a training step grows as neurons to the power of",
            *("method", "~contender", ">power", ">95% interval", ">by count", ">neurons", ">straight from"),
        )
        for one in exponents.to_dict("records"):
            table.add_row(
                one["method"],
                _Cut(one["contender"]),
                f"{one['exponent']:.2f}",
                f"{one['low']:.2f} to {one['high']:.2f}",
                f"{one['counted_exponent']:.2f}",
                f"{one['fewest_neurons']} to {one['most_neurons']}",
                "nowhere" if math.isnan(start := one["straight_from_neurons"]) else f"{start:.0f}",
            )
        self._out.print(table)

    def sweeps(self, sweeps: Iterable[Mapping[str, Any]]) -> None:
        """List sweeps: when, where, by whom, how much was run, how quiet the machine was."""
        table = self._table(
            "Sweeps", "sweep", "~host", "commit", ">cases", ">runs", ">failed", ">floor", "~who"
        )
        for one in sweeps:
            table.add_row(
                one["sweep"],
                _Cut(one["host"]),
                escape(one["commit"]),
                *(str(one[name]) for name in ("cases", "runs", "failed")),
                "" if math.isnan(one["floor"]) else times(one["floor"]),
                escape(_some(one["contenders"])),
            )
        self._out.print(table)

    def selfcheck(self, shares: "pd.DataFrame", sentence: str) -> None:
        """Show how often intervals held and differences were seen, with exact binomial intervals."""
        table = self._table(
            "Repeated sweeps: intervals that hold the true ratio, differences that are seen",
            *("~contender", "measure", ">true", ">half width", ">hold", ">95%", ">seen", ">95%"),
        )
        for one in shares.to_dict("records"):
            table.add_row(
                _Cut(one["contender"]),
                one["measure"],
                times(one["true_ratio"]),
                f"{one['half_width']:.1%}",
                f"{one['holds']}/{one['sweeps']}",
                f"{one['holds_low']:.0%}-{one['holds_high']:.0%}",
                f"{one['seen']}/{one['sweeps']}",
                f"{one['seen_low']:.0%}-{one['seen_high']:.0%}",
            )
        self._out.print(table)
        self._sentence(sentence)

    def comparison(self, training: "pd.DataFrame", what: str, sentence: str) -> None:
        """Show how many times as fast each contender trains, and against what that was measured."""
        self._sentence(sentence)
        sides = [] if training["before"].isna().all() else ["before", "after"]
        table = self._table(
            f"Times as fast: {what}",
            *("method", "~shape", "~contender", *(f">{side}" for side in sides), ">change", ">95% interval"),
        )
        for one in training.to_dict("records"):
            table.add_row(
                one["method"],
                _Cut(one["layers"]),
                _Cut(one["contender"]),
                *(times(one[side]) for side in sides),
                times(one["change"]) + MARKS.get(one["verdict"], ""),
                f"{three_digits(one['low'])} to {three_digits(one['high'])}",
            )
        self._out.print(table)
        for word in [word for word in MARKS if word in set(training["verdict"])]:
            self._sentence(f"{MARKS[word]} {_MARKED[word]}")

    def joined(self, table: "pd.DataFrame", summed: "pd.DataFrame") -> None:
        """Show how many times as fast each contender trains on each machine, and on all of them together."""
        rivals = table[(table["measure"] == "training") & (table["counts"] != "reference")]
        shapes = list(rivals["layers"])
        where = ""
        if rivals["machine"].nunique() > _MOST_MACHINES:
            shape = str(ARTICLE) if str(ARTICLE) in shapes else shapes[0]
            rivals, where = rivals[rivals["layers"] == shape], f" at {shape}"
        rows = self._table(
            f"Times as fast as the reference in training{where}, by machine",
            *("method", "~shape", "~contender", "~machine", ">training", ">step", ">floor", "counts"),
        )
        lane = None
        for one in rivals.to_dict("records"):
            same = lane == (lane := (one["method"], one["layers"], one["contender"]))
            rows.add_row(
                "" if same else one["method"],
                _Cut("" if same else one["layers"]),
                _Cut("" if same else one["contender"]),
                _Cut(one["machine"]),
                _ratio(one, self._out.width >= _WIDE),
                "" if math.isnan(one["step_s"]) else duration(one["step_s"]),
                "" if math.isnan(one["floor"]) else times(one["floor"]),
                one["counts"],
            )
        self._out.print(rows)
        together = self._table(
            "All machines together, training",
            *(
                "method",
                "~shape",
                "~contender",
                ">machines",
                ">mean",
                ">95% interval",
                ">spread",
                ">from",
                ">to",
            ),
        )
        for one in summed[summed["measure"] == "training"].to_dict("records"):
            together.add_row(
                one["method"],
                _Cut(one["layers"]),
                _Cut(one["contender"]),
                str(one["machines"]),
                times(one["ratio"]),
                ""
                if math.isnan(one["low"])
                else f"{three_digits(one['low'])} to {three_digits(one['high'])}",
                "" if math.isnan(one["spread"]) else f"{one['spread']:.3f}",
                times(one["least"]),
                times(one["most"]),
            )
        self._out.print(together)

    def predictions(self, table: "pd.DataFrame", record: str) -> None:
        """Show predictions, and how often earlier ones held."""
        about = table.iloc[0]
        rows = self._table(
            f"Predicted for {about['layers']}, {about['samples']} samples, {about['epochs']} epochs",
            *("method", "~contender", ">training", ">95% interval", ">process", ">speedup", ">beyond"),
        )
        for one in table.to_dict("records"):
            rows.add_row(
                one["method"],
                _Cut(one["contender"]),
                duration(one["training_s"]),
                f"{duration(one['training_low'])} to {duration(one['training_high'])}",
                duration(one["process_s"]),
                "" if math.isnan(one["speedup"]) else times(one["speedup"]),
                "" if one["beyond"] == 1.0 else times(one["beyond"]),
            )
        self._out.print(rows)
        if (table["beyond"] > 1.0).any():
            self._sentence(
                "beyond: so many times the multiply-adds of the largest shape that was measured, or so many"
                " times fewer than those of the smallest"
            )
        self._sentence(record)

    def claims(self, claims: "pd.DataFrame") -> None:
        """Show what the article says beside what was measured."""
        table = self._table("What the article says", "~claim", "verdict", "~figure")
        for one in claims.to_dict("records"):
            table.add_row(escape(one["says"]), one["verdict"], escape(one["figure"]))
        self._out.print(table)

    def parts(self, parts: "pd.DataFrame", names: Sequence[str]) -> None:
        """Show where the time of the article's run goes."""
        table = self._table(
            "Where the time of the article's run goes",
            *("method", "~contender", ">whole", *(f">{name}" for name in names)),
        )
        for one in parts.to_dict("records"):
            shares = (one[f"{name}_s"] / one["whole_s"] for name in names)
            cells = (f"{share:.0%}" if share >= 0.005 else "" for share in shares)
            table.add_row(one["method"], _Cut(one["contender"]), duration(one["whole_s"]), *cells)
        self._out.print(table)

    def checks(self, table: "pd.DataFrame", hits: "pd.DataFrame", sentence: str) -> None:
        """Show what became of predictions that were checked."""
        rows = self._table(
            "Predicted / measured seconds of a training step (!: outside of the 95% interval)",
            *("method", "~shape", "~contender", ">predicted", ">measured", ">ratio", ">beyond"),
        )
        for one in table[table["hit"] != ""].to_dict("records"):
            rows.add_row(
                one["method"],
                _Cut(one["layers"]),
                _Cut(one["contender"]),
                duration(one["step_s"]),
                duration(one["measured_step_s"]),
                three_digits(one["ratio"]) + ("" if one["hit"] == "yes" else "!"),
                "" if one["beyond"] == 1.0 else times(one["beyond"]),
            )
        self._out.print(rows)
        shares = self._table("Hits", "method", "~contender", ">checks", ">hits", ">95%", ">median error")
        for one in hits.to_dict("records"):
            shares.add_row(
                one["method"],
                _Cut(one["contender"]),
                str(one["checks"]),
                str(one["hits"]),
                f"{one['low']:.0%}-{one['high']:.0%}",
                f"{one['median_error']:.1%}",
            )
        self._out.print(shares)
        self._sentence(sentence)

    def kernels(self, kernels: "pd.DataFrame") -> None:
        """Show what the in-process benchmarks measured."""
        table = self._table(
            "One call of each kernel, in process",
            *("~kernel", "~shape", ">median", ">times\nas fast", ">ns per\nparameter", ">of\npeak"),
        )
        contender = None
        for one in kernels.to_dict("records"):
            if contender != one["contender"]:
                contender = one["contender"]
                table.add_row(_Cut(contender, "bold"))
            table.add_row(
                _Cut(one["kernel"]),
                _Cut(one["layers"]),
                duration(one["median_s"]),
                "" if math.isnan(one["times_as_fast"]) else times(one["times_as_fast"]),
                "" if math.isnan(one["ns_per_parameter"]) else f"{one['ns_per_parameter']:.2f}",
                "" if math.isnan(one["share_of_peak"]) else f"{one['share_of_peak']:.0%}",
            )
        self._out.print(table)

    def _table(self, title: str, *headings: str) -> Table:
        """Return a table: > before a heading lets a column stand to the right, ~ lets it give way."""
        table = Table(
            title=escape(title), title_justify="left", box=None, pad_edge=False, header_style="bold"
        )
        for heading in headings:
            table.add_column(
                heading.lstrip(">~"),
                justify="right" if heading[0] == ">" else "left",
                no_wrap=heading[0] != "~",
            )
        return table


class SweepProgress:
    """The progress bar of a sweep, in planned seconds."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def starting(self, plan: Plan, run: Run) -> None:
        """Show which run of a plan is being made."""
        turn = f"round {run.round}/{plan.rounds_of(run)}" if run.round else "warm-up"
        who = f"{run.contender} again" if run.control else run.contender
        self._progress.update(self._task, description=escape(f"{turn} {run.case} {who}"))

    def finished(self, plan: Plan, run: Run) -> None:
        """Advance by what the run was planned to take."""
        self._progress.advance(self._task, plan.estimate_of(run))


def _losses(one: Mapping[Any, Any]) -> Text:
    """Return what is to be said of a contender's losses on a case, or why there are none."""
    differing, count = one["differing"], one["with_losses"]
    some = "differ" if differing == count else f"{differing} of {count} differ"
    words = [some if differing else one["parity"].removesuffix(" of the initial loss"), one["failure"]]
    if one["status"] not in (*WITH_LOSSES, one["failure"]):
        words = [one["status"]]
    is_fine = one["status"] == "ok" and not differing and not one["failure"]
    return Text(", ".join(filter(None, words)), "" if is_fine else "red")


def _ratio(line: Mapping[Any, Any] | None, wide: bool) -> str:
    if line is None or math.isnan(line["ratio"]):
        return "" if line is None else "-"
    return ratio(line, with_interval=wide)


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


def _some(names: Sequence[str]) -> str:
    """Return names as a list that stays short."""
    return ", ".join(names) if len(names) < 4 else f"{', '.join(names[:2])} and {len(names) - 2} others"
