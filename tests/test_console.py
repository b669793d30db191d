"""What people read, rendered at a fixed width and compared as text."""
# ruff: noqa: E501 - a table is as wide as it is

import io
import math
from dataclasses import replace

import pandas as pd
import pytest
from rich.console import Console

from harness import analysis
from harness.console import Terminal, duration, interval
from harness.plan import Options, Plan, PlannedCase
from harness.sweep import Run
from tests import fakes


class Screen:
    """A terminal of 200 columns whose text can be read."""

    def __init__(self, width: int = 200) -> None:
        self._files = io.StringIO(), io.StringIO()
        out, err = (Console(file=file, width=width, highlight=False) for file in self._files)
        self.terminal = Terminal(out, err)

    def out(self) -> list[str]:
        """Return the lines of the report."""
        return [line.rstrip() for line in self._files[0].getvalue().splitlines()]

    def err(self) -> str:
        """Return what is no part of the report."""
        return self._files[1].getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0.00 ns"),
        (4.567e-10, "0.46 ns"),
        (4.567e-9, "4.57 ns"),
        (45.67e-9, "45.7 ns"),
        (456.7e-9, "457 ns"),
        (1e-6, "1.00 µs"),
        (4.567e-6, "4.57 µs"),
        (4.567e-3, "4.57 ms"),
        (1.0, "1.00 s"),
        (99.94, "99.9 s"),
        (456.7, "457 s"),
        (45678.0, "45678 s"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def ratio(middle: float, low: float, high: float) -> "pd.Series[float]":
    return pd.Series({"ratio": middle, "low": low, "high": high})


def test_interval() -> None:
    assert interval(ratio(43.21, 41.0, 44.96)) == "43.2x (41.0 to 45.0)"
    assert interval(ratio(1.0, 0.987, 123.4)) == "1.00x (0.99 to 123)"
    assert interval(ratio(2.0, math.nan, math.nan)) == "2.00x (one round)"


def a_plan(*names: str, control: bool = True) -> Plan:
    return Plan(
        sweep="2024-01-01T00:00:00+00:00",
        options=Options(rounds=3),
        reference=names[0],
        versions=dict.fromkeys(names, "1"),
        cases=(PlannedCase(case=fakes.case(), run_s=dict.fromkeys(names, 0.25), control=control),),
        left_out=(f"{names[0]} naive 512-256-1: one training step takes about 9 s",),
    )


def test_the_plan() -> None:
    screen = Screen()
    screen.terminal.plan(a_plan("python", "rust"))
    assert screen.out() == [
        "Plan of sweep 2024-01-01T00:00:00+00:00",
        "┏━━━━━━━━┳━━━━━━━┳━━━━━━━━━┳━━━━━━━━┳━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┓",
        "┃ method ┃ shape ┃ samples ┃ epochs ┃ learning rate ┃ seconds a round ┃ contenders                           ┃",
        "┡━━━━━━━━╇━━━━━━━╇━━━━━━━━━╇━━━━━━━━╇━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┩",
        "│ naive  │ 4-2-1 │       2 │      8 │          0.01 │            0.75 │ python, rust, python again (control) │",
        "└────────┴───────┴─────────┴────────┴───────────────┴─────────────────┴──────────────────────────────────────┘",
        "left out: python naive 512-256-1: one training step takes about 9 s",
        "3 timed rounds after one that warms up: about 3 s",
    ]


def some_runs(reference: str = "python", rival: str = "rust") -> pd.DataFrame:
    """Return two rounds: ratios 40 and 50 in training, 3 and 4 for the process; a control; two shapes."""
    rows = []
    for number, (slow, quick, again) in enumerate(((0.8, 0.02, 1.0), (1.0, 0.02, 0.8)), start=1):
        rows += [
            fakes.row(reference, number, training_s=slow, wall_s=3.0 * number),
            fakes.row(rival, number, training_s=quick, wall_s=1.0 * number),
            fakes.row(reference, number, training_s=again, wall_s=3.0 * number, control=True),
        ]
    rows.append(fakes.row(rival, 1, of=fakes.case((100, 50, 1)), training_s=16.0, wall_s=20.0))
    return analysis.frame(rows)


def test_the_results() -> None:
    screen = Screen()
    runs = some_runs()
    screen.terminal.results(analysis.step_medians(runs), analysis.speedups(runs, "python"), "python")
    # 16 steps: the medians 0.9 s and 0.02 s are 56.25 ms and 1.25 ms a step; 16 s are 1 s.
    assert screen.out() == [
        "Time per training step, and speedup",
        "┏━━━━━━━━┳━━━━━━━━━━┳━━━━━━━━━┳━━━━━━━━━━━━┳━━━━━━━━━┳━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━┓",
        "┃ method ┃ shape    ┃ neurons ┃ parameters ┃  python ┃    rust ┃       rust: training ┃  rust: whole process ┃ rust: parity ┃",
        "┡━━━━━━━━╇━━━━━━━━━━╇━━━━━━━━━╇━━━━━━━━━━━━╇━━━━━━━━━╇━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━┩",
        "│ naive  │ 4-2-1    │       7 │         12 │ 56.2 ms │ 1.25 ms │ 45.0x (40.0 to 50.0) │ 3.00x (3.00 to 3.00) │ identical    │",
        "│ naive  │ 100-50-1 │     151 │       5052 │       - │  1.00 s │                    - │                    - │ -            │",
        "└────────┴──────────┴─────────┴────────────┴─────────┴─────────┴──────────────────────┴──────────────────────┴──────────────┘",
        "control: python against itself, naive 4-2-1, training: 1.02x (0.80 to 1.25); a ratio within 1.250 of 1 is called none",
        "control: python against itself, naive 4-2-1, process: 1.00x (1.00 to 1.00); a ratio within 1.000 of 1 is called none",
    ]


def test_scaling() -> None:
    screen = Screen()
    screen.terminal.scaling(pd.DataFrame(columns=analysis.SCALING_COLUMNS))
    assert screen.out() == []
    line = ("python", "naive", 3.456, 3.4, 3.512, 4.0, 16, 97, 4, 0.99)
    screen.terminal.scaling(pd.DataFrame([line], columns=analysis.SCALING_COLUMNS))
    assert screen.out() == [
        "Training time per step grows as neurons to the power of",
        "┏━━━━━━━━┳━━━━━━━━━━━┳━━━━━━━━━━┳━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━┳━━━━━━━┓",
        "┃ method ┃ contender ┃ exponent ┃ 95% interval ┃ by count of multiply-adds ┃  neurons ┃ sizes ┃",
        "┡━━━━━━━━╇━━━━━━━━━━━╇━━━━━━━━━━╇━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━╇━━━━━━━┩",
        "│ naive  │ python    │     3.46 │ 3.40 to 3.51 │                      4.00 │ 16 to 97 │     4 │",
        "└────────┴───────────┴──────────┴──────────────┴───────────────────────────┴──────────┴───────┘",
    ]


def test_failures_are_told_once_each() -> None:
    screen = Screen()
    bad = fakes.row("rust", status="crash", training_s=None, parity="", error="exit status 3: no [gear]")
    wrong = fakes.row("rust", 2, status="mismatch", parity="epoch 7: 1.0 instead of 2.0 (9 ulp)")
    screen.terminal.failures(
        [fakes.row(), bad, replace(bad, round=2), wrong], {("rust", "naive"): fakes.case()}
    )
    assert screen.err().splitlines() == [
        "note: rust naive 4-2-1, round 1: crash: exit status 3: no [gear]",
        "note: rust naive 4-2-1, round 2: mismatch: epoch 7: 1.0 instead of 2.0 (9 ulp)",
        "note: rust naive was not run again at 4-2-1 and larger shapes",
    ]


def test_lines() -> None:
    screen = Screen()
    screen.terminal.say("a [red]b[/] \\")
    screen.terminal.note("c [d]")
    screen.terminal.error("e\n[f]\r\ng")
    screen.terminal.missing({"x[1]": "no [such] file"})
    assert screen.out() == ["a [red]b[/] \\"]
    assert screen.err().splitlines() == [
        "note: c [d]",
        "error: e [f] g",
        "note: x[1] is skipped: no [such] file",
    ]


def test_markup_in_names_is_shown_and_not_obeyed() -> None:
    names = ("[red]a", "[/]b")
    screen = Screen()
    screen.terminal.plan(a_plan(*names))
    runs = some_runs(*names)
    screen.terminal.results(analysis.step_medians(runs), analysis.speedups(runs, names[0]), names[0])
    text = "\n".join(screen.out())
    assert "[red]a, [/]b, [red]a again (control)" in text
    for heading in ("[red]a ┃", "[/]b ┃", "[/]b: training", "[/]b: whole process", "[/]b: parity"):
        assert heading in text


def test_progress_counts_planned_seconds() -> None:
    run = Run(case=fakes.case(), contender="[a]", control=True, round=2, position=1, planned_s=0.5)
    out, err = io.StringIO(), io.StringIO()
    terminal = Terminal(
        Console(file=out), Console(file=err, force_terminal=True, width=120, color_system=None)
    )
    with terminal.progress([run, replace(run, round=0, control=False)], 3) as progress:
        progress.starting(run)
        progress._progress.refresh()
        progress.finished(run)
        progress.starting(replace(run, round=0, control=False))
        progress._progress.refresh()
    shown = err.getvalue()
    assert "round 2/3 naive 4-2-1 [a] (control)" in shown
    assert "warm-up naive 4-2-1 [a] " in shown
    assert " 50%" in shown
    assert out.getvalue() == ""
