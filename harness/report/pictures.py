"""The pictures. Pure: frames in, Figures out.

Throughout, a contender has one colour and one marker, and a method has one line style. A function here is
as long as its picture has settings: they belong together, and none is used twice.
"""

import math
import textwrap
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from harness.analysis.crossover import path
from harness.analysis.results import Results
from harness.case import ARTICLE, METHODS
from harness.digits import three_digits
from harness.report.style import (
    COLOURS,
    GREY,
    LINES,
    MARKERS,
    add_caption,
    caption,
    caption_strip,
    duration_tick,
    label_neurons,
    styles_of,
)

_ARTICLE = str(ARTICLE)


def draw(results: Results) -> Iterator[tuple[str, Figure]]:
    """Yield every picture of a sweep with its file name."""
    footer = caption(results)
    yield "scaling.png", scaling(results, footer)
    yield "speedup.png", speedup(results, footer)
    yield "methods.png", methods(results, footer)
    yield "memory.png", memory(results, footer)
    yield "loss.png", loss(results, footer)


def scaling(results: Results, footer: str) -> Figure:
    """Training time per step against neurons, log-log, a panel per method; who has no time stands above."""
    medians = results.medians
    present = [method for method in METHODS if method in set(results.outcomes["method"])]
    figure = Figure(figsize=(max(8.5, 5.4 * len(present)), 7), layout="constrained")
    grid = figure.subplots(2, len(present), sharex=True, sharey="row", height_ratios=(1, 8), squeeze=False)
    fits = {(fit["contender"], fit["method"]): fit for fit in results.exponents.to_dict("records")}
    for strip, axes, method in zip(*grid, present, strict=True):
        labels = {
            contender: f"{_named(results, contender)} $n^{{{fit['exponent']:.2f}}}$"
            for (contender, of), fit in fits.items()
            if of == method
        }
        _growth(axes, results, medians, method, labels, [who for who, of in results.costs if of == method])
        _modelled(axes, results, method)
        axes.yaxis.set_major_formatter(FuncFormatter(duration_tick))
        _without_time(strip, results, method)
    grid[1][0].set_ylabel("training time per step (median, 95% interval)")
    figure.set_figheight(7.0 + 0.17 * max(axes.get_xlabel().count("\n") for axes in grid[1]))
    figure.suptitle(
        "How the time of one training step grows with the number of neurons n"
        f"\n(exponents fitted from {_ARTICLE} up, which the vertical line marks{_agreeing(results)})"
    )
    add_caption(figure, footer)
    return figure


def _modelled(axes: Axes, results: Results, method: str) -> None:
    """Draw what the models say between the sizes, and mark from which size on something holds.

    A ring is where somebody overtakes a worse method of another, a bar where start-up falls below a tenth.
    """
    styles, points = styles_of(results.contenders), path(list(results.outcomes["layers"]))
    neurons = [sum(point) for point in points]
    overtakings, starts = [], []
    for (contender, of), cost in results.costs.items():
        if of != method:
            continue
        colour, lines = styles[contender][0], results.crossovers
        measured = [(sum(point), cost.step(point).value) for point in points if cost.beyond(point) == 1.0]
        axes.plot(*zip(*measured, strict=True), color=colour, linewidth=1.2, linestyle=LINES[of])
        own = lines[
            (lines["contender"] == contender) & (lines["method"] == of) & (lines["kind"] != "process")
        ]
        # What holds from the smallest size on is no crossing.
        for one in own[own["neurons"] > round(neurons[0])].to_dict("records"):
            height = cost.step(points[int(np.searchsorted(neurons, one["neurons"]))]).value
            marker = "|" if one["kind"] == "start-up" else "o"
            axes.plot(one["neurons"], height, marker, color=colour, markersize=13, fillstyle="none")
            where = f"from {one['neurons']:.0f} neurons on"
            if one["kind"] == "start-up":
                starts.append(f"{contender} {where}")
            else:
                than = f"{one['than_contender']} {one['than_method']}"
                overtakings.append(f"{where} {contender} overtakes {than}")
    texts = [
        *_listed("rings:", overtakings),
        *_listed("bars: start-up is below a tenth of the process", starts),
    ]
    # Below the axis no text can lie on a curve.
    axes.set_xlabel("\n".join([axes.get_xlabel(), *texts]), fontsize=9)


def _listed(heading: str, lines: Sequence[str]) -> list[str]:
    """Return the first few of some lines below a heading; nothing if there are none."""
    more = [f"and {len(lines) - _MOST_LINES} more: crossover.csv"] if len(lines) > _MOST_LINES else []
    return [heading, *lines[:_MOST_LINES], *more] if lines else []


_MOST_LINES = 4
"""So many of a panel are told in words."""


