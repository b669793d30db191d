"""Every picture from made-up frames: drawn without a warning, labelled, and without text upon text."""

import math
from dataclasses import replace
from functools import cache
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text

from harness import analysis, charts, style
from harness.contract import METHODS, Case, multiply_adds, parse_layers
from harness.plan import DEFAULT_SHAPES
from harness.records import Row
from tests import fakes

SWEEP = "2024-01-01T00:00:00+00:00"
SPEEDS = {"python": 1e-7, "rust": 1e-9, "numpy": 2e-8}


def of(shape: str, method: str) -> Case:
    return fakes.case(parse_layers(shape), method, samples=10, epochs=10)


def rows(
    shapes: tuple[str, ...] = DEFAULT_SHAPES,
    methods: tuple[str, ...] = METHODS,
    names: tuple[str, ...] = ("python", "rust"),
    rounds: int = 3,
) -> list[Row]:
    """Return what a sweep could have measured: time in proportion to the count, and a little noise."""
    made: list[Row] = []
    for number in range(rounds + 1):
        for method in methods:
            for shape in shapes:
                case = of(shape, method)
                first = len(made)
                for name in names:
                    noise = 1.0 + 0.01 * ((number * 7 + len(shape) + len(name)) % 5)
                    step_s = (1e-6 + SPEEDS[name] * multiply_adds(case.layers, method)) * noise
                    total_s = step_s * case.training_steps
                    made.append(
                        fakes.row(name, number, of=case, training_s=total_s, wall_s=total_s + 0.02 * noise)
                    )
                if shape == shapes[0]:
                    again = made[first]
                    made.append(replace(again, control=True, training_s=(again.training_s or 0.0) * 1.01))
    return made


def losses(
    shapes: tuple[str, ...] = ("4-2-1", "10-5-1"),
    methods: tuple[str, ...] = METHODS,
    names: tuple[str, ...] = ("python", "rust"),
    last: float = 1e-6,
) -> pd.DataFrame:
    values = (5.0, 1.0, 0.1, 0.01, last)
    return analysis.losses_frame(
        {(SWEEP, name, method, shape): values for name in names for method in methods for shape in shapes},
        SWEEP,
    )


def drawn(made: list[Row], curves: pd.DataFrame, reference: str = "python") -> dict[str, Figure]:
    """Return all pictures, laid out as they are saved."""
    environment = {"cpu": "Example 9000 @ 3.00GHz", "usable_cores": 2}
    figures = charts.draw(analysis.frame(made), curves, reference, environment)
    for figure in figures.values():
        assert style.png(figure).startswith(b"\x89PNG\r\n\x1a\n")
    return figures


def kernels_table() -> pd.DataFrame:
    lines = [
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
        for place, kernel in enumerate(("forward-flat", "forward-nested", "step-naive", "step-backprop"))
    ]
    return pd.DataFrame(lines)


@cache
def everything() -> dict[str, Figure]:
    figures = drawn(rows(), losses())
    figures["kernels.png"] = charts.kernels(kernels_table())
    style.png(figures["kernels.png"])
    return figures


def panels(figure: Figure) -> list[Axes]:
    return list(figure.axes)


def test_every_picture_has_titles_and_labelled_axes() -> None:
    figures = everything()
    assert list(figures) == ["scaling.png", "speedup.png", "methods.png", "loss.png", "kernels.png"]
    for name, figure in figures.items():
        assert "nan" not in figure.get_suptitle()
        title = figure.get_suptitle() or panels(figure)[0].get_title()
        assert title, name
        assert panels(figure)[0].get_ylabel() or name == "kernels.png"
        for axes in panels(figure):
            assert axes.get_xlabel(), name
            assert len(panels(figure)) == 1 or axes.get_title(), name


def test_units_stand_beside_the_numbers() -> None:
    figures = everything()
    for name in ("scaling.png", "methods.png"):
        (axes,) = panels(figures[name])
        ticks = [label.get_text() for label in axes.get_yticklabels() if label.get_text()]
        assert ticks
        assert all(text.split()[-1] in ("ns", "µs", "ms", "s") for text in ticks), ticks
    for axes in panels(figures["speedup.png"]):
        assert all(label.get_text().endswith("x") for label in axes.get_yticklabels())
    assert "neurons" in panels(figures["scaling.png"])[0].get_xlabel()


