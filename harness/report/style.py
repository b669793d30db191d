"""What all pictures have in common."""

import io
import math
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import cycle
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib import colormaps, rcdefaults, rcParams
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator
from numpy.typing import NDArray
from PIL import Image

from harness.analysis.frames import only
from harness.analysis.results import Results
from harness.case import METHODS
from harness.report.sentences import rounds

# Safe for colour blindness (Okabe & Ito, Color Universal Design, 2008; from the ninth on Tol, Colour Schemes,
# 2021).
COLOURS = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D31"),
    *("#882255", "#44AA99", "#332288", "#DDCC77"),
)
MARKERS = ("o", "s", "^", "D", "v", "P", "*")
LINES = dict(zip(METHODS, ("-", "--", ":"), strict=True))
GREY = "#777777"
RATIO = ("ratio", "low", "high")
"""Columns of a value and its interval, as error_bars takes them."""
DPI = 192
"""Twice that of a page: text stays sharp on a phone and on paper."""
_NARROWEST = 8.5
_MOST_PROGRAMS = 4


class Margins(NamedTuple):
    """Room for labels around all panels, in inches."""

    left: float = 1.0
    right: float = 0.2
    below: float = 0.55
    above: float = 0.38


_MARGINS = Margins()


def framed(
    title: str,
    footer: str,
    grid: tuple[int, int],
    *,
    panel: tuple[float, float],
    margins: Margins = _MARGINS,
    between: tuple[float, float] = (0.2, 0.75),
    legend: Sequence[Artist] = (),
    **shared: Any,
) -> tuple[Figure, NDArray[Any]]:
    """Return a figure with a title, a legend and a footer, and its panels by row and column.

    ``panel`` and ``between`` are the width and height of a panel and of the gaps, in inches: as the room for
    all labels is known, no layout has to be computed.
    """
    # A user's matplotlibrc does not count, and a name with dollars is no formula.
    rcdefaults()
    rcParams["text.parse_math"] = False
    (rows, columns), (left, right, below, above) = grid, margins
    gaps = between[0] * (columns - 1), between[1] * (rows - 1)
    width = max(_NARROWEST, left + panel[0] * columns + gaps[0] + right)
    title = "\n".join(textwrap.fill(line, int(10.5 * width)) for line in title.splitlines())
    footer = textwrap.fill(footer, int(16 * width))
    entry = 0.7 + 0.09 * max((len(str(handle.get_label())) for handle in legend), default=0)
    legend_columns = max(1, min(len(legend), int(width / entry)))
    caption = 0.1 + 0.13 * len(footer.splitlines())
    below += caption + (0.15 + 0.2 * math.ceil(len(legend) / legend_columns) if legend else 0.0)
    above += 0.19 * len(title.splitlines())
    height = below + panel[1] * rows + gaps[1] + above
    figure = Figure(figsize=(width, height))
    panels = figure.subplots(rows, columns, squeeze=False, **shared)
    figure.subplots_adjust(
        left=left / width,
        right=1.0 - right / width,
        bottom=below / height,
        top=1.0 - above / height,
        wspace=between[0] / ((width - left - right - gaps[0]) / columns),
        hspace=between[1] / panel[1],
    )
    figure.suptitle(title, y=1.0 - 0.08 / height, fontsize=11.5)
    figure.text(0.5, 0.06 / height, footer, fontsize=7.5, color=GREY, ha="center", va="bottom")
    if legend:
        look = {"borderaxespad": 0.0, "ncols": legend_columns, "fontsize": 9}
        figure.legend(handles=legend, loc="lower center", bbox_to_anchor=(0.5, caption / height), **look)
    return figure, panels


def by_method(
    title: str, footer: str, table: pd.DataFrame, **options: Any
) -> tuple[Figure, list[tuple[str, Axes, pd.DataFrame]]]:
    """Return a figure as ``framed`` does, and each method of ``table`` with its panel and its lines."""
    present = [method for method in METHODS if method in set(table["method"])]
    figure, (panels,) = framed(title, footer, (1, len(present)), **{"sharey": True, **options})
    for axes, method in zip(panels, present, strict=True):
        axes.set_title(method)
    lines = (only(table, method=method) for method in present)
    return figure, list(zip(present, panels, lines, strict=True))


def png(figure: Figure) -> bytes:
    """Return the picture as the bytes of a PNG file."""
    figure.set_dpi(DPI)
    pixels, size = FigureCanvasAgg(figure).print_to_buffer()  # type: ignore[no-untyped-call]
    file = io.BytesIO()
    # A palette loses a few shades of edges, and takes a third of the bytes.
    image = Image.frombuffer("RGBA", size, pixels).convert("RGB")
    image.quantize(128, Image.Quantize.FASTOCTREE).save(file, "png", dpi=(DPI, DPI))
    return file.getvalue()


