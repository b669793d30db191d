"""Every picture from made-up sweeps: drawn without a warning, labelled, true, and without text upon text."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from harness.across.machines import joined, summary
from harness.analysis.results import Results, understand
from harness.case import METHODS, Shape
from harness.plan import DEFAULT_SHAPES, LeftOut
from harness.report import pictures as charts
from harness.report import pictures_across, style
from harness.rows import Row
from tests import sweeps

SHAPES = tuple(map(str, DEFAULT_SHAPES))
TEN = tuple(f"contender-{number}" for number in range(10))


def rows(
    shapes: tuple[str, ...] = SHAPES,
    methods: tuple[str, ...] = METHODS,
    names: tuple[str, ...] = ("python", "rust"),
    rounds: int = 3,
) -> list[Row]:
    """Return what a sweep could have measured: time in proportion to the count, and a little noise."""
    made = []
    for number in range(1, rounds + 1):
        for method in methods:
            for shape in shapes:
                of = sweeps.case(shape, method, samples=10, epochs=10)
                for place, name in enumerate(names):
                    noise = 1.0 + 0.01 * ((number * 7 + len(shape) + place) % 5)
                    step_s = (1e-6 + 1e-7 * 0.3**place * of.multiply_adds) * noise
                    total_s = step_s * of.training_steps
                    own = {"of": of, "training_s": total_s, "wall_s": total_s + 0.02}
                    made.append(sweeps.row(name, number, peak_memory_bytes=(place + 1) << 23, **own))  # type: ignore[arg-type]
                    if place == 0 and shape == shapes[0]:
                        made.append(sweeps.row(name, number, control=True, **own))  # type: ignore[arg-type]
    return made


def losses(
    names: tuple[str, ...], last: float = 1e-6, epochs: int = 4
) -> dict[tuple[str, str, str], list[float]]:
    values = [*[5.0, 1.0, 0.1, 0.01, 1e-3][:epochs], last]
    return {(name, method, shape): values for name in names for method in METHODS for shape in SHAPES}


def results_of(
    path: Path, made: list[Row], left_out: list[LeftOut] | None = None, last: float = 1e-6
) -> Results:
    names = tuple(dict.fromkeys(row.run.contender for row in made))
    cases = {str(row.run.case): row.run.case for row in made}
    plan = sweeps.plan(names, cases.values(), control=False, left_out=left_out or [])
    return understand(sweeps.write(path, made, plan, losses(names, last)))


def failing(made: list[Row], who: str, status: str) -> list[Row]:
    """Let one fail on all shapes with more than 20 neurons."""
    return [
        sweeps.failure(who, row.run.round, status, of=row.run.case)
        if row.run.contender == who and row.run.case.shape.neurons > 20
        else row
        for row in made
    ]


def wrong(made: list[Row], who: str) -> list[Row]:
    """Let one have other losses throughout."""
    return [
        sweeps.mismatch(who, row.run.round, of=row.run.case, training_s=row.training_s or 1.0)
        if row.run.contender == who
        else row
        for row in made
    ]


SITUATIONS: dict[str, Callable[[], list[Row]]] = {
    "two": rows,
    "one contender": lambda: rows(names=("python",)),
    "four contenders": lambda: rows(names=("python", "rust", "numpy", "c")),
    "ten contenders": lambda: rows(("4-2-1", "10-5-1", "16-8-1", "32-16-1"), names=TEN),
    "one method": lambda: rows(methods=("backprop",)),
    "one shape": lambda: rows(("10-5-1",)),
    "one round": lambda: rows(rounds=1),
    "without the article's shape": lambda: rows(("4-2-1", "16-8-1", "32-16-1")),
    "equally many neurons": lambda: rows(("10-5-1", "5-10-1", "8-7-1")),
    "crashes": lambda: failing(rows(), "rust", "crash"),
    "timeouts": lambda: failing(rows(), "python", "timeout"),
    "other losses": lambda: wrong(rows(names=("python", "rust", "c")), "c"),
}


def panels(figure: Figure) -> list[Axes]:
    return list(figure.axes)


Box = tuple[str, tuple[float, float, float, float]]
"""A text, and what it occupies: left, lower, right, upper."""


def boxes(figure: Figure) -> list[Box]:
    """Return what every visible text occupies, in pixels."""
    figure.draw_without_rendering()
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    found = []
    for text in visible(figure):
        if text.get_visible() and text.get_text().strip():
            # Without the line that leads from a label to its point.
            box = Text.get_window_extent(text, renderer)
            if box.width > 0:
                found.append((text.get_text(), (box.x0, box.y0, box.x1, box.y1)))
    return found


def visible(figure: Figure) -> list[Text]:
    """Return the texts of ``figure`` but for tick labels outside the limits of their axis."""
    hidden: set[int] = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                if not low <= tick.get_loc() <= high:
                    hidden |= {id(tick.label1), id(tick.label2)}
    return [text for text in figure.findobj(Text) if isinstance(text, Text) and id(text) not in hidden]


def overlaps(found: list[Box]) -> list[tuple[str, str]]:
    pairs = []
    for (one, a), (other, b) in combinations(found, 2):
        width = min(a[2], b[2]) - max(a[0], b[0])
        height = min(a[3], b[3]) - max(a[1], b[1])
        if width > 1.0 and height > 1.0:
            pairs.append((one, other))
    return pairs


def outside(figure: Figure, found: list[Box]) -> list[str]:
    width, height = figure.canvas.get_width_height()
    return [
        text
        for text, (x0, y0, x1, y1) in found
        if x0 < -0.5 or y0 < -0.5 or x1 > width + 0.5 or y1 > height + 0.5
    ]


DIFFERENT = {
    "scaling": (
        *("two", "four contenders", "ten contenders", "one method", "one shape", "one round"),
        *("without the article's shape", "crashes", "timeouts", "other losses"),
    ),
    "speedup": ("two", "ten contenders", "one method", "one round", "other losses"),
    "methods": ("two", "ten contenders", "equally many neurons", "other losses"),
    "memory": ("ten contenders", "one shape"),
    "loss": ("two", "ten contenders"),
}
"""The situations in which a picture differs."""


@pytest.fixture(scope="module")
def understood(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Results]:
    """Return what gives the results of a situation, understood once."""
    return cache(lambda what: results_of(tmp_path_factory.mktemp("sweep"), SITUATIONS[what]()))


@pytest.mark.parametrize(("name", "what"), [(name, what) for name in DIFFERENT for what in DIFFERENT[name]])
def test_a_picture_is_labelled_and_no_text_lies_on_another(
    understood: Callable[[str], Results], name: str, what: str
) -> None:
    results = understood(what)
    figure: Figure = getattr(charts, name)(results, style.caption(results))
    assert figure.get_suptitle()
    found = boxes(figure)
    assert not [text for text, _ in found if "nan" in text or "inf" in text.split()]
    assert overlaps(found) == []
    assert outside(figure, found) == []


def test_a_long_caption_is_wrapped() -> None:
    figure, _ = style.framed("Title " * 40, "a caption " * 18, (1, 1), panel=(2.0, 2.0))
    assert outside(figure, boxes(figure)) == []


def test_what_would_be_empty_is_not_drawn(understood: Callable[[str], Results]) -> None:
    names = ["scaling", "speedup", "methods", "memory", "loss"]
    drawn = dict(charts.draw(understood("two")))
    assert list(drawn) == names
    assert style.png(drawn["loss"]).startswith(b"\x89PNG\r\n\x1a\n")
    alone = understood("one contender")
    assert [name for name, _ in charts.draw(alone)] == ["scaling", "methods", "memory", "loss"]
    summary = alone.summary[alone.summary["measure"] != "peak_memory_bytes"]
    bare = replace(alone)
    vars(bare).update(summary=summary, medians=alone.medians, losses=alone.losses[:0])
    assert [name for name, _ in charts.draw(bare)] == ["scaling", "methods"]


def test_units_stand_beside_the_numbers(understood: Callable[[str], Results]) -> None:
    results = understood("two")
    times = (
        panels(charts.scaling(results, ""))[0].get_yticklabels(),
        panels(charts.methods(results, ""))[0].get_xticklabels(),
    )
    for labels in times:
        ticks = [label.get_text() for label in labels if label.get_text()]
        assert ticks
        assert all(text.split()[-1] in ("ns", "µs", "ms", "s") for text in ticks), ticks
    for axes in panels(charts.speedup(results, "")):
        assert all(label.get_text().endswith("x") for label in axes.get_yticklabels() if label.get_text())
    assert "MiB" in panels(charts.memory(results, ""))[0].get_ylabel()


def test_ticks_have_no_exponents() -> None:
    assert [style.ratio_tick(10.0**power) for power in (-5, -1, 0, 3, 6)] == [
        *("0.00001x", "0.1x", "1x", "1000x", "1000000x")
    ]
    assert [style.duration_tick(seconds) for seconds in (2e-10, 5e-8, 1e-6, 0.02, 1.0, 2e6)] == [
        *("0.2 ns", "50 ns", "1 µs", "20 ms", "1 s", "2000000 s")
    ]
    # Sums of binary fractions, as a locator of ticks makes them.
    assert style.number_tick(0.1 + 0.2) == "0.3"


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (1.0, 1e4, ["1x", "10x", "100x", "1000x", "10000x"]),
        (1.0, 20.0, ["1x", "2x", "5x", "10x", "20x"]),
        (1.0, 3.0, ["1x", "1.5x", "2x", "3x"]),
        (1.0, 1.2, ["1x", "1.05x", "1.1x", "1.15x"]),
    ],
)
def test_an_axis_always_has_several_labels(low: float, high: float, labels: list[str]) -> None:
    figure, ((axes,),) = style.framed("", "", (1, 1), panel=(2.0, 2.0))
    axes.set(yscale="log", ylim=(low, high))
    style.log_ticks(axes.yaxis, style.ratio_tick)
    assert {text for text, _ in boxes(figure)} >= set(labels)


def test_beside_each_panel_stands_who_it_is_with_its_exponent(
    understood: Callable[[str], Results],
) -> None:
    results = understood("four contenders")
    slow_rust = results.medians["median"].mask(results.medians["contender"] == "rust", 100.0)
    medians = results.medians.assign(median=slow_rust, low=np.nan, high=np.nan)
    vars(results := replace(results)).update(medians=medians)
    for method, axes in zip(METHODS, panels(charts.scaling(results, "")), strict=True):
        powers = {
            one["contender"]: f"$n^{{{one['exponent']:.2f}}}$"
            for one in results.exponents.to_dict("records")
            if one["method"] == method
        }
        legend = axes.get_legend()
        assert legend
        own = results.medians[results.medians["method"] == method]
        ends = own.groupby("contender")["median"].last().sort_values(ascending=False)
        assert [text.get_text() for text in legend.get_texts()] == [
            f"{who} {powers[who]}" for who in ends.index
        ]


def notes(axes: Axes) -> list[str]:
    """Return what stands below a panel."""
    return [line for text in axes.texts for line in text.get_text().splitlines()]


def test_below_a_panel_stands_what_its_marks_mean(understood: Callable[[str], Results]) -> None:
    results = understood("two")
    cost = results.costs["rust", "naive"]
    told = {
        ("python", "start-up", 11, ""),
        ("rust", "training", 97, "python"),
        ("rust", "process", 97, "python"),
    }
    crossovers = pd.DataFrame(
        {
            "method": "naive",
            "contender": who,
            "kind": kind,
            "neurons": float(neurons),
            "than_contender": than,
            "than_method": "backprop",
        }
        for who, kind, neurons, than in sorted(told)
    )
    medians = results.medians.copy()
    own = (medians["contender"] == "rust") & (medians["method"] == "naive")
    said = [cost.step(tuple(map(float, text.split("-")))).value for text in medians["layers"][own]]
    # One size takes three times as long as its model says, another a quarter of it.
    medians[["low", "high"]] = np.nan
    medians.loc[own, "median"] = np.array(said) * [3.0, 0.25, *[1.0] * (len(said) - 2)]
    costs = {("rust", "naive"): cost, ("python", "naive"): cost}
    vars(results).update(medians=medians, crossovers=crossovers, costs=costs)
    naive, *_ = panels(charts.scaling(results, ""))
    line, bar, ring = notes(naive)
    assert line.startswith("the lines are cost models; off by up to: rust 4.00x, python ")
    assert bar == "| from 11 neurons on start-up is below a tenth of python's time"
    assert ring == "\u25cb from 97 neurons on rust is faster than python backprop"
    marked = {line.get_marker(): np.asarray(line.get_xdata()).tolist() for line in naive.lines}
    assert (marked["|"], marked["o"]) == ([11.0], [97.0])


def test_a_failure_cannot_be_taken_for_a_time(tmp_path: Path) -> None:
    """It is told below the panel, with who, how and where; on the axis of times there is no mark of it."""
    left = LeftOut(method="naive", shape=Shape.parse("512-256-1"), contender="python", reason="too dear")
    made = [row for row in failing(rows(), "rust", "crash") if str(row.run.case) != "naive 512-256-1"]
    results = results_of(tmp_path, made, [left])
    naive, _, backprop = panels(charts.scaling(results, ""))
    said = "crash at 25, 49, 97, 193, 385"
    assert f"{said} neurons: rust" in notes(naive) and f"{said}, 769 neurons: rust" in notes(backprop)
    assert "left out at 769 neurons: python" in notes(naive)
    drawn = [line for line in naive.lines if line.get_label() == "rust" or line.get_marker() == "s"]
    assert max(max(np.asarray(line.get_xdata())) for line in drawn) == 16


def test_other_losses_are_crossed_out_and_in_no_ratio(understood: Callable[[str], Results]) -> None:
    results = understood("other losses")
    axes = panels(charts.scaling(results, ""))[0]
    assert "crossed out: other losses (c)" in notes(axes)
    crosses = [line for line in axes.lines if line.get_marker() == "x" and len(np.asarray(line.get_xdata()))]
    assert sorted(np.asarray(crosses[0].get_xdata()).tolist()) == sorted(set(results.medians["neurons"]))
    speedup = charts.speedup(results, "")
    assert "c (mismatch)" in speedup.get_suptitle()
    assert [text.get_text() for text in speedup.legends[0].get_texts()] == ["rust"]
    panel = panels(charts.methods(results, ""))[0]
    crossed = {round(np.asarray(line.get_ydata())[0]) for line in panel.lines if line.get_marker() == "x"}
    names = [label.get_text() for label in panel.get_yticklabels()]
    assert [names[place] for place in crossed] == ["c"]


def test_whose_losses_only_agree_is_marked(understood: Callable[[str], Results]) -> None:
    plain = understood("four contenders")
    assert "\u2248" not in charts.methods(plain, "").get_suptitle()
    is_c = plain.outcomes["contender"] == "c"
    parity = plain.outcomes["parity"].mask(is_c, "within 3e-16 of the initial loss")
    results = replace(plain, outcomes=plain.outcomes.assign(parity=parity))
    methods, scaling = charts.methods(results, ""), charts.scaling(results, "")
    names = [label.get_text() for label in panels(methods)[0].get_yticklabels()]
    assert set(names) == {"python", "rust", "numpy", "c \u2248"}
    legend = panels(scaling)[0].get_legend()
    assert legend
    assert {text.get_text().split(" $")[0] for text in legend.get_texts()} == set(names)
    for figure in (methods, scaling):
        assert "\u2248: losses agree, but are not identical" in figure.get_suptitle()


def test_methods_say_how_far_everybody_is_from_the_fastest(tmp_path: Path) -> None:
    made = [
        *sweeps.pairs([(6.0, 2.0)] * 3, sweeps.case("4-2-1")),
        *sweeps.pairs([(1.0, 8.0)] * 3, sweeps.case("10-5-1")),
    ]
    first, second = panels(charts.methods(results_of(tmp_path, made), ""))
    assert [text.get_text() for text in first.texts] == ["3.00x"]
    assert [text.get_text() for text in second.texts] == ["8.00x"]
    python = style.styles_of(["python"])["python"]["color"]
    lines = [np.asarray(line.get_xdata()).tolist() for line in first.lines if line.get_color() == python]
    assert lines == [[6.0], [2.0, 6.0]]


def test_intervals_of_speedups_are_those_of_the_table(understood: Callable[[str], Results]) -> None:
    results = understood("one method")
    (axes,) = panels(charts.speedup(results, ""))
    # CPU seconds are in the table, not in the picture.
    for container, measure in zip(axes.containers, ("training", "process"), strict=True):
        own = results.speedups[~results.speedups["control"] & (results.speedups["measure"] == measure)]
        segments = container.lines[2][0].get_segments()  # type: ignore[attr-defined]
        ends = [sorted((float(low), float(high))) for (_, low), (_, high) in segments]
        wanted = own.sort_values("neurons")[["low", "high"]].to_numpy().tolist()
        assert ends == [pytest.approx(pair) for pair in wanted]


def test_curves_of_losses(understood: Callable[[str], Results]) -> None:
    results = understood("two")
    samples = results.runs["samples"].mask(results.runs["method"] == "backprop", 500)
    axes = panels(charts.loss(replace(results, runs=results.runs.assign(samples=samples)), ""))
    assert [own.get_title().replace("\n", " ") for own in axes] == [
        "naive: 10 samples, 4 epochs, identical bits",
        "incremental: 10 samples, 4 epochs, identical bits",
        "backprop: 500 samples, 4 epochs, identical bits",
    ]
    curves = pd.DataFrame(
        {"contender": ["a", "a", "b", "b"], "epoch": [0, 1, 0, 1], "loss": [1.0, 0.5, 1.0, 0.25]}
    )
    assert charts.coincide(curves) == "1 epoch, b differs"
    assert charts.coincide(curves[:2]) == "1 epoch"
    for own in axes:
        assert all(float(tick).is_integer() for tick in own.get_xticks())
        assert own.get_xlim() == axes[0].get_xlim()


def test_a_contender_has_one_look_and_a_method_one_line(understood: Callable[[str], Results]) -> None:
    styles = style.styles_of(TEN)
    assert len({tuple(styles[name].values()) for name in TEN}) == 10
    results = understood("four contenders")
    looks = {tuple(look.values()): who for who, look in style.styles_of(results.contenders).items()}
    for name, figure in charts.draw(results):
        legends = [*figure.legends, *(axes.get_legend() for axes in panels(figure))]
        told = [mark for legend in legends if legend for mark in legend.legend_handles]
        owners = {
            str(mark.get_label()).split(" ")[0]: (mark.get_color(), mark.get_marker())
            for mark in told
            if isinstance(mark, Line2D) and mark.get_marker() not in ("", "None")
        }
        assert {looks[look]: look for look in owners.values()} == owners, name
        for method, axes in zip(METHODS, panels(figure), strict=False):
            drawn = {(line.get_color(), line.get_marker()) for line in axes.lines}
            assert looks.keys() - drawn <= {look for look, who in looks.items() if who == "python"}, name
            if name in ("scaling", "speedup", "memory"):
                styled = {line.get_linestyle() for line in axes.lines if line.get_color() in style.COLOURS}
                assert styled - {"None"} == {style.LINES[method]}, name


def test_what_is_no_contender_has_no_contenders_colour() -> None:
    assert not {to_hex(shade) for shade in style.shades(12)} & {colour.lower() for colour in style.COLOURS}


def test_several_machines(understood: Callable[[str], Results]) -> None:
    table = joined({"one": understood("two"), "other": understood("four contenders")})
    table.loc[table["counts"] == "yes", "counts"] = [
        "noisy",
        *["yes"] * ((table["counts"] == "yes").sum() - 1),
    ]
    figure = pictures_across.machines(table, summary(table), "a caption")
    found = boxes(figure)
    assert overlaps(found) == []
    assert outside(figure, found) == []
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        *("one", "other", "circled: not in the mean", "mean of the machines, 95% interval")
    ]
    circled = [
        line
        for axes in panels(figure)
        for line in axes.lines
        if line.get_fillstyle() == "none" and len(np.asarray(line.get_xdata()))
    ]
    assert len(circled) >= 1


def test_the_intervals_of_repeated_sweeps() -> None:
    lines = [
        {
            "contender": name,
            "reference": "a",
            "measure": measure,
            "true_ratio": true,
            "low": true * (0.99 + shift),
            "ratio": true * (1.0 + shift),
            "high": true * (1.01 + shift),
            "holds": abs(shift) < 0.01,
        }
        for name, true in (("b", 64.0), ("a +0%", 1.0), ("a +10%", 1.0 / 1.1))
        for measure in ("training", "process", "cpu")
        for shift in (0.0, 0.005, 0.02)
    ]
    figure = pictures_across.selfcheck(pd.DataFrame(lines))
    found = boxes(figure)
    assert overlaps(found) == []
    assert outside(figure, found) == []
    first, *_ = figures = [axes for axes in panels(figure) if axes.get_title()]
    assert [axes.get_title().splitlines()[0] for axes in figures] == [
        f"{name}, {measure}" for measure in ("training", "process") for name in ("b", "a +0%", "a +10%")
    ]
    assert first.get_title().endswith("2 of 3 hold 64x")
    # In percent of the true ratio: the line of the truth, then an interval and a mark for each sweep.
    ends = [np.asarray(line.get_xdata()).round(9).tolist() for line in first.lines]
    assert ends == [[0.0, 0.0], [-1.0, 1.0], [0.0], [-0.5, 1.5], [0.5], [1.0, 3.0], [2.0]]
    assert [line.get_color() for line in first.lines[-2:]] == ["black"] * 2
