"""What people read, rendered at a fixed width and compared as text."""

import io
import math
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from harness.analysis import kernels
from harness.analysis.results import Results
from harness.case import Shape
from harness.digits import duration, plus_minus, times
from harness.plan import LeftOut, Run
from harness.report import sentences, tables, tables_across
from harness.rows import Row
from harness.terminal import Terminal
from tests.sweeps import bounds, case, curve, failure, floor, mismatch, pairs, plan, row, understood, width

SMALL, ARTICLE, LARGE = case("4-2-1"), case("10-5-1"), case("1000-1000-1000-1", "incremental")


class Screen:
    """A terminal, or with ``is_file`` a file, whose text can be read."""

    def __init__(self, width: int = 80, *, is_file: bool = True) -> None:
        self._files = io.StringIO(), io.StringIO()
        out, err = (
            Console(
                file=file, width=width, force_terminal=not is_file, color_system=None, soft_wrap=place == 1
            )
            for place, file in enumerate(self._files)
        )
        self.terminal = Terminal(out, err)

    def out(self) -> list[str]:
        """Return the lines of the report."""
        return [line.rstrip() for line in self._files[0].getvalue().splitlines()]

    def words(self) -> list[str]:
        """Return the same lines with one space between words, however wide the columns are."""
        return [" ".join(line.split()) for line in self.out()]

    def err(self) -> str:
        """Return what is no part of the report."""
        return self._files[1].getvalue()


DURATIONS = {
    0.0: "0.00 ns",
    4.567e-10: "0.457 ns",
    4.567e-9: "4.57 ns",
    45.67e-9: "45.7 ns",
    999.6e-9: "1.00 µs",
    4.567e-3: "4.57 ms",
    1.0: "1.00 s",
    119.9: "120 s",
    120.0: "2.00 min",
    456.7: "7.61 min",
    45678.0: "12.7 h",
}
RATIOS = {
    0.00001234: "0.0000123x",
    0.00099996: "0.00100x",
    0.9876: "0.988x",
    9.994: "9.99x",
    9.996: "10.0x",
    99.96: "100x",
    12345.0: "12345x",
}
INTERVALS = {
    (100.0, 100.0): "±0.0%",
    (90.0, 110.25): "±11%",
    (100.0, 110.25): "±5.0%",
    (100.0, 148.84): "±22%",
    (1.0, 9.0): "x/÷3.00",
    (0.0, 1.0): "±?",
}
"""Half of it on a logarithmic axis: 100 times 1.05 is in the middle of 100 and 110.25."""


def test_numbers_have_three_digits_and_intervals_half_their_width() -> None:
    assert {seconds: duration(seconds) for seconds in DURATIONS} == DURATIONS
    assert {ratio: times(ratio) for ratio in RATIOS} == RATIOS
    assert {ends: plus_minus(*ends) for ends in INTERVALS} == INTERVALS


def test_the_plan() -> None:
    """A line for each method: shapes, rounds, steps and planned seconds, with those of the warm-ups."""
    screen = Screen()
    left_out = [
        LeftOut(method="naive", shape=Shape.parse(shape), contender=contender, reason=reason)
        for shape, contender, reason in (
            ("256-128-1", "python", "one training step takes about 2 s"),
            ("512-256-1", "python", "one training step takes about 9 s"),
            ("512-256-1", None, "it does not fit"),
        )
    ]
    middle = case("16-8-1", samples=4, epochs=3)
    made = plan(["python", "rust"], (SMALL, middle, LARGE), left_out=left_out)
    both = replace(made.cases[1], rounds=7, run_s={"python": 0.5, "rust": 0.25}, control=False)
    alone = replace(made.cases[2], run_s={"rust": 0.25}, control=False)
    screen.terminal.plan(replace(made, cases=(made.cases[0], both, alone)))
    assert screen.out() == [
        "Plan of sweep 2026-01-01T00-00-00.000Z",
        "method       shapes               rounds  steps a run    time",
        "naive        2: 4-2-1 to 16-8-1   3 to 7  1 to 12      9.00 s",
        "incremental  1: 1000-1000-1000-1  3       1            1.00 s",
        "left out of naive: python at 256-128-1 and 1 larger (one training step takes about 2 s); all at"
        " 512-256-1 (it does not fit)",
        "About 10.0 s with python, rust: a warm-up, then the timed rounds; python runs twice a round at some"
        " shapes, which shows the noise floor",
    ]


