"""What several machines measured, what they say together, and whether they are alike. Pure."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import combinations
from statistics import mode
from typing import Any

import numpy as np
import pandas as pd

from harness.analysis.frames import CASE, LANE, in_order, only
from harness.analysis.intervals import NOISY, SIGMAS, pooled, quotient, verdict
from harness.analysis.job import STILL_WARMING
from harness.analysis.results import Results
from harness.digits import three_digits, times
from harness.errors import NothingMeasured
from harness.parity import compare

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
_ARGUMENTS = ["samples", "step", "learning_rate", "low", "high", "seed"]
_GROUP = ["method", "layers", "contender", "measure", "reference"]


def joined(machines: Mapping[str, Results]) -> pd.DataFrame:
    """Return joined.csv; raise NothingMeasured if it has no line."""
    tables = []
    steps = {"median": "step_s", "low": "step_low", "high": "step_high"}
    for machine, results in machines.items():
        right = only(results.medians, status="ok").rename(columns={"n": "rounds"})
        references = only(right, contender=results.reference)[[*CASE, "contender", "rounds"]]
        table = pd.concat([results.rivals, references.assign(measure="training", verdict="reference")])
        table["floor"] = table.groupby([*CASE, "measure"])["floor"].transform("max")
        table = table.join(right.set_index(LANE)[[*steps]].rename(columns=steps), on=LANE)
        about = {name: results.environment.get(name) for name in ("cpu", "system")}
        tables.append(table.assign(machine=machine, reference=results.reference, **about))
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
    if table.empty:
        raise NothingMeasured("no machine has measured anything yet")
    others, table["counts"] = other_losses(machines), "yes"
    table.loc[table["verdict"] == STILL_WARMING, "counts"] = STILL_WARMING
    table.loc[table["floor"] > NOISY, "counts"] = "noisy"
    table.loc[table["ratio"].isna() | table["low"].isna(), "counts"] = "no interval"
    who = zip(table["machine"], table["contender"], strict=True)
    table.loc[[one in others for one in who], "counts"] = "other losses"
    table.loc[table["verdict"] == "reference", "counts"] = "reference"
    return in_order(table[COLUMNS])


def planned(results: Results) -> Results:
    """Return results without cases that are no longer planned: others have measured them."""
    became = results.outcomes
    within = (became["method"] + " " + became["layers"]).isin(results.plan.by_case)
    return replace(results, outcomes=became[within].reset_index(drop=True))


def other_losses(machines: Mapping[str, Results]) -> dict[tuple[str, str], str]:
    """Return how losses differ between machines that ran the same case, by machine and contender.

    Right are those of most machines, or the first of as many.
    """
    kept: dict[tuple[Any, ...], dict[str, tuple[float, ...]]] = defaultdict(dict)
    for machine, results in machines.items():
        cases = results.runs[[*LANE, *_ARGUMENTS]].drop_duplicates(LANE)
        for case, own in results.losses.merge(cases).groupby([*LANE, *_ARGUMENTS], sort=False):
            kept[case][machine] = tuple(own["loss"])
    found: dict[tuple[str, str], str] = {}
    for (method, layers, contender, *_), of_machines in kept.items():
        # Numbers of epochs differ. As text, for nan is not equal to itself.
        shortest = min(map(len, of_machines.values()))
        by_machine = {machine: losses[:shortest] for machine, losses in of_machines.items()}
        common = mode(map(repr, by_machine.values()))
        right = next(machine for machine, losses in by_machine.items() if repr(losses) == common)
        for machine, losses in by_machine.items():
            described = machines[machine].environment.get("contenders", {}).get(contender, {})
            said = compare(by_machine[right], losses, described.get("tolerance", 0.0))
            if not said.holds:
                what = f"has other losses than on {right} ({method} {layers}: {said.text})"
                found.setdefault((machine, contender), f"{machine}: {contender} {what}")
    return found


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return pooled.csv: what the machines of ``joined`` say together."""
    lines = []
    for _, own in only(table, counts="yes").groupby(_GROUP, sort=False):
        logs = np.log(own[["ratio", "low", "high"]].to_numpy(float))
        found = pooled(logs[:, 0], ((logs[:, 2] - logs[:, 1]) / (2.0 * SIGMAS)) ** 2)
        means = dict(zip(("ratio", "low", "high", "spread"), map(math.exp, found), strict=True))
        ends = {"least": own["ratio"].min(), "most": own["ratio"].max()}
        lines.append({**own.iloc[0], **means, **ends, "machines": len(own)})
    return in_order(pd.DataFrame(lines, columns=POOLED_COLUMNS))


def unlike(table: pd.DataFrame) -> list[str]:
    """Return how machines of ``joined`` differ on the cases of all; nothing if they may be called equal.

    Two differ in a ratio or step time if its quotient's interval excludes 1, beyond both floors.
    """
    of_all = table.groupby(["method", "layers"])["machine"].transform("nunique") == table["machine"].nunique()
    common = table[of_all & (table["counts"] != "no interval")]
    if common.empty:
        return ["there is no case that all of them have measured"]
    return [text for _, own in common.groupby(_GROUP, sort=False) for text in _differences(own)]


def _differences(lines: pd.DataFrame) -> Iterator[str]:
    for one, other in combinations(lines.to_dict("records"), 2):
        where = f"{one['contender']} at {one['layers']} ({one['method']}, {one['measure']})"
        floor = float(np.nanmax([one["floor"], other["floor"], 1.0]))
        compared = {"ratio": ["ratio", "low", "high"]}
        if one["measure"] == "training":
            compared["step"] = ["step_s", "step_low", "step_high"]
        for what, names in compared.items():
            found, low, high = quotient(*([line[name] for name in names] for line in (other, one)))
            if verdict(found, low, high, floor) != "cannot tell":
                yield (
                    f"the {what} of {where} is {times(found)} as large on {other['machine']} as on"
                    f" {one['machine']} ({three_digits(low)} to {three_digits(high)})"
                )
