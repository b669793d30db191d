"""What all pictures have in common: colours, markers, line styles, ticks, the caption."""

import io
from collections.abc import Iterable
from dataclasses import dataclass
from xml.etree import ElementTree

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import NullFormatter

from harness.analysis.results import Results
from harness.case import METHODS
from harness.report.sentences import rounds

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
    _place(figure)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=120)
    return file.getvalue()


def _place(figure: Figure) -> None:
    """Make the layout once: that takes longest, and all formats of a picture shall look the same."""
    if engine := figure.get_layout_engine():
        engine.execute(figure)
        figure.set_layout_engine(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A picture as the inside of an SVG element."""

    width: float
    """In points."""
    height: float
    """In points."""
    content: str
    """What stands between the tags: no declarations, no metadata, no references to anything outside."""


_LINK = "{http://www.w3.org/1999/xlink}href"
_NOTHING_ELSE = dict.fromkeys(("Creator", "Date", "Format", "Type"))
"""Metadata: none, so that the same picture is the same text."""


def svg(figure: Figure, name: str) -> Drawing:
    """Return the picture as part of a page; ``name`` is unique on that page.

    Texts are outlines: as texts they would have the widths of whatever font the reader has, and lie on one
    another. All ids begin with ``name``, because several pictures share the page.
    """
    _place(figure)
    file = io.BytesIO()
    with rc_context({"svg.fonttype": "path", "svg.hashsalt": name}):
        figure.savefig(file, format="svg", metadata=_NOTHING_ELSE)
    root = ElementTree.fromstring(file.getvalue())
    links = {element.get(_LINK, "") for element in root.iter()}
    for element in root.iter():
        # A style sheet would be that of the whole page, which has its rule.
        for sheet in element.findall("{*}style"):
            element.remove(sheet)
        element.tag = element.tag.rpartition("}")[2]
        element.text = element.tail = None
        own, link = element.attrib.pop("id", ""), element.attrib.pop(_LINK, "")
        for attribute, value in element.items():
            element.set(attribute, value.replace("url(#", f"url(#{name}-"))
        if link:
            element.set("href", f"#{name}-{link[1:]}")
        if f"#{own}" in links or element.tag in ("clipPath", "pattern"):
            element.set("id", f"{name}-{own}")
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    content = "".join(ElementTree.tostring(child, "unicode") for child in root)
    return Drawing(width=width, height=height, content=content)


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
    text = f"{where}; {programs}; {rounds(results)}; {results.sweep}"
    return text if len(text) <= 180 else f"{text[:130]} ... {rounds(results)}; {results.sweep}"


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