def two_rounds(reference: str = "python", rival: str = "rust") -> list[Row]:
    """Return ratios 40 and 50 in training, 3 and 4 for a job of one step; and a control."""
    rows = []
    for number, (slow, quick, again) in enumerate(((0.8, 0.02, 1.0), (1.0, 0.02, 0.8)), start=1):
        rows += [
            row(reference, number, of=ARTICLE, training_s=slow, wall_s=2.0 + number),
            row(rival, number, of=ARTICLE, training_s=quick, wall_s=1.0),
            row(reference, number, of=ARTICLE, training_s=again, wall_s=3.0, control=True),
        ]
    return rows


def everything_that_can_happen(path: Path) -> Results:
    """Return two shapes, and on the larger one all that becomes of contenders."""
    rows = [
        *two_rounds(),
        *pairs([(1234.0, 0.5)] * 2, of=LARGE),
        *(mismatch("wrong", number, of=LARGE) for number in (1, 2)),
        *(row("at times", 1, of=LARGE, training_s=2.0), mismatch("at times", 2, of=LARGE)),
        *(row("ended", 1, of=LARGE), failure("ended", 2, "timeout", of=LARGE)),
        failure("broken", 0, of=LARGE),
    ]
    names = ["python", "rust", "wrong", "at times", "ended", "broken", "absent"]
    spared = LeftOut(method="incremental", shape=LARGE.shape, contender="spared", reason="too slow")
    made = plan(names, (ARTICLE, LARGE), left_out=(spared,))
    of_two = replace(made.cases[0], run_s=dict.fromkeys(names[:2], 0.25))
    whole = replace(made.cases[1], control=False)
    return understood(
        path, rows, replace(made, versions={**made.versions, "spared": "1"}, cases=(of_two, whole))
    )


def test_the_results_at_80_columns(tmp_path: Path) -> None:
    results = everything_that_can_happen(tmp_path)
    screen = Screen()
    screen.terminal.show(*tables.shown(results))
    ratio, job = f"45.0x {width(40.0, 50.0)}", f"3.50x? {width(3.0, 4.0)}"
    assert screen.words() == [
        # Of 3 * 4 and 7 * 4 runs 17 were made, and 2 and 3 of those that failed are spared.
        "unfinished: 22 of 40 runs",
        "Time of a training step; times as fast as python, in training and for a whole",
        "job (1 epoch of 1 sample), with 95% intervals",
        "shape contender step training job same losses",
        "naive",
        "10-5-1 python 900 ms all epochs",
        f"rust 20.0 ms {ratio} {job} all epochs",
        "incremental",
        "1000-1000-100 python 20.6 min all epochs",
        "0-1",
        "rust 500 ms 2468x ±0.0% 1234x ±0.0% all epochs",
        "wrong 1.00 s differ",
        "at times 2.00 s 617x? 617x? 1 of 2 differ",
        "ended 1.00 s 1234x? 617x? all epochs,",
        "timeout",
        "broken crash",
        "absent not run",
        "spared left out",
        "? cannot be told from noise",
        "Alternatives to rust, naive: how many times as long a training step takes, and",
        "from how many neurons on each is worth it",
        "beats",
        "python ties with",
        "times rust's step 10-5-1 start-up from rust from pays from losses",
        "rust 1.00 980 ms 16 16 16 identical",
        "python 44.4 2.60 s identical",
        "Alternatives to rust, incremental: how many times as long a training step takes,",
        "and from how many neurons on each is worth it",
        "beats",
        "times python ties with",
        "rust's step 1000-1000-1000-1 start-up from rust from pays from losses",
        "rust 1.00 500 ms 3001 3001 3001 identical",
        "ended 2.00? 1.00 s 3001 3001 identical",
        "at times 4.00? 0.00 ns 3001 3001 differ",
        "python 2468 500 ms identical",
        f"rust trains 10-5-1 (naive) 45.0 times as fast as python (95% interval {bounds(40.0, 50.0)});"
        " a whole run of 1 epoch of 1 sample takes 1.00 s against 3.50 s, 3.50 times"
        f" as fast ({bounds(3.0, 4.0)}, cannot be told from noise).",
        "17 runs, of which 2 of wrong and 1 of at times had other losses, 1 of ended and 1 of broken failed."
        f" The machine was very noisy: python against itself is within a factor of {floor(0.8, 1.25):.3f}"
        f" ({floor(1.0, 4.0 / 3.0):.3f} for the job); close other programs, or raise --budget."
        f" Tables: {results.path}; pictures: make plot ARGS={results.path}",
    ]