def caption(results: Results) -> str:
    """Return the line below every picture: machine, versions, rounds, sweep."""
    machine = results.environment
    cores = f"usable cores: {machine.get('usable_cores', 'unknown')}"
    where = f"{machine['cpu']}, {cores}" if machine.get("cpu") else "unknown machine"
    versions = dict(zip(results.runs["contender"], results.runs["version"], strict=True))
    told = [f"{name}: {version}" for name, version in versions.items()]
    if len(told) > _MOST_PROGRAMS:
        told[_MOST_PROGRAMS:] = [f"{len(told) - _MOST_PROGRAMS} others"]
    return f"{where}; {', '.join(told)}; {rounds(results)}; {results.sweep}"


def styles_of(names: Iterable[str], colours: Iterable[Any] = COLOURS) -> dict[Any, dict[str, Any]]:
    """Return the colour and the marker of each name."""
    looks = zip(dict.fromkeys(names), cycle(colours), cycle(MARKERS))
    return {name: {"color": colour, "marker": marker} for name, colour, marker in looks}


def shades(count: int) -> list[Any]:
    """Return colours for things other than contenders, from dark to light."""
    return list(colormaps["viridis"](np.linspace(0.0, 0.85, count)))


def mark(label: str, **look: Any) -> Line2D:
    """Return an entry for a legend."""
    return Line2D([], [], label=label, **{"color": GREY, "linestyle": "", **look})


def entries(names: Iterable[str], styles: Mapping[str, Mapping[str, Any]]) -> list[Artist]:
    """Return an entry for each name, in order of appearance."""
    return [mark(name, **styles[name]) for name in dict.fromkeys(names)]


def error_bars(
    axes: Axes, places: "pd.Series[float]", table: pd.DataFrame, columns: tuple[str, str, str], **look: Any
) -> None:
    """Draw values with their intervals, if known; ``columns`` are value, low and high."""
    values, low, high = (table[column] for column in columns)
    ends = [(values - low).fillna(0.0), (high - values).fillna(0.0)]
    axes.errorbar(places, values, ends, **{"linewidth": 1, **look})


def against_neurons(axes: Axes, neurons: "pd.Series[int]") -> None:
    """Make both axes logarithmic, and label the sizes that would not touch their neighbour."""
    axes.set(xscale="log", yscale="log", xlabel="neurons (sum of all layer sizes)")
    axes.set_xlim(neurons.min() / 1.3, neurons.max() * 1.3)
    ticks: list[int] = []
    for value in sorted(set(neurons)):
        if not ticks or value / ticks[-1] > 1.5:
            ticks.append(value)
    axes.set_xticks(ticks, list(map(str, ticks)))
    axes.xaxis.minorticks_off()
    axes.grid(alpha=0.3)


def log_ticks(axis: Axis, write: Callable[[float], str], most: int = 9) -> None:
    """Label a logarithmic axis, the more densely the less it spans."""
    low, high = axis.get_view_interval()
    span = high / low
    steps = (1.0,) if span > 100 else (1.0, 2.0, 5.0) if span > 5 else (1.0, 1.5, 2.0, 3.0, 5.0)
    axis.set_major_locator(LogLocator(subs=steps, numticks=most) if span > 2 else MaxNLocator(4))
    axis.set_major_formatter(lambda value, _: write(value))
    axis.minorticks_off()


def label_values(panels: Iterable[Axes], label: str, write: Callable[[float], str]) -> None:
    """Label the logarithmic axis that panels share."""
    panels = list(panels)
    ends, first = np.array([axes.dataLim.intervaly for axes in panels]), panels[0]
    if ends.max() < 1.001 * ends.min():
        # Of a single value a logarithmic axis has no extent of its own.
        first.set_ylim(ends.min() / 1.3, ends.max() * 1.3)
    first.set_ylabel(label)
    log_ticks(first.yaxis, write)


def number_tick(value: float) -> str:
    """Write a number, without an exponent: 0.05, 1, 1000000."""
    return np.format_float_positional(float(f"{value:.3g}"), trim="-")


def ratio_tick(value: float) -> str:
    """Write a ratio: 100x."""
    return f"{number_tick(value)}x"


def duration_tick(seconds: float) -> str:
    """Write a time: 10 µs."""
    units = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
    factor, unit = next((one for one in units if seconds >= one[0] * 0.9999), units[-1])
    return f"{number_tick(seconds / factor)} {unit}"
