"""The pictures of a sweep. Pure: results in, Figures out.

Throughout, a contender has one colour and one marker, and a method has one line style.
"""

import math
import textwrap
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from harness.analysis.crossover import path
from harness.analysis.results import Results
from harness.case import ARTICLE, METHODS, Shape
from harness.digits import times
from harness.report.style import (
    GREY,
    LINES,
    Margins,
    against_neurons,
    by_method,
    caption,
    duration_tick,
    error_bars,
    framed,
    label_values,
    log_ticks,
    mark,
    number_tick,
    ratio_tick,
    styles_of,
)

_MEDIAN = ("median", "low", "high")
_MOST_NOTES = 9
"""So many notes stand below a panel."""


def draw(results: Results) -> Iterator[tuple[str, Figure]]:
    """Yield every picture in which there is something to see, with its name."""
    footer = caption(results)
    yield "scaling", scaling(results, footer)
    if (results.speedups["rounds"] > 0)[~results.speedups["control"]].any():
        yield "speedup", speedup(results, footer)
    yield "methods", methods(results, footer)
    if "peak_memory_bytes" in set(results.summary["measure"]):
        yield "memory", memory(results, footer)
    if results.shape in set(results.losses["layers"]):
        yield "loss", loss(results, footer)


def scaling(results: Results, footer: str) -> Figure:
    """Training time per step against neurons, log-log, a panel per method; below it what the marks mean."""
    medians, styles = results.medians, styles_of(results.contenders)
    notes = {method: _notes(results, method) for method in set(results.outcomes["method"])}
    beside = 0.75 + 0.075 * max(map(len, results.contenders))
    figure, panels = by_method(
        "How the time of one training step grows with the number of neurons n\n"
        f"(exponents fitted from {ARTICLE} up, which the vertical line marks){_agreeing(results)}",
        footer,
        results.outcomes,
        panel=(3.5, 4.6),
        margins=Margins(right=beside, below=0.65 + 0.145 * max(map(len, notes.values()))),
        between=(beside, 0.0),
        sharex=True,
    )
    powers = {
        (one["contender"], one["method"]): f" $n^{{{one['exponent']:.2f}}}$"
        for one in results.exponents.to_dict("records")
    }
    for method, axes in panels.items():
        own = medians[medians["method"] == method]
        ends = _curves(axes, results, own, [who for who, of in results.costs if of == method])
        _modelled(axes, results, method)
        axes.legend(
            handles=[
                mark(f"{_named(results, who)}{powers.get((who, method), '')}", **styles[who]) for who in ends
            ],
            loc="upper left",
            bbox_to_anchor=(1.0, 1.02),
            handletextpad=0.1,
            frameon=False,
            fontsize=8.5,
        )
        said = "\n".join(notes[method])
        axes.annotate(said, (0.0, 0.0), (0, -40), "axes fraction", "offset points", fontsize=8, va="top")
    label_values(panels.values(), "training time per step (median, 95% interval)", duration_tick)
    return figure


def _curves(axes: Axes, results: Results, table: pd.DataFrame, modelled: Collection[str] = ()) -> list[str]:
    """Draw the medians of one method against the neurons, as points for who has a model, else as a curve.

    Return who is drawn, in the order in which the curves end, from the highest down.
    """
    styles, ends = styles_of(results.contenders), {}
    if ARTICLE.neurons in set(table["neurons"]):
        # Before the axes are logarithmic: if all values are equal, they then have no extent.
        axes.axvline(ARTICLE.neurons, color=GREY, linewidth=1, zorder=0)
    for name, group in table.sort_values("neurons", kind="stable").groupby("contender", sort=False):
        contender, method = str(name), str(group["method"].iloc[0])
        look = {**styles[contender], "linestyle": "none" if contender in modelled else LINES[method]}
        error_bars(axes, group["neurons"], group, _MEDIAN, label=contender, markersize=5, **look)
        wrong = group[group["status"] == "mismatch"]
        axes.plot(wrong["neurons"], wrong["median"], "x", color="black", markersize=11, zorder=3)
        ends[contender] = float(group["median"].iloc[-1])
    against_neurons(axes, results.outcomes["neurons"])
    return sorted(ends, key=lambda name: ends[name], reverse=True)


