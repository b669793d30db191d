"""The pictures. Pure: frames in, Figures out.

Throughout, a contender has one colour and one marker, and a method has one line style. A function here is
as long as its picture has settings: they belong together, and none is used twice.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from harness.case import ARTICLE, METHODS
from harness.read.results import Results
from harness.read.style import (
    COLOURS,
    GREY,
    LINES,
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
    """Training time per step against neurons, log-log; who has no time stands in a strip above."""
    figure = Figure(figsize=(11.5, _height(results)), layout="constrained")
    strip, axes = figure.subplots(2, 1, sharex=True, height_ratios=(1, 9))
    fits = {(fit["contender"], fit["method"]): fit for fit in results.exponents.to_dict("records")}
    labels = {
        lane: f"{' '.join(lane)}: neurons$^{{{fit['exponent']:.2f}}}$ ({fit['low']:.2f} to {fit['high']:.2f})"
        for lane, fit in fits.items()
    }
    _curves(axes, results, results.medians, labels)
    _without_time(strip, results)
    if _ARTICLE in set(results.medians["layers"]):
        label = f"{_ARTICLE}, the article's shape"
        axes.axvline(ARTICLE.neurons, color=GREY, linewidth=1, zorder=0, label=label)
    axes.set(
        xlabel="neurons (sum of all layer sizes)",
        ylabel="training time per step (median, 95% interval)",
        xscale="log",
        yscale="log",
    )
    label_neurons(axes, results.outcomes["neurons"])
    axes.yaxis.set_major_formatter(FuncFormatter(duration_tick))
    axes.grid(alpha=0.3)
    _legend_beside(axes, "contender, method: exponent (95% interval)\nfitted from 10-5-1 up")
    figure.suptitle("How the time of one training step grows with the number of neurons")
    add_caption(figure, footer)
    return figure


def _height(results: Results) -> float:
    """Return the inches that a picture needs whose legend has a line for each contender and method."""
    lanes = len(results.medians[["contender", "method"]].drop_duplicates())
    return max(6.5, 2.5 + 0.22 * lanes)


def _curves(axes: Axes, results: Results, table: pd.DataFrame, labels: Mapping[tuple[str, str], str]) -> None:
    """Draw a curve for each contender and method; runs with other losses are crossed out."""
    styles = styles_of(results.contenders)
    sizes = table.sort_values("neurons", kind="stable")
    for (contender, method), group in sizes.groupby(["contender", "method"], sort=False):
        colour, marker = styles[str(contender)]
        lane = str(contender), str(method)
        wrong = group[group["status"] == "mismatch"]
        axes.plot(
            group["neurons"],
            group["median"],
            color=colour,
            marker=marker,
            linestyle=LINES[str(method)],
            label=labels.get(lane, " ".join(lane)) + (" (other losses: crossed out)" if len(wrong) else ""),
        )
        axes.plot(wrong["neurons"], wrong["median"], "x", color="black", markersize=11, zorder=3)
        axes.fill_between(group["neurons"], group["low"], group["high"], color=colour, alpha=0.2, linewidth=0)


def _without_time(strip: Axes, results: Results) -> None:
    """Mark who was asked for and has no time: a cross for a failure, an open mark for what was left out."""
    styles = styles_of(results.contenders)
    absent = results.outcomes[~results.outcomes["status"].isin(["ok", "mismatch"])]
    absent = absent[~absent["control"]]
    lanes = list(dict.fromkeys(zip(absent["contender"], absent["method"], absent["status"], strict=True)))
    for place, (contender, method, status) in enumerate(lanes):
        own = absent[(absent[["contender", "method", "status"]] == [contender, method, status]).all(axis=1)]
        colour, marker = styles[contender]
        open_mark = {"marker": marker, "markerfacecolor": "white"}
        strip.plot(
            own["neurons"],
            [place] * len(own),
            linestyle="",
            color=colour,
            label=f"{contender} {method}: {status}",
            **(open_mark if status in ("left out", "not run") else {"marker": "X", "markersize": 9}),
        )
    strip.set(yticks=[], ylim=(-0.7, max(len(lanes), 1) - 0.3))
    strip.set_visible(bool(lanes))
    if lanes:
        strip.set_ylabel("no time", rotation=0, ha="right", va="center", fontsize=9)
        _legend_beside(strip, "")


def _legend_beside(axes: Axes, title: str) -> None:
    axes.legend(
        loc="center left",
        bbox_to_anchor=(1.01, 0.5),
        fontsize=8.5,
        title=title,
        title_fontsize=8.5,
        alignment="left",
    )


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
    """What the language gives and what the algorithm gives: time per step at each shape, log axis."""
    medians, names = results.medians, results.contenders
    shapes = list(dict.fromkeys(medians.sort_values("parameters", kind="stable")["layers"]))
    styles = styles_of(names)
    figure = Figure(figsize=(13, 7), layout="constrained")
    axes = figure.subplots()
    ratios = results.speedups[
        (results.speedups["measure"] == "training")
        & ~results.speedups["control"]
        & (results.speedups["rounds"] > 0)
    ]
    lowest = float(medians["median"].min())
    for place, shape in enumerate(shapes):
        for slot, method in enumerate(METHODS):
            own = medians[(medians["layers"] == shape) & (medians["method"] == method)]
            middle = place + (slot - 1) * 0.3
            for one in own.to_dict("records"):
                colour, marker = styles[one["contender"]]
                dodge = (names.index(one["contender"]) - (len(names) - 1) / 2) * 0.2 / len(names)
                is_right = one["status"] == "ok"
                axes.errorbar(
                    middle + dodge,
                    one["median"],
                    yerr=[[max(0.0, one["median"] - one["low"])], [max(0.0, one["high"] - one["median"])]]
                    if one["high"] >= one["low"]
                    else None,
                    fmt=marker,
                    color=colour,
                    markerfacecolor=colour if is_right else "white",
                    markersize=6,
                    capsize=2,
                )
                if not is_right:
                    axes.plot(middle + dodge, one["median"], "x", color="black", markersize=9)
            best = ratios[(ratios["layers"] == shape) & (ratios["method"] == method)]
            if len(own) > 1 and len(best):
                axes.plot([middle] * 2, [own["median"].min(), own["median"].max()], color=GREY, zorder=0)
                axes.text(
                    middle + 0.02,
                    float(np.sqrt(own["median"].min() * own["median"].max())),
                    f"{best['ratio'].max():.0f}x",
                    rotation=90,
                    fontsize=8,
                    va="center",
                    ha="left",
                )
            if len(own):
                axes.annotate(
                    method,
                    (middle, own["median"].min()),
                    xytext=(0, -9),
                    textcoords="offset points",
                    rotation=90,
                    fontsize=7.5,
                    va="top",
                    ha="center",
                    color=GREY,
                )
        if place:
            axes.axvline(place - 0.5, color=GREY, linewidth=0.5, alpha=0.5)
    axes.set_xticks(range(len(shapes)), shapes)
    axes.set(
        title="Language and algorithm: each bar is the language, the steps from bar to bar are the algorithm",
        xlabel="shape (layer sizes)",
        ylabel="training time per step (median, 95% interval)",
        yscale="log",
        xlim=(-0.5, len(shapes) - 0.5),
    )
    # The names of the methods hang below the lowest marks: they take a sixth of the height.
    most = 2.0 * float(medians["median"].max())
    axes.set_ylim(lowest / (most / lowest) ** 0.2, most)
    axes.yaxis.set_major_formatter(FuncFormatter(duration_tick))
    axes.grid(alpha=0.3, axis="y")
    handles = [
        Line2D([], [], color=styles[name][0], marker=styles[name][1], linestyle="", label=name)
        for name in names
    ]
    factor = f"times as fast as {results.reference}: the fastest, median of the rounds"
    handles.append(Line2D([], [], color=GREY, label=factor))
    if (medians["status"] == "mismatch").any():
        handles.append(
            Line2D([], [], color="black", marker="x", linestyle="", label="other losses: in no ratio")
        )
    axes.legend(handles=handles, loc="upper left", fontsize=9)
    add_caption(figure, footer)
    return figure


def memory(results: Results, footer: str) -> Figure:
    """Peak memory of a run against neurons, per contender and method."""
    figure = Figure(figsize=(11.5, _height(results)), layout="constrained")
    axes = figure.subplots()
    table = results.summary[results.summary["measure"] == "peak_memory_bytes"]
    mebibytes = {column: table[column] / 2**20 for column in ("median", "low", "high")}
    _curves(axes, results, table.assign(**mebibytes), {})
    axes.set(
        title="Peak memory of a whole run",
        xlabel="neurons (sum of all layer sizes)",
        ylabel="peak memory, MiB (median, 95% interval)",
        xscale="log",
        yscale="log",
    )
    if table.empty:
        axes.text(0.5, 0.5, "no contender told its peak memory", ha="center", transform=axes.transAxes)
    else:
        label_neurons(axes, table["neurons"])
        _legend_beside(axes, "contender, method")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(alpha=0.3)
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
        axes.set(title=f"{method}: {_coincide(curves)}", xlabel="epoch (0: before training)", yscale="log")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend(fontsize=9)
    panels[0].set_ylabel("overall loss (mean squared difference)")
    none = "" if present else ": none was recorded"
    figure.suptitle(f"Loss during training of {results.shape}{none}")
    add_caption(figure, footer)
    return figure


def _coincide(curves: pd.DataFrame) -> str:
    """Say how many epochs there are, and whose curve is not the first one's."""
    # Compared as text, so that nan equals nan.
    texts = {str(name): str(list(curve["loss"])) for name, curve in curves.groupby("contender", sort=False)}
    epochs = int(curves["epoch"].max())
    said = f"{epochs} epoch{'' if epochs == 1 else 's'}"
    if len(texts) == 1:
        return said
    other = [name for name, text in texts.items() if text != next(iter(texts.values()))]
    return f"{said}, {', '.join(other)[:40]} differs" if other else f"{said}, identical bits"


