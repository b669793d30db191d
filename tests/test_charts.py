"""Every picture from made-up sweeps: drawn without a warning, labelled, true, and without text upon text."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from itertools import combinations, product
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
Understood = Callable[[str], Results]
Picture = Callable[[str, str], Figure]
DEAR = LeftOut(method="naive", shape=Shape.parse("512-256-1"), contender="python", reason="too dear")


def rows(
    shapes: tuple[str, ...] = SHAPES,
    methods: tuple[str, ...] = METHODS,
    names: tuple[str, ...] = ("python", "rust"),
    rounds: int = 3,
) -> list[Row]:
    """Return what a sweep could have measured: time in proportion to the count, and a little noise."""
    made = []
    for number, method, shape in product(range(1, rounds + 1), methods, shapes):
        of = sweeps.case(shape, method, samples=10, epochs=10)
        for place, name in enumerate(names):
            noise = 1.0 + 0.01 * ((number * 7 + len(shape) + place) % 5)
            total_s = (1e-6 + 1e-7 * 0.3**place * of.multiply_adds) * noise * of.training_steps
            row = partial(sweeps.row, name, number, of=of, training_s=total_s, wall_s=total_s + 0.02)
            made.append(row(peak_memory_bytes=(place + 1) << 23))
            if place == 0 and shape == shapes[0]:
                made.append(row(control=True))
    return made


def results_of(path: Path, made: list[Row], left_out: tuple[LeftOut, ...] = ()) -> Results:
    """Return what a sweep of these rows showed, in which everybody had the same losses."""
    names = tuple(dict.fromkeys(row.run.contender for row in made))
    cases = {str(row.run.case): row.run.case for row in made}
    plan = sweeps.plan(names, cases.values(), control=False, left_out=left_out)
    losses = dict.fromkeys(product(names, METHODS, SHAPES), (5.0, 1.0, 0.1, 0.01, 1e-6))
    return understand(sweeps.write(path, made, plan, losses))


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
    "one contender": lambda: rows(methods=("naive",), names=("python",)),
    "four contenders": lambda: rows(methods=("naive", "backprop"), names=("python", "rust", "numpy", "c")),
    "ten contenders": lambda: rows(("4-2-1", "10-5-1", "16-8-1", "32-16-1"), names=TEN),
    "one method": lambda: rows(methods=("backprop",)),
    "one shape": lambda: rows(("10-5-1",)),
    "one round": lambda: rows(rounds=1),
    "without the article's shape": lambda: rows(("4-2-1", "16-8-1", "32-16-1")),
    "equally many neurons": lambda: rows(("10-5-1", "5-10-1", "8-7-1")),
    "crashes": lambda: [
        row for row in failing(rows(), "rust", "crash") if str(row.run.case) != "naive 512-256-1"
    ],
    "other losses": lambda: wrong(rows(names=("python", "rust", "c")), "c"),
}
DIFFERENT = {
    "scaling": (
        *("two", "four contenders", "ten contenders", "one method", "one shape", "one round"),
        *("without the article's shape", "crashes", "other losses"),
    ),
    "speedup": ("two", "ten contenders", "one method", "one round", "other losses"),
    "methods": ("two", "ten contenders", "equally many neurons", "other losses"),
    "memory": ("ten contenders", "one shape"),
    "loss": ("two", "ten contenders"),
}
"""The situations in which a picture differs."""


@pytest.fixture(scope="module")
def understood(tmp_path_factory: pytest.TempPathFactory) -> Understood:
    """Return what gives the results of a situation, understood once."""

    def once(what: str) -> Results:
        left_out = (DEAR,) if what == "crashes" else ()
        return results_of(tmp_path_factory.mktemp("sweep"), SITUATIONS[what](), left_out)

    return cache(once)


@pytest.fixture(scope="module")
def picture(understood: Understood) -> Picture:
    """Return what gives a picture of a situation, drawn once."""

    def once(name: str, what: str) -> Figure:
        figure: Figure = getattr(charts, name)(understood(what), style.caption(understood(what)))
        return figure

    return cache(once)


def changed(results: Results, **frames: object) -> Results:
    """Return results of which some frames are others, and none is computed again."""
    made = replace(results)
    vars(made).update({**vars(results), **frames})
    return made


Box = tuple[str, float, float, float, float]
"""A text, and what it occupies: left, lower, right, upper."""


def boxes(figure: Figure) -> list[Box]:
    """Return what every visible text occupies, in pixels."""
    figure.draw_without_rendering()
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    beyond: set[Text] = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                if not low <= tick.get_loc() <= high:
                    beyond |= {tick.label1, tick.label2}
    found = []
    for text in figure.findobj(Text):
        if isinstance(text, Text) and text.get_visible() and text.get_text().strip() and text not in beyond:
            # Without the line that leads from a label to its point.
            box = Text.get_window_extent(text, renderer)
            if box.width > 0:
                found.append((text.get_text(), box.x0, box.y0, box.x1, box.y1))
    return found


def misplaced(figure: Figure) -> list[str]:
    """Return the texts that lie on another one, or outside the picture."""
    return badly_placed(boxes(figure), *figure.canvas.get_width_height())


def badly_placed(found: list[Box], width: float, height: float) -> list[str]:
    """Return the texts of ``found`` that lie on another one, or outside a picture of that size."""
    return [
        *(
            f"{one} on {other}"
            for (one, *a), (other, *b) in combinations(found, 2)
            if min(a[2], b[2]) - max(a[0], b[0]) > 1.0 and min(a[3], b[3]) - max(a[1], b[1]) > 1.0
        ),
        *(
            text
            for text, x0, y0, x1, y1 in found
            if min(x0, y0) < -0.5 or x1 > width + 0.5 or y1 > height + 0.5
        ),
    ]


@pytest.mark.parametrize(("name", "what"), [(name, what) for name in DIFFERENT for what in DIFFERENT[name]])
def test_a_picture_is_labelled_and_no_text_lies_on_another(picture: Picture, name: str, what: str) -> None:
    figure = picture(name, what)
    assert figure.get_suptitle()
    found = boxes(figure)
    assert not [text for text, *_ in found if "nan" in text or "inf" in text.split()]
    assert badly_placed(found, *figure.canvas.get_width_height()) == []


def test_a_long_caption_is_wrapped() -> None:
    figure, _ = style.framed("Title " * 40, "a caption " * 18, (1, 1), panel=(2.0, 2.0))
    assert misplaced(figure) == []


def test_what_would_be_empty_is_not_drawn(understood: Understood) -> None:
    drawn = dict(charts.draw(understood("one method")))
    assert list(drawn) == ["scaling", "speedup", "methods", "memory", "loss"]
    assert style.png(drawn["loss"]).startswith(b"\x89PNG\r\n\x1a\n")
    alone = understood("one contender")
    assert [name for name, _ in charts.draw(alone)] == ["scaling", "methods", "memory", "loss"]
    summary = alone.summary[alone.summary["measure"] != "peak_memory_bytes"]
    bare = changed(alone, summary=summary, losses=alone.losses[:0])
    assert [name for name, _ in charts.draw(bare)] == ["scaling", "methods"]


def test_units_stand_beside_the_numbers(picture: Picture) -> None:
    scaling, methods, speedup = (picture(name, "two").axes for name in ("scaling", "methods", "speedup"))
    for labels in (scaling[0].get_yticklabels(), methods[0].get_xticklabels()):
        ticks = [label.get_text() for label in labels if label.get_text()]
        assert ticks
        assert all(text.split()[-1] in ("ns", "µs", "ms", "s") for text in ticks), ticks
    for axes in speedup:
        assert all(label.get_text().endswith("x") for label in axes.get_yticklabels() if label.get_text())
    assert "MiB" in picture("memory", "one shape").axes[0].get_ylabel()
    assert style.GREY not in {line.get_color() for line in picture("memory", "ten contenders").axes[0].lines}


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
    ("high", "labels"),
    [
        (1e4, "1x 10x 100x 1000x 10000x"),
        (20.0, "1x 2x 5x 10x 20x"),
        (3.0, "1x 1.5x 2x 3x"),
        (1.2, "1x 1.05x 1.1x 1.15x"),
    ],
)
def test_an_axis_always_has_several_labels(high: float, labels: str) -> None:
    figure, ((axes,),) = style.framed("", "", (1, 1), panel=(2.0, 2.0))
    axes.set(yscale="log", ylim=(1.0, high))
    style.log_ticks(axes.yaxis, style.ratio_tick)
    assert {text for text, *_ in boxes(figure)} >= set(labels.split())


def legend_of(axes: Axes) -> list[str]:
    """Return the words of a panel's legend."""
    legend = axes.get_legend()
    assert legend
    return [text.get_text() for text in legend.get_texts()]