def test_two_contenders_have_a_row_a_case(tmp_path: Path) -> None:
    """Each with its step, its ratios and its losses; what was left out for both is said below."""
    names = ["python", "rust"]
    cases = [case("10-5-1"), case("16-8-1"), case("32-16-1")]
    rows = [*two_rounds(), *pairs([(2.0, 0.01)] * 2, of=cases[1])[::2], failure("rust", 0, of=cases[1])]
    out = [LeftOut(method="naive", shape=Shape.parse("64-32-1"), contender=None, reason="too slow")]
    out += [LeftOut(method="naive", shape=cases[2].shape, contender="python", reason="too slow")]
    rows += [row("rust", number, of=cases[2], training_s=0.5) for number in (1, 2)]
    made = plan(names, cases, left_out=out)
    alone = replace(made.cases[2], run_s={"rust": 0.25}, control=False)
    screen = Screen()
    results = understood(tmp_path, rows, replace(made, cases=(*made.cases[:2], alone)))
    screen.terminal.show(*tables.shown(results))
    ratio, job = f"45.0x {width(40.0, 50.0)}", f"3.50x? {width(3.0, 4.0)}"
    assert screen.words()[:10] == [
        # Of 12, 12 and 4 runs; of 11 made one failed, for which 3 and 2 are spared.
        "unfinished: 16 of 28 runs",
        "Time of a training step; times as fast as python, in training and for a whole",
        "job (1 epoch of 1 sample), with 95% intervals",
        "shape python rust rust, training rust, job same losses",
        "naive",
        f"10-5-1 900 ms 20.0 ms {ratio} {job} all epochs",
        "16-8-1 2.00 s crash crash rust crash",
        "32-16-1 500 ms python left out",
        "? cannot be told from noise",
        "left out: naive at 64-32-1",
    ]


def test_who_has_other_losses_is_red(tmp_path: Path) -> None:
    file = io.StringIO()
    console = Console(file=file, width=120, force_terminal=True, color_system="standard", highlight=False)
    Terminal(console).show(*tables.shown(everything_that_can_happen(tmp_path)))
    for text in ("differ", "1 of 2 differ", "all epochs, timeout", "crash", "not run", "left out"):
        assert f"\x1b[31m{text}" in file.getvalue()
    assert "\x1b[31mall epochs\x1b" not in file.getvalue()


def crowd(path: Path, count: int) -> tuple[list[str], Results]:
    """Return the names, of 60 characters and alike but for the end, and results of so many contenders."""
    names = [
        f"{'an implementation with a name so long that nobody types it ':.<57.57}{n:03d}"
        for n in range(count)
    ]
    cases = [case(str(of.shape), method) for method in ("naive", "incremental") for of in (SMALL, LARGE)]
    rows = [mismatch(names[-1], 3, of=cases[0])]
    for of in cases:
        rows += pairs([tuple(1234.5 / (1 + place) for place in range(count))] * 2, of=of, names=names)
        rows += [row(names[0], number, of=of, control=True) for number in (1, 2)]
    return names, understood(path, rows, plan(names, cases))


@pytest.mark.parametrize("count", [2, 4, 10])
def test_no_table_is_wider_than_the_screen(tmp_path: Path, count: int) -> None:
    names, results = crowd(tmp_path, count)
    assert {len(name) for name in names} == {60}
    for columns in (80, 100, 120, 200):
        screen = Screen(columns, is_file=False)
        screen.terminal.show(*tables.shown(results))
        screen.terminal.plan(plan(names, (SMALL, LARGE)))
        lines = screen.out()
        assert max(map(len, lines)) <= columns
        start = next(place for place, line in enumerate(lines) if line.startswith("shape "))
        assert lines[start].split() == ["shape", "contender", "step", "training", "job", "same", "losses"]
        end = next(place for place, line in enumerate(lines) if line.startswith("? "))
        # A row for each contender: its whole name, on as many lines as it takes, and what became of it.
        place = lines[start].index("contender")
        shown = "".join(line[place:].split("  ")[0] for line in lines[start + 1 : end])
        assert shown.replace(" ", "") == "".join(names * 4).replace(" ", "")
        became = [
            line.rpartition("  ")[2] for line in lines[start + 1 : end] if line.endswith(("epochs", "differ"))
        ]
        of_case = ["all epochs"] * count
        assert became == [*of_case[1:], "1 of 3 differ", *of_case * 3]


