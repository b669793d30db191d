"""Tables as CSV files, for people and for other programs, and as Markdown."""

from collections.abc import Iterable

import pandas as pd

from harness.read import cost
from harness.read.results import Results
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
