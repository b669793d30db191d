"""What became faster, what slower: between two sweeps, or two revisions within one. Pure.

Between sweeps a machine changes by tens of percent, so ratios to the reference, the yardstick, are compared.
Two revisions in the same rounds need none.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import stdtr

from harness.analysis.frames import LANE, only
from harness.analysis.intervals import quotient, student_t, verdict
from harness.analysis.job import STILL_WARMING
from harness.analysis.results import Results
from harness.errors import UsageError

_KEY = ["method", "layers", "neurons", "contender", "measure"]
COLUMNS = [
    *(*_KEY, "before", "before_low", "before_high", "after", "after_low", "after_high"),
    *("change", "low", "high", "floor", "verdict", "slower_than_margin_p"),
]
_OPEN = "no interval"
_MANY = 1e6
"""Degrees of freedom that make Student's t the normal distribution."""
SURE = 0.025
"""The false-alarm rate over all cases: one side of a 95% interval."""


def compare(before: Results, after: Results, margin: float) -> pd.DataFrame:
    """Return a line per case, contender and measure that both have a ratio of, without controls.

    ``change`` is how many times as fast the contender is after as before, each against the reference; the
    floor is the larger of the two. ``slower_than_margin_p`` is the probability of so slow a result, were the
    contender slower by just the margin, adjusted by ``holm`` over all lines of a measure.

    Raises UsageError if the two have no case in common.
    """
    one, other = (
        _ratios(results)[["ratio", "low", "high", "floor"]]
        .add_prefix(f"{side}_")
        .rename(columns={f"{side}_ratio": side})
        for results, side in ((before, "before"), (after, "after"))
    )
    both = one.join(other, how="inner").reset_index()
    if both.empty:
        raise UsageError(
            f"{before.path} and {after.path} have no case in common that both compare with {after.reference};"
            " measure the same --shapes and --methods"
        )
    sides = ([side, f"{side}_low", f"{side}_high"] for side in ("after", "before"))
    change, low, high = quotient(*(both[side].to_numpy(float).T for side in sides))
    floor = both[["before_floor", "after_floor"]].max(axis=1)
    return _judged(both.assign(change=change, low=low, high=high, floor=floor), margin, _MANY)


def paired(found: Sequence[tuple[Results, str]], margin: float) -> pd.DataFrame:
    """Return the same of one sweep: ``found`` has results, and the contender after their reference.

    ``before`` and ``after`` are empty: the change itself was measured.
    """
    tables = [only(_ratios(results).reset_index(), contender=after) for results, after in found]
    table = pd.concat(tables, ignore_index=True).rename(columns={"ratio": "change"})
    layouts = max(results.plan.options.layouts for results, _ in found)
    return _judged(table.reindex(columns=COLUMNS), margin, layouts - 1 or _MANY)


def gone(before: Results, after: Results) -> dict[str, str]:
    """Return what was right before and is not after, or lost its interval, and what became of it."""
    one, other = (_standing(results.standings, results.reference) for results in (before, after))
    became = {lane: other.get(lane, "not measured") for lane, was in one.items() if was in ("ok", _OPEN)}
    return {lane: status for lane, status in became.items() if status not in ("ok", one[lane])}


def unpaired(found: Sequence[tuple[Results, str]]) -> dict[str, str]:
    """Return what ``paired`` lacks, with what became of it."""
    tables = [only(results.standings, contender=after) for results, after in found]
    return {lane: status for lane, status in _standing(pd.concat(tables)).items() if status != "ok"}


def undecided(training: pd.DataFrame, margin: float) -> dict[str, str]:
    """Return what may be slower by more than the margin."""
    names = _names(training[training["low"] < 1.0 / (1.0 + margin)])
    return dict.fromkeys(names, "its interval contains the limit, raise --budget")


def _ratios(results: Results) -> pd.DataFrame:
    lines = results.rivals
    return lines[lines["low"].notna() & (lines["verdict"] != STILL_WARMING)].set_index(_KEY)


def _standing(table: pd.DataFrame, reference: str = "") -> dict[str, str]:
    """Return the status of each contender on each case, or that it has no interval."""
    is_open = table["training_low"].isna() | (table["training_verdict"] == STILL_WARMING)
    is_open &= (table["status"] == "ok") & (table["contender"] != reference)
    return dict(zip(_names(table), table["status"].mask(is_open, _OPEN), strict=True))


def _names(table: pd.DataFrame) -> list[str]:
    return [" ".join(lane) for lane in table[LANE].to_numpy()]


def _judged(table: pd.DataFrame, margin: float, freedom: float) -> pd.DataFrame:
    """Add verdicts and probabilities to changes and their intervals."""
    logs = np.log(table[["change", "low", "high"]].astype(float))
    sigmas = np.maximum(logs["change"] - logs["low"], logs["high"] - logs["change"]) / student_t(freedom)
    ahead = (logs["change"] + np.log1p(margin)) / sigmas.clip(lower=1e-12)
    table = table.assign(slower_than_margin_p=stdtr(freedom, ahead))
    table["slower_than_margin_p"] = table.groupby("measure")["slower_than_margin_p"].transform(holm)
    found = table[["change", "low", "high", "floor"]].to_numpy(float).tolist()
    table["verdict"] = [verdict(change, low, high, floor, margin) for change, low, high, floor in found]
    return table[COLUMNS]


def holm(p: "pd.Series[float]") -> "pd.Series[float]":
    """Return the probabilities adjusted for their number (Holm, Scand. J. Statist. 6, 1979)."""
    adjusted = p.sort_values() * np.arange(len(p), 0, -1)
    return adjusted.cummax().clip(upper=1.0).reindex(p.index)


def mean(table: pd.DataFrame) -> tuple[float, float, float]:
    """Return the geometric means of the changes and of the ends of their intervals.

    The cases of a sweep share its machine and hour, so the mean's interval is no narrower than theirs.
    """
    logs = np.log(table[["change", "low", "high"]].to_numpy(float))
    change, low, high = np.exp(logs.mean(axis=0)).tolist()
    return change, low, high


def differences(before: Results, after: Results) -> list[str]:
    """Return what besides the programs differs between two sweeps, a line each."""
    one, other = _circumstances(before), _circumstances(after)
    return [f"{what}: {one[what]} before, {other[what]} after" for what in one if one[what] != other[what]]


def _circumstances(results: Results) -> dict[str, object]:
    where, runs = results.environment, results.runs
    of_reference = runs["version"][runs["contender"] == results.reference]
    values = {f"another {name} of the cases": runs[name] for name in ("seed", "step", "low", "high")}
    values[f"{results.reference}, the yardstick, is another"] = of_reference
    return {
        "another job": results.job,
        "another machine": where.get("host"),
        "another processor": where.get("cpu"),
        "another Python of the harness": where.get("python"),
        **{what: " and ".join(map(str, sorted(set(found)))) for what, found in values.items()},
    }