def test_beside_each_panel_stands_who_it_is_with_its_exponent(understood: Understood) -> None:
    results = understood("four contenders")
    powers = results.exponents.set_index(["method", "contender"])["exponent"]
    slow_rust = results.medians["median"].mask(results.medians["contender"] == "rust", 100.0)
    medians = results.medians.assign(median=slow_rust, low=np.nan, high=np.nan)
    figure = charts.scaling(changed(results, medians=medians), "")
    for method, axes in zip(("naive", "backprop"), figure.axes, strict=True):
        own = medians[medians["method"] == method]
        ends = own.groupby("contender")["median"].last().sort_values(ascending=False)
        assert legend_of(axes) == [f"{who} n^{powers[method, who]:.2f}" for who in ends.index]


def notes(axes: Axes) -> list[str]:
    """Return what stands below a panel."""
    return [line for text in axes.texts for line in text.get_text().splitlines()]


def places(axes: Axes, marker: str) -> list[list[float]]:
    """Return where on its axis each line with such a marker has its points."""
    return [list(np.asarray(line.get_xdata())) for line in axes.lines if line.get_marker() == marker]


def test_below_a_panel_stands_what_its_marks_mean(understood: Understood) -> None:
    results = understood("one contender")
    cost = results.costs["python", "naive"]
    told = [("training", 97, "rust"), ("job", 193, "rust")]
    crossovers = pd.DataFrame(told, columns=["kind", "neurons", "than_contender"])
    about = {"contender": "python", "method": "naive", "than_method": "backprop"}
    said = [cost.step(Shape.parse(text).layers).value for text in results.medians["layers"]]
    # One size takes three times as long as its model says, another a quarter of it.
    times = np.array(said) * [3.0, 0.25, *[1.0] * (len(said) - 2)]
    medians = results.medians.assign(median=times, low=np.nan, high=np.nan)
    (axes,) = charts.scaling(
        changed(results, medians=medians, crossovers=crossovers.assign(**about)), ""
    ).axes
    assert notes(axes) == [
        "the lines are cost models; off by up to: python 4.00x",
        "\u25cb from 97 neurons on python is faster than rust backprop",
    ]
    assert [97.0] in places(axes, "o") and [193.0] not in places(axes, "o")


