"""What became faster, what slower: two sweeps that were made apart, or two revisions within one. Pure.

A time of one sweep says little beside that of another: between them a machine changes by tens of percent. A
ratio within the rounds bears that, so what is compared of two sweeps is how many times as fast as the
reference a contender was, then and now. The reference is the yardstick, and must be the same program. Two
revisions that ran in the same rounds need no yardstick.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import ndtr

from harness.analysis.intervals import SIGMAS, quotient, verdict
from harness.analysis.results import Results
from harness.errors import NothingMeasured, UsageError

COLUMNS = [
    *("method", "layers", "neurons", "contender", "measure"),
    *("before", "before_low", "before_high", "after", "after_low", "after_high"),
    *("change", "low", "high", "floor", "verdict", "slower_than_margin_p"),
]
SURE = 0.025
"""The probability of a false alarm, over all cases together: one side of a 95% interval."""


def compare(before: Results, after: Results, margin: float) -> pd.DataFrame:
    """Return a line per case, contender and measure that both sweeps have a ratio of, controls left out.

    ``change`` is how many times as fast the contender is after as before, each against the reference. Its
    interval has the half widths of both on the logarithmic axis, added as squares, for the sweeps are
    independent. The floor is the larger of the two. ``slower_than_margin_p`` is the probability of so slow a
    result, were the contender slower by just the margin; after Holm (1979) over all lines of a measure.

    Raises UsageError if the two have no case in common.
    """
    keys = ["method", "layers", "neurons", "contender", "measure"]
    found = []
    for results, side in ((before, "before"), (after, "after")):
        own = results.speedups[~results.speedups["control"] & results.speedups["low"].notna()]
        ends = {"ratio": side, **{name: f"{side}_{name}" for name in ("low", "high", "floor")}}
        found.append(own[[*keys, *ends]].rename(columns=ends))
    both = found[0].merge(found[1], on=keys)
    if both.empty:
        raise UsageError(
            f"{before.path} and {after.path} have no case in common that both compare with {after.reference};"
            " measure the same --shapes and --methods"
        )
    sides = {side: [side, f"{side}_low", f"{side}_high"] for side in ("before", "after")}
    change, low, high = quotient(*(both[sides[side]].to_numpy(float).T for side in ("after", "before")))
    floor = both[["before_floor", "after_floor"]].max(axis=1)
    return _judged(both.assign(change=change, low=low, high=high, floor=floor), margin)


def paired(found: Sequence[tuple[Results, str]], margin: float) -> pd.DataFrame:
    """Return the same of one sweep: ``found`` has results, and who of them is after their reference.

    ``before`` and ``after`` are empty, for the change itself was measured. Raises NothingMeasured if no round
    has the right losses of both.
    """
    tables = []
    for results, contender in found:
        lines = results.speedups
        own = lines[(lines["contender"] == contender) & ~lines["control"] & lines["low"].notna()]
        tables.append(own.rename(columns={"ratio": "change"}))
    table = pd.concat(tables, ignore_index=True)
    if table.empty:
        raise NothingMeasured(
            "no case has rounds in which both have the right losses: nothing can be compared"
        )
    return _judged(table.reindex(columns=COLUMNS), margin)


def _judged(table: pd.DataFrame, margin: float) -> pd.DataFrame:
    """Add to changes and their intervals the verdicts and the probabilities."""
    logs = np.log(table[["change", "low", "high"]].astype(float))
    sigmas = np.maximum(logs["change"] - logs["low"], logs["high"] - logs["change"]) / SIGMAS
    # How far into the tail is what was found, were it slower by just the margin?
    behind = (-np.log1p(margin) - logs["change"]) / sigmas.clip(lower=1e-12)
    table = table.assign(slower_than_margin_p=ndtr(-behind))
    table["verdict"] = [
        verdict(one["change"], one["low"], one["high"], one["floor"], margin or None)
        for one in table.to_dict("records")
    ]
    table["slower_than_margin_p"] = table.groupby("measure")["slower_than_margin_p"].transform(holm)
    return table[COLUMNS]


def holm(p: "pd.Series[float]") -> "pd.Series[float]":
    """Return the probabilities adjusted for there being several (Holm, Scand. J. Statist. 6, 1979)."""
    order = p.sort_values()
    factors = np.arange(len(p), 0, -1)
    return (order * factors).cummax().clip(upper=1.0).reindex(p.index)


def is_slower(training: pd.DataFrame) -> bool:
    """Return whether any case of a comparison is surely slower by more than its margin."""
    return bool((training["slower_than_margin_p"] < SURE).any())


def mean(table: pd.DataFrame) -> tuple[float, float, float]:
    """Return the geometric mean of the changes and its interval.

    The cases of a sweep share its machine and its hour, so the interval is the mean of theirs, no narrower.
    """
    logs = np.log(table[["change", "low", "high"]].to_numpy(float))
    change, low, high = np.exp(logs.mean(axis=0))
    return float(change), float(low), float(high)


def differences(before: Results, after: Results) -> list[str]:
    """Return what besides the programs differs between two sweeps and may be the reason, a line each."""
    lines = []
    for name, what in (("host", "machine"), ("cpu", "processor"), ("python", "Python of the harness")):
        one, other = before.environment.get(name), after.environment.get(name)
        if one != other:
            lines.append(f"another {what}: {one} before, {other} after")
    runs = before.runs, after.runs
    own = [table[table["contender"] == before.reference] for table in runs]
    for what, values in (
        *((f"another {name} of the cases", [table[name] for table in runs]) for name in _ARGUMENTS),
        (f"{before.reference}, the yardstick, is another", [table["version"] for table in own]),
    ):
        one, other = (" and ".join(map(str, sorted(set(of_sweep)))) for of_sweep in values)
        if one != other:
            lines.append(f"{what}: {one} before, {other} after")
    return lines


_ARGUMENTS = ("seed", "step", "low", "high")
