"""The tables that people read, as heads and rows: for documents in Markdown, and for the report. Pure."""

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from harness.analysis import alternatives, cost
from harness.analysis.results import LEFT_OUT, Results
from harness.digits import MARKS, duration, ratio, three_digits
from harness.report.files import markdown

_MOST_COLUMNS = 8
"""A table of shapes with more is turned on its side if that makes it narrower."""


class Cell(NamedTuple):
    """What stands in a cell, and the exact number that it rounds: seconds, bytes, a ratio; None for words."""

    text: str
    value: float | None = None


EMPTY = Cell("")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table, the first column of which names its rows."""

    name: str
    """Unique on a page; letters, digits and dashes."""
    caption: str
    """What is seen, in a sentence without its full stop."""
    heads: tuple[str, ...]
    """Names of the columns."""
    rows: tuple[tuple[Cell, ...], ...]
    """As many cells each as there are heads."""
    source: str = ""
    """The CSV file that has the same numbers with all their digits."""

    @property
    def markdown(self) -> str:
        """The table in Markdown, without the exact numbers."""
        return markdown(self.heads, ((cell.text for cell in row) for row in self.rows))

    @property
    def numeric(self) -> tuple[bool, ...]:
        """For each column whether more of its cells are numbers than words."""
        filled = ([cell for cell in column if cell.text] for column in zip(*self.rows, strict=True))
        return tuple(2 * sum(cell.value is not None for cell in cells) > len(cells) for cells in filled)

    def narrowed(self) -> "Table":
        """Return a wide table of shapes with rows and columns swapped, if that leaves fewer columns.

        Rows that are then empty are left out.
        """
        if not self.rows or len(self.heads) <= max(_MOST_COLUMNS, len(self.rows) + 1):
            return self
        columns = zip(*self.rows, strict=True)
        heads = self.heads[0], *(cell.text for cell in next(columns))
        rows = tuple(
            (Cell(head), *cells)
            for head, cells in zip(self.heads[1:], columns, strict=True)
            if any(cell.text for cell in cells)
        )
        return Table(name=self.name, caption=self.caption, heads=heads, rows=rows, source=self.source)


def _seconds(value: float) -> Cell:
    return EMPTY if pd.isna(value) else Cell(duration(value), value)


def _neurons(value: float, none: str = "") -> Cell:
    return Cell(none) if pd.isna(value) else Cell(f"{value:.0f}", value)


def _step_times(results: Results) -> dict[tuple[str, str, str], Cell]:
    """Return the time of a step by contender, method and shape, in the contenders' order."""
    ordered = results.medians.sort_values(
        "contender", key=lambda names: names.map(results.contenders.index), kind="stable"
    )
    return {
        (one["contender"], one["method"], one["layers"]): Cell(
            duration(one["median"]) + ("" if one["status"] == "ok" else " (other losses)"), one["median"]
        )
        for one in ordered.to_dict("records")
    }


def speedups(results: Results, method: str) -> Table:
    """Return a row a shape: everybody's time of a step, and each rival's ratios."""
    own = results.speedups[(results.speedups["method"] == method) & ~results.speedups["control"]]
    rivals = list(dict.fromkeys(own["contender"]))
    steps = _step_times(results)
    ratios = {(one["layers"], one["contender"], one["measure"]): one for one in own.to_dict("records")}
    rows = []
    for shape in dict.fromkeys(own["layers"]):
        cells = [Cell(shape), *(steps.get((name, method, shape), EMPTY) for name in results.contenders)]
        for name in rivals:
            for measure in ("training", "process"):
                one = ratios.get((shape, name, measure), {})
                reason = str(one.get("verdict", "")).replace("cannot tell", "")
                cells.append(Cell(ratio(one), one["ratio"]) if one.get("rounds") else Cell(reason))
        rows.append(tuple(cells))
    heads = [part for name in rivals for part in (f"{name}, training", f"{name}, whole process")]
    return Table(
        name=f"speedup-{method}",
        caption=f"{method}: time of a training step, and times as fast as {results.reference}"
        " with 95% intervals",
        heads=("shape", *results.contenders, *heads),
        rows=tuple(rows),
        source="speedup.csv",
    )


