"""The pictures. Pure: frames in, Figures out.

Throughout, a contender has one colour and one marker, and a method has one line style. A function here is
as long as its picture has settings: they belong together, and none is used twice.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from harness.case import ARTICLE, METHODS
from harness.read.results import Results
from harness.read.style import (
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
    yield "loss.png", loss(results.losses, results.shape, footer, results.contenders)


def scaling(results: Results, footer: str) -> Figure:
    """Training time per step against neurons, log-log; the fitted exponents are in the legend."""
    figure = Figure(figsize=(11, 6.5), layout="constrained")
    axes = figure.subplots()
    medians = results.medians
    fits = {(fit["contender"], fit["method"]): fit for _, fit in results.exponents.iterrows()}
    styles = styles_of(results.contenders)
    for (contender, method), group in medians.groupby(["contender", "method"], sort=False):
        label = f"{contender} {method}"
        if (contender, method) in fits:
            fit = fits[contender, method]
            label += f": neurons$^{{{fit['exponent']:.2f}}}$ ({fit['low']:.2f} to {fit['high']:.2f})"
        _line(axes, group, styles[str(contender)], str(method), label)
    cut = results.cut_offs
    for contender in dict.fromkeys(cut["contender"]):
        group = cut[cut["contender"] == contender]
        colour, _ = styles[contender]
        axes.plot(
            group["neurons"],
            group["step_s"],
            "x",
            color=colour,
            markersize=11,
            markeredgewidth=2.5,
            label=f"{contender}: cut off (timeout or failure)",
        )
    _mark_article(axes, medians)
    axes.set(
        title="How the time of one training step grows with the number of neurons",
        xlabel="neurons (sum of all layer sizes)",
        ylabel="training time per step (median, 95% interval)",
        xscale="log",
        yscale="log",
    )
    label_neurons(axes, medians["neurons"])
    axes.yaxis.set_major_formatter(FuncFormatter(duration_tick))
    axes.grid(alpha=0.3)
    axes.legend(
        loc="center left",
        bbox_to_anchor=(1.01, 0.5),
        fontsize=9,
        title="contender, method: exponent (95% interval)\nfitted from 10-5-1 up",
        title_fontsize=9,
        alignment="left",
    )
    add_caption(figure, footer)
    return figure


def speedup(results: Results, footer: str) -> Figure:
    """Speedup against neurons with interval bands, a panel per method; training and whole process."""
    reference = results.reference
    rivals = results.speedups[~results.speedups["control"]]
    present = [method for method in METHODS if method in set(rivals["method"])]
    figure = Figure(figsize=(12, 5), layout="constrained")
    panels = figure.subplots(1, max(1, len(present)), sharey=True, squeeze=False)[0]
    styles = styles_of(results.contenders)
    for axes, method in zip(panels, present, strict=False):
        own = rivals[rivals["method"] == method]
        for (contender, measure), group in own.groupby(["contender", "measure"], sort=False):
            colour, marker = styles[str(contender)]
            whole = measure == "process"
            axes.plot(
                group["neurons"],
                group["ratio"],
                color=colour,
                marker=marker,
                linestyle="--" if whole else "-",
                markerfacecolor="white" if whole else colour,
                label=f"{contender}, {'whole process with start-up' if whole else 'training'}",
            )
            axes.fill_between(
                group["neurons"], group["low"], group["high"], color=colour, alpha=0.2, linewidth=0
            )
        floors = own["noise_floor"].dropna()
        if len(floors):
            axes.axhspan(
                1 / floors.max(),
                floors.max(),
                color=GREY,
                alpha=0.3,
                label="noise floor (control)",
            )
        axes.axhline(1.0, color="black", linewidth=0.8)
        axes.set(title=method, xlabel="neurons (sum of all layer sizes)", xscale="log", yscale="log")
        label_neurons(axes, own["neurons"])
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}x"))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.grid(alpha=0.3)
    legend_rows = 0
    if present:
        panels[0].set_ylabel(f"times as fast as {reference} (median of rounds)")
        handles, labels = panels[0].get_legend_handles_labels()
        place = (0.5, caption_strip(figure))
        figure.legend(handles, labels, loc="lower center", bbox_to_anchor=place, ncols=4, fontsize=9)
        legend_rows = math.ceil(len(handles) / 4)
    figure.suptitle(f"How many times as fast as {reference}, with 95% intervals")
    add_caption(figure, footer, legend_rows)
    return figure


def methods(results: Results, footer: str) -> Figure:
    """What the language gives and what the algorithm gives: time per step at each shape, log axis."""
    medians, reference = results.medians, results.reference
    shapes = list(dict.fromkeys(medians.sort_values("parameters")["layers"]))
    names = sorted(dict.fromkeys(medians["contender"]), key=lambda name: name != reference)
    styles = styles_of(results.contenders)
    figure = Figure(figsize=(13, 7), layout="constrained")
    axes = figure.subplots()
    times = medians.set_index(["layers", "method", "contender"])["median"].to_dict()
    for place, shape in enumerate(shapes):
        for slot, method in enumerate(METHODS):
            x = place + (slot - 1) * 0.27
            found = {name: times[shape, method, name] for name in names if (shape, method, name) in times}
            if len(found) > 1:
                axes.plot(
                    [x, x],
                    [min(found.values()), max(found.values())],
                    color=GREY,
                    linestyle=LINES[method],
                    zorder=1,
                )
            for name, value in found.items():
                colour, marker = styles[name]
                axes.plot(x, value, marker, color=colour, markersize=7, zorder=2)
            if len(found) > 1 and reference in found:
                factor = found[reference] / min(found.values())
                middle = float(np.sqrt(min(found.values()) * max(found.values())))
                axes.text(
                    x + 0.03,
                    middle,
                    f"{factor:.0f}x",
                    rotation=90,
                    fontsize=8,
                    va="center",
                    ha="left",
                )
            lowest = min(found.values(), default=None)
            if lowest is not None:
                axes.annotate(
                    method,
                    (x, lowest),
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
        ylabel="training time per step (median)",
        yscale="log",
        xlim=(-0.5, len(shapes) - 0.5),
    )
    # The names of the methods hang below the lowest marks: they take a sixth of the height.
    least, most = float(medians["median"].min()), 2.0 * float(medians["median"].max())
    axes.set_ylim(least / (most / least) ** 0.2, most)
    axes.yaxis.set_major_formatter(FuncFormatter(duration_tick))
    axes.grid(alpha=0.3, axis="y")
    handles = [
        Line2D([], [], color=styles[name][0], marker=styles[name][1], linestyle="", label=name)
        for name in names
    ]
    handles.append(Line2D([], [], color=GREY, label="what the language gives, as a factor"))
    axes.legend(handles=handles, loc="upper left", fontsize=9)
    add_caption(figure, footer)
    return figure


def loss(losses: pd.DataFrame, shape: str, footer: str, order: Sequence[str]) -> Figure:
    """Loss against epoch on the article's shape, a panel per method, all contenders.

    ``order`` names the contenders as the other pictures meet them, so that each has the same colour here.
    """
    if losses.empty:
        figure = Figure(figsize=(12, 4.8), layout="constrained")
        figure.suptitle("Loss during training: none was recorded")
        add_caption(figure, footer)
        return figure
    own = losses[losses["layers"] == shape]
    present = [method for method in METHODS if method in set(own["method"])]
    styles = styles_of([*order, *losses["contender"]])
    figure = Figure(figsize=(12, 4.8), layout="constrained")
    panels = figure.subplots(1, len(present), sharey=True, squeeze=False)[0]
    for axes, method in zip(panels, present, strict=True):
        curves = own[own["method"] == method]
        for number, (contender, curve) in enumerate(curves.groupby("contender", sort=False)):
            colour, marker = styles[str(contender)]
            # The curves lie on one another: the first is broad and pale, the others are spaced markers.
            if number == 0:
                axes.plot(
                    curve["epoch"],
                    curve["loss"],
                    color=colour,
                    linewidth=7,
                    alpha=0.35,
                    label=contender,
                )
            else:
                axes.plot(
                    curve["epoch"],
                    curve["loss"],
                    color=colour,
                    linewidth=1,
                    marker=marker,
                    markersize=5,
                    markevery=max(1, len(curve) // 12),
                    label=contender,
                )
        axes.set(
            title=f"{method}: {_coincide(curves)}",
            xlabel="epoch (0: before training)",
            yscale="log",
        )
        axes.grid(alpha=0.3)
        axes.legend(fontsize=9)
    panels[0].set_ylabel("overall loss (mean squared difference)")
    figure.suptitle(f"Loss during training of {shape}")
    add_caption(figure, footer)
    return figure


def _coincide(curves: pd.DataFrame) -> str:
    values = [tuple(curve["loss"]) for _, curve in curves.groupby("contender", sort=False)]
    epochs = len(values[0]) - 1
    if len(values) == 1:
        return f"{epochs} epochs"
    # Compared as text, so that nan equals nan.
    same = all(str(other) == str(values[0]) for other in values[1:])
    return f"{epochs} epochs, {'identical bits' if same else 'the curves differ'}"


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


def _line(axes: Axes, group: pd.DataFrame, style: tuple[str, str], method: str, label: str) -> None:
    colour, marker = style
    group = group.sort_values("neurons")
    axes.plot(
        group["neurons"],
        group["median"],
        color=colour,
        marker=marker,
        linestyle=LINES[method],
        label=label,
    )
    axes.fill_between(group["neurons"], group["low"], group["high"], color=colour, alpha=0.2, linewidth=0)


def _mark_article(axes: Axes, medians: pd.DataFrame) -> None:
    if _ARTICLE in set(medians["layers"]):
        label = f"{_ARTICLE}, the article's shape"
        axes.axvline(ARTICLE.neurons, color=GREY, linewidth=1, zorder=0, label=label)