def test_a_failure_cannot_be_taken_for_a_time(picture: Picture) -> None:
    """It is told below the panel, with who, how and where; on the axis of times there is no mark of it."""
    naive, _, backprop = picture("scaling", "crashes").axes
    said = "crash at 25, 49, 97, 193, 385"
    assert f"{said} neurons: rust" in notes(naive) and f"{said}, 769 neurons: rust" in notes(backprop)
    assert "left out at 769 neurons: python" in notes(naive)
    rust = style.styles_of(["python", "rust"])["rust"]["marker"]
    assert max(map(max, places(naive, rust))) == 16


def test_other_losses_are_crossed_out_and_in_no_ratio(picture: Picture) -> None:
    scaling, speedup, methods = (picture(name, "other losses") for name in ("scaling", "speedup", "methods"))
    assert "crossed out: other losses (c)" in notes(scaling.axes[0])
    assert [[], [], [shape.neurons for shape in DEFAULT_SHAPES]] == sorted(places(scaling.axes[0], "x"))
    assert "c (mismatch)" in speedup.get_suptitle()
    assert [text.get_text() for text in speedup.legends[0].get_texts()] == ["rust"]
    panel = methods.axes[0]
    crossed = {round(np.asarray(line.get_ydata())[0]) for line in panel.lines if line.get_marker() == "x"}
    names = [label.get_text() for label in panel.get_yticklabels()]
    assert [names[place] for place in crossed] == ["c"]


