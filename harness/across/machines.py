"""One table of what several machines measured, what they say together, and whether they are alike. Pure.

A ratio is always of one machine. What is summed up over machines is the logarithm of their ratios, by
`pooled`; a machine that is too noisy, or has other losses, is named and left out of that, not averaged away.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from harness.across.pooled import pooled
from harness.analysis.frames import CASE, LANE, in_order
from harness.analysis.intervals import NOISY, SIGMAS, quotient, verdict
from harness.analysis.results import Results
from harness.digits import three_digits, times
from harness.errors import NothingMeasured
from harness.parity import compare
from harness.plan import Plan

COLUMNS = [
    *("machine", "cpu", "system"),
    *CASE,
    *("contender", "reference", "measure", "rounds", "ratio", "low", "high", "floor", "verdict"),
    *("step_s", "step_low", "step_high", "counts"),
]
POOLED_COLUMNS = [
    *CASE,
    *("contender", "reference", "measure", "machines", "ratio", "low", "high", "spread", "least", "most"),
]
_GROUP = ["method", "layers", "contender", "measure"]


def joined(machines: Mapping[str, Results]) -> pd.DataFrame:
    """Return a line per machine, case, contender and measure: ratio, interval, floor, verdict, step.

    ``counts`` is yes if the line is in the summary, or else why not. The reference has lines, too, for its
    seconds; they have no ratio. Raises NothingMeasured without a single line.
    """
    others = other_losses(machines)
    tables = []
    for machine, results in machines.items():
        standings = results.standings
        steps = standings[standings["status"] == "ok"].set_index(LANE)[["step_s", "step_low", "step_high"]]
        own = results.speedups[~results.speedups["control"]]
        references = results.medians[results.medians["status"] == "ok"].rename(columns={"n": "rounds"})
        references = references[references["contender"] == results.reference][[*CASE, "contender", "rounds"]]
        about = {"measure": "training", "verdict": "reference"}
        tables.append(
            pd.concat([own, references.assign(**about)])
            .join(steps, on=LANE)
            .assign(
                machine=machine,
                reference=results.reference,
                **{name: results.environment.get(name) for name in ("cpu", "system")},
            )
        )
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)
    if table.empty:
        raise NothingMeasured("no machine has measured anything yet, so there is nothing to join")
    table["counts"] = [
        _counts(one, (one["machine"], one["contender"]) in others) for one in table.to_dict("records")
    ]
    return in_order(table[COLUMNS])


def _counts(line: Mapping[Any, Any], is_other: bool) -> str:
    """Return yes if a line can be summed up with those of other machines, or else why not."""
    if line["verdict"] == "reference":
        return "reference"
    if is_other:
        return "other losses"
    if math.isnan(line["ratio"]) or math.isnan(line["low"]):
        return "no interval"
    return "noisy" if line["floor"] > NOISY else "yes"


def planned(results: Results, plan: Plan | None) -> Results:
    """Return results without the cases that are not, or no longer, in the plan: others have measured them."""
    if plan is None:
        return results
    cases = {(one.case.method, str(one.case.shape)) for one in plan.cases}

    became = results.outcomes
    within = [case in cases for case in zip(became["method"], became["layers"], strict=True)]
    return replace(results, outcomes=became[within].reset_index(drop=True))


def other_losses(machines: Mapping[str, Results]) -> dict[tuple[str, str], str]:
    """Return whose losses differ between machines that ran the same case, by machine and contender, and how.

    Those that most machines have are taken for the right ones; those of the first if as many have others.
    """
    kept: dict[tuple[Any, ...], dict[str, tuple[float, ...]]] = defaultdict(dict)
    for machine, results in machines.items():
        cases = results.runs[[*LANE[:2], *_ARGUMENTS]].drop_duplicates(LANE[:2])
        for lane, own in results.losses.merge(cases).groupby([*LANE, *_ARGUMENTS], sort=False):
            kept[lane][machine] = tuple(own["loss"])
    found: dict[tuple[str, str], str] = {}
    for (method, layers, contender, *_), by_machine in kept.items():
        counted = Counter(map(repr, by_machine.values()))
        right = max(by_machine, key=lambda machine: counted[repr(by_machine[machine])])
        for machine, losses in by_machine.items():
            said = compare(by_machine[right], losses, _tolerance(machines[machine], contender))
            if not said.holds:
                what = f"has other losses than on {right} ({method} {layers}: {said.text})"
                text = f"{machine}: {contender} {what}; it is left out of the summary"
                found.setdefault((machine, contender), text)
    return found


_ARGUMENTS = ["samples", "epochs", "step", "learning_rate", "low", "high", "seed"]


def _tolerance(results: Results, contender: str) -> float:
    described = results.environment.get("contenders") or {}
    return float((described.get(contender) or {}).get("tolerance") or 0.0)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return what the machines of ``joined`` say together: a line per case, contender and measure.

    ``ratio`` is the mean over machines, on the logarithmic axis, and its interval that of the general claim;
    ``spread`` is the standard deviation between machines as a factor; ``least`` and ``most`` are of
    single machines. With one machine there is its ratio alone.
    """
    counting = table[table["counts"] == "yes"]
    lines = []
    for _, own in counting.groupby(_GROUP, sort=False):
        logs = np.log(own[["ratio", "low", "high"]].to_numpy(float))
        found = pooled(logs[:, 0], ((logs[:, 2] - logs[:, 1]) / (2.0 * SIGMAS)) ** 2)
        lines.append(
            {
                **own.iloc[0][[*CASE, "contender", "reference", "measure"]],
                "machines": len(own),
                **dict(zip(("ratio", "low", "high", "spread"), map(math.exp, found), strict=True)),
                "least": float(own["ratio"].min()),
                "most": float(own["ratio"].max()),
            }
        )
    return in_order(pd.DataFrame(lines, columns=POOLED_COLUMNS))


def unlike(machines: Mapping[str, Results]) -> list[str]:
    """Return how machines differ on the cases that all have measured; nothing if they may be called equal.

    Two machines differ in a ratio, or in the seconds of a training step, if the interval of the quotient does
    not hold 1 and the quotient is beyond the larger floor of the two: as any other verdict.
    """
    table = joined(machines)
    of_all = table.groupby(["method", "layers"])["machine"].transform("nunique") == len(machines)
    common = table[of_all & (table["counts"] != "no interval")]
    found = [text for _, own in common.groupby(_GROUP, sort=False) for text in _differences(own)]
    if common.empty or len(machines) < 2:
        return ["there is no case that all of them have measured"]
    return found


def _differences(lines: pd.DataFrame) -> Iterator[str]:
    for one, other in combinations(lines.to_dict("records"), 2):
        where = f"{one['contender']} at {one['layers']} ({one['method']}, {one['measure']})"
        floor = float(np.nanmax([one["floor"], other["floor"], 1.0]))
        compared = {"ratio": ("ratio", "low", "high")}
        if one["measure"] == "training":
            compared["step"] = ("step_s", "step_low", "step_high")
        for what, names in compared.items():
            times_as_large, low, high = quotient(
                [other[name] for name in names], [one[name] for name in names]
            )
            if verdict(times_as_large, low, high, floor) in ("faster", "slower"):
                yield (
                    f"the {what} of {where} is {times(times_as_large)} as large on {other['machine']} as on"
                    f" {one['machine']} ({three_digits(low)} to {three_digits(high)})"
                )
