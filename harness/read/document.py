"""The figures of a sweep in the words of a document: tables and sentences in Markdown. Pure.

A document has a place for each, between ``<!-- NAME -->`` and ``<!-- /NAME -->``; what stands there is
replaced.
"""

import re
from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from harness.case import METHODS
from harness.digits import against, duration, ratio, three_digits, times
from harness.read import kernels, selfcheck
from harness.read.results import Results


def filled(text: str, figures: Mapping[str, str]) -> str:
    """Return ``text`` with every place that ``figures`` names filled anew."""
    for name, figure in figures.items():
        place = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        text = place.sub(lambda match, figure=figure: f"{match[1]}{figure}\n{match[2]}", text)  # type: ignore[misc]
    return text


def figures_of(results: Results, docs: Path) -> dict[str, str]:
    """Return what all places are filled with: from a sweep, and from the tables that lie in ``docs``."""
    figures = of_sweep(results)
    if (docs / "kernels.csv").exists():
        figures |= of_kernels(kernels.read(docs / "kernels.csv"))
    if (docs / "selfcheck.csv").exists():
        figures["selfcheck"] = selfcheck.sentence(selfcheck.read(docs / "selfcheck.csv"))
    return figures


def of_sweep(results: Results) -> dict[str, str]:
    """Return what the places of a document that is about a sweep are filled with."""
    plain = METHODS[0]
    return {
        "answer": f"**{results.answer[0]}**",
        "machine": machine(results),
        plain: _speedups(results, plain),
        "methods": _methods(results),
        "crossovers": "\n".join(f"- {line[0].upper()}{line[1:]}." for line in results.crossovers),
        "claims": _claims(results, plain),
    }


def machine(results: Results) -> str:
    """Return on what machine, with which programs, how often, with what outcome was measured."""
    where = results.environment
    toolchains = [
        str(about["toolchain"]).splitlines()[0].partition(" (")[0]
        for about in where["contenders"].values()
        if about["toolchain"] and about["build"]
    ]
    python = str(where["python"])
    if "--enable-optimizations" not in str(where["python_build_options"]):
        python += " built without profile-guided optimisation"
    return (
        f"One `make bench` on {where['cpu']}, {where['usable_cores']} cores, {where['system']}, {python},"
        f" {', '.join(toolchains)}; {results.rounds}. {results.answer[-1].partition(' Tables: ')[0]}"
    )


def _speedups(results: Results, method: str) -> str:
    """Return a line a shape: everybody's time, and each rival's ratios."""
    own = results.speedups[(results.speedups["method"] == method) & ~results.speedups["control"]]
    rivals = list(dict.fromkeys(own["contender"]))
    seconds = _seconds(results)
    ratios = {(one["layers"], one["contender"], one["measure"]): one for one in own.to_dict("records")}
    lines = []
    for shape in dict.fromkeys(own["layers"]):
        cells = [shape, *(seconds.get((name, method, shape), "") for name in results.contenders)]
        for name in rivals:
            for measure in ("training", "process"):
                one = ratios.get((shape, name, measure), {})
                reason = str(one.get("verdict", "")).replace("cannot tell", "")
                cells.append(ratio(one) if one.get("rounds") else reason)
        lines.append(cells)
    heads = [part for name in rivals for part in (f"{name}, training", f"{name}, whole process")]
    return _table(["shape", *results.contenders, *heads], lines)


def _methods(results: Results) -> str:
    """Return a line a shape: the time of a step by contender and method."""
    seconds = _seconds(results)
    lanes = list(dict.fromkeys((name, method) for name, method, _ in seconds))
    shapes = sorted({shape for *_, shape in seconds}, key=list(results.medians["layers"]).index)
    lines = [[shape, *(seconds.get((*lane, shape), "") for lane in lanes)] for shape in shapes]
    return _table(["shape", *(f"{name} {method}" for name, method in lanes)], lines)


