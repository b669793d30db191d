"""What each picture shows, in words and with figures, for those who cannot see it; "" if it is empty. Pure.

Of many contenders the reference and the best are told; tables have them all.
"""

from collections.abc import Callable, Iterator

import pandas as pd

from harness.analysis.article import PARTS
from harness.analysis.results import Results
from harness.case import METHODS
from harness.digits import duration, three_digits
from harness.report.pictures import coincide

_TOLD = 4
"""So many contenders are told at most."""


def scaling(results: Results) -> str:
    """Say from what to what the time of a step grows."""
    powers = {
        (one["contender"], one["method"]): f", as neurons to the power of {one['exponent']:.2f}"
        for one in results.exponents.to_dict("records")
    }
    return " ".join(
        f"{method}: {_spans(results, own, duration, powers)}." for method, own in _by_method(_right(results))
    )


def _right(results: Results) -> pd.DataFrame:
    return results.medians[results.medians["status"] == "ok"]


def memory(results: Results) -> str:
    """Say from what to what the peak memory goes."""
    table = results.summary[results.summary["measure"] == "peak_memory_bytes"]
    return " ".join(f"{method}: {_spans(results, own, _mebibytes, {})}." for method, own in _by_method(table))


def _mebibytes(value: float) -> str:
    return f"{three_digits(value / 2**20)} MiB"


def _by_method(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    for method in METHODS:
        own = table[table["method"] == method]
        if len(own):
            yield method, own


def _told(
    results: Results, table: pd.DataFrame, column: str, *, largest: bool = False
) -> tuple[list[str], str]:
    """Return whom to tell of, and how many others there are, in words."""
    ends = table.groupby("contender", sort=False)[column].last().sort_values(ascending=not largest)
    names = [str(name) for name in ends.index]
    few = names if len(names) <= _TOLD else names[: _TOLD - 1]
    if results.reference in names and results.reference not in few:
        few.append(results.reference)
    others = len(names) - len(few)
    return few, f"; {others} others are in the table" if others else ""


def _spans(
    results: Results,
    table: pd.DataFrame,
    write: Callable[[float], str],
    growth: dict[tuple[str, str], str],
) -> str:
    """Return the values of contenders at their smallest and their largest shape."""
    few, others = _told(results, table, "median")
    told = []
    for name in few:
        own = table[table["contender"] == name]
        first, last = own.iloc[0], own.iloc[-1]
        text = f"{name} {write(first['median'])} at {first['layers']}"
        if len(own) > 1:
            text += f" to {write(last['median'])} at {last['layers']}"
        told.append(text + growth.get((name, str(first["method"])), ""))
    return "; ".join(told) + others


def speedup(results: Results) -> str:
    """Say between what the ratios lie, in training and as a whole process."""
    table = results.speedups[~results.speedups["control"] & (results.speedups["rounds"] > 0)]
    told = []
    for method, of_method in _by_method(table):
        few, others = _told(results, of_method[of_method["measure"] == "training"], "ratio", largest=True)
        texts = []
        for name in few:
            own = of_method[of_method["contender"] == name].groupby("measure")["ratio"]
            least, most = own.min(), own.max()
            spans = (
                f"{three_digits(least[measure])} to {three_digits(most[measure])} times {what}"
                for measure, what in (("training", "in training"), ("process", "as a whole process"))
            )
            texts.append(f"{name} {', '.join(spans)}")
        told.append(f"{method}: {'; '.join(texts)}{others}.")
    return f"As fast as {results.reference}: {' '.join(told)}" if told else ""


def methods(results: Results) -> str:
    """Say how long a step takes by each method, at the article's shape and at the largest."""
    right = _right(results)
    shapes = dict.fromkeys([results.shape, *right.sort_values("parameters", kind="stable")["layers"][-1:]])
    told = []
    for shape in shapes:
        texts = []
        for method, own in _by_method(right[right["layers"] == shape]):
            few, others = _told(results, own, "median")
            seconds = own.set_index("contender")["median"]
            texts.append(f"{method} {', '.join(f'{name} {duration(seconds[name])}' for name in few)}{others}")
        if texts:
            told.append(f"At {shape}: {'; '.join(texts)}.")
    return " ".join(told)


def loss(results: Results) -> str:
    """Say from what to what the loss falls, and whether all have the same."""
    own = results.losses[results.losses["layers"] == results.shape]
    told = []
    for method, curves in _by_method(own):
        first = curves[curves["contender"] == curves["contender"].iloc[0]]["loss"]
        told.append(f"{method}: from {first.iloc[0]:.3g} to {first.iloc[-1]:.3g}; {coincide(curves)}.")
    return " ".join(told)


def where_time_goes(found: pd.DataFrame) -> str:
    """Say what takes the largest share of each run."""
    told = []
    for one in found.to_dict("records"):
        part = max(PARTS, key=lambda part: one[f"{part}_s"])
        share = one[f"{part}_s"] / one["whole_s"]
        told.append(
            f"{one['contender']} {one['method']}: {share:.0%} of {duration(one['whole_s'])} is {part}."
        )
    return " ".join(told)