def test_the_fitted_exponents_are_in_the_legend() -> None:
    runs = analysis.frame(rows())
    figure = charts.scaling(runs, "")
    legend = panels(figure)[0].get_legend()
    assert legend is not None
    texts = [text.get_text() for text in legend.get_texts()]
    for _, fit in analysis.scaling(runs).iterrows():
        assert (
            f"{fit['contender']} {fit['method']}: neurons$^{{{fit['exponent']:.2f}}}$"
            f" ({fit['low']:.2f} to {fit['high']:.2f})"
        ) in texts


def test_the_article_shape_is_marked_where_it_was_measured() -> None:
    def marks(figure: Figure) -> list[list[int]]:
        lines = panels(figure)[0].get_lines()
        return [
            np.asarray(line.get_xdata()).tolist()
            for line in lines
            if line.get_label() == "10-5-1, the article's shape"
        ]

    # 10 + 5 + 1 neurons.
    assert marks(charts.scaling(analysis.frame(rows()), "")) == [[16, 16]]
    assert marks(charts.scaling(analysis.frame(rows(("4-2-1", "16-8-1"))), "")) == []


def test_cut_offs_are_marks() -> None:
    failed = fakes.row(
        "python", 1, of=of("512-256-1", "naive"), status="timeout", training_s=None, wall_s=60.0
    )
    figure = charts.scaling(analysis.frame([*rows(DEFAULT_SHAPES[:-1]), failed]), "")
    (mark,) = [line for line in panels(figure)[0].lines if line.get_marker() == "x"]
    assert np.asarray(mark.get_xdata()).tolist() == [512 + 256 + 1]
    # 60 s for at least 100 steps.
    assert np.asarray(mark.get_ydata()).tolist() == [0.6]
    assert mark.get_label() == "python: cut off (timeout or failure)"


def test_the_losses_that_coincide_are_said_to() -> None:
    titles = [axes.get_title() for axes in panels(charts.loss(losses(), ""))]
    assert titles == [f"{method}: 4 epochs, identical bits" for method in METHODS]
    different = pd.concat([losses(names=("python",)), losses(names=("rust",), last=2e-6)])
    titles = [axes.get_title() for axes in panels(charts.loss(different, ""))]
    assert titles == [f"{method}: 4 epochs, the curves differ" for method in METHODS]
    alone = panels(charts.loss(losses(names=("rust",)), ""))
    assert [axes.get_title() for axes in alone] == [f"{method}: 4 epochs" for method in METHODS]


def test_the_caption() -> None:
    runs = analysis.frame(rows(("4-2-1",), rounds=7))
    assert style.caption(runs, {"cpu": "X", "usable_cores": 2}) == (
        f"X, usable cores: 2; python: python 1.0, rust: rust 1.0; 7 rounds; {SWEEP}"
    )
    assert style.caption(runs, {}).startswith("unknown machine; ")


MADE_UP: dict[str, tuple[list[Row], pd.DataFrame]] = {
    "one contender": (rows(names=("python",)), losses(names=("python",))),
    "only the rival": (rows(names=("rust",)), losses(names=("rust",))),
    "three contenders": (
        rows(names=("python", "rust", "numpy")),
        losses(names=("python", "rust", "numpy")),
    ),
    "one method": (rows(methods=("backprop",)), losses(methods=("backprop",))),
    "one shape": (rows(("10-5-1",)), losses(("10-5-1",))),
    "one shape, one method, one contender": (
        rows(("4-2-1",), ("naive",), ("python",)),
        losses(("4-2-1",), ("naive",), ("python",)),
    ),
    "without the article's shape": (rows(("4-2-1", "16-8-1", "32-16-1")), losses(("4-2-1",))),
    "one round": (rows(rounds=1), losses()),
    "equally many neurons": (rows(("10-5-1", "5-10-1", "8-7-1")), losses()),
    "all runs of one contender failed": (
        [
            row
            if row.contender == "python"
            else replace(row, status="crash", training_s=None, wall_s=0.0, parity="", initial_loss=None)
            for row in rows()
        ],
        losses(names=("python",)),
    ),
    "all runs of the reference failed": (
        [
            row if row.contender != "python" else replace(row, status="timeout", training_s=None, parity="")
            for row in rows(names=("python", "rust", "numpy"))
        ],
        losses(names=("rust", "numpy")),
    ),
    "nan losses": (rows(), losses(last=math.nan)),
    "nothing but nan": (
        rows(),
        losses().assign(loss=math.nan),
    ),
    "infinite losses": (rows(), losses(last=math.inf)),
    "no losses": (rows(), losses(names=())),
}


