"""A sweep in the formats of other tools. Pure.

Each takes who trained with the right losses, after the warm-up and without controls, in the order of results.
"""

import json
import math
import statistics
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from harness import __version__
from harness.analysis.frames import timed
from harness.analysis.results import Results
from harness.case import METHODS
from harness.digits import three_digits
from harness.report import sentences
from harness.report.tables import speedups


def hyperfine(results: Results) -> str:
    """Return what `hyperfine --export-json` writes (1.20): seconds of whole processes, all of them."""
    return _json(
        {
            "results": [
                {
                    "command": f"{contender} {method} {layers}",
                    "mean": statistics.fmean(seconds),
                    "stddev": statistics.stdev(seconds) if len(seconds) > 1 else None,
                    "median": statistics.median(seconds),
                    "user": float(runs["user_s"].mean()),
                    "system": float(runs["system_s"].mean()),
                    "min": min(seconds),
                    "max": max(seconds),
                    "times": seconds,
                    "memory_usage_byte": _counts(runs["peak_memory_bytes"]),
                    "exit_codes": [0] * len(seconds),
                    "parameters": {
                        "contender": contender,
                        "method": method,
                        "layers": layers,
                        "neurons": str(runs["neurons"].iloc[0]),
                    },
                }
                for contender, method, layers, runs in _lanes(results)
                if (seconds := runs["wall_s"].tolist())
            ]
        }
    )


def _counts(values: "pd.Series[float]") -> list[int] | None:
    return None if values.isna().any() else [int(value) for value in values]


def pytest_benchmark(results: Results) -> str:
    """Return what `pytest --benchmark-json` writes (5): seconds of a training step, one value a run."""
    where = results.environment
    lanes = list(_lanes(results))
    return _json(
        {
            "machine_info": {
                "node": where.get("host"),
                "system": where.get("system"),
                "python_version": str(where.get("python", "")).partition(" ")[2],
                "python_implementation": str(where.get("python", "")).partition(" ")[0],
                "cpu": {"brand_raw": where.get("cpu"), "count": where.get("cores")},
            },
            "commit_info": {
                "id": where.get("commit"),
                "dirty": where.get("uncommitted_changes"),
                "project": "flatnet",
            },
            "benchmarks": [
                {
                    "group": f"{method} {layers}",
                    "name": contender,
                    "fullname": f"{method}/{layers}/{contender}",
                    "params": {"contender": contender, "method": method, "layers": layers},
                    "param": layers,
                    "extra_info": {"neurons": int(runs["neurons"].iloc[0])},
                    "options": {},
                    "stats": _statistics(runs["step_s"].tolist())
                    | {"iterations": int(runs["samples"].iloc[0] * runs["epochs"].iloc[0])},
                }
                for contender, method, layers, runs in lanes
            ],
            "datetime": max(str(runs["started_utc"].max()) for *_, runs in lanes),
            "version": f"flatnet {__version__}",
        }
    )


def _statistics(values: Sequence[float]) -> dict[str, Any]:
    """Return what pytest-benchmark computes of a sample.

    Quartiles are the medians of the halves, and of an odd number of values Tukey's third method's.
    """
    n, data = len(values), sorted(values)
    middle, deviation = statistics.fmean(data), statistics.stdev(data) if n > 1 else 0.0
    first, third = _quartile(data), -_quartile([-value for value in reversed(data)])
    spread = third - first
    low, high = first - 1.5 * spread, third + 1.5 * spread
    around = sum(abs(value - middle) > deviation for value in data)
    beyond = sum(not low <= value <= high for value in data)
    return {
        "min": data[0],
        "max": data[-1],
        "mean": middle,
        "stddev": deviation,
        "rounds": n,
        "median": statistics.median(data),
        "iqr": spread,
        "q1": first,
        "q3": third,
        "iqr_outliers": beyond,
        "stddev_outliers": around,
        "outliers": f"{around};{beyond}",
        "ld15iqr": data[bisect_left(data, low)],
        "hd15iqr": data[bisect_right(data, high) - 1],
        "ops": 1.0 / middle,
        "total": sum(values),
        "data": list(values),
    }


def _quartile(data: Sequence[float]) -> float:
    """Return the lower quartile of sorted values."""
    n, rest = divmod(len(data), 4)
    if len(data) == 1:
        return data[0]
    if rest == 1:
        return 0.25 * data[n - 1] + 0.75 * data[n]
    if rest == 3:
        return 0.75 * data[n] + 0.25 * data[n + 1]
    return statistics.median(data[: len(data) // 2])


def github_action_benchmark(results: Results) -> str:
    """Return what its `customSmallerIsBetter` takes: medians of a training step, with their intervals."""
    right = results.medians[results.medians["status"] == "ok"]
    return _json(
        [
            {
                "name": f"{one['contender']} {one['method']} {one['layers']}",
                "unit": "ns/step",
                "value": one["median"] * 1e9,
                "range": "" if math.isnan(one["low"]) else _interval(one["low"] * 1e9, one["high"] * 1e9),
                "extra": f"95% interval of the median of {one['n']} runs\nsweep {results.sweep}",
            }
            for one in right.to_dict("records")
        ]
    )


def _interval(low: float, high: float) -> str:
    return f"{three_digits(low)} to {three_digits(high)}"


def markdown(results: Results) -> str:
    """Return the answer and a table for each method: times of a training step, and speedups."""
    methods = [method for method in METHODS if method in set(results.medians["method"])]
    tables = [part for method in methods for part in (f"### {method}", speedups(results, method).markdown)]
    return "\n\n".join([*sentences.answer(results), *tables])


def _lanes(results: Results) -> Iterator[tuple[str, str, str, pd.DataFrame]]:
    """Yield contender, method, shape and runs."""
    runs = timed(results.runs)
    groups = runs[~runs["control"]].groupby(["contender", "method", "layers"], sort=False)
    for one in results.medians[results.medians["status"] == "ok"].to_dict("records"):
        key = one["contender"], one["method"], one["layers"]
        yield *key, groups.get_group(key)


def _json(document: object) -> str:
    return json.dumps(document, indent=2, allow_nan=False)