def _claims(results: Results, method: str) -> str:
    """Return what the article says beside what the sweep shows."""
    powers = {
        one["contender"]: one for one in results.exponents.to_dict("records") if one["method"] == method
    }
    grows = ", ".join(
        f"{one['exponent']:.2f} ({one['low']:.2f} to {one['high']:.2f}) for {name}{_bent(one)}"
        for name, one in powers.items()
    )
    counted = next((f"{one['counted_exponent']:.2f}" for one in powers.values()), "")
    own = results.speedups[(results.speedups["method"] == method) & ~results.speedups["control"]]
    ranges = {
        measure: f"{three_digits(part['ratio'].min())} to {three_digits(part['ratio'].max())} times"
        for measure, part in own.groupby("measure")
    }
    return _table(
        ["the article", "measured"],
        [
            [
                "Python slows down as neurons are added",
                f"Everybody does. With `{method}`, the time of a step grows as neurons to the power of"
                f" {grows}; the count of multiply-adds has {counted}.",
            ],
            [
                "Rust raises the speed",
                f"By {ranges['training']} in training with `{method}`, by {ranges['process']} for the whole"
                " process.",
            ],
        ],
    )


def _bent(one: Mapping[Hashable, Any]) -> str:
    """Say from which size on the power holds, if not from the first."""
    start = one["straight_from_neurons"]
    if start == one["fewest_neurons"]:
        return ""
    return ", which is no power law" if pd.isna(start) else f", a power law from {start:.0f} neurons on"


def of_kernels(table: pd.DataFrame) -> dict[str, str]:
    """Return what the places of a document about the kernels are filled with."""
    lines, missed = [], []
    for one in table.to_dict("records"):
        factor, per_parameter = one["times_as_fast"], one["ns_per_parameter"]
        lines.append(
            [
                one["contender"],
                f"`{one['kernel']}`",
                one["layers"],
                duration(one["median_s"]),
                against(one["target_times_as_fast"], factor, times(factor)),
                against(one["target_ns_per_parameter"], per_parameter, f"{per_parameter:.2f}"),
                "" if pd.isna(one["share_of_peak"]) else f"{one['share_of_peak']:.0%}",
            ]
        )
        name = f"{one['contender']} `{one['kernel']}` at {one['layers']}"
        if factor < one["target_times_as_fast"]:
            missed.append(
                f"- {name}: {times(factor)} against {one['against']}, {one['target_times_as_fast']:g}x wanted"
            )
        if per_parameter > one["target_ns_per_parameter"]:
            wanted = f"{one['target_ns_per_parameter']:g} ns"
            missed.append(f"- {name}: {per_parameter:.2f} ns per parameter, {wanted} wanted")
    heads = ["by", "kernel", "shape", "median", "times as fast", "ns per parameter", "of peak"]
    return {
        "kernels": _table(heads, lines),
        "missed": "\n".join(missed) or "- Nothing.",
        "flat": _flat(table),
    }


def _flat(table: pd.DataFrame) -> str:
    """Return how long a forward pass takes with the weights in one flat vector and in nested rows."""
    seconds = table.set_index(["kernel", "contender", "layers"])["median_s"]
    parts = [
        f"{duration(flat)} flat and {duration(nested)} nested at {layers} in {contender}"
        for (contender, layers), flat in seconds.get("forward-flat", pd.Series(dtype=float)).items()
        if (nested := seconds.get(("forward-nested", contender, layers))) is not None
    ]
    return f"A forward pass takes {'; '.join(parts)}."


def _seconds(results: Results) -> dict[tuple[str, str, str], str]:
    return {
        (one["contender"], one["method"], one["layers"]): duration(one["median"])
        for one in results.medians.sort_values(
            "contender", key=lambda names: names.map(results.contenders.index), kind="stable"
        ).to_dict("records")
    }


def _table(heads: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    rows = [list(heads), *map(list, lines)]
    rows.insert(1, ["---"] * len(rows[0]))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
