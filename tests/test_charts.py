"""Every picture from made-up sweeps: drawn without a warning, labelled, true, and without text upon text."""

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

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


@pytest.mark.parametrize("what", SITUATIONS)
def test_every_picture_is_labelled_and_no_text_lies_on_another(tmp_path: Path, what: str) -> None:
    figures = dict(charts.draw(results_of(tmp_path, SITUATIONS[what]())))
    assert list(figures) == ["scaling.png", "speedup.png", "methods.png", "memory.png", "loss.png"]
    for name, figure in figures.items():
        assert style.png(figure).startswith(b"\x89PNG\r\n\x1a\n")
        assert figure.get_suptitle() or panels(figure)[0].get_title(), name
        found = boxes(figure)
        assert not [text for text, _ in found if text in ("nanx", "nan", "infx")], name
        assert overlaps(found) == [], name
        assert outside(figure, found) == [], name


def test_units_stand_beside_the_numbers(tmp_path: Path) -> None:
    figures = dict(charts.draw(results_of(tmp_path, rows())))
    times = (
        panels(figures["scaling.png"])[3].get_yticklabels(),
        panels(figures["methods.png"])[0].get_xticklabels(),
    )
    for labels in times:
        ticks = [label.get_text() for label in labels if label.get_text()]
        assert ticks
        assert all(text.split()[-1] in ("ns", "µs", "ms", "s") for text in ticks), ticks
    for axes in panels(figures["speedup.png"]):
        assert all(label.get_text().endswith("x") for label in axes.get_yticklabels() if label.get_text())
    assert "MiB" in panels(figures["memory.png"])[0].get_ylabel()


def test_beside_each_curve_stands_whose_it_is_with_its_exponent(tmp_path: Path) -> None:
    results = results_of(tmp_path, rows(names=("python", "rust", "c")))
    figure = charts.scaling(results, "")
    for method, axes in zip(METHODS, panels(figure)[3:], strict=True):
        fits = {
            one["contender"]: one for one in results.exponents.to_dict("records") if one["method"] == method
        }
        texts = {text.get_text(): text for text in axes.texts if "$" in text.get_text()}
        assert set(texts) == {f"{name} $n^{{{fit['exponent']:.2f}}}$" for name, fit in fits.items()}
        # They stand in the order in which the curves end, and point to those ends.
        ends = {
            name: float(np.asarray(line.get_ydata())[-1])
            for line in axes.lines
            if (name := str(line.get_label())) in fits
        }
        by_height = sorted(texts, key=lambda text: texts[text].xyann[1])  # type: ignore[attr-defined]
        assert [text.split()[0] for text in by_height] == sorted(ends, key=lambda name: ends[name])
        assert {text.split()[0]: float(texts[text].xy[1]) for text in texts} == pytest.approx(ends)  # type: ignore[attr-defined]


def test_a_failure_cannot_be_taken_for_a_time(tmp_path: Path) -> None:
    """It stands in the strip, with who and how; on the axis of times there is no mark of it."""
    left = LeftOut(method="naive", shape=Shape.parse("512-256-1"), contender="python", reason="too dear")
    made = [row for row in failing(rows(), "rust", "crash") if str(row.run.case) != "naive 512-256-1"]
    results = results_of(tmp_path, made, [left])
    naive, _, backprop, axes, *_ = panels(charts.scaling(results, ""))
    said = {strip.get_title(loc="left") for strip in (naive, backprop)}
    assert said == {
        "without a time somewhere (crash: rust; left out: python)",
        "without a time somewhere (crash: rust)",
    }
    open_marks = [line for line in naive.lines if line.get_markerfacecolor() == "white"]
    assert [np.asarray(line.get_xdata()).tolist() for line in open_marks] == [[769]]
    crosses = [line for line in backprop.lines if line.get_marker() == "X"]
    assert min(int(np.asarray(line.get_xdata())[0]) for line in crosses) == 25
    (drawn,) = (line for line in axes.lines if line.get_label() == "rust")
    assert max(np.asarray(drawn.get_xdata())) == 16
    quiet, *_ = panels(charts.scaling(results_of(tmp_path / "b", rows()), ""))
    assert not quiet.lines
    assert not quiet.get_title(loc="left")


def test_other_losses_are_crossed_out_and_in_no_ratio(tmp_path: Path) -> None:
    results = results_of(tmp_path, wrong(rows(names=("python", "rust", "c")), "c"))
    figures = dict(charts.draw(results))
    axes = panels(figures["scaling.png"])[3]
    assert [
        text.get_text().partition(" (")[2] for text in axes.texts if text.get_text().startswith("c ")
    ] == ["other losses:\ncrossed out)"]
    crosses = [line for line in axes.lines if line.get_marker() == "x" and len(np.asarray(line.get_xdata()))]
    assert sorted(np.asarray(crosses[0].get_xdata()).tolist()) == sorted(set(results.medians["neurons"]))
    assert "c (mismatch)" in figures["speedup.png"].get_suptitle()
    (legend,) = figures["speedup.png"].legends
    assert not [text for text in legend.get_texts() if text.get_text().startswith("c,")]
    panel = panels(figures["methods.png"])[0]
    crossed = {int(np.asarray(line.get_ydata())[0]) for line in panel.lines if line.get_marker() == "x"}
    names = [label.get_text() for label in panel.get_yticklabels()]
    assert [names[place] for place in crossed] == ["c"]