def test_whose_losses_only_agree_is_marked(understood: Understood) -> None:
    plain = understood("one method")
    assert "\u2248" not in charts.methods(plain, "").get_suptitle()
    is_rust = plain.outcomes["contender"] == "rust"
    parity = plain.outcomes["parity"].mask(is_rust, "within 3e-16 of the initial loss")
    results = changed(plain, outcomes=plain.outcomes.assign(parity=parity))
    methods, scaling = charts.methods(results, ""), charts.scaling(results, "")
    assert {label.get_text() for label in methods.axes[0].get_yticklabels()} == {"python", "rust \u2248"}
    assert {text.split(" n^")[0] for text in legend_of(scaling.axes[0])} == {"python", "rust \u2248"}
    for figure in (methods, scaling):
        assert "\u2248: losses agree, but are not identical" in figure.get_suptitle()


def test_methods_say_how_far_everybody_is_from_the_fastest(tmp_path: Path) -> None:
    made = [
        *sweeps.pairs([(6.0, 2.0)] * 3, sweeps.case("4-2-1")),
        *sweeps.pairs([(1.0, 8.0)] * 3, sweeps.case("10-5-1")),
    ]
    first, second = charts.methods(results_of(tmp_path, made), "").axes
    assert [text.get_text() for axes in (first, second) for text in axes.texts] == ["3.00x", "8.00x"]
    python = style.styles_of(["python"])["python"]["color"]
    lines = [np.asarray(line.get_xdata()).tolist() for line in first.lines if line.get_color() == python]
    assert lines == [[6.0], [2.0, 6.0]]


def test_intervals_of_speedups_are_those_of_the_table(understood: Understood, picture: Picture) -> None:
    table = understood("one method").speedups
    (axes,) = picture("speedup", "one method").axes
    for container, measure in zip(axes.containers, ("training", "job"), strict=True):
        own = table[~table["control"] & (table["measure"] == measure)].sort_values("neurons")
        segments = container.lines[2][0].get_segments()  # type: ignore[attr-defined]
        ends = np.sort([[low, high] for (_, low), (_, high) in segments])
        assert ends == pytest.approx(own[["low", "high"]].to_numpy())
    floors = table["measure"].map({"training": 1.1, "job": 1.25})
    (axes,) = charts.speedup(changed(understood("one method"), speedups=table.assign(floor=floors)), "").axes
    assert axes.get_title() == "backprop (floor: up to 1.25x)"


def test_curves_of_losses(understood: Understood) -> None:
    results = understood("two")
    samples = results.runs["samples"].mask(results.runs["method"] == "backprop", 500)
    axes = charts.loss(changed(results, runs=results.runs.assign(samples=samples)), "").axes
    assert [own.get_title().replace("\n", " ") for own in axes] == [
        "naive: 10 samples, up to 4 epochs, identical bits in 4 epochs",
        "incremental: 10 samples, up to 4 epochs, identical bits in 4 epochs",
        "backprop: 500 samples, up to 4 epochs, identical bits in 4 epochs",
    ]
    curves = pd.DataFrame(
        {"contender": ["a", "a", "b", "b"], "epoch": [0, 1, 0, 1], "loss": [1.0, 0.5, 1.0, 0.25]}
    )
    assert charts.coincide(curves) == "b differs"
    assert charts.coincide(curves[:2]) == "nothing to compare with"
    # Only what two have can coincide.
    assert charts.coincide(curves[:3]) == "identical bits in 0 epochs"
    for own in axes:
        assert all(float(tick).is_integer() for tick in own.get_xticks())
        assert own.get_xlim() == axes[0].get_xlim()