def selfcheck(table: pd.DataFrame) -> Figure:
    """The intervals of repeated sweeps, a panel for each contender and measure; those that miss in red."""
    contenders = list(dict.fromkeys(table["contender"]))
    measures = [measure for measure in ("training", "process") if measure in set(table["measure"])]
    figure = Figure(
        figsize=(2.2 * max(3, len(contenders)), 3.2 * max(1, len(measures))), layout="constrained"
    )
    panels = figure.subplots(max(1, len(measures)), max(1, len(contenders)), squeeze=False, sharey=True)
    for row, measure in zip(panels, measures, strict=False):
        for axes, contender in zip(row, contenders, strict=True):
            own = table[(table["contender"] == contender) & (table["measure"] == measure)]
            true = own["true_ratio"].iloc[0]
            percent = {name: (own[name] / true - 1.0) * 100.0 for name in ("low", "ratio", "high")}
            axes.axvline(0.0, color=GREY, linewidth=1)
            for place, one in enumerate(own.assign(**percent).to_dict("records"), start=1):
                colour, marker = (COLOURS[0], "o") if one["holds"] else (COLOURS[1], "X")
                axes.plot([one["low"], one["high"]], [place] * 2, color=colour)
                axes.plot(one["ratio"], place, marker, color=colour, markersize=4)
            held = int(own["holds"].sum())
            axes.set_title(f"{contender}, {measure}\n{held} of {len(own)} hold {true:.3g}x", fontsize=9)
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:+g}%" if value else "0"))
            axes.xaxis.set_major_locator(MaxNLocator(4))
            axes.yaxis.set_major_locator(MaxNLocator(integer=True))
            axes.grid(alpha=0.3, axis="x")
        row[0].set_ylabel("sweep")
    figure.supxlabel("ratio against the true one", fontsize=9)
    reference = table["reference"].iloc[0] if len(table) else ""
    figure.suptitle(
        f"95% intervals of repeated sweeps, compared with {reference};\ncrosses miss the true ratio"
    )
    return figure


