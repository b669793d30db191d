"""The pictures of a sweep. A contender has one colour and one marker, a method one line style."""

import math
import textwrap
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.analysis.crossover import path
from harness.analysis.frames import only
from harness.analysis.results import Results
from harness.case import ARTICLE, Shape
from harness.digits import times
from harness.report import style
from harness.report.sentences import compared
from harness.report.style import GREY, LINES, RATIO, Margins, by_method, label_values, mark
from harness.rows import WITH_LOSSES

_MEDIAN = ("median", "low", "high")
_MOST_NOTES = 9
"""The most notes below a panel."""


def draw(results: Results) -> Iterator[tuple[str, Figure]]:
    """Yield every picture in which there is something to see, with its name."""
    footer = style.caption(results)
    yield "scaling", scaling(results, footer)
    if len(compared(results)):
        yield "speedup", speedup(results, footer)
    yield "methods", methods(results, footer)
    if "peak_memory_bytes" in set(results.summary["measure"]):
        yield "memory", memory(results, footer)
    if results.shape in set(results.losses["layers"]):
        yield "loss", loss(results, footer)


def scaling(results: Results, footer: str) -> Figure:
    """Training time per step against neurons, a panel per method with notes below it."""
    looks, names = style.styles_of(results.contenders), _names(results)
    notes = {method: _notes(results, method) for method in set(results.outcomes["method"])}
    beside = 0.95 + 0.075 * max(map(len, results.contenders))
    figure, panels = by_method(
        "How the time of one training step grows with the number of neurons n\n"
        f"(exponents fitted from {ARTICLE} up, which the vertical line marks){_agreeing(names)}",
        footer,
        results.outcomes,
        panel=(3.5, 4.6),
        margins=Margins(right=beside, below=0.65 + 0.145 * max(map(len, notes.values()))),
        between=(beside, 0.0),
        sharex=True,
    )
    powers = results.exponents.set_index(["contender", "method"])["exponent"].map(" n^{:.2f}".format)
    for method, axes, _ in panels:
        own = only(results.medians, method=method)
        if ARTICLE.neurons in set(own["neurons"]):
            # Before the axes are logarithmic, and equal values have no extent.
            axes.axvline(ARTICLE.neurons, color=GREY, linewidth=1, zorder=0)
        ends = _curves(axes, results, own, [who for who, of in results.costs if of == method])
        _modelled(axes, results, method)
        handles = [mark(names[who] + powers.get((who, method), ""), **looks[who]) for who in ends]
        look = {"handletextpad": 0.1, "frameon": False, "fontsize": 8.5}
        axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.0, 1.02), **look)
        said = "\n".join(notes[method])
        axes.annotate(said, (0.0, 0.0), (0, -40), "axes fraction", "offset points", fontsize=8, va="top")
    label_values(figure.axes, "training time per step (median, 95% interval)", style.duration_tick)
    return figure


def _curves(axes: Axes, results: Results, table: pd.DataFrame, modelled: Collection[str] = ()) -> list[str]:
    """Draw medians against neurons, as points if there is a model, otherwise as a curve.

    Return the contenders, the highest end first.
    """
    looks = style.styles_of(results.contenders)
    contenders = table.sort_values("neurons", kind="stable").groupby("contender", sort=False)
    for name, group in contenders:
        line = "none" if name in modelled else LINES[group["method"].iloc[0]]
        look = {"label": name, "linestyle": line, "markersize": 5, **looks[name]}
        style.error_bars(axes, group["neurons"], group, _MEDIAN, **look)
        wrong = only(group, status="mismatch")
        axes.plot(wrong["neurons"], wrong["median"], "x", color="black", markersize=11, zorder=3)
    style.against_neurons(axes, results.outcomes["neurons"])
    return list(contenders["median"].last().sort_values(ascending=False, kind="stable").index)


def _modelled(axes: Axes, results: Results, method: str) -> None:
    """Draw the cost models, and mark from which size on one overtakes another."""
    looks, points = style.styles_of(results.contenders), path(results.outcomes["layers"])
    for (contender, of), cost in results.costs.items():
        if of == method:
            within = [(sum(point), cost.step(point).value) for point in points if cost.beyond(point) == 1.0]
            look = {"color": looks[contender]["color"], "linestyle": LINES[of], "linewidth": 1.2}
            axes.plot(*zip(*within, strict=True), **look)
    neurons = np.round([sum(point) for point in points])
    for one in _crossings(results, method):
        cost = results.costs[one["contender"], method]
        step_s = cost.step(points[np.searchsorted(neurons, one["neurons"])]).value
        look = {"color": looks[one["contender"]]["color"], "markersize": 13, "fillstyle": "none"}
        axes.plot(one["neurons"], step_s, "o", **look)


def _crossings(results: Results, method: str) -> list[dict[Any, Any]]:
    """Return who overtakes whom in training, except from the smallest size on."""
    lines = only(results.crossovers, method=method, kind="training")
    return lines[lines["neurons"] > sum(path(results.outcomes["layers"])[0])].to_dict("records")