def test_sentences_are_wrapped_between_words_on_a_terminal_only(tmp_path: Path) -> None:
    results = understood(tmp_path, two_rounds(), plan(["python", "rust"], (ARTICLE,)))
    file, terminal = Screen(), Screen(is_file=False)
    for screen in (file, terminal):
        screen.terminal.show(*tables.shown(results))
    assert file.out()[-2:] == list(sentences.answer(results))
    wrapped = terminal.out()[terminal.out().index("? cannot be told from noise") + 1 :]
    # A path that is longer than a line is cut where it must be.
    assert "".join(wrapped).replace(" ", "") == "".join(sentences.answer(results)).replace(" ", "")
    assert len(wrapped) > 4
    assert all(len(line) <= 80 for line in wrapped)


def test_no_column_is_lost_below_80_columns(tmp_path: Path) -> None:
    results = everything_that_can_happen(tmp_path)
    usual, narrow = Screen(), Screen(40)
    for screen in (usual, narrow):
        screen.terminal.show(*tables.shown(results))
    assert " ".join(narrow.words()) == " ".join(usual.words())


def test_how_time_grows_and_who_overtakes_whom_stand_before_the_answer(tmp_path: Path) -> None:
    neurons = {"4-2-1": 7.0, "8-4-1": 13.0, "10-5-1": 16.0, "16-8-1": 25.0, "32-16-1": 49.0}
    rows = [
        *curve("python", "naive", {shape: x**2 for shape, x in neurons.items()}),
        *curve("python", "backprop", {shape: 10.0 * x for shape, x in neurons.items()}),
        # Bent: 0.18 * 25 ** 2 is less than a line through its neighbours has.
        *curve("rust", "naive", {s: (0.36 if x == 25.0 else 0.5) * x**2 for s, x in neurons.items()}),
        *curve("rust", "backprop", {shape: 5.0 * x for shape, x in neurons.items()}),
    ]
    results = understood(tmp_path, rows)
    screen = Screen()
    screen.terminal.show(*tables.shown(results))
    assert screen.words()[-10:-3] == [
        "The time of a training step grows as neurons to the power of",
        "straight",
        "method contender power 95% interval by count neurons from",
        "naive python 2.00 2.00 to 2.00 4.01 16 to 49 16",
        "rust 2.04 2.04 to 2.04 4.01 16 to 49 nowhere",
        "backprop python 1.00 1.00 to 1.00 1.97 16 to 49 16",
        "rust 1.00 1.00 to 1.00 1.97 16 to 49 16",
    ]
    assert screen.out()[-3] == sentences.overtakings(results.crossovers)[0]
    assert screen.out()[-3].startswith("python with backprop overtakes rust with naive at ")


def test_failures_are_told_once_each() -> None:
    screen = Screen(200)
    bad = replace(failure("rust", 1), error="exit status 3: no [gear]")
    screen.terminal.failures(
        [bad, replace(bad, run=replace(bad.run, round=2)), mismatch("rust", 2)], {("rust", "naive"): SMALL}
    )
    assert screen.err().splitlines() == [
        "note: rust naive 4-2-1, round 1: crash: exit status 3: no [gear]",
        "note: rust naive 4-2-1, round 2: mismatch: epoch 2: 2.0 instead of 1.0 (off by 5e-01 of the initial"
        " loss)",
        "note: rust naive was not run again at 4-2-1 and larger shapes",
    ]


def test_lines() -> None:
    screen = Screen()
    screen.terminal.say("a [red]b[/] \\")
    screen.terminal.say("/a/path/" + "x" * 90)
    screen.terminal.note("c [d]")
    screen.terminal.error("e\n[f]\r\ng")
    screen.terminal.note("x[1] is skipped: no [such] file")
    assert screen.out() == ["a [red]b[/] \\", "/a/path/" + "x" * 90]
    assert screen.err().splitlines() == [
        "note: c [d]",
        "error: e [f] g",
        "note: x[1] is skipped: no [such] file",
    ]