def _named(results: Results, contender: str) -> str:
    """Return the name, marked if the contender's losses only agree with the others'."""
    own = results.outcomes["parity"][results.outcomes["contender"] == contender]
    return f"{contender} \u2248" if own.str.startswith("within").any() else contender


def _agreeing(results: Results) -> str:
    """Explain that mark where somebody has it."""
    anybody = results.outcomes["parity"].str.startswith("within").any()
    return "; \u2248: losses agree, but are not identical" if anybody else ""


def _growth(
    axes: Axes,
    results: Results,
    table: pd.DataFrame,
    method: str,
    labels: Mapping[str, str],
    modelled: Collection[str] = (),
) -> None:
    """Draw a curve for each contender against the neurons, but points for who has a model, and labels."""
    styles, sizes = styles_of(results.contenders), results.outcomes["neurons"]
    # The panels of all methods have one axis.
    low, high = math.log(table["low"].fillna(table["median"]).min()), math.log(table["median"].max())
    table = table[table["method"] == method]
    ends, crossed_out = {}, {}
    largest = table[table["neurons"] == table["neurons"].max()]
    best = {results.reference, *largest.sort_values("median")["contender"][:3]}
    for name, group in table.sort_values("neurons", kind="stable").groupby("contender", sort=False):
        contender = str(name)
        colour, marker = styles[contender]
        wrong = group[group["status"] == "mismatch"]
        if len(wrong):
            crossed_out[contender] = " (other losses:\ncrossed out)"
        axes.plot(
            group["neurons"],
            group["median"],
            color=colour,
            marker=marker,
            markersize=6 if contender in best else 4,
            linewidth=2.0 if contender in best else 0.9,
            linestyle="none" if contender in modelled else LINES[method],
            label=contender,
        )
        axes.plot(wrong["neurons"], wrong["median"], "x", color="black", markersize=11, zorder=3)
        axes.fill_between(group["neurons"], group["low"], group["high"], color=colour, alpha=0.2, linewidth=0)
        last = group.iloc[-1]
        ends[contender] = float(last["neurons"]), float(last["median"])
    axes.set(title=method, xlabel="neurons (sum of all layer sizes)", xscale="log", yscale="log")
    if ARTICLE.neurons in set(table["neurons"]):
        axes.axvline(ARTICLE.neurons, color=GREY, linewidth=1, zorder=0)
    label_neurons(axes, sizes)
    # The labels stand to the right of the curves.
    spread = math.log(max(sizes.max() / sizes.min(), 4.0))
    axes.set_xlim(sizes.min() / 1.3, sizes.max() * math.exp(0.65 * spread))
    axes.grid(alpha=0.3)
    if not ends:
        return
    heights = _spaced([math.log(end) for _, end in ends.values()], low, high)
    for (contender, end), height in zip(ends.items(), heights, strict=True):
        axes.annotate(
            labels.get(contender, _named(results, contender)) + crossed_out.get(contender, ""),
            end,
            xytext=(sizes.max() * math.exp(0.08 * spread), math.exp(height)),
            fontsize=8.5,
            va="center",
            color=styles[contender][0],
            fontweight="bold" if contender in best else "normal",
            arrowprops={
                "arrowstyle": "-",
                "color": styles[contender][0],
                "linewidth": 0.5,
                "shrinkB": 0,
                "relpos": (0.0, 0.5),
            },
        )


def _spaced(heights: Sequence[float], low: float, high: float) -> list[float]:
    """Return the heights on an axis from ``low`` to ``high``, moved so that no label lies on another."""
    apart = max((high - low) / 18.0, 0.08)
    order = sorted(range(len(heights)), key=lambda place: heights[place])
    moved = list(heights)
    for before, after in pairwise(order):
        moved[after] = max(moved[after], moved[before] + apart)
    # Whoever was pushed above the highest point pushes the others down again.
    limit = max(high, low + apart * (len(order) - 1))
    for place in reversed(order):
        moved[place] = min(moved[place], limit)
        limit = moved[place] - apart
    return moved


def _without_time(strip: Axes, results: Results, method: str) -> None:
    """Mark who was asked for and has no time: a cross for a failure, an open mark for what was left out."""
    styles = styles_of(results.contenders)
    absent = results.outcomes[~results.outcomes["status"].isin(["ok", "mismatch"])]
    absent = absent[~absent["control"]]
    most = int(absent.groupby(["method", "neurons"]).size().max()) if len(absent) else 0
    own = absent[absent["method"] == method]
    for _, group in own.groupby("neurons"):
        for place, one in enumerate(group.to_dict("records")):
            colour, marker = styles[one["contender"]]
            is_missing = one["status"] in ("left out", "not run")
            shape = {"marker": marker, "markerfacecolor": "white"} if is_missing else {"marker": "X"}
            strip.plot(one["neurons"], place, linestyle="", color=colour, markersize=6, **shape)  # type: ignore[arg-type]
    strip.set_ylim(-1.0, max(most, 3))
    strip.set_axis_off()
    words = [
        f"{status}: {', '.join(dict.fromkeys(group['contender']))}"
        for status, group in own.groupby("status", sort=False)
    ]
    if words:
        said = f"without a time somewhere ({'; '.join(words)})"
        strip.set_title(textwrap.fill(said, 66), fontsize=8, loc="left")


