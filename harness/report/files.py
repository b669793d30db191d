"""Tables as CSV files, for people and for other programs, and as Markdown."""

import json
import math
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import pandas as pd

from harness.analysis import cost
from harness.analysis.results import Results
from harness.digits import three_digits, times
from harness.records import SweepFolder


def write_tables(folder: SweepFolder, results: Results) -> None:
    """Write every table that is computed from the rows."""
    for name, table in (
        ("summary.csv", results.summary),
        ("speedup.csv", results.speedups),
        ("alternatives.csv", results.alternatives),
        ("scaling.csv", results.exponents),
        ("cost.csv", cost.table(results.costs)),
        ("crossover.csv", results.crossovers),
    ):
        folder.write_file(name, csv(table))


def csv(table: pd.DataFrame) -> bytes:
    """Return a table as the bytes of a CSV file, with yes and no as in runs.csv."""
    words = {column: table[column].map({True: "yes", False: "no"}) for column in table.select_dtypes(bool)}
    return (
        table.assign(**{str(column): own for column, own in words.items()})
        .to_csv(index=False, lineterminator="\n")
        .encode()
    )


def markdown(heads: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    """Return a table in Markdown."""
    rows = [list(heads), *map(list, lines)]
    rows.insert(1, ["---"] * len(rows[0]))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def comparison(table: pd.DataFrame, answer: str, how: str) -> str:
    """Return the comparison as markdown, csv or json."""
    if how == "json":
        lines = table.astype(object).where(table.notna(), None).to_dict("records")
        return json.dumps({"answer": answer, "cases": lines}, indent=2)
    if how == "csv":
        return table.to_csv(index=False, lineterminator="\n").removesuffix("\n")
    heads = ["method", "shape", "contender", "measure", "before", "after", "change", "verdict"]
    rows = (
        [
            *(one[name] for name in ("method", "layers", "contender", "measure")),
            *(_side(one, side) for side in ("before", "after")),
            f"{times(one['change'])} ({three_digits(one['low'])} to {three_digits(one['high'])})",
            one["verdict"],
        ]
        for one in table.to_dict("records")
    )
    return f"{answer}\n\n{markdown(heads, rows)}"


def _side(one: Mapping[Hashable, Any], side: str) -> str:
    if math.isnan(one[side]):
        return ""
    low, high = three_digits(one[f"{side}_low"]), three_digits(one[f"{side}_high"])
    return f"{times(one[side])} ({low} to {high})"
