"""One page that answers, to be read by people and sent to others: report.html. Pure: results in, text out.

It loads nothing. Its words are in page.html.j2, its numbers are those of ``Results`` and of the tables
beside the sweep.
"""

import base64
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from harness import __version__
from harness.analysis.results import Results
from harness.case import METHODS
from harness.digits import three_digits
from harness.plan import Plan
from harness.report import sentences, tables, tables_across
from harness.report.beside import Beside
from harness.report.sentences import evidence
from harness.report.style import DPI
from harness.table import Table

FILE = "report.html"
_ALTERNATIVES = {
    "scaling": "Time of a training step against neurons. The table of language and algorithm has the times,"
    " the table below the exponents.",
    "speedup": "Speedup against neurons. The tables below have all ratios with their intervals.",
    "methods": "Time of a training step by contender, shape and method. The table below has all times.",
    "memory": "Peak memory against neurons, from the least to the most: ",
    "loss": "Loss during training. The file losses.csv has the losses of all epochs.",
    "parts": "Where the time of the article's run goes. The table below has the seconds of each part.",
}
_CSS_DPI = 96


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture with its alternative in words."""

    name: str
    """Unique on the page."""
    alternative: str
    """What it shows, and where its numbers stand."""
    data: str
    """The PNG file, in base 64."""
    width: int
    """In pixels of the page, of which each has several of the picture."""
    height: int
    """Likewise."""


def page(results: Results, plan: Plan | None, found: Beside, pictures: Mapping[str, bytes]) -> str:
    """Return the page about a sweep, with what ``found`` has beside it.

    ``pictures`` are PNG files by their names without ``.png``, each one of ``scaling``, ``speedup``,
    ``methods``, ``memory``, ``loss`` and ``parts``.
    """
    template = _environment().get_template("page.html.j2")
    return template.render(
        results=results,
        title=_title(results.contenders),
        unfinished=sentences.unfinished(results),
        rivals=list(sentences.rivals(results)),
        overtakings=sentences.overtakings(results.crossovers),
        rounds=sentences.rounds(results),
        evidence=evidence(results),
        marks=list(sentences.marks([*_compared(results), *results.alternatives["verdict"]])),
        selfcheck="" if found.selfcheck is None else sentences.selfcheck(found.selfcheck),
        record="" if found.predictions is None else sentences.record(found.predictions),
        tables={table.name: table for table in _tables(results, plan, found) if table.rows},
        instead=not results.thresholds.empty,
        methods=[method for method in METHODS if method in set(results.outcomes["method"])],
        pictures={name: _picture(results, name, png) for name, png in pictures.items()},
        absent=list(_absent(results, found)),
        commands=_commands(results, plan),
        version=__version__,
    )


def _environment() -> Environment:
    """Return what renders the template: every text is escaped, a name that is not there is an error."""
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _title(contenders: Iterable[str]) -> str:
    names = list(contenders)
    if len(names) > 3:
        names[2:] = [f"{len(names) - 2} others"]
    *first, last = names
    who = f"{', '.join(first)} and {last} train" if first else f"{last} trains"
    return f"How fast {who}"


def _tables(results: Results, plan: Plan | None, found: Beside) -> Iterator[Table]:
    """Yield every table that the page can have, those without a row among them."""
    for method in METHODS:
        yield tables.speedups(results, method).turned()
    yield tables.methods(results).turned()
    yield from tables.instead(results)
    for make in (tables.exponents, tables.floors, tables.troubles):
        yield make(results)
    yield tables.left_out(plan)
    if found.claims is not None:
        yield tables_across.claims(found.claims)
    if found.predictions is not None:
        yield tables_across.hits(found.predictions)
        yield tables_across.checks(found.predictions)
    if found.parts is not None:
        yield tables_across.parts(found.parts)
    yield tables.environment(results)
    yield tables.programs(results)


def _picture(results: Results, name: str, png: bytes) -> Picture:
    # A PNG file begins with its size.
    width, height = (int.from_bytes(png[place : place + 4]) * _CSS_DPI // DPI for place in (16, 20))
    alternative = _ALTERNATIVES[name] + (_memory(results) if name == "memory" else "")
    data = base64.b64encode(png).decode()
    return Picture(name=name, alternative=alternative, data=data, width=width, height=height)


def _memory(results: Results) -> str:
    """Say between what the peak memory of each contender lies: no table of the page has it."""
    table = results.summary[results.summary["measure"] == "peak_memory_bytes"]
    told = []
    for name, own in table.groupby("contender", sort=False)["median"]:
        told.append(f"{name} {three_digits(own.min() / 2**20)} to {three_digits(own.max() / 2**20)} MiB")
    return f"{'; '.join(told)}."


def _compared(results: Results) -> Iterable[str]:
    """Return the verdicts of the ratios."""
    lines = results.speedups
    return [str(word) for word in lines["verdict"][~lines["control"] & (lines["rounds"] > 0)]]


def _absent(results: Results, found: Beside) -> Iterator[tuple[str, str]]:
    """Yield what the page could have and does not, with the command that makes it."""
    if found.selfcheck is None:
        yield "How often the intervals contain the true ratio on this machine", "make selfcheck"
    if found.claims is None or found.parts is None:
        yield (
            "The article's claims, each beside what was measured; where the time of its run goes",
            "make article",
        )
    if found.predictions is None:
        yield "Times of shapes that were not measured, and how often such predictions come true", _CHECK
    if results.thresholds.empty:
        yield "Alternatives to the fastest contender", "make bench PEERS=1"
    if results.exponents.empty:
        yield "How time grows with the neurons: that takes three shapes from 10-5-1 up", _SHAPES
    if not results.costs:
        yield "From which size on somebody overtakes a worse method: that takes five shapes", _SHAPES


_CHECK, _SHAPES = "make predict ARGS=--check", 'make bench ARGS="--shapes ..."'


def _commands(results: Results, plan: Plan | None) -> list[str]:
    """Return what one types to measure the same again, on this machine or on another."""
    if "revisions" in results.environment:
        return ["make compare BASE=REVISION"]
    commit, words = (results.environment.get(name) for name in ("commit", "command"))
    lines = [["git", "checkout", commit]] if isinstance(commit, str) else []
    lines += [["make", "bench", *([f"ARGS={shlex.join(map(str, words))}"] if words else [])]]
    other = plan and results.reference != plan.reference
    lines += [["make", "plot", *([f"ARGS=--reference {shlex.quote(results.reference)}"] if other else [])]]
    return [shlex.join(line) for line in lines]
