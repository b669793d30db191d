"""The figures of a sweep in the words of a document: tables and sentences in Markdown. Pure.

A document has a place for each, between ``<!-- NAME -->`` and ``<!-- /NAME -->``; what stands there is
replaced.
"""

import re
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from harness.case import METHODS
from harness.digits import against, duration, three_digits, times
from harness.read import kernels, selfcheck, tables
from harness.read.answer import evidence
from harness.read.exports import markdown
from harness.read.results import Results


def filled(text: str, figures: Mapping[str, str]) -> str:
    """Return ``text`` with every place that ``figures`` names filled anew."""
    for name, figure in figures.items():
        place = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        text = place.sub(lambda match, figure=figure: f"{match[1]}{figure}\n{match[2]}", text)  # type: ignore[misc]
    return text


def figures_of(results: Results, docs: Path) -> dict[str, str]:
    """Return what all places are filled with: from a sweep, and from the tables that lie in ``docs``.

    The places of a sweep begin with the name of its folder.
    """
    figures = {f"{results.path.name}-{name}": figure for name, figure in of_sweep(results).items()}
    if (docs / "kernels.csv").exists():
        table = kernels.read(docs / "kernels.csv")
        figures |= of_kernels(table)
        figures[f"{results.path.name}-kernels"] = _beside_kernels(results, table)
    if (docs / "selfcheck.csv").exists():
        figures["selfcheck"] = selfcheck.sentence(selfcheck.read(docs / "selfcheck.csv"))
    return figures


def of_sweep(results: Results) -> dict[str, str]:
    """Return what the places of a document that is about a sweep are filled with."""
    figures = {
        "answer": f"**{results.answer[0]}**",
        "machine": machine(results),
        "methods": tables.methods(results).markdown,
        "crossovers": "\n".join(f"- {line[0].upper()}{line[1:]}." for line in results.overtakings),
        **of_alternatives(results),
    }
    plain = METHODS[0]
    if plain in set(results.medians["method"]):
        figures |= {plain: tables.speedups(results, plain).markdown, "claims": _claims(results, plain)}
    return figures


def of_alternatives(results: Results) -> dict[str, str]:
    """Return what one would use instead of the fastest contender, by method, and who is the fastest where."""
    figures = {table.name: table.markdown for table in tables.instead(results)}
    figures["fastest"] = markdown(
        ["method", "shape", "shortest step", "next", "first through 10,000 steps with start-up", "next"],
        [
            [str(method), str(layers), *_first_two(own, "times_as_long"), *_first_two(own, "article_s")]
            for (method, layers), own in results.alternatives.groupby(["method", "layers"], sort=False)
        ],
    )
    return figures


def _first_two(own: pd.DataFrame, column: str) -> list[str]:
    """Return who has the least of something, and who is next, how many times as much."""
    first, *others = own.sort_values(column, kind="stable").to_dict("records")
    behind = [f"{one['contender']} ({three_digits(one[column] / first[column])}x)" for one in others[:1]]
    return [first["contender"], *(behind or [""])]


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
        f" {'; '.join([*filter(None, [', '.join(toolchains)]), results.rounds])}."
        f" {evidence(results)}"
    )


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
    return markdown(
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


def _beside_kernels(results: Results, table: pd.DataFrame) -> str:
    """Return the time of a step in a program, with its losses and its printing, beside that in its kernel."""
    alone = table.set_index(["contender", "kernel", "layers"])["median_s"].to_dict()
    lines = []
    for one in results.medians.to_dict("records"):
        kernel_s = alone.get((one["contender"], f"step-{one['method']}", one["layers"]))
        if kernel_s is not None:
            name, times_as_long = f"{one['contender']} {one['method']}", times(one["median"] / kernel_s)
            lines.append([name, one["layers"], duration(kernel_s), duration(one["median"]), times_as_long])
    return markdown(["", "shape", "kernel", "program", "program / kernel"], lines)


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
        "kernels": markdown(heads, lines),
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
