"""One case over many sweeps: a table, and a picture of it."""

import math
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from harness.case import Shape
from harness.digits import times
from harness.errors import NothingMeasured
from harness.read.results import understand
from harness.read.style import GREY, add_caption, duration_tick, styles_of
from harness.records import SweepFolder
from harness.rows import Row

COLUMNS = [
    *("sweep", "host", "cpu", "commit", "uncommitted_changes", "contender", "reference"),
    *("step_s", "step_low", "step_high", "ratio", "ratio_low", "ratio_high", "floor", "verdict"),
]
_MOST_LABELS = 12
"""Of so many sweeps the names have room below a picture; of more, some are left out."""
_WIDE = 4.0
"""From this factor between the largest value and the least on an axis is logarithmic."""


def overview(sweep: SweepFolder) -> dict[str, Any]:
    """Return what a list says of a sweep; ``floor`` is the factor of 1 within which the first control is."""
    rows, plan, machine = sweep.rows(), sweep.plan(), sweep.environment()
    names = plan.versions if plan else dict.fromkeys(row.run.contender for row in rows)
    return {
        "sweep": sweep.name,
        "host": str(machine.get("host", "")),
        "commit": str(machine.get("commit") or "")[:7] + ("+" if machine.get("uncommitted_changes") else ""),
        "cases": len({str(row.run.case) for row in rows}),
        "runs": len(rows),
        "failed": sum(row.status not in ("ok", "paused") for row in rows),
        "floor": _floor(sweep, rows),
        "contenders": tuple(names),
    }


def _floor(sweep: SweepFolder, rows: Iterable[Row]) -> float:
    controlled = next((row.run.case for row in rows if row.run.control), None)
    if not controlled:
        return math.nan
    try:
        lines = understand(sweep, only=(controlled.method, controlled.shape)).speedups
    except NothingMeasured:
        return math.nan
    return float(lines["floor"][lines["control"] & (lines["measure"] == "training")].max())


def history(sweeps: Iterable[SweepFolder], method: str, shape: Shape) -> pd.DataFrame:
    """Return a line per sweep and contender, the latest sweep last: seconds of a training step, speedup.

    The reference has no ratio. Sweeps that have no times of the case are left out; raises NothingMeasured if
    none has.
    """
    lines = []
    for sweep in sweeps:
        try:
            results = understand(sweep, only=(method, shape))
        except NothingMeasured:
            continue
        ratios = results.speedups[~results.speedups["control"] & (results.speedups["measure"] == "training")]
        ratio_of = {one["contender"]: one for one in ratios.to_dict("records")}
        machine = results.environment
        for one in results.medians.to_dict("records"):
            ratio = ratio_of.get(one["contender"], {})
            lines.append(
                {
                    "sweep": sweep.name,
                    **{name: machine.get(name) for name in ("host", "cpu", "commit", "uncommitted_changes")},
                    "contender": one["contender"],
                    "reference": results.reference,
                    "step_s": one["median"],
                    "step_low": one["low"],
                    "step_high": one["high"],
                    "ratio": ratio.get("ratio"),
                    "ratio_low": ratio.get("low"),
                    "ratio_high": ratio.get("high"),
                    "floor": ratio.get("floor"),
                    "verdict": ratio.get("verdict", ""),
                }
            )
    if not lines:
        raise NothingMeasured(f"no sweep has a time of {method} {shape}; make sweeps lists them")
    numbers = dict.fromkeys([name for name in COLUMNS if name.startswith(("ratio", "step_", "floor"))], float)
    return pd.DataFrame(lines, columns=COLUMNS).astype(numbers)


def picture(table: pd.DataFrame, case: str) -> Figure:
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
        list(shown), [_label(names[place], first.loc[names[place]]) for place in shown], fontsize=7
    )
    figure.legend(*steps.get_legend_handles_labels(), loc="outside right center")
    figure.suptitle(f"{case} over {len(names)} sweeps, with their commits (+: with uncommitted changes)")
    machines = dict.fromkeys(f"{one['host']}: {one['cpu']}" for one in first.to_dict("records"))
    add_caption(figure, "; then ".join(machines)[:180])
    return figure


def _label(sweep: str, about: "pd.Series[str]") -> str:
    commit = str(about["commit"] or "")[:7] + ("+" if about["uncommitted_changes"] else "")
    return f"{sweep[:10]}\n{sweep[11:16].replace('-', ':')}\n{commit}"