def _modelled(axes: Axes, results: Results, method: str) -> None:
    """Draw what the cost models say between the sizes, and mark from which size on something holds."""
    styles, points = styles_of(results.contenders), path(list(results.outcomes["layers"]))
    for (contender, of), cost in results.costs.items():
        if of == method:
            within = [(sum(point), cost.step(point).value) for point in points if cost.beyond(point) == 1.0]
            colour = styles[contender]["color"]
            axes.plot(*zip(*within, strict=True), color=colour, linewidth=1.2, linestyle=LINES[of])
    neurons = [sum(point) for point in points]
    for one in _crossings(results, method):
        step = results.costs[one["contender"], method].step(points[np.searchsorted(neurons, one["neurons"])])
        look = {"color": styles[one["contender"]]["color"], "markersize": 13, "fillstyle": "none"}
        axes.plot(one["neurons"], step.value, "|" if one["kind"] == "start-up" else "o", **look)


def _crossings(results: Results, method: str) -> list[dict[Any, Any]]:
    """Return from which size on something holds; what holds from the smallest on is no crossing."""
    lines = results.crossovers[results.crossovers["method"] == method]
    smallest = sum(path(list(results.outcomes["layers"]))[0])
    return lines[(lines["kind"] != "process") & (lines["neurons"] > smallest)].to_dict("records")


def _notes(results: Results, method: str) -> list[str]:
    """Say what has no time and why, how far the models are off, and what a ring and a bar mean."""
    absent = results.outcomes[(results.outcomes["method"] == method) & ~results.outcomes["control"]]
    absent = absent[~absent["status"].isin(["ok", "mismatch"])]
    sizes: dict[tuple[str, str], list[str]] = {}
    for (status, contender), own in absent.groupby(["status", "contender"], sort=False):
        at = ", ".join(map(str, sorted(own["neurons"])))
        sizes.setdefault((str(status), at), []).append(str(contender))
    lines = [f"{status} at {at} neurons: {', '.join(names)}" for (status, at), names in sizes.items()]
    own = results.medians[results.medians["method"] == method]
    if wrong := list(dict.fromkeys(own["contender"][own["status"] == "mismatch"])):
        lines.append(f"crossed out: other losses ({', '.join(wrong)})")
    if missed := [f"{who} {times(_missed(results, who, of))}" for who, of in results.costs if of == method]:
        lines.append(f"the lines are cost models; off by up to: {', '.join(missed)}")
    for one in _crossings(results, method):
        who, since = one["contender"], f"from {one['neurons']:.0f} neurons on"
        if one["kind"] == "start-up":
            lines.append(f"| {since} start-up is below a tenth of {who}'s time")
        else:
            than = f"{one['than_contender']} {one['than_method']}"
            lines.append(f"\u25cb {since} {who} is faster than {than}")
    if len(lines) > _MOST_NOTES:
        lines[_MOST_NOTES:] = [f"and {len(lines) - _MOST_NOTES} more: crossover.csv"]
    return [part for line in lines for part in textwrap.wrap(line, 72)]


def _missed(results: Results, contender: str, method: str) -> float:
    """Return the largest factor between a median and what the contender's model says."""
    medians = results.medians[
        (results.medians["contender"] == contender) & (results.medians["method"] == method)
    ]
    cost = results.costs[contender, method]
    said = [cost.step(tuple(map(float, Shape.parse(text).layers))).value for text in medians["layers"]]
    return float(np.exp(np.abs(np.log(medians["median"] / np.array(said))).max()))


def _named(results: Results, contender: str) -> str:
    """Return the name, marked if the contender's losses only agree with the others'."""
    own = results.outcomes["parity"][results.outcomes["contender"] == contender]
    return f"{contender} \u2248" if own.str.startswith("within").any() else contender


def _agreeing(results: Results) -> str:
    """Explain that mark where somebody has it."""
    anybody = results.outcomes["parity"].str.startswith("within").any()
    return "\n\u2248: losses agree, but are not identical" if anybody else ""


