"""What a sweep says, in sentences. Pure."""

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from harness.digits import duration, three_digits
from harness.rows import FAILED

if TYPE_CHECKING:
    from harness.read.results import Results


def rivals(results: "Results") -> Iterator[str]:
    """Yield a sentence for each rival, the fastest first: how many times as fast as the reference it is."""
    lines = results.speedups
    lines = lines[(lines["layers"] == results.shape) & ~lines["control"]]
    whole = lines[lines["measure"] == "process"].set_index(["contender", "method"])
    training = lines[lines["measure"] == "training"].drop_duplicates("contender")
    for one in training.sort_values("ratio", ascending=False, kind="stable").to_dict("records"):
        name, reference = one["contender"], one["reference"]
        where = f"{one['layers']} ({one['method']})"
        if one["rounds"]:
            process = whole.loc[(name, one["method"])]
            yield (
                f"{name} trains {where} {_times_as_fast(one, f' as fast as {reference}', '95% interval ')},"
                f" {_times_as_fast(process, ' with start-up')}."
            )
        else:
            reason = _REASONS.get(one["verdict"], one["verdict"])
            yield f"{name} cannot be compared with {reference} at {where}: {reason}."
    if training.empty:
        own = results.medians[results.medians["layers"] == results.shape].iloc[0]
        where, step = f"{results.shape} ({own['method']})", duration(own["median"])
        yield f"{own['contender']} trains {where} in {step} a step; there is nobody to compare it with."


_REASONS = {
    "mismatch": "its losses differ",
    "cannot tell": "there is no round in which both have the right losses",
}


def _times_as_fast(line: Mapping[Any, Any], than: str, label: str = "") -> str:
    """Write a ratio in words, with its interval or why there is none, and a doubt if there is one."""
    text = f"{three_digits(line['ratio'])} times{than}"
    if math.isnan(line["low"]):
        return f"{text} (one round, so no interval)"
    doubt = _DOUBTS.get(line["verdict"], "")
    return f"{text} ({label}{three_digits(line['low'])} to {three_digits(line['high'])}{doubt})"


_DOUBTS = {"cannot tell": ", cannot be told from noise", "equal": ", equal within the margin"}


def basis(results: "Results") -> str:
    """Return what the answers rest on, where the tables are, and what to do next."""
    return f"{evidence(results)} Tables: {results.path}; pictures: make plot"


def evidence(results: "Results") -> str:
    """Return how many runs there were, with what losses, on how quiet a machine."""
    runs = results.runs[results.runs["status"] != "paused"]
    troubles = []
    for what, statuses in (("had other losses", ("mismatch",)), ("failed", FAILED)):
        counts = runs["contender"][runs["status"].isin(statuses)].value_counts(sort=False)
        if len(counts):
            troubles.append(f"{' and '.join(f'{count} of {name}' for name, count in counts.items())} {what}")
    is_exact = not runs["parity"].str.startswith("within").any()
    same = "all with identical losses" if is_exact else "all with the same losses but for what is allowed"
    count = "1 run" if len(runs) == 1 else f"{len(runs)} runs"
    return f"{count}, {'of which ' + ', '.join(troubles) if troubles else same}. {noise(results)}"


def noise(results: "Results") -> str:
    """Return how quiet the machine was, and what would help if it was not."""
    lines, medians = results.speedups, results.medians
    method = medians["method"][medians["layers"] == results.shape].iloc[0]
    own = lines[lines["control"] & (lines["method"] == method) & (lines["floor_layers"] == lines["layers"])]
    floors = own.drop_duplicates("measure").set_index("measure")["floor"].to_dict()
    if not floors:
        return "Without a control in two rounds nobody knows how quiet the machine was."
    word = next(word for most, word in _NOISES if max(floors["training"], floors["process"]) <= most)
    compared = lines[~lines["control"] & (lines["rounds"] > 0) & (lines["measure"] != "cpu")]
    runs = results.runs
    asked_s = runs["cpu_s"].sum() + runs["stolen_s"].sum()
    stolen = runs["stolen_s"].sum() / asked_s if runs["stolen_s"].notna().any() and asked_s > 0.0 else 0.0
    parts = [
        f"{own['contender'].iloc[0]} against itself is within a factor of {floors['training']:.3f}"
        f" ({floors['process']:.3f} with start-up)"
    ]
    if stolen >= _MUCH_STOLEN:
        parts.append(f"{stolen:.0%} of the CPU time that the programs asked for went to other machines")
    if word != _NOISES[0][1]:
        parts.append(
            "a quieter hour, or a machine of its own, would help"
            if stolen >= _MUCH_STOLEN
            else "it would help to close what else runs, and a larger --budget"
        )
    elif (compared["verdict"] == "cannot tell").any():
        parts.append("a larger --budget would narrow the intervals of what cannot be told")
    return f"The machine was {word}: {'; '.join(parts)}."


NOISY = 1.15
"""The factor of 1 beyond which the interval of a control says that a machine is no good for measuring."""
_NOISES = ((1.05, "quiet"), (NOISY, "noisy"), (math.inf, "in a storm"))
"""Up to which factor of 1 the interval of a control may reach, and what that is called."""
_MUCH_STOLEN = 0.01
