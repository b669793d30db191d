"""Comparisons of two revisions with a known difference between them: a table of docs/method.md.

docs/comparisons.csv has what each comparison said of each case in training, with a margin of 5%: two sets
of links of one revision, and links of one in which Rust's naive step makes the passes of a tenth of the
parameters twice. ``python -m tests.comparisons`` prints the table.
"""

import numpy as np
import pandas as pd

from harness.across.comparison import SURE
from harness.paths import ROOT
from harness.table import Table, words

CHANGED = "naive"


def table() -> str:
    """Return how often a planted difference was found, and how often anybody else was accused."""
    found = pd.read_csv(ROOT / "docs" / "comparisons.csv")
    rows = []
    for planted, own in found.groupby("planted"):
        gates = own.groupby("comparison")["slower_than_margin_p"].min() < SURE
        others = own if planted == 0.0 else own[own["method"] != CHANGED]
        changed = own[own["method"] == CHANGED]
        rows.append(
            {
                "planted": f"{planted:.0%}",
                "comparisons": str(len(gates)),
                "ended with status 1": f"{int(gates.sum())}",
                f"{CHANGED}: mean change": f"{np.exp(np.log(changed['change']).mean()):.3f}x",
                f"{CHANGED}: called slower": f"{(changed['verdict'] == 'slower').sum()} of {len(changed)}",
                "false verdicts": f"{others['verdict'].isin(['slower', 'faster']).sum()} of {len(others)}",
            }
        )
    return Table("comparisons", "", {head: words(head) for head in rows[0]}, rows).turned(most=2).markdown


if __name__ == "__main__":
    print(table())
