"""The picture of several machines: ratios and seconds against neurons, a line a machine. Pure."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from harness.case import METHODS
from harness.digits import times
from harness.read.style import GREY, add_caption, duration_tick, label_neurons, styles_of

_MOST_NAMED = 12
"""Of more machines than there are colours none has one of its own."""
_MOST_RIVALS = 3
_MEAN = "mean, 95% interval"


def picture(table: pd.DataFrame, summed: pd.DataFrame, footer: str) -> Figure:
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
