"""The picture of several machines: ratios and seconds against neurons, a line a machine. Pure."""

from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from harness.across.history import short_commit
from harness.analysis.article import PARTS
from harness.case import ARTICLE, METHODS
from harness.digits import duration, times
from harness.report.style import COLOURS, GREY, add_caption, duration_tick, label_neurons, styles_of

_MOST_NAMED = 12
"""Of more machines than there are colours none has one of its own."""
_MOST_RIVALS = 3
_MEAN = "mean, 95% interval"


def machines(table: pd.DataFrame, summed: pd.DataFrame, footer: str) -> Figure:
    """Draw the table of ``joined``: a row of panels for each rival's ratio, one for each contender's steps.

    Of more than three rivals it is the fastest three. What has a circle around it is left out of the summary,
    which is drawn as a band if there are two machines or more.
    """
    training = table[table["measure"] == "training"]
    methods = [method for method in METHODS if method in set(training["method"])]
    order = training.groupby("contender")["ratio"].median().sort_values(ascending=False)
    rivals = list(order.dropna().index[:_MOST_RIVALS])
    references = list(dict.fromkeys(training["contender"][training["counts"] == "reference"]))
    rows = [*(("ratio", name) for name in rivals), *(("step", name) for name in [*references, *rivals])]
    machines = list(dict.fromkeys(table["machine"]))
    figure = Figure(figsize=(max(8.5, 4.6 * len(methods)), 1.2 + 2.9 * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), len(methods), sharex="col", sharey="row", squeeze=False)
    for (kind, contender), panels in zip(rows, grid, strict=True):
        for axes, method in zip(panels, methods, strict=True):
            chosen = (training["method"] == method) & (training["contender"] == contender)
            if kind == "ratio":
                _band(axes, summed, method, contender)
            _lines(axes, training[chosen], kind, machines)
            axes.set(xscale="log", yscale="log")
            axes.grid(alpha=0.3)
        label = (
            f"times as fast as {references[0]}"
            if kind == "ratio" and references
            else "training time per step"
        )
        panels[0].set_ylabel(f"{contender}\n{label}")
        formatter = (
            FuncFormatter(lambda value, _: times(value)) if kind == "ratio" else FuncFormatter(duration_tick)
        )
        panels[0].yaxis.set_major_formatter(formatter)
        if kind == "ratio":
            panels[0].yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        panels[0].yaxis.set_minor_formatter(NullFormatter())
    for axes, method in zip(grid[0], methods, strict=True):
        axes.set_title(method)
    for axes in grid[-1]:
        axes.set_xlabel("neurons (sum of all layer sizes)")
        label_neurons(axes, training["neurons"])
    if len(machines) <= _MOST_NAMED:
        handles = {
            text: handle
            for axes in grid.flat
            for handle, text in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        figure.legend(handles.values(), handles.keys(), loc="outside right upper", fontsize=8)
    count = f"{len(machines)} machines" if len(machines) > 1 else "one machine"
    figure.suptitle(
        f"How many times as fast, and how long a training step takes, on {count} (medians, 95% intervals)"
    )
    add_caption(figure, footer)
    return figure


def _lines(axes: Axes, table: pd.DataFrame, kind: str, machines: list[str]) -> None:
    value, low, high = ("ratio", "low", "high") if kind == "ratio" else ("step_s", "step_low", "step_high")
    styles = styles_of(machines)
    for machine, group in table[table[value].notna()].groupby("machine", sort=False):
        own = group.sort_values("neurons")
        is_named = len(machines) <= _MOST_NAMED
        colour, marker = styles[str(machine)] if is_named else (GREY, "")
        errors = [(own[value] - own[low]).fillna(0.0), (own[high] - own[value]).fillna(0.0)]
        axes.errorbar(
            own["neurons"],
            own[value],
            errors if is_named else None,
            color=colour,
            marker=marker,
            linewidth=1.2 if is_named else 0.5,
            capsize=2,
            label=str(machine),
        )
        left_out = own[~own["counts"].isin(["yes", "reference"])]
        axes.plot(left_out["neurons"], left_out[value], "o", color=colour, markersize=10, fillstyle="none")


def _band(axes: Axes, summed: pd.DataFrame, method: str, contender: str) -> None:
    chosen = (
        (summed["method"] == method) & (summed["contender"] == contender) & (summed["measure"] == "training")
    )
    own = summed[chosen & summed["low"].notna()].sort_values("neurons")
    if len(own) == 1:
        (one,) = own.to_dict("records")
        span = [[one["ratio"] - one["low"]], [one["high"] - one["ratio"]]]
        axes.errorbar(one["neurons"], one["ratio"], span, color=GREY, linewidth=6, alpha=0.4, label=_MEAN)
    elif len(own):
        axes.fill_between(
            own["neurons"],
            own["low"],
            own["high"],
            color=GREY,
            alpha=0.2,
            linewidth=0,
            label=_MEAN,
        )


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

    A panel for each shape on which a forward pass was timed, or for every shape if none was.
    """
    forward = table[table["kernel"] == "forward"]
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


def history(table: pd.DataFrame, case: str) -> Figure:
    """Draw the seconds of a step and the speedups against the sweeps, and mark where the machine changes."""
    names = list(dict.fromkeys(table["sweep"]))
    first = table.drop_duplicates("sweep").set_index("sweep")
    styles = styles_of(table["contender"])
    figure = Figure(figsize=(max(8.0, min(16.0, 2.5 + 0.7 * len(names))), 8), layout="constrained")
    steps, ratios = figure.subplots(2, 1, sharex=True)
    for axes, value, low, high in (
        (steps, "step_s", "step_low", "step_high"),
        (ratios, "ratio", "ratio_low", "ratio_high"),
    ):
        for contender, own in table[table[value].notna()].groupby("contender", sort=False):
            colour, marker = styles[str(contender)]
            errors = [(own[value] - own[low]).fillna(0.0), (own[high] - own[value]).fillna(0.0)]
            places = own["sweep"].map(names.index)
            axes.errorbar(places, own[value], errors, color=colour, marker=marker, capsize=3, label=contender)
        if table[value].max() > _WIDE * table[value].min():
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            axes.yaxis.set_minor_formatter(NullFormatter())
        axes.grid(alpha=0.3)
    steps.set_ylabel("training time per step\n(median, 95% interval)")
    steps.yaxis.set_major_formatter(FuncFormatter(duration_tick))
    references = " or ".join(dict.fromkeys(table["reference"]))
    ratios.set_ylabel(f"times as fast as {references}\n(median of the rounds, 95% interval)")
    ratios.yaxis.set_major_formatter(FuncFormatter(lambda value, _: times(value)))
    for place, (one, other) in enumerate(pairwise(names)):
        before, after = first.loc[one], first.loc[other]
        if (before["host"], before["cpu"]) != (after["host"], after["cpu"]):
            for axes in (steps, ratios):
                axes.axvline(place + 0.5, color=GREY, linestyle="--")
            steps.annotate(
                f"from here on {after['host']}: {after['cpu']} ",
                (place + 0.5, 1.0),
                xycoords=("data", "axes fraction"),
                rotation=90,
                ha="right",
                va="top",
                fontsize=7,
            )
    every = -(-len(names) // _MOST_LABELS)
    shown = range(0, len(names), every)
    ratios.set_xticks(
        list(shown), [_sweep_label(names[place], first.loc[names[place]]) for place in shown], fontsize=7
    )
    figure.legend(*steps.get_legend_handles_labels(), loc="outside right center")
    figure.suptitle(f"{case} over {len(names)} sweeps, with their commits (+: with uncommitted changes)")
    machines = dict.fromkeys(f"{one['host']}: {one['cpu']}" for one in first.to_dict("records"))
    add_caption(figure, "; then ".join(machines)[:180])
    return figure


def _sweep_label(sweep: str, about: "pd.Series[str]") -> str:
    commit = short_commit(about["commit"], about["uncommitted_changes"])
    return f"{sweep[:10]}\n{sweep[11:16].replace('-', ':')}\n{commit}"


_MOST_LABELS = 12
"""Of so many sweeps the names have room below a history; of more, some are left out."""


_WIDE = 4.0
"""From this factor between the largest value and the least on an axis is logarithmic."""


def parts(table: pd.DataFrame) -> Figure:
    """Draw a bar for each contender, a panel for each method: shares of the whole, its seconds beside it."""
    methods = [method for method in METHODS if method in set(table["method"])]
    most = table["method"].value_counts().max()
    figure = Figure(figsize=(6.0 * len(methods), 1.8 + 0.42 * most), layout="constrained")
    colours = dict(zip(PARTS, (*(COLOURS[place] for place in (0, 5, 3, 1, 2)), GREY), strict=True))
    for axes, method in zip(figure.subplots(1, len(methods), squeeze=False)[0], methods, strict=True):
        own = table[table["method"] == method].sort_values("whole_s", ascending=False)
        behind = pd.Series(0.0, index=own.index)
        for part in PARTS:
            share = own[f"{part}_s"] / own["whole_s"]
            axes.barh(own["contender"], share, left=behind, color=colours[part], label=part)
            behind += share
        for place, seconds in enumerate(own["whole_s"]):
            axes.text(1.01, place, duration(seconds), va="center", fontsize=9)
        axes.set(title=method, xlim=(0.0, 1.0), xlabel="share of the whole process")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        axes.spines[["top", "right"]].set_visible(False)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(PARTS))
    figure.suptitle(f"Where the time of the article's run goes ({ARTICLE}, 100 samples, 100 epochs)")
    return figure