def test_markup_in_names_is_shown_and_not_obeyed(tmp_path: Path) -> None:
    names = ("[red]a", "[/]b")
    screen = Screen()
    screen.terminal.plan(plan(names, (ARTICLE,)))
    screen.terminal.show(*tables.shown(understood(tmp_path, two_rounds(*names), plan(names, (ARTICLE,)))))
    text = "\n".join(screen.out())
    for line in (
        "; [red]a runs twice a round",
        "with [red]a, [/]b",
        "times as fast as [red]a, in",
        "[/]b,",
        "10-5-1  900 ms  20.0 ms  ",
        "[/]b trains 10-5-1 (naive) 45.0 times as fast as [red]a ",
    ):
        assert line in text


def test_the_list_of_sweeps() -> None:
    about = {"sweep": "2026-01-01T00-00-00.000Z", "cases": 1, "failed": 0}
    screen = Screen()
    small = {"host": "box", "commit": "0123456+", "runs": 3, "contenders": tuple("abc")}
    large = {"host": "a-machine", "commit": "", "runs": 9, "contenders": tuple("abcd")}
    screen.terminal.show(tables_across.sweeps([about | small, about | large]))
    assert screen.out() == [
        "Sweeps",
        "sweep                     host       commit    cases  runs  failed  who",
        "2026-01-01T00-00-00.000Z  box        0123456+      1     3       0  a, b, c",
        "2026-01-01T00-00-00.000Z  a-machine                1     9       0  a, b and 2",
        "                                                                    others",
    ]


def test_the_kernels() -> None:
    lines = [
        ("python", "forward", "10-5-1", 3.2e-6, *[math.nan] * 3),
        ("python", "step-backprop", "10-5-1", 1.2e-5, 31.5, 210.53, math.nan),
        ("rust", "step-incremental-2-threads", "1000-1000-1", 0.5, 2510.4, 0.384, 1.0),
    ]
    heads = "contender kernel layers median_s times_as_fast ns_per_parameter share_of_peak"
    table = pd.DataFrame(lines, columns=heads.split()).reindex(columns=kernels.COLUMNS)
    screen, narrow = Screen(), Screen()
    screen.terminal.show(tables_across.kernels(table))
    assert screen.out() == [
        "One call of each kernel, in process",
        "                                                  times as     ns per",
        "kernel                      shape         median   fast as  parameter  of peak",
        "python",
        "forward                     10-5-1       3.20 µs",
        "step-backprop               10-5-1       12.0 µs     31.5x     210.53",
        "rust",
        "step-incremental-2-threads  1000-1000-1   500 ms     2510x       0.38     100%",
    ]
    # Long names are on several lines.
    long = table.assign(contender="a contender " * 5, layers=str(LARGE.shape))
    narrow.terminal.show(tables_across.kernels(long))
    assert max(map(len, narrow.out())) <= 80
    *_, first, last = narrow.out()
    assert first.endswith("1000-1000-1000-1   500 ms     2510x       0.38     100%")
    assert last == "ads"


def test_progress_counts_planned_seconds() -> None:
    run = Run(case=SMALL, contender="[a]", control=True, round=2, position=1)
    screen = Screen(120, is_file=False)
    with screen.terminal.progress({"": (0.0, 0.5)}) as advance:
        advance("", str(run), 0.25)
    with screen.terminal.progress({"": (0.0, 0.5)}) as advance:
        advance("", str(replace(run, round=0, control=False)), 0.0)
    with screen.terminal.progress({"m": (0.0, 10.0), "n": (8.0, 10.0)}) as advance:
        advance("m", "round 3 naive 4-2-1", 2.0)
    with screen.terminal.counting("pilot [runs]", 4) as advance:
        advance("[b] naive")
        advance()
    with screen.terminal.doing("reading [it]"):
        pass
    for text in (
        *("[a] (control) naive 4-2-1, round 2", " 50%", "[a] naive 4-2-1, warm-up "),
        # Of machines there is a line for each.
        *("m: round 3 naive 4-2-1", "20%", "80%"),
        *("pilot [runs]", "2/4", "reading [it]"),
    ):
        assert text in screen.err(), text
    assert screen.out() == []


