"""What all pictures have in common: colours, markers, line styles, ticks, the caption."""

import io
from collections.abc import Iterable

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import NullFormatter

from harness.case import METHODS
from harness.read.results import Results

# Colours that people with colour blindness tell apart (Okabe & Ito, Color Universal Design, 2008); from the
# ninth on those of Tol (Colour Schemes, 2021).
COLOURS = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D31"),
    *("#882255", "#44AA99", "#332288", "#DDCC77"),
)
MARKERS = ("o", "s", "^", "D", "v", "P", "*")
LINES = dict(zip(METHODS, ("-", "--", ":"), strict=True))
GREY = "#777777"


def png(figure: Figure) -> bytes:
    """Return the picture as the bytes of a PNG file."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=120)
    return file.getvalue()


def caption(results: Results) -> str:
    """Return the line below every picture: machine, versions, when, how often."""
    runs, machine = results.runs, results.environment
    versions = dict(zip(runs["contender"], runs["version"], strict=True))
    where = (
        f"{machine['cpu']}, usable cores: {machine.get('usable_cores', 'unknown')}"
        if machine.get("cpu")
        else "unknown machine"
    )
    programs = ", ".join(f"{name}: {version}" for name, version in versions.items())
    text = f"{where}; {programs}; {results.rounds}; {results.sweep}"
    return text if len(text) <= 180 else f"{text[:130]} ... {results.rounds}; {results.sweep}"


def styles_of(contenders: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return the colour and the marker of each contender, in the order in which they first come."""
    names = list(dict.fromkeys(contenders))
    return {
        name: (COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)])
        for place, name in enumerate(names)
    }


def label_neurons(axes: Axes, neurons: "pd.Series[int]") -> None:
    """Label the sizes that were measured, but none that would touch its neighbour."""
    ticks: list[int] = []
    for value in sorted(set(neurons)):
        if not ticks or value / ticks[-1] > 1.5:
            ticks.append(value)
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.xaxis.set_minor_formatter(NullFormatter())


def duration_tick(seconds: float, _: object = None) -> str:
    """Write a time on an axis: 10 µs."""
    for factor, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= factor * 0.9999:
            return f"{seconds / factor:g} {unit}"
    return f"{seconds / 1e-9:g} ns"


def caption_strip(figure: Figure) -> float:
    """Return the height of the strip for the caption, as a share of the figure."""
    return 0.22 / float(figure.get_figheight())


def add_caption(figure: Figure, text: str, legend_rows: int = 0) -> None:
    """Write the caption into a strip below everything that the layout places.

    A legend of so many rows stands between the two: the layout knows of none that is not at the very edge.
    """
    engine = figure.get_layout_engine()
    assert isinstance(engine, ConstrainedLayoutEngine)
    strip = caption_strip(figure)
    legend = (0.15 + 0.19 * legend_rows) / figure.get_figheight() if legend_rows else 0.0
    engine.set(rect=(0.0, strip + legend, 1.0, 1.0 - strip - legend))
    figure.text(0.5, strip / 4, text, fontsize=7.5, color=GREY, ha="center", va="bottom")