def _dodge(place: int, count: int) -> float:
    """Return the factor by which one of so many steps aside on a logarithmic axis, not to lie on another."""
    # All of them together stay nearer to their size than half the way to one that is twice as large.
    step = min(1.07, 1.3 ** (1.0 / max(1, count - 1)))
    return float(step ** (place - (count - 1) / 2))


def speedup(results: Results, footer: str) -> Figure:
    """Speedup against neurons with intervals, a panel per method; training and whole process."""
    drawn = results.speedups["measure"].isin(["training", "process"])
    rivals = results.speedups[~results.speedups["control"] & drawn]
    with_ratio = rivals[rivals["rounds"] > 0]
    present = [method for method in METHODS if method in set(with_ratio["method"])]
    figure = Figure(figsize=(12.5, 5.5), layout="constrained")
    panels = figure.subplots(1, max(1, len(present)), sharey=True, squeeze=False)[0]
    styles = styles_of(results.contenders)
    lanes = list(dict.fromkeys(zip(with_ratio["contender"], with_ratio["measure"], strict=True)))
    handles: dict[str, Any] = {}
    for axes, method in zip(panels, present, strict=False):
        own = with_ratio[with_ratio["method"] == method]
        for place, (contender, measure) in enumerate(lanes):
            group = own[(own["contender"] == contender) & (own["measure"] == measure)].sort_values("neurons")
            colour, marker = styles[contender]
            whole = measure == "process"
            label = f"{contender}, {'whole process with start-up' if whole else 'training'}"
            handles[label] = axes.errorbar(
                group["neurons"] * _dodge(place, len(lanes)),
                group["ratio"],
                yerr=[
                    (group["ratio"] - group["low"]).fillna(0.0),
                    (group["high"] - group["ratio"]).fillna(0.0),
                ],
                color=colour,
                marker=marker,
                linestyle="--" if whole else "-",
                linewidth=1,
                markerfacecolor="white" if whole else colour,
                capsize=3,
            )
        axes.set(
            title=_with_floor(method, own),
            xlabel="neurons (sum of all layer sizes)",
            xscale="log",
            yscale="log",
        )
        if own["ratio"].min() < 2.0:
            axes.axhline(1.0, color="black", linewidth=0.8)
        label_neurons(axes, own["neurons"])
        low, high = axes.get_ylim()
        axes.yaxis.set_major_locator(
            LogLocator(subs=(1.0, 1.5, 2.0, 3.0, 5.0, 7.0) if high < 50 * low else (1.0,))
        )
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}x"))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.grid(alpha=0.3)
    if present:
        panels[0].set_ylabel(f"times as fast as {results.reference} (median of rounds)")
        anchor = (0.5, caption_strip(figure))
        figure.legend(
            list(handles.values()),
            list(handles),
            loc="lower center",
            bbox_to_anchor=anchor,
            ncols=3,
            fontsize=9,
        )
    else:
        panels[0].set_axis_off()
    wrong = rivals[(rivals["rounds"] == 0) & (rivals["verdict"] != "cannot tell")].drop_duplicates(
        "contender"
    )
    without = ", ".join(f"{one['contender']} ({one['verdict']})" for one in wrong.to_dict("records"))
    title = f"How many times as fast as {results.reference}, with 95% intervals"
    figure.suptitle(title + (f"\nwithout a ratio somewhere: {without[:120]}" if without else ""))
    add_caption(figure, footer, math.ceil(len(handles) / 3))
    return figure


def _with_floor(method: str, own: pd.DataFrame) -> str:
    floors = own["floor"][own["measure"] == "training"].dropna()
    return f"{method} (floor: up to {floors.max():.2f}x)" if len(floors) else method


