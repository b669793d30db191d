"""Writes the figures of a sweep into README.md and docs/, and draws the pictures there anew.

    python -m docs.figures [SWEEP]    a folder, such as docs/sweep; or any other name of a sweep

A document has a place for each, between ``<!-- NAME -->`` and ``<!-- /NAME -->``; what stands there is
replaced.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from harness.across import predictions, selfcheck
from harness.analysis import article as claims
from harness.analysis import kernels, parts
from harness.analysis.results import Results, understand
from harness.archive import Archive
from harness.case import METHODS
from harness.claims import load
from harness.paths import RESULTS, ROOT
from harness.records import replace_file
from harness.report import pictures_across, sentences, style, tables, tables_across
from harness.report.pictures import draw
from harness.report.sentences import evidence


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
        figures["kernels"] = tables_across.kernels(table).markdown
        figures[f"{results.path.name}-kernels"] = tables_across.programs_and_kernels(results, table).markdown
    if (docs / "seeds.csv").exists():
        raw = (claims.read(docs / f"{name}.csv", columns) for name, columns in claims.RAW.items())
        figures[f"{results.path.name}-claims"] = tables_across.claims(
            claims.judged(load(), results, *raw)
        ).markdown
    if (docs / "predictions.csv").exists():
        table = predictions.read(docs / "predictions.csv")
        figures |= {"predictions": tables_across.hits(table).markdown, "predicted": sentences.record(table)}
    if (docs / "selfcheck.csv").exists():
        figures["selfcheck"] = sentences.selfcheck(selfcheck.read(docs / "selfcheck.csv"))
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
    return {table.name: table.markdown for table in (*tables.instead(results), tables.fastest(results))}


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
        f" {evidence(results)}"
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
    pictures = {results.path / f"{name}.png": figure for name, figure in draw(results)}
    if (docs / "selfcheck.csv").exists():
        pictures[docs / "selfcheck.png"] = pictures_across.selfcheck(selfcheck.read(docs / "selfcheck.csv"))
    if (docs / "parts.csv").exists():
        pictures[docs / "parts.png"] = pictures_across.parts(parts.parts(parts.read(docs / "parts.csv")))
    for path, figure in pictures.items():
        if path.exists():
            replace_file(path, style.png(figure))
            yield path


if __name__ == "__main__":
    sweep = Archive(RESULTS).find(*sys.argv[1:] or ["latest"])
    for changed in write(understand(sweep), ROOT):
        print(changed)