def test_whose_losses_only_agree_is_marked(tmp_path: Path) -> None:
    made = [
        replace(row, parity="within 3e-16 of the initial loss") if row.run.contender == "c" else row
        for row in rows(names=("python", "rust", "c"))
    ]
    figures = dict(charts.draw(results_of(tmp_path, made)))
    names = [label.get_text() for label in panels(figures["methods.png"])[0].get_yticklabels()]
    assert set(names) == {"python", "rust", "c \u2248"}
    texts = [text.get_text() for text in panels(figures["scaling.png"])[3].texts]
    assert [text.split(" $")[0] for text in texts if text.startswith("c")] == ["c \u2248"]
    for name in ("methods.png", "scaling.png"):
        assert "\u2248: losses agree, but are not identical" in figures[name].get_suptitle()
    plain = dict(charts.draw(results_of(tmp_path / "b", rows())))
    assert "\u2248" not in plain["methods.png"].get_suptitle()


def test_methods_say_how_far_everybody_is_from_the_fastest(tmp_path: Path) -> None:
    made = [
        *sweeps.pairs([(6.0, 2.0)] * 3, sweeps.case("4-2-1")),
        *sweeps.pairs([(1.0, 8.0)] * 3, sweeps.case("10-5-1")),
    ]
    first, second = panels(charts.methods(results_of(tmp_path, made), ""))
    assert [text.get_text() for text in first.texts] == ["3.00"]
    assert [text.get_text() for text in second.texts] == ["8.00"]


def test_intervals_of_speedups_are_those_of_the_table(tmp_path: Path) -> None:
    results = results_of(tmp_path, rows(methods=("naive",)))
    (axes,) = panels(charts.speedup(results, ""))
    # CPU seconds are in the table, not in the picture.
    for container, measure in zip(axes.containers, ("training", "process"), strict=True):
        own = results.speedups[~results.speedups["control"] & (results.speedups["measure"] == measure)]
        segments = container.lines[2][0].get_segments()  # type: ignore[attr-defined]
        ends = [sorted((float(low), float(high))) for (_, low), (_, high) in segments]
        wanted = own.sort_values("neurons")[["low", "high"]].to_numpy().tolist()
        assert ends == [pytest.approx(pair) for pair in wanted]


def test_the_height_of_speedup_is_used(tmp_path: Path) -> None:
    results = results_of(tmp_path, rows(methods=("naive",)))
    (axes,) = panels(charts.speedup(results, ""))
    low, high = axes.get_ylim()
    ratios = results.speedups[~results.speedups["control"]]["ratio"]
    used = np.log(ratios.max() / ratios.min()) / np.log(high / low)
    assert used > 0.7


def test_curves_of_losses(tmp_path: Path) -> None:
    results = results_of(tmp_path, rows())
    titles = [axes.get_title() for axes in panels(charts.loss(results, ""))]
    assert titles == [f"{method}: 4 epochs, identical bits" for method in METHODS]
    curves = pd.DataFrame(
        {"contender": ["a", "a", "b", "b"], "epoch": [0, 1, 0, 1], "loss": [1.0, 0.5, 1.0, 0.25]}
    )
    assert charts.coincide(curves) == "1 epoch, b differs"
    assert charts.coincide(curves[:2]) == "1 epoch"
    for axes in panels(charts.loss(results, "")):
        assert all(float(tick).is_integer() for tick in axes.get_xticks())
        assert axes.get_xlim() == panels(charts.loss(results, ""))[0].get_xlim()


def test_one_colour_and_marker_a_contender(tmp_path: Path) -> None:
    styles = style.styles_of(TEN)
    assert len(set(styles.values())) == 10
    results = results_of(tmp_path, rows())
    for figure in (charts.scaling(results, ""), charts.memory(results, "")):
        for line in panels(figure)[-1].lines:
            owner = str(line.get_label()).split(" ")[0]
            if owner in results.contenders:
                assert (line.get_color(), line.get_marker()) == style.styles_of(results.contenders)[owner]


def test_the_caption_never_runs_out_of_the_picture(tmp_path: Path) -> None:
    results = results_of(tmp_path, rows(names=tuple(f"a-contender-with-a-long-name-{n}" for n in range(4))))
    assert len(style.caption(results)) <= 180
    assert style.caption(results).endswith(f"3 rounds; {sweeps.SWEEP}")


def test_kernels() -> None:
    table = pd.DataFrame(
        [
            {
                "contender": name,
                "kernel": kernel,
                "layers": shape,
                "median_s": 1e-6 * (1 + place),
                "lower_quartile_s": 0.9e-6 * (1 + place),
                "upper_quartile_s": 1.2e-6 * (1 + place),
            }
            for name in ("python", "rust")
            for shape in ("10-5-1", "64-32-1")
            for place, kernel in enumerate(("forward", "step-naive", "step-backprop"))
        ]
    )
    figure = pictures_across.kernels(table)
    style.png(figure)
    found = boxes(figure)
    assert overlaps(found) == []
    assert outside(figure, found) == []
    assert [axes.get_title() for axes in panels(figure)] == ["10-5-1", "64-32-1"]


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
    assert [line.get_color() for line in first.lines[-2:]] == [style.COLOURS[1]] * 2
