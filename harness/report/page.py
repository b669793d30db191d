"""One page that answers, to be read and sent to others: report.html. Its words are in page.html.j2."""

import base64
import shlex
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from harness import __version__
from harness.across import predictions, selfcheck
from harness.analysis import article
from harness.analysis.frames import only
from harness.analysis.results import Results
from harness.case import METHODS
from harness.digits import between
from harness.errors import NothingMeasured
from harness.report import sentences, tables, tables_across
from harness.report.style import DPI
from harness.table import Table

FILE = "report.html"
_SECTIONS = {
    "sure": "How sure that is",
    "speedups": "How many times as fast",
    "algorithm": "Language and algorithm",
    "growth": "How time grows with the neurons",
    "instead": "What to use instead",
    "claims": "The article",
    "predictions": "Predictions",
    "parts": "Where time goes",
    "memory": "Memory and losses",
    "machine": "The machine",
    "again": "Measure it again",
}
_CSS_DPI = 96
_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def beside(folder: Path, results: Results) -> dict[str, pd.DataFrame]:
    """Return the tables that other commands left in a folder; raise ResultsError for a strange file."""
    found = {
        "selfcheck": selfcheck.read(folder / "selfcheck.csv"),
        "claims": article.read(folder / "claims.csv"),
        "predictions": predictions.read(folder / "predictions.csv"),
    }
    with suppress(NothingMeasured):
        found["parts"] = article.parts(article.read(folder / "parts.csv"), results)
    return {name: table for name, table in found.items() if not table.empty}


def page(results: Results, found: Mapping[str, pd.DataFrame], pictures: Mapping[str, bytes]) -> str:
    """Return the page about a sweep, what was ``found`` beside it, and ``pictures``, PNG files by name."""
    absent = {"claims", "predictions", "parts"} - found.keys()
    absent |= {"instead"} if results.thresholds.empty else set()
    absent |= {"memory"} if not {"memory", "loss"} & pictures.keys() else set()
    return _TEMPLATES.get_template("page.html.j2").render(
        results=results,
        found=found,
        sentences=sentences,
        title=_title(results.contenders),
        tables={table.name: table for table in _tables(results, found) if table.rows},
        sections={name: title for name, title in _SECTIONS.items() if name not in absent},
        methods=list(results.outcomes["method"].unique()),
        pictures={name: _picture(png) for name, png in pictures.items()},
        memory=_memory(results),
        absent=_absent(results, found),
        commands=_commands(results),
        version=__version__,
    )


def _title(contenders: Iterable[str]) -> str:
    names = list(contenders)
    if len(names) > 3:
        names[2:] = [f"{len(names) - 2} others"]
    *first, last = names
    return f"How fast {', '.join(first)} and {last} train" if first else f"How fast {last} trains"


def _tables(results: Results, found: Mapping[str, pd.DataFrame]) -> Iterator[Table]:
    """Yield every table that the page can have, even if empty."""
    for method in METHODS:
        yield tables.speedups(results, method).turned()
    yield tables.methods(results).turned()
    yield from tables.instead(results)
    of_machine = tables.environment, tables.programs
    for of_sweep in (tables.exponents, tables.floors, tables.troubles, tables.left_out, *of_machine):
        yield of_sweep(results)
    for name, of_found in (
        ("claims", tables_across.claims),
        ("predictions", tables_across.hits),
        ("predictions", tables_across.checks),
        ("parts", tables_across.parts),
    ):
        if name in found:
            yield of_found(found[name])


def _picture(png: bytes) -> dict[str, object]:
    # A PNG file begins with its size.
    width, height = (int.from_bytes(png[place : place + 4]) * _CSS_DPI // DPI for place in (16, 20))
    return {"data": base64.b64encode(png).decode(), "width": width, "height": height}


def _memory(results: Results) -> str:
    """Return the range of each contender's peak memory, which no table of the page has."""
    table = only(results.summary, measure="peak_memory_bytes")
    ends = table.groupby("contender", sort=False)["median"].agg(["min", "max"]) / 2**20
    return "; ".join(f"{name} {between(low, high)} MiB" for name, low, high in ends.itertuples()) + "."


def _absent(results: Results, found: Mapping[str, pd.DataFrame]) -> Iterator[tuple[str, str]]:
    """Yield what the page lacks, with the command that makes it."""
    if "selfcheck" not in found:
        yield "How often intervals contain the true ratio on this machine", "make selfcheck"
    if not {"claims", "parts"} <= found.keys():
        yield "The article's claims; where the time of its run goes", "make article"
    if "predictions" not in found:
        yield "How often predictions come true", "make predict ARGS=--check"
    if results.thresholds.empty:
        yield "Alternatives to the fastest contender", "make bench PEERS=1"
    shapes = 'make bench ARGS="--shapes ..."'
    if results.exponents.empty:
        yield "How time grows with the neurons (takes three shapes from 10-5-1 up)", shapes
    if not results.costs:
        yield "From which size on a method overtakes another (takes five shapes)", shapes


def _commands(results: Results) -> list[str]:
    """Return what measures the same again."""
    if "revisions" in results.environment:
        return ["make compare BASE=REVISION"]
    commit, words = (results.environment.get(name) for name in ("commit", "command"))
    lines = [["git", "checkout", commit]] if isinstance(commit, str) else []
    typed = shlex.join(map(str, words)) if isinstance(words, list) else ""
    reference = shlex.join(["--reference", results.reference])
    other = reference if results.reference != results.plan.reference else ""
    for target, flags in (("bench", typed), ("plot", other)):
        lines.append(["make", target, *([f"ARGS={flags}"] if flags else [])])
    return [shlex.join(line) for line in lines]