@pytest.mark.parametrize("what", MADE_UP)
def test_all_pictures_are_drawn_from(what: str) -> None:
    figures = drawn(*MADE_UP[what])
    for name, figure in figures.items():
        shown = [text.get_text() for text in figure.findobj(Text) if isinstance(text, Text)]
        assert not [text for text in shown if text in ("nanx", "nan", "infx")], name


def boxes(figure: Figure) -> list[tuple[str, tuple[float, float, float, float]]]:
    """Return what every visible text occupies, in pixels."""
    figure.draw_without_rendering()
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    found = []
    for text in visible(figure):
        if text.get_visible() and text.get_text().strip():
            box = text.get_window_extent(renderer)
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


def overlaps(figure: Figure) -> list[tuple[str, str]]:
    pairs = []
    for (one, a), (other, b) in combinations(boxes(figure), 2):
        width = min(a[2], b[2]) - max(a[0], b[0])
        height = min(a[3], b[3]) - max(a[1], b[1])
        if width > 1.0 and height > 1.0:
            pairs.append((one, other))
    return pairs


def outside(figure: Figure) -> list[str]:
    width, height = figure.canvas.get_width_height()
    return [
        text
        for text, (x0, y0, x1, y1) in boxes(figure)
        if x0 < -0.5 or y0 < -0.5 or x1 > width + 0.5 or y1 > height + 0.5
    ]


@pytest.mark.parametrize("name", ["scaling.png", "speedup.png", "methods.png", "loss.png", "kernels.png"])
def test_no_text_lies_on_another_or_outside(name: str) -> None:
    figure = everything()[name]
    assert overlaps(figure) == []
    assert outside(figure) == []


def colours_in(figure: Figure, names: set[str]) -> dict[str, set[str]]:
    """Return, by contender, the colours of the lines and legend entries that begin with its name."""
    found: dict[str, set[str]] = {}
    legends = [axes.get_legend() for axes in figure.axes] + list(figure.legends)
    for legend in legends:
        if legend is None:
            continue
        for handle, text in zip(legend.legend_handles, legend.get_texts(), strict=True):
            owner = text.get_text().split(",")[0].split(":")[0].split(" ")[0]
            if owner in names and handle is not None and hasattr(handle, "get_color"):
                found.setdefault(owner, set()).add(to_hex(handle.get_color()))
    return found


@pytest.mark.parametrize("order", [("python", "rust"), ("rust", "python")])
def test_a_contender_has_one_colour_in_all_pictures_of_a_sweep(order: tuple[str, ...]) -> None:
    """Also where the losses or the kernels name them in another order, or do not name them all."""
    figures = drawn(rows(names=("python", "rust")), losses(names=order))
    names = {"python", "rust"}
    found = [colours_in(figures[f"{name}.png"], names) for name in ("scaling", "speedup", "methods", "loss")]
    for name in names:
        seen = {colour for colours in found for colour in colours.get(name, set())}
        assert len(seen) == 1, (name, seen)
    everyone = [colours for colours in found if colours.keys() == names]
    assert len(everyone) >= 3
    assert all(len({frozenset(colour) for colour in colours.values()}) == 2 for colours in everyone)