def _dodge(place: int, count: int) -> float:
    """Return the factor by which one of so many steps aside on a logarithmic axis, not to lie on another."""
    # All of them together stay nearer to their size than half the way to one that is twice as large.
    step = min(1.07, 1.3 ** (1.0 / max(1, count - 1)))
    return float(step ** (place - (count - 1) / 2))


def speedup(results: Results, footer: str) -> Figure:
    """Speedup against neurons with intervals, a panel per method; training and whole process."""
    drawn = results.speedups["measure"].isin(["training", "process"])
    rivals = results.speedups[~results.speedups["control"] & drawn]
    with_ratio, styles = rivals[rivals["rounds"] > 0], styles_of(results.contenders)
    lanes = list(dict.fromkeys(zip(with_ratio["contender"], with_ratio["measure"], strict=True)))
    wrong = rivals[(rivals["rounds"] == 0) & (rivals["verdict"] != "cannot tell")].drop_duplicates(
        "contender"
    )
    ills = wrong.drop_duplicates("contender").to_dict("records")
    without = ", ".join(f"{one['contender']} ({one['verdict']})" for one in ills)
    title = (
        f"How many times as fast as {results.reference}, with 95% intervals\n"
        "(filled: in training; open: as a whole process, with start-up)"
    )
    legend = [mark(who, **styles[who]) for who in dict.fromkeys(with_ratio["contender"])]
    title += f"\nwithout a ratio somewhere: {without[:120]}" if without else ""
    figure, panels = by_method(title, footer, with_ratio, panel=(3.6, 4.0), legend=legend)
    for method, axes in panels.items():
        own = with_ratio[with_ratio["method"] == method]
        for place, (contender, measure) in enumerate(lanes):
            group = own[(own["contender"] == contender) & (own["measure"] == measure)].sort_values("neurons")
            look = {**styles[contender], "fillstyle": "none" if measure == "process" else "full"}
            aside = group["neurons"] * _dodge(place, len(lanes))
            error_bars(axes, aside, group, ("ratio", "low", "high"), linestyle=LINES[method], **look)
        floors = own["floor"][own["measure"] == "training"].dropna()
        if len(floors):
            axes.set_title(f"{method} (floor: up to {times(floors.max())})")
        if own["ratio"].min() < 2.0:
            axes.axhline(1.0, color="black", linewidth=0.8)
        against_neurons(axes, own["neurons"])
    label_values(panels.values(), f"times as fast as {results.reference} (median of rounds)", ratio_tick)
    return figure


def methods(results: Results, footer: str) -> Figure:
    """What the language gives and what the algorithm gives: a panel per shape, a row per contender."""
    medians = results.medians
    shapes = list(dict.fromkeys(medians.sort_values("parameters", kind="stable")["layers"]))
    present = [method for method in METHODS if method in set(medians["method"])]
    styles = styles_of(results.contenders)
    order = list(medians.groupby("contender")["median"].min().sort_values(ascending=False).index)
    rows = math.ceil(len(shapes) / 4)
    columns = math.ceil(len(shapes) / rows)
    figure, grid = framed(
        "Language and algorithm: median time of a training step, by shape and method\n"
        "(each line begins at the fastest of its method; beside its end: times as long)"
        f"{_agreeing(results)}",
        footer,
        (rows, columns),
        panel=(2.9, 0.3 + 0.17 * len(present) * max(2, len(order))),
        margins=Margins(left=0.35 + 0.085 * max(map(len, order)), below=0.35),
        between=(0.2, 0.7),
        sharey=True,
        legend=[mark(method, linestyle=LINES[method]) for method in present],
    )
    for axes, shape in zip(grid.flat, shapes, strict=False):
        for slot, method in enumerate(present):
            own = medians[(medians["layers"] == shape) & (medians["method"] == method)]
            best = own["median"][own["status"] == "ok"].min()
            if pd.notna(best):
                axes.axvline(best, color=GREY, linewidth=0.8, linestyle=LINES[method], zorder=0)
            for one in own.to_dict("records"):
                look = styles[one["contender"]]
                place = order.index(one["contender"]) + (len(present) - 1 - 2 * slot) * 0.42 / len(present)
                axes.plot(one["median"], place, markersize=5, **look)
                if one["status"] != "ok":
                    axes.plot(one["median"], place, "x", color="black", markersize=9)
                elif one["median"] > best:
                    line = {"color": look["color"], "linestyle": LINES[method], "linewidth": 1}
                    axes.plot([best, one["median"]], [place] * 2, **line)
                    axes.annotate(
                        times(one["median"] / best),
                        (one["median"], place),
                        (5, 0),
                        textcoords="offset points",
                        fontsize=6.5,
                        va="center",
                        bbox={"facecolor": "white", "linewidth": 0, "pad": 0.5},
                    )
        axes.set(title=shape, xscale="log")
        axes.margins(x=0.18)
        log_ticks(axes.xaxis, duration_tick, most=6)
        axes.tick_params(axis="x", labelsize=8)
        axes.grid(alpha=0.3, axis="x")
    for axes in grid.flat[len(shapes) :]:
        axes.set_axis_off()
    grid[0][0].set_yticks(range(len(order)), [_named(results, contender) for contender in order])
    grid[0][0].set_ylim(-0.6, len(order) - 0.4)
    return figure