def _notes(results: Results, method: str) -> list[str]:
    """Say who has no time and why, how far the models are off, and what the marks mean."""
    medians = only(results.medians, method=method)
    absent = only(results.outcomes, method=method, control=False)
    absent = absent[~absent["status"].isin(WITH_LOSSES)]
    names: dict[str, list[str]] = {}
    for (status, contender), own in absent.groupby(["status", "contender"], sort=False):
        at = ", ".join(map(str, sorted(own["neurons"])))
        names.setdefault(f"{status} at {at} neurons", []).append(str(contender))
    lines = [f"{what}: {', '.join(who)}" for what, who in names.items()]
    wrong = only(medians, status="mismatch")["contender"].unique()
    if len(wrong):
        lines.append(f"crossed out: other losses ({', '.join(wrong)})")
    missed = []
    for (contender, of), cost in results.costs.items():
        if of == method:
            own = only(medians, contender=contender)
            said_s = [cost.step(Shape.parse(text).layers).value for text in own["layers"]]
            missed.append(f"{contender} {times(np.exp(np.abs(np.log(own['median'] / said_s)).max()))}")
    if missed:
        lines.append(f"the lines are cost models; off by up to: {', '.join(missed)}")
    for one in _crossings(results, method):
        than = f"{one['than_contender']} {one['than_method']}"
        lines.append(f"\u25cb from {one['neurons']:.0f} neurons on {one['contender']} is faster than {than}")
    if len(lines) > _MOST_NOTES:
        lines[_MOST_NOTES:] = [f"and {len(lines) - _MOST_NOTES} more: crossover.csv"]
    return [part for line in lines for part in textwrap.wrap(line, 72)]


def _names(results: Results) -> dict[str, str]:
    """Return the names of contenders, marked if their losses only agree with others'."""
    became = results.outcomes
    agreeing = set(became["contender"][became["parity"].str.startswith("within")])
    return {who: f"{who} \u2248" if who in agreeing else who for who in results.contenders}


def _agreeing(names: Mapping[str, str]) -> str:
    """Explain that mark if one of ``_names`` has it."""
    return "\n\u2248: losses agree, but are not identical" if [*names] != [*names.values()] else ""


def speedup(results: Results, footer: str) -> Figure:
    """Speedup in training and for a job against neurons, a panel per method."""
    found, looks = compared(results), style.styles_of(results.contenders)
    lanes = dict.fromkeys(zip(found["contender"], found["measure"], strict=True))
    wrong = only(results.rivals, rounds=0)
    wrong = wrong[wrong["verdict"] != "cannot tell"].drop_duplicates("contender")
    without = ", ".join(wrong["contender"] + " (" + wrong["verdict"] + ")")
    figure, panels = by_method(
        f"How many times as fast as {results.reference}, with 95% intervals\n"
        f"(filled: in training; open: for a whole job, {results.job.in_words}, start to end)"
        + (f"\nwithout a ratio somewhere: {without[:120]}" if without else ""),
        footer,
        found,
        panel=(3.6, 4.0),
        legend=style.entries(found["contender"], looks),
    )
    # Steps aside, so that none hides another.
    step = min(1.07, 1.3 ** (1.0 / max(1, len(lanes) - 1)))
    for method, axes, own in panels:
        for place, (contender, measure) in enumerate(lanes):
            group = only(own, contender=contender, measure=measure).sort_values("neurons")
            look = {**looks[contender], "fillstyle": "none" if measure == "job" else "full"}
            aside = group["neurons"] * step ** (place - (len(lanes) - 1) / 2)
            style.error_bars(axes, aside, group, RATIO, linestyle=LINES[method], **look)
        if own["floor"].notna().any():
            axes.set_title(f"{method} (floor: up to {times(own['floor'].max())})")
        if own["ratio"].min() < 2.0:
            axes.axhline(1.0, color="black", linewidth=0.8)
        style.against_neurons(axes, own["neurons"])
    label_values(figure.axes, f"times as fast as {results.reference} (median of rounds)", style.ratio_tick)
    return figure