def test_the_machines_at_80_columns() -> None:
    """Every machine that measured a case, then what they say together; a single one has no interval."""
    about = {"method": "naive", "contender": "rust", "measure": "training", "verdict": "faster"}
    lines = [
        {"layers": "4-2-1", "machine": "laptop", "ratio": 100.0, "step_s": 1e-6, "counts": "yes"},
        {"layers": "4-2-1", "machine": "server", "ratio": 50.0, "step_s": 2e-6, "counts": "noisy"},
        {"layers": "10-5-1", "machine": "laptop", "ratio": 120.0, "step_s": 3e-6, "counts": "yes"},
        {"layers": "10-5-1", "machine": "server", "ratio": 80.0, "step_s": math.nan, "counts": "yes"},
    ]
    table = pd.DataFrame([{"low": 1.0, "high": 200.0, "floor": 1.02, **about, **line} for line in lines])
    one = {**about, "layers": "4-2-1", "machines": 1, "ratio": 100.0, "least": 100.0, "most": 100.0}
    two = {**about, "layers": "10-5-1", "machines": 2, "ratio": 98.0, "least": 80.0, "most": 120.0}
    summed = pd.DataFrame(
        [
            {**one, "low": math.nan, "high": math.nan, "spread": math.nan},
            {**two, "low": 7.5, "high": 1280.0, "spread": 1.33},
        ]
    )
    screen = Screen()
    screen.terminal.show(tables_across.machines(table), tables_across.pooled(summed))
    assert screen.out() == [
        "Times as fast as the reference in training, by machine",
        "method  shape   contender  machine       training     step  floor  counts",
        "naive   4-2-1   rust       laptop    100x x/÷14.1  1.00 µs  1.02x  yes",
        "                           server   50.0x x/÷14.1  2.00 µs  1.02x  noisy",
        "        10-5-1  rust       laptop    120x x/÷14.1  3.00 µs  1.02x  yes",
        "                           server   80.0x x/÷14.1           1.02x  yes",
        "All machines together, training",
        "method  shape   contender  machines   mean  95% interval  spread   from    to",
        "naive   4-2-1   rust              1   100x                         100x  100x",
        "naive   10-5-1  rust              2  98.0x  7.50 to 1280   1.330  80.0x  120x",
    ]


def test_of_many_machines_one_shape_is_shown() -> None:
    about: dict[str, object] = {"method": "naive", "contender": "rust", "measure": "training"}
    about |= {"verdict": "faster", "spread": 1.0, "floor": 1.0, "step_s": 1.0, "counts": "yes"}
    about |= {"ratio": 9.0, "low": 8.0, "high": 10.0, "least": 9.0, "most": 9.0, "machines": 9}
    table = pd.DataFrame(
        {**about, "machine": f"m{number}", "layers": layers}
        for layers in ("4-2-1", "10-5-1")
        for number in range(9)
    )
    screen = Screen()
    screen.terminal.show(tables_across.machines(table), tables_across.pooled(table[:1]))
    assert screen.out()[0] == "Times as fast as the reference in training at 10-5-1, by machine"
    assert sum(f" m{number} " in line for line in screen.out() for number in range(9)) == 9


def test_a_copied_sweep_cannot_speak_to_the_terminal(tmp_path: Path) -> None:
    """Names, versions and losses come from files that anybody may have written."""
    evil = "\x1b]0;owned\x07\x9b31m"
    names = (f"a{evil}", f"b{evil}")
    rows = [*two_rounds(*names), replace(failure(names[1], 3, of=ARTICLE), error=f"no{evil}", version=evil)]
    screen = Screen(200)
    screen.terminal.show(*tables.shown(understood(tmp_path, rows, plan(names, (ARTICLE,)))))
    screen.terminal.say(f"first{evil}\nsecond")
    screen.terminal.note(evil)
    screen.terminal.failures([rows[-1]], {})
    said = "\n".join(screen.out()) + screen.err()
    assert not {"\x1b", "\x07", "\x9b"} & set(said)
    assert "first\\x1b]0;owned\\x07\\x9b31m\nsecond" in said