def methods(results: Results) -> Table:
    """Return a row a shape: the time of a step by contender and method."""
    steps = _step_times(results)
    lanes = list(dict.fromkeys((name, method) for name, method, _ in steps))
    shapes = sorted({shape for *_, shape in steps}, key=list(results.medians["layers"]).index)
    return Table(
        name="methods",
        caption="Time of a training step by contender and method (median)",
        heads=("shape", *(f"{name} {method}" for name, method in lanes)),
        rows=tuple((Cell(shape), *(steps.get((*lane, shape), EMPTY) for lane in lanes)) for shape in shapes),
        source="summary.csv",
    )


def instead(results: Results) -> Iterator[Table]:
    """Yield for each method what one would use instead of the fastest contender; nothing for two or fewer."""
    table = results.alternatives
    for word, own in results.thresholds.groupby("method", sort=False):
        method = str(word)
        lines = table[table["method"] == method]
        shapes, name = list(dict.fromkeys(lines["layers"])), lines["fastest"].iloc[0]
        cells = {
            (one["contender"], one["layers"]): Cell(
                f"{three_digits(one['times_as_long'])}{_doubt(one, name)}", one["times_as_long"]
            )
            for one in lines.to_dict("records")
        }
        order = {contender: part["times_as_long"].iloc[-1] for contender, part in lines.groupby("contender")}
        compiles = bool(own["compile_s"].any())
        # If the reference is the fastest, nobody can be ahead of the one and behind the other.
        columns = alternatives.SINCE if name != results.reference else ("ties_from",)
        rows = []
        for one in sorted(own.to_dict("records"), key=lambda one: order[one["contender"]]):
            contender = one["contender"]
            worst = set(lines["parity"][lines["contender"] == contender]) - {"identical"}
            rows.append(
                (
                    Cell(contender),
                    *(cells.get((contender, shape), EMPTY) for shape in shapes),
                    _seconds(one["startup_s"]),
                    *([_seconds(one["compile_s"]) if one["compile_s"] else EMPTY] if compiles else []),
                    *(_neurons(one[column]) for column in columns),
                    Cell("agree" if worst else "identical"),
                )
            )
        words = {"beats_from": f"beats {results.reference} from", "pays_from": "pays from"}
        since = [words.get(column, f"ties with {name} from") for column in columns]
        starts = ["start-up", *(["compiling"] if compiles else [])]
        yield Table(
            name=f"instead-{method}",
            caption=f"{method}: a training step takes so many times as long as {name}'s; from so many neurons"
            " on a contender is worth it",
            heads=(f"times {name}'s step", *shapes, *starts, *since, "losses"),
            rows=tuple(rows),
            source="alternatives.csv",
        )


def _doubt(one: Mapping[Hashable, Any], name: str) -> str:
    return "" if one["contender"] == name else MARKS.get(one["verdict"], "")


def exponents(results: Results) -> Table:
    """Return a row for each contender and method: the power of the neurons with which a step grows."""
    return Table(
        name="exponents",
        caption="The time of a training step grows as neurons to the power of",
        heads=("contender", "method", "power", "95% interval", "by count", "neurons", "straight from"),
        rows=tuple(
            (
                Cell(one["contender"]),
                Cell(one["method"]),
                Cell(f"{one['exponent']:.2f}", one["exponent"]),
                EMPTY if pd.isna(one["low"]) else Cell(f"{one['low']:.2f} to {one['high']:.2f}", one["low"]),
                Cell(f"{one['counted_exponent']:.2f}", one["counted_exponent"]),
                Cell(f"{one['fewest_neurons']} to {one['most_neurons']}", one["fewest_neurons"]),
                _neurons(one["straight_from_neurons"], "nowhere"),
            )
            for one in results.exponents.to_dict("records")
        ),
        source="scaling.csv",
    )


_KINDS = {
    "training": "is faster in training than",
    "process": "is faster as a whole process than",
    "start-up": "spends less than a tenth of the process on start-up",
}


def crossovers(results: Results) -> Table:
    """Return a row for each size from which on something holds, or never does."""
    rows = []
    for one in results.crossovers.to_dict("records"):
        nowhere = f"nowhere up to {one['most_neurons']:.0f}"
        high = "beyond" if pd.isna(one["high"]) else f"{one['high']:.0f}"
        is_known = not pd.isna(one["neurons"])
        rows.append(
            (
                Cell(f"{one['contender']}, {one['method']}"),
                Cell(_KINDS[one["kind"]]),
                Cell(", ".join(filter(None, (one["than_contender"], one["than_method"])))),
                _neurons(one["neurons"], nowhere),
                Cell(f"{one['low']:.0f} to {high}", one["low"]) if is_known else EMPTY,
            )
        )
    return Table(
        name="crossovers",
        caption="From how many neurons on; the process is the article's, 100 epochs of 100 samples",
        heads=("who, method", "what holds", "than", "from neurons", "95% interval"),
        rows=tuple(rows),
        source="crossover.csv",
    )


