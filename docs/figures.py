"""Writes the figures of a sweep into README.md and docs/, and draws the pictures there anew.

    python -m docs.figures [SWEEP]    a folder, such as docs/sweep; or any other name of a sweep

A document has a place for each, between ``<!-- NAME -->`` and ``<!-- /NAME -->``; what stands there is
replaced.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from harness.across import predictions, selfcheck
from harness.analysis import article
from harness.analysis.results import Results, understand
from harness.archive import Archive
from harness.case import METHODS
from harness.claims import load
from harness.digits import times
from harness.paths import RESULTS, ROOT
from harness.records import replace_file
from harness.report import pictures, pictures_across, sentences, style, tables, tables_across
from harness.table import Column, Table, factor, seconds, words

PICTURES = {
    "scaling.png": pictures.scaling,
    "speedup.png": pictures.speedup,
    "methods.png": pictures.methods,
}
"""Those of a sweep that a document may show."""
CHECKS = ("selfcheck", "storm")
"""The tables of self-checks."""


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
    in_process, record = pd.read_csv(docs / "kernels.csv"), predictions.read(docs / "predictions.csv")
    raw = (article.read(docs / name) for name in ("storage.csv", "seeds.csv"))
    own = {
        **of_sweep(results),
        "kernels": programs_and_kernels(results, in_process).markdown,
        "claims": tables_across.claims(article.judged(load(), results, *raw)).markdown,
    }
    return {
        **{f"{results.path.name}-{name}": figure for name, figure in own.items()},
        "kernels": tables_across.kernels(in_process).markdown,
        "predictions": tables_across.hits(record).markdown,
        "predicted": sentences.record(record),
        **of_checks(docs),
    }


def of_checks(docs: Path) -> dict[str, str]:
    """Return what the self-checks say, a quiet one and one in a storm."""
    figures = {}
    for name in CHECKS:
        table = selfcheck.read(docs / f"{name}.csv")
        figures[name] = sentences.selfcheck(table)
        figures[f"{name}-table"] = tables_across.selfcheck(selfcheck.shares(table)).markdown
    return figures


def of_sweep(results: Results) -> dict[str, str]:
    """Return what the places of a document that is about a sweep are filled with."""
    figures = {
        "answer": f"**{next(sentences.rivals(results))}**",
        "machine": machine(results),
        "methods": tables.methods(results).markdown,
        "crossovers": "\n".join(
            f"- {line[0].upper()}{line[1:]}." for line in sentences.overtakings(results.crossovers)
        ),
        **of_alternatives(results),
    }
    plain = METHODS[0]
    if plain in set(results.medians["method"]):
        figures[plain] = tables.speedups(results, plain).markdown
    return figures


def of_alternatives(results: Results) -> dict[str, str]:
    """Return the alternatives to the fastest contender, by method, and who is the fastest where."""
    return {table.name: table.markdown for table in (*tables.instead(results), fastest(results))}


def fastest(results: Results) -> Table:
    """Return a row for each case."""
    lines = []
    for (method, layers), own in results.alternatives.groupby(["method", "layers"], sort=False):
        line: dict[str, Any] = {"method": method, "layers": layers}
        for field in ("times_as_long", "job_s"):
            first, *others = own.sort_values(field, kind="stable").to_dict("records")
            behind = [f", then {one['contender']} ({times(one[field] / first[field])})" for one in others[:1]]
            line[field] = "".join([first["contender"], *behind])
        lines.append(line)
    columns = {
        "method": words("method"),
        "shape": words("layers"),
        "shortest step": words("times_as_long"),
        "first to end the job": words("job_s"),
    }
    return Table("fastest", "Who is the fastest where", columns, lines)


def programs_and_kernels(results: Results, table: pd.DataFrame) -> Table:
    """Return a row for each step that was timed both in its program, with losses and printing, and alone."""
    alone = table.set_index(["contender", "kernel", "layers"])["median_s"].to_dict()
    lines = []
    for one in results.medians.to_dict("records"):
        if kernel_s := alone.get((one["contender"], f"step-{one['method']}", one["layers"])):
            lines.append({**one, "kernel_s": kernel_s, "times": one["median"] / kernel_s})
    columns = {
        "": Column("{} {}".format, ("contender", "method")),
        "shape": words("layers"),
        "kernel": seconds("kernel_s"),
        "program": seconds("median"),
        "program / kernel": factor("times"),
    }
    caption = "A training step in the program and alone"
    return Table("programs-and-kernels", caption, columns, lines)


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
        f" {'; '.join([*filter(None, [', '.join(toolchains)]), sentences.rounds(results)])}."
        f" {sentences.evidence(results)}"
    )


def write(results: Results, project: Path) -> Iterator[Path]:
    """Fill the places of README.md and docs/*.md, draw the pictures that are there; yield what changed."""
    docs = project / "docs"
    figures = figures_of(results, docs)
    for path in (project / "README.md", *sorted(docs.glob("*.md"))):
        text = path.read_text(encoding="utf-8")
        if (new := filled(text, figures)) != text:
            replace_file(path, new.encode())
            yield path
    drawn = {
        docs / f"{name}.png": pictures_across.selfcheck(selfcheck.read(docs / f"{name}.csv"))
        for name in CHECKS
    }
    drawn[docs / "parts.png"] = pictures_across.parts(article.parts(article.read(docs / "parts.csv")))
    drawn |= {
        path: PICTURES[path.name](results, style.caption(results))
        for path in results.path.glob("*.png")
        if path.name in PICTURES
    }
    for path, figure in drawn.items():
        replace_file(path, style.png(figure))
        yield path


if __name__ == "__main__":
    sweep = Archive(RESULTS).find(*sys.argv[1:] or ["latest"])
    for changed in write(understand(sweep), ROOT):
        print(changed)