def memory(results: Results, footer: str) -> Figure:
    """Peak memory of a run against neurons, a panel per method."""
    table = results.summary[results.summary["measure"] == "peak_memory_bytes"]
    table = table.assign(**{column: table[column] / 2**20 for column in _MEDIAN})
    styles, drawn = styles_of(results.contenders), dict.fromkeys(table["contender"])
    legend = [mark(_named(results, who), **styles[who]) for who in drawn]
    figure, panels = by_method(
        "Peak memory of a whole run", footer, table, panel=(3.6, 3.6), legend=legend, sharex=True
    )
    for method, axes in panels.items():
        _curves(axes, results, table[table["method"] == method])
    label_values(panels.values(), "peak memory, MiB (median, 95% interval)", number_tick)
    return figure


def loss(results: Results, footer: str) -> Figure:
    """Loss against epoch on one shape, the article's if it was measured, a panel per method."""
    own = results.losses[results.losses["layers"] == results.shape]
    samples = results.runs[results.runs["layers"] == results.shape].groupby("method")["samples"].first()
    styles = styles_of(results.contenders)
    legend = [mark(who, **styles[who]) for who in dict.fromkeys(own["contender"])]
    title = f"Loss during training of {results.shape}"
    figure, panels = by_method(
        title, footer, own, panel=(3.6, 3.2), margins=Margins(above=0.55), legend=legend, sharex=True
    )
    for method, axes in panels.items():
        curves = own[own["method"] == method]
        for number, (contender, curve) in enumerate(curves.groupby("contender", sort=False)):
            # The curves lie on one another: the first is broad and pale, the others are spaced markers.
            first = {"linewidth": 7, "alpha": 0.35, "marker": ""}
            later = {"linewidth": 1, "markersize": 5, "markevery": max(1, len(curve) // 12)}
            look = {**styles[str(contender)], **(later if number else first)}
            axes.plot(curve["epoch"], curve["loss"], **look)
        axes.set(xlabel="epoch (0: before training)", yscale="log")
        axes.set_title(
            f"{method}: {samples.get(method, 'unknown')} samples,\n{coincide(curves)}", fontsize=10
        )
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
    label_values(panels.values(), "overall loss (mean squared difference)", number_tick)
    return figure


def coincide(curves: pd.DataFrame) -> str:
    """Say how many epochs there are, and whose curve is not the first one's."""
    # Compared as text, so that nan equals nan.
    texts = {str(name): str(list(curve["loss"])) for name, curve in curves.groupby("contender", sort=False)}
    epochs = int(curves["epoch"].max())
    said = f"{epochs} epoch{'' if epochs == 1 else 's'}"
    if len(texts) == 1:
        return said
    other = [name for name, text in texts.items() if text != next(iter(texts.values()))]
    return f"{said}, {', '.join(other)[:40]} differs" if other else f"{said}, identical bits"