def methods(results: Results, footer: str) -> Figure:
    """What the language gives and what the algorithm gives: a panel per shape, a row per contender."""
    medians = results.medians
    shapes = list(dict.fromkeys(medians.sort_values("parameters", kind="stable")["layers"]))
    present = [method for method in METHODS if method in set(medians["method"])]
    order = medians.groupby("contender")["median"].min().sort_values(ascending=False)
    places = {str(name): place for place, name in enumerate(order.index)}
    columns = min(4, len(shapes))
    rows = math.ceil(len(shapes) / columns)
    size = (max(8.5, 2.0 + 3.0 * columns), 1.6 + rows * (0.9 + 0.36 * max(3, len(places))))
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False).flatten()
    for axes, shape in zip(panels, shapes, strict=False):
        for slot, method in enumerate(present):
            own = medians[(medians["layers"] == shape) & (medians["method"] == method)]
            if own.empty:
                continue
            best = own["median"][own["status"] == "ok"].min()
            axes.axvline(best, color=COLOURS[slot], linewidth=0.8, alpha=0.6, zorder=0)
            for one in own.to_dict("records"):
                place, is_right = places[one["contender"]], one["status"] == "ok"
                axes.plot(
                    one["median"],
                    place,
                    MARKERS[slot],
                    color=COLOURS[slot],
                    markersize=8 if one["median"] == best else 5,
                    markerfacecolor=COLOURS[slot] if is_right else "white",
                )
                if not is_right:
                    axes.plot(one["median"], place, "x", color="black", markersize=9)
                elif one["median"] > best:
                    text = three_digits(one["median"] / best)
                    axes.annotate(
                        text,
                        (one["median"], place),
                        xytext=((0, 4), (0, -10), (6, -2))[slot],
                        textcoords="offset points",
                        fontsize=6.5,
                        ha="left" if slot == 2 else "center",
                        color=COLOURS[slot],
                    )
        axes.set(title=shape, xscale="log")
        axes.margins(x=0.12)
        axes.xaxis.set_major_locator(LogLocator(numticks=6))
        axes.xaxis.set_major_formatter(FuncFormatter(duration_tick))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.tick_params(axis="x", labelsize=8)
        axes.grid(alpha=0.3)
    for axes in panels[len(shapes) :]:
        axes.set_axis_off()
    panels[0].set_yticks(range(len(places)), [_named(results, contender) for contender in places])
    panels[0].set_ylim(-0.6, len(places) - 0.2)
    figure.suptitle(
        "Language and algorithm: median time of a training step, by shape and method"
        f"\n(beside a mark: times as long as the fastest of that method{_agreeing(results)})"
    )
    handles = [
        Line2D([], [], color=COLOURS[slot], marker=MARKERS[slot], linestyle="", label=method)
        for slot, method in enumerate(present)
    ]
    figure.legend(
        handles=handles,
        loc="lower center",
        bbox_to_anchor=(0.5, caption_strip(figure)),
        ncols=len(handles),
        fontsize=9,
    )
    add_caption(figure, footer, 1)
    return figure


def memory(results: Results, footer: str) -> Figure:
    """Peak memory of a run against neurons, a panel per method."""
    table = results.summary[results.summary["measure"] == "peak_memory_bytes"]
    table = table.assign(**{column: table[column] / 2**20 for column in ("median", "low", "high")})
    present = [method for method in METHODS if method in set(table["method"])]
    figure = Figure(figsize=(max(8.5, 5.4 * len(present)), 5.5), layout="constrained")
    panels = figure.subplots(1, max(1, len(present)), sharey=True, squeeze=False)[0]
    for axes, method in zip(panels, present, strict=False):
        _growth(axes, results, table, method, {})
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    if not present:
        panels[0].text(0.5, 0.5, "no contender told its peak memory", ha="center")
    panels[0].set_ylabel("peak memory, MiB (median, 95% interval)")
    figure.suptitle("Peak memory of a whole run")
    add_caption(figure, footer)
    return figure


def loss(results: Results, footer: str) -> Figure:
    """Loss against epoch on one shape, the article's if it was measured, a panel per method."""
    own = results.losses[results.losses["layers"] == results.shape]
    present = [method for method in METHODS if method in set(own["method"])]
    figure = Figure(figsize=(12, 4.8), layout="constrained")
    panels = figure.subplots(1, max(1, len(present)), sharex=True, sharey=True, squeeze=False)[0]
    styles = styles_of(results.contenders)
    for axes, method in zip(panels, present, strict=False):
        curves = own[own["method"] == method]
        for number, (contender, curve) in enumerate(curves.groupby("contender", sort=False)):
            colour, marker = styles[str(contender)]
            # The curves lie on one another: the first is broad and pale, the others are spaced markers.
            first = {"linewidth": 7, "alpha": 0.35}
            later = {"linewidth": 1, "marker": marker, "markersize": 5, "markevery": max(1, len(curve) // 12)}
            axes.plot(
                curve["epoch"],
                curve["loss"],
                color=colour,
                label=str(contender),
                **(later if number else first),
            )
        axes.set(title=f"{method}: {coincide(curves)}", xlabel="epoch (0: before training)", yscale="log")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend(fontsize=9)
    panels[0].set_ylabel("overall loss (mean squared difference)")
    none = "" if present else ": none was recorded"
    figure.suptitle(f"Loss during training of {results.shape}{none}")
    add_caption(figure, footer)
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