@pytest.mark.parametrize("name", DIFFERENT)
def test_a_contender_has_one_look_and_a_method_one_line(picture: Picture, name: str) -> None:
    looks = {tuple(look.values()): who for who, look in style.styles_of(TEN).items()}
    assert len(looks) == len(TEN)
    # What is no contender has no contender's colour.
    assert not {to_hex(shade) for shade in style.shades(12)} & {colour.lower() for colour in style.COLOURS}
    figure = picture(name, "ten contenders")
    legends = [*figure.legends, *(axes.get_legend() for axes in figure.axes)]
    owners = {
        str(mark.get_label()).split(" ")[0]: (mark.get_color(), mark.get_marker())
        for legend in legends
        if legend
        for mark in legend.legend_handles
        if isinstance(mark, Line2D) and mark.get_marker() not in ("", "None")
    }
    assert {looks[look]: look for look in owners.values()} == owners
    for method, axes in zip(METHODS, figure.axes, strict=False):
        drawn = {(line.get_color(), line.get_marker()) for line in axes.lines}
        assert {looks[look] for look in looks.keys() - drawn} <= {TEN[0]}
        if name in ("scaling", "speedup", "memory"):
            styled = {line.get_linestyle() for line in axes.lines if line.get_color() in style.COLOURS}
            assert styled - {"None"} == {style.LINES[method]}


def test_several_machines(understood: Understood) -> None:
    table = joined({"one": understood("two"), "other": understood("crashes")})
    table.loc[(table["counts"] == "yes").idxmax(), "counts"] = "noisy"
    figure = pictures_across.machines(table, summary(table), "a caption")
    assert misplaced(figure) == []
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        *("one", "other", "circled: not in the mean", "mean of the machines, 95% interval")
    ]
    circled = [line for axes in figure.axes for line in axes.lines if line.get_fillstyle() == "none"]
    assert any(len(np.asarray(line.get_xdata())) for line in circled)


def test_the_intervals_of_repeated_sweeps() -> None:
    trues = {"b": 64.0, "a +0%": 1.0, "a +10%": 1.0 / 1.1}
    lines = product(trues, ("training", "job"), (0.0, 0.005, 0.02))
    table = pd.DataFrame(lines, columns=["contender", "measure", "shift"])
    true, shift = table["contender"].map(trues), table.pop("shift")
    ends = {"low": true * (0.99 + shift), "ratio": true * (1.0 + shift), "high": true * (1.01 + shift)}
    figure = pictures_across.selfcheck(
        table.assign(reference="a", true_ratio=true, contains=shift < 0.01, **ends)
    )
    assert misplaced(figure) == []
    first, *_ = panels = [axes for axes in figure.axes if axes.get_title()]
    assert [axes.get_title().splitlines()[:2] for axes in panels] == [
        [name, f"against a, {measure}"]
        for measure in ("training", "job")
        for name in ("b", "a +0%", "a +10%")
    ]
    assert first.get_title().endswith("2 of 3 contain 64x")
    # In percent of the true ratio: the line of the truth, then an interval and a mark for each sweep.
    marks = [np.asarray(line.get_xdata()).round(9).tolist() for line in first.lines]
    assert marks == [[0.0, 0.0], [-1.0, 1.0], [0.0], [-0.5, 1.5], [0.5], [1.0, 3.0], [2.0]]
    assert [line.get_color() for line in first.lines[-2:]] == ["black"] * 2
