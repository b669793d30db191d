"""What in-process benchmarks measured, from pytest-benchmark's file and Criterion's folders, one a round."""

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from harness.case import Shape
from harness.errors import ResultsError

_REFERENCE = "step-naive"
_PEAK, _ADDING_PEAK = "peak-multiply-add", "peak-add"
_ADDING = ("step-incremental", _ADDING_PEAK)
"""How the kernels are called that do little else than add: their operations are additions."""
_CHAINED, _CHAIN = "step-backprop", "peak-chain"
"""A step, and those of its operations that wait for others."""
COLUMNS = [
    *("contender", "kernel", "layers", "samples", "median_s", "lower_quartile_s", "upper_quartile_s"),
    *("against", "times_as_fast", "ns_per_parameter", "operations", "share_of_peak"),
]


def gather(pytest_benchmark: Mapping[str, Path], criterion: Mapping[str, Path]) -> pd.DataFrame:
    """Return kernels.csv; raise ResultsError for a strange file.

    Both arguments map contenders to their results. ``against`` is the kernel of which a step is a variant, as
    step-x-2-threads is of step-x, or else the naive step.
    """
    measured: list[dict[str, Any]] = []
    for read, sources in ((_pytest_benchmark, pytest_benchmark), (_criterion, criterion)):
        for contender, path in sources.items():
            try:
                measured += [{"contender": contender, "against": "", **line} for line in read(path)]
            except (OSError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
                raise ResultsError(
                    f"{path}: is not what the benchmark writes: {error!r}; run make kernels again"
                ) from error
    times = {(one["contender"], one["layers"], one["kernel"]): one["median_s"] for one in measured}
    for one in (one for one in measured if one["kernel"].startswith("step-")):
        case, kernel, median_s = (one["contender"], one["layers"]), one["kernel"], one["median_s"]
        one["ns_per_parameter"] = median_s * 1e9 / Shape.parse(one["layers"]).parameters
        others = (name for *of, name in times if tuple(of) == case and kernel.startswith(f"{name}-"))
        against = next(others, _REFERENCE)
        if (*case, against) in times:
            one |= {"against": against, "times_as_fast": times[*case, against] / median_s}
        if kernel == _CHAINED and (*case, _CHAIN) in times:
            one["share_of_peak"] = times[*case, _CHAIN] / median_s
    table = pd.DataFrame(measured, columns=COLUMNS).astype({"operations": float, "share_of_peak": float})
    rates = table["operations"] / table["median_s"]
    adding = table["kernel"].str.startswith(_ADDING)
    for chosen, peak in ((adding, _ADDING_PEAK), (~adding, _PEAK)):
        peaks = rates[table["kernel"] == peak].groupby(table["contender"]).last()
        shares = rates[chosen] / table["contender"].map(peaks)
        table["share_of_peak"] = np.fmax(shares, table["share_of_peak"])
    return table


def _measurement(
    kernel: str, layers: str, operations: float | None, samples_s: list[float]
) -> dict[str, Any]:
    """Return what one benchmark measured; raise ValueError if it cannot have."""
    # The kernels of the peaks have no network.
    if not kernel.startswith("peak-"):
        Shape.parse(layers)
    if not samples_s or not all(0.0 < seconds < math.inf for seconds in samples_s):
        raise ValueError(f"{kernel} {layers} has no times above zero")
    about = {"kernel": kernel, "layers": layers, "operations": operations and float(operations)}
    lower, median, upper = np.percentile(samples_s, [25, 50, 75]).tolist()
    quartiles = {"median_s": median, "lower_quartile_s": lower, "upper_quartile_s": upper}
    return {**about, "samples": len(samples_s), **quartiles}


def _pytest_benchmark(path: Path) -> Iterator[dict[str, Any]]:
    benchmarks = json.loads(path.read_text(encoding="utf-8"))["benchmarks"]
    if not benchmarks:
        raise ValueError("no benchmarks in it")
    for benchmark in benchmarks:
        about = benchmark["extra_info"]
        yield _measurement(about["kernel"], about["layers"], None, benchmark["stats"]["data"])


def _criterion(path: Path) -> Iterator[dict[str, Any]]:
    samples_s: dict[tuple[str, str, float | None], list[float]] = defaultdict(list)
    for file in path.glob("*/*/*/new/benchmark.json"):
        about = json.loads(file.read_text(encoding="utf-8"))
        sample = json.loads(file.with_name("sample.json").read_text(encoding="utf-8"))
        calls = zip(sample["iters"], sample["times"], strict=True)
        of = about["group_id"], about["value_str"], (about["throughput"] or {}).get("Elements")
        samples_s[of] += [nanoseconds * 1e-9 / count for count, nanoseconds in calls]
    if not samples_s:
        raise ValueError("no benchmark.json in it")
    for of in sorted(samples_s, key=_by_kernel_and_size):
        yield _measurement(*of, samples_s[of])


def _by_kernel_and_size(of: tuple[str, str, float | None]) -> tuple[str, list[int]]:
    kernel, layers, _ = of
    return kernel, [int(size) for size in layers.split("-") if size.isdigit()]
