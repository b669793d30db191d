"""The pictures of several sweeps, and of what belongs to none. A machine or a part of a run has a shade."""

from itertools import pairwise
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from harness.across.history import short_commit
from harness.analysis.article import PARTS
from harness.analysis.frames import only
from harness.case import ARTICLE_JOB, ARTICLE_RUN, METHODS
from harness.digits import duration
from harness.report import style
from harness.report.style import GREY, RATIO, Margins, error_bars, framed, label_values

_MOST_RIVALS = 3
_MOST_LABELS = 12
"""The most sweeps whose names are all below a history."""
_STEP = ("step_s", "step_low", "step_high")
_IN_MEAN = ("yes", "reference")


def machines(table: pd.DataFrame, summed: pd.DataFrame, footer: str) -> Figure:
    """Draw the table of ``joined``: a row of panels for each rival's ratio, one for each contender's steps.

    Only three rivals are drawn. Circled values are not in the summary, a band or at one size a bar.
    """
    training = only(table, measure="training")
    summed = only(summed, measure="training").dropna(subset="low").sort_values("neurons")
    present = [method for method in METHODS if method in set(training["method"])]
    order = training.groupby("contender")["ratio"].median().sort_values(ascending=False)
    rivals = list(order.dropna().index[:_MOST_RIVALS])
    references = only(training, counts="reference")["contender"].unique()
    rows = [*((RATIO, name) for name in rivals), *((_STEP, name) for name in [*references, *rivals])]
    names = table["machine"].unique()
    looks = style.styles_of(names, style.shades(len(names)))
    legend = style.entries(names, looks)
    if not training["counts"].isin(_IN_MEAN).all():
        legend.append(style.mark("circled: not in the mean", marker="o", markersize=10, fillstyle="none"))
    if len(summed):
        legend.append(Patch(color=GREY, alpha=0.3, label="mean of the machines, 95% interval"))
    where = f"{len(names)} machines" if len(names) > 1 else "one machine"
    figure, grid = framed(
        f"How many times as fast, and how long a training step takes, on {where} (medians, 95% intervals)",
        footer,
        (len(rows), len(present)),
        panel=(3.6, 2.4),
        margins=Margins(left=1.25),
        between=(0.2, 0.15),
        legend=legend,
        sharex=True,
        sharey="row",
    )
    for (columns, contender), panels in zip(rows, grid, strict=True):
        for axes, method in zip(panels, present, strict=True):
            own, mean = (only(lines, contender=contender, method=method) for lines in (training, summed))
            if columns == RATIO and len(mean) == 1:
                error_bars(axes, mean["neurons"], mean, RATIO, color=GREY, elinewidth=6, alpha=0.4)
            elif columns == RATIO and len(mean):
                look = {"color": GREY, "alpha": 0.2, "linewidth": 0}
                axes.fill_between(mean["neurons"], mean["low"], mean["high"], **look)
            for machine, group in own.groupby("machine", sort=False):
                _line(axes, group, columns, looks[machine])
            style.against_neurons(axes, training["neurons"])
            axes.label_outer()
        if columns == RATIO:
            label_values(panels, f"{contender}\ntimes as fast as {' or '.join(references)}", style.ratio_tick)
        else:
            label_values(panels, f"{contender}\ntraining time per step", style.duration_tick)
    for axes, method in zip(grid[0], present, strict=True):
        axes.set_title(method)
    return figure


def _line(axes: Axes, own: pd.DataFrame, columns: tuple[str, str, str], look: dict[str, Any]) -> None:
    """Draw a machine's values, circled if they are not in the summary."""
    own = own.dropna(subset=columns[0]).sort_values("neurons")
    error_bars(axes, own["neurons"], own, columns, **look)
    left_out = own[~own["counts"].isin(_IN_MEAN)]
    circles = {**look, "marker": "o", "markersize": 10, "fillstyle": "none", "linestyle": ""}
    axes.plot(left_out["neurons"], left_out[columns[0]], **circles)


def selfcheck(table: pd.DataFrame) -> Figure:
    """The intervals of all sweeps by contender and measure; those that miss in black."""
    contenders, measures = table["contender"].unique(), table["measure"].unique()
    figure, grid = framed(
        "95% intervals of each sweep, beside the true ratio, which crosses miss",
        "",
        (len(measures), len(contenders)),
        panel=(1.9, 2.2),
        margins=Margins(left=0.6, above=0.65),
        between=(0.3, 0.95),
        sharey=True,
    )
    for row, measure in zip(grid, measures, strict=True):
        for axes, contender in zip(row, contenders, strict=True):
            own = only(table, contender=contender, measure=measure)
            true = own["true_ratio"].iloc[0]
            percent = {name: (own[name] / true - 1.0) * 100.0 for name in RATIO}
            axes.axvline(0.0, color=GREY, linewidth=1)
            for place, one in enumerate(own.assign(**percent).to_dict("records"), start=1):
                colour, marker, size = (GREY, "o", 2) if one["contains"] else ("black", "X", 5)
                axes.plot([one["low"], one["high"]], [place] * 2, color=colour)
                axes.plot(one["ratio"], place, marker, color=colour, markersize=size)
            count = int(own["contains"].sum())
            what = f"{contender}\nagainst {own['reference'].iloc[0]}, {measure}"
            axes.set_title(f"{what}\n{count} of {len(own)} contain {true:.3g}x", fontsize=8)
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:+g}%" if value else "0")
            axes.xaxis.set_major_locator(MaxNLocator(3))
            axes.yaxis.set_major_locator(MaxNLocator(integer=True))
            axes.grid(alpha=0.3, axis="x")
        row[0].set_ylabel("sweep")
    for axes in grid[-1]:
        axes.set_xlabel("beside the true ratio")
    return figure


