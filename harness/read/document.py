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
from harness.claims import load
from harness.digits import MARKS, duration, ratio, three_digits, times
from harness.read import alternatives, claims, kernels, predictions, selfcheck
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
        figures["kernels"] = of_kernels(table)
        figures[f"{results.path.name}-kernels"] = _beside_kernels(results, table)
    if (docs / "seeds.csv").exists():
        raw = (claims.read(docs / f"{name}.csv", columns) for name, columns in claims.RAW.items())
        figures[f"{results.path.name}-claims"] = of_claims(claims.judged(load(), results, *raw))
    if (docs / "predictions.csv").exists():
        table = predictions.read(docs / "predictions.csv")
        figures |= {"predictions": of_predictions(table), "predicted": predictions.sentence(table)}
    if (docs / "selfcheck.csv").exists():
        figures["selfcheck"] = selfcheck.sentence(selfcheck.read(docs / "selfcheck.csv"))
    return figures


def of_sweep(results: Results) -> dict[str, str]:
    """Return what the places of a document that is about a sweep are filled with."""
    figures = {
        "answer": f"**{results.answer[0]}**",
        "machine": machine(results),
        "methods": _methods(results),
        "crossovers": "\n".join(f"- {line[0].upper()}{line[1:]}." for line in results.overtakings),
        **of_alternatives(results),
    }
    plain = METHODS[0]
    if plain in set(results.medians["method"]):
        figures[plain] = speedups(results, plain)
    return figures


def of_alternatives(results: Results) -> dict[str, str]:
    """Return what one would use instead of the fastest contender, by method, and who is the fastest where."""
    table, since = results.alternatives, results.thresholds
    figures = {}
    for method, own in since.groupby("method", sort=False):
        lines = table[table["method"] == method]
        shapes, name = list(dict.fromkeys(lines["layers"])), lines["fastest"].iloc[0]
        cells = {
            (one["contender"], one["layers"]): f"{three_digits(one['times_as_long'])}{_doubt(one, name)}"
            for one in lines.to_dict("records")
        }
        order = {contender: part["times_as_long"].iloc[-1] for contender, part in lines.groupby("contender")}
        # Where the reference is the fastest, nobody can be ahead of the one and behind the other.
        compiles = bool(own["compile_s"].any())
        columns = alternatives.SINCE if name != results.reference else ("ties_from",)
        rows = []
        for one in sorted(own.to_dict("records"), key=lambda one: order[one["contender"]]):
            contender = one["contender"]
            worst = set(lines["parity"][lines["contender"] == contender]) - {"identical"}
            compiling = duration(one["compile_s"]) if one["compile_s"] else ""
            rows.append(
                [
                    contender,
                    *(cells.get((contender, shape), "") for shape in shapes),
                    duration(one["startup_s"]),
                    *([compiling] if compiles else []),
                    *("" if pd.isna(one[column]) else f"{one[column]:.0f}" for column in columns),
                    "agree" if worst else "identical",
                ]
            )
        words = {"beats_from": f"beats {results.reference} from", "pays_from": "pays from"}
        heads = [words.get(column, f"ties with {name} from") for column in columns]
        starts = ["start-up", *(["compiling"] if compiles else [])]
        heads = [f"times {name}'s step", *shapes, *starts, *heads, "losses"]
        figures[f"instead-{method}"] = markdown(heads, rows)
    figures["fastest"] = markdown(
        ["method", "shape", "shortest step", "next", "first through 10,000 steps with start-up", "next"],
        [
            [str(method), str(layers), *_first_two(own, "times_as_long"), *_first_two(own, "article_s")]
            for (method, layers), own in table.groupby(["method", "layers"], sort=False)
        ],
    )
    return figures


def _doubt(one: Mapping[Hashable, Any], name: str) -> str:
    return "" if one["contender"] == name else MARKS.get(one["verdict"], "")


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
        f" {results.answer[-1].partition(' Tables: ')[0]}"
    )


def speedups(results: Results, method: str) -> str:
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
    return markdown(["shape", *results.contenders, *heads], lines)


def _methods(results: Results) -> str:
    """Return a line a shape: the time of a step by contender and method."""
    seconds = _seconds(results)
    lanes = list(dict.fromkeys((name, method) for name, method, _ in seconds))
    shapes = sorted({shape for *_, shape in seconds}, key=list(results.medians["layers"]).index)
    lines = [[shape, *(seconds.get((*lane, shape), "") for lane in lanes)] for shape in shapes]
    return markdown(["shape", *(f"{name} {method}" for name, method in lanes)], lines)


def of_claims(table: pd.DataFrame) -> str:
    """Return what the article says beside what was measured."""
    lines = ([one["says"], one["verdict"], one["figure"]] for one in table.to_dict("records"))
    return markdown(["the article", "verdict", "measured (95% interval)"], lines)


def of_predictions(table: pd.DataFrame) -> str:
    """Return how often predictions held, by contender and method."""
    lines = [
        [
            one["contender"],
            one["method"],
            f"{one['hits']} of {one['checks']} ({one['low']:.0%} to {one['high']:.0%})",
            f"{one['median_error']:.1%}",
            f"{three_digits(one['farthest'])}x",
        ]
        for one in predictions.hits(table).to_dict("records")
    ]
    return markdown(["contender", "method", "intervals that held", "median error", "farthest"], lines)


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


def of_kernels(table: pd.DataFrame) -> str:
    """Return what the place of a document about the kernels is filled with."""
    lines = [
        [
            one["contender"],
            f"`{one['kernel']}`",
            one["layers"],
            duration(one["median_s"]),
            "" if pd.isna(one["times_as_fast"]) else f"{times(one['times_as_fast'])} `{one['against']}`",
            "" if pd.isna(one["ns_per_parameter"]) else f"{one['ns_per_parameter']:.2f}",
            "" if pd.isna(one["share_of_peak"]) else f"{one['share_of_peak']:.0%}",
        ]
        for one in table.to_dict("records")
    ]
    heads = ["by", "kernel", "shape", "median", "times as fast as", "ns per parameter", "of peak"]
    return markdown(heads, lines)


def _seconds(results: Results) -> dict[tuple[str, str, str], str]:
    return {
        (one["contender"], one["method"], one["layers"]): duration(one["median"])
        for one in results.medians.sort_values(
            "contender", key=lambda names: names.map(results.contenders.index), kind="stable"
        ).to_dict("records")
    }