def kernels(table: pd.DataFrame) -> Figure:
    """Time of one call of each kernel, log axis.

    A panel for each shape on which a forward pass was timed, or for every shape where none was.
    """
    forward = table[table["kernel"].str.startswith("forward-")]
    shapes = list(dict.fromkeys((table if forward.empty else forward)["layers"]))
    table = table[table["layers"].isin(shapes)]
    styles = styles_of(table["contender"])
    wanted = list(dict.fromkeys(table["kernel"]))
    figure = Figure(figsize=(max(7.0, 3.2 * len(shapes)), 1.6 + 0.45 * len(wanted)), layout="constrained")
    panels = figure.subplots(1, len(shapes), sharey=True, squeeze=False)[0]
    for axes, shape in zip(panels, shapes, strict=True):
        own = table[table["layers"] == shape]
        for contender, group in own.groupby("contender", sort=False):
            colour, marker = styles[str(contender)]
            places = [wanted.index(kernel) for kernel in group["kernel"]]
            spread = np.array(
                [
                    group["median_s"] - group["lower_quartile_s"],
                    group["upper_quartile_s"] - group["median_s"],
                ]
            )
            axes.errorbar(
                group["median_s"],
                places,
                xerr=spread,
                fmt=marker,
                color=colour,
                capsize=3,
                label=str(contender),
            )
        axes.set(title=shape, xscale="log", xlabel="time of one call\n(median, quartiles)")
        is_wide = own["median_s"].max() > 50 * own["median_s"].min()
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0,) if is_wide else (1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter(FuncFormatter(duration_tick))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.tick_params(axis="x", labelrotation=45)
        axes.grid(alpha=0.3)
    panels[0].set_yticks(range(len(wanted)), wanted)
    panels[0].invert_yaxis()
    handles = [
        Line2D([], [], color=colour, marker=marker, linestyle="", label=name)
        for name, (colour, marker) in styles.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=9)
    figure.suptitle("The inner functions, timed in process")
    return figure