def history(table: pd.DataFrame, case: str) -> Figure:
    """Draw steps and speedups against the sweeps, and mark where the machine changes."""
    about = table.drop_duplicates("sweep").to_dict("records")
    places = {one["sweep"]: place for place, one in enumerate(about)}
    hosts = [f"{one['host']}: {one['cpu']}" for one in about]
    styles = style.styles_of(table["contender"])
    figure, ((steps,), (ratios,)) = framed(
        f"{case} over {len(about)} sweeps, with their commits (+: with uncommitted changes)",
        "; then ".join(dict.fromkeys(hosts))[:180],
        (2, 1),
        panel=(min(14.0, 0.5 + 0.7 * len(about)), 3.0),
        margins=Margins(below=0.65),
        between=(0.0, 0.2),
        legend=style.entries(table["contender"], styles),
        sharex=True,
    )
    for axes, columns in ((steps, _STEP), (ratios, ("training_ratio", "training_low", "training_high"))):
        for contender, own in table.dropna(subset=columns[0]).groupby("contender", sort=False):
            look = {"label": contender, **styles[contender]}
            error_bars(axes, own["sweep"].map(places), own, columns, **look)
        axes.set_yscale("log")
        style.log_ticks(axes.yaxis, style.duration_tick if axes is steps else style.ratio_tick)
        axes.grid(alpha=0.3)
    steps.set_ylabel("training time per step\n(median, 95% interval)")
    references = " or ".join(table["reference"].unique())
    ratios.set_ylabel(f"times as fast as {references}\n(median of the rounds, 95% interval)")
    for place, (before, after) in enumerate(pairwise(hosts)):
        if before != after:
            for axes in (steps, ratios):
                axes.axvline(place + 0.5, color=GREY, linestyle="--")
            look = {"rotation": 90, "ha": "right", "va": "top", "fontsize": 7}
            top = steps.get_xaxis_transform()
            steps.text(place + 0.5, 1.0, f"from here on {after} ", transform=top, **look)
    shown = about[:: -(-len(about) // _MOST_LABELS)]
    moments = [(one["sweep"][:10], one["sweep"][11:16].replace("-", ":")) for one in shown]
    labels = [f"{day}\n{hour}\n{short_commit(one)}" for (day, hour), one in zip(moments, shown, strict=True)]
    ratios.set_xticks([places[one["sweep"]] for one in shown], labels, fontsize=7)
    return figure


def parts(table: pd.DataFrame) -> Figure:
    """Draw shares of the whole, a panel per method, a bar with its seconds per contender."""
    beside = 0.35 + 0.085 * table["contender"].str.len().max()
    colours = dict(zip(PARTS, style.shades(len(PARTS)), strict=True))
    figure, panels = style.by_method(
        f"Where the time of the article's run goes ({ARTICLE_RUN.shape}, {ARTICLE_JOB.in_words};"
        " hatched: no more than noise)",
        "",
        table,
        sharey=False,
        panel=(4.4, 0.2 + 0.4 * table["method"].value_counts().max()),
        margins=Margins(left=beside, right=0.8),
        between=(0.8 + beside, 0.0),
        legend=[Patch(color=colour, label=part) for part, colour in colours.items()],
    )
    for _, axes, lines in panels:
        own = lines.sort_values("whole_s", ascending=False)
        behind = pd.Series(0.0, index=own.index)
        for part in PARTS:
            share = own[f"{part}_s"] / own["whole_s"]
            hatches = ["////" if part in noise else "" for noise in own["noise"]]
            axes.barh(own["contender"], share, left=behind, color=colours[part], hatch=hatches)
            behind += share
        for place, seconds in enumerate(own["whole_s"]):
            axes.text(1.01, place, duration(seconds), va="center", fontsize=9)
        axes.set(xlim=(0.0, 1.0), xlabel="share of the whole run")
        axes.xaxis.set_major_formatter(lambda value, _: f"{style.number_tick(100 * value)}%")
        axes.spines[["top", "right"]].set_visible(False)
    return figure