def costs(results: Results) -> Table:
    """Return a row for each model: nanoseconds of every term, and how wrong it is at sizes left out."""
    table = cost.table(results.costs)
    terms = [term for term in cost.TERMS if (table[f"{term}_ns"] > 0.0).any()]
    return Table(
        name="costs",
        caption="What a training step is made of: nanoseconds of each thing that is counted",
        heads=(
            *("contender", "method", *(f"ns a {_singular(term)}" for term in terms)),
            *("start-up", "sizes", "error"),
        ),
        rows=tuple(
            (
                Cell(one["contender"]),
                Cell(one["method"]),
                *(_nanoseconds(one[f"{term}_ns"]) for term in terms),
                _seconds(one["fixed_startup_s"]),
                Cell(str(one["sizes"]), one["sizes"]),
                Cell(f"{one['error']:.1%}", one["error"]),
            )
            for one in table.to_dict("records")
        ),
        source="cost.csv",
    )


_SINGULAR = {
    "layers": "layer",
    "parameters": "parameter",
    "later_parameters": "parameter after the first layer",
    "sums": "sum",
    "differences": "squared difference",
    "additions": "addition",
    "multiply_adds": "multiply-add",
    "chain": "addition in series",
    "vectors": "vector",
    "vector_parameters": "vector of parameters",
}


def _singular(term: str) -> str:
    """Return what one of a term of the model is called: a multiply-add beyond 256 KiB, a term beyond 32."""
    if term in _SINGULAR:
        return _SINGULAR[term]
    _, size, unit = term.split("_")
    return f"multiply-add beyond {size} KiB" if unit == "kib" else f"term of a sum beyond {size}"


def _nanoseconds(value: float) -> Cell:
    """Write the cost of a term; one that the data do not support is dropped."""
    return Cell(three_digits(value), value) if value > 0.0 else Cell("dropped")


def floors(results: Results) -> Table:
    """Return a row for each control: the factor of 1 within which a contender against itself lies."""
    own = results.speedups[results.speedups["control"] & (results.speedups["rounds"] > 1)]
    found = {(one["method"], one["layers"], one["measure"]): one for one in own.to_dict("records")}
    return Table(
        name="floors",
        caption="The floor: within this factor of 1 lies a contender against itself, so smaller differences"
        " are called none",
        heads=("method", "shape", "contender", "training", "whole process"),
        rows=tuple(
            (
                Cell(method),
                Cell(shape),
                Cell(found[method, shape, "training"]["contender"]),
                *(
                    Cell(
                        f"{found[method, shape, measure]['floor']:.3f}",
                        found[method, shape, measure]["floor"],
                    )
                    for measure in ("training", "process")
                ),
            )
            for method, shape in dict.fromkeys((method, shape) for method, shape, _ in found)
        ),
        source="speedup.csv",
    )


def troubles(results: Results) -> Table:
    """Return a row for everybody on a case who failed, or had other losses, or was never run."""
    errors = results.cut_offs.set_index(["method", "layers", "contender"])["error"].to_dict()
    became = results.outcomes
    wrong = became[
        ~became["status"].isin(["ok", LEFT_OUT]) | (became["differing"] > 0) | (became["failure"] != "")
    ]
    rows = []
    for one in wrong.to_dict("records"):
        who = f"{one['contender']} (control)" if one["control"] else one["contender"]
        said = errors.get((one["method"], one["layers"], one["contender"]), "") if one["failure"] else ""
        parity = one["parity"] if one["differing"] else ""
        what = one["failure"] or ("mismatch" if one["differing"] else one["status"])
        rows.append((Cell(who), Cell(one["method"]), Cell(one["layers"]), Cell(what), Cell(said or parity)))
    return Table(
        name="troubles",
        caption="What failed, had other losses or was not run; none of these is in a ratio",
        heads=("contender", "method", "shape", "what", "what it said"),
        rows=tuple(rows),
        source="runs.csv",
    )