def methods(results: Results, footer: str) -> Figure:
    """What language and algorithm give: a panel per shape, a row per contender."""
    medians, looks, names = results.medians, style.styles_of(results.contenders), _names(results)
    shapes = medians.sort_values("parameters", kind="stable")["layers"].unique()
    present = medians["method"].unique()
    order = [*medians.groupby("contender")["median"].min().sort_values(ascending=False).index]
    rows = math.ceil(len(shapes) / 4)
    figure, grid = style.framed(
        "Language and algorithm: median time of a training step, by shape and method\n"
        "(each line begins at the fastest of its method; beside its end: the ratio of the medians)"
        f"{_agreeing(names)}",
        footer,
        (rows, math.ceil(len(shapes) / rows)),
        panel=(2.9, 0.3 + 0.17 * len(present) * max(2, len(order))),
        margins=Margins(left=0.35 + 0.085 * max(map(len, order)), below=0.35),
        between=(0.2, 0.7),
        sharey=True,
        legend=[mark(method, linestyle=LINES[method]) for method in present],
    )
    box = {"facecolor": "white", "linewidth": 0, "pad": 0.5}
    for axes, shape in zip(grid.flat, shapes, strict=False):
        for slot, method in enumerate(present):
            own = only(medians, layers=shape, method=method)
            best, line = only(own, status="ok")["median"].min(), LINES[method]
            if pd.notna(best):
                axes.axvline(best, color=GREY, linewidth=0.8, linestyle=line, zorder=0)
            aside = (len(present) - 1 - 2 * slot) * 0.42 / len(present)
            for one in own.to_dict("records"):
                look, median = looks[one["contender"]], one["median"]
                place = order.index(one["contender"]) + aside
                axes.plot(median, place, markersize=5, **look)
                if one["status"] != "ok":
                    axes.plot(median, place, "x", color="black", markersize=9)
                elif median > best:
                    axes.plot([best, median], [place] * 2, color=look["color"], linestyle=line, linewidth=1)
                    said, look = times(median / best), {"fontsize": 6.5, "va": "center", "bbox": box}
                    axes.annotate(said, (median, place), (5, 0), "data", "offset points", **look)
        axes.set(title=shape, xscale="log")
        axes.margins(x=0.18)
        style.log_ticks(axes.xaxis, style.duration_tick, most=6)
        axes.tick_params(axis="x", labelsize=8)
        axes.grid(alpha=0.3, axis="x")
    for axes in grid.flat[len(shapes) :]:
        axes.set_axis_off()
    grid[0][0].set_yticks(range(len(order)), [names[contender] for contender in order])
    grid[0][0].set_ylim(-0.6, len(order) - 0.4)
    return figure


def memory(results: Results, footer: str) -> Figure:
    """Peak memory of a run against neurons, a panel per method."""
    table = only(results.summary, measure="peak_memory_bytes")
    table = table.assign(**{column: table[column] / 2**20 for column in _MEDIAN})
    looks, names = style.styles_of(results.contenders), _names(results)
    legend = [mark(names[who], **looks[who]) for who in table["contender"].unique()]
    figure, panels = by_method(
        "Peak memory of a whole run", footer, table, panel=(3.6, 3.6), legend=legend, sharex=True
    )
    for _, axes, own in panels:
        _curves(axes, results, own)
    label_values(figure.axes, "peak memory, MiB (median, 95% interval)", style.number_tick)
    return figure


def loss(results: Results, footer: str) -> Figure:
    """Loss against epoch on the shape of the results, a panel per method."""
    losses, runs, became = (
        only(table, layers=results.shape) for table in (results.losses, results.runs, results.outcomes)
    )
    samples, looks = runs.groupby("method")["samples"].first(), style.styles_of(results.contenders)
    figure, panels = by_method(
        f"Loss during training of {results.shape}",
        footer,
        losses,
        panel=(3.6, 3.2),
        margins=Margins(above=0.55),
        legend=style.entries(losses["contender"], looks),
        sharex=True,
    )
    for method, axes, own in panels:
        for number, (contender, curve) in enumerate(own.groupby("contender", sort=False)):
            # On one another: the first is broad and pale, the others are spaced markers.
            first = {"linewidth": 7, "alpha": 0.35, "marker": ""}
            later = {"linewidth": 1, "markersize": 5, "markevery": 0.1}
            look = looks[contender] | (later if number else first)
            axes.plot(curve["epoch"], curve["loss"], **look)
        others = only(became[became["differing"] > 0], method=method)["contender"].unique()
        same = f"{', '.join(others)[:40]} differs in some runs" if len(others) else coincide(own)
        said = f"{samples.get(method, 'unknown')} samples, up to {own['epoch'].max()} epochs"
        axes.set_title(f"{method}: {said},\n{same}", fontsize=10)
        # A fast contender can have a thousand times as many epochs.
        axes.set(xlabel="epoch (0: before training)", yscale="log", xscale="symlog")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.grid(alpha=0.3)
    label_values(figure.axes, "overall loss (mean squared difference)", style.number_tick)
    return figure


def coincide(curves: pd.DataFrame) -> str:
    """Say in how many epochs that two have in common the curves coincide, and which do not."""
    # Compared as text, so that nan equals nan.
    losses = curves.groupby("contender", sort=False)["loss"]
    texts = {str(name): list(map(repr, own)) for name, own in losses}
    longest = max(texts.values(), key=len)
    if differing := [name for name, text in texts.items() if text != longest[: len(text)]]:
        return f"{', '.join(differing)[:40]} differs"
    if len(texts) == 1:
        return "nothing to compare with"
    common = sorted(map(len, texts.values()))[-2] - 1
    return f"identical bits in {common} epoch{'' if common == 1 else 's'}"
