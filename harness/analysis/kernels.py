"""What the in-process benchmarks of the programs measured: pytest-benchmark's file, Criterion's folder.

Both are read as their tools document them. A kernel is one call of an inner function at one shape.
"""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from harness.analysis.frames import read_csv
from harness.case import Shape
from harness.errors import ResultsError

REFERENCE_KERNEL = "step-naive"
PEAK_KERNEL = "peak-multiply-add"
COLUMNS = [
    *("contender", "kernel", "layers", "samples", "median_s", "lower_quartile_s", "upper_quartile_s"),
    *("against", "times_as_fast", "ns_per_parameter", "operations", "share_of_peak"),
]
_TEXTS = ("contender", "kernel", "layers", "against")


def gather(pytest_benchmark: Mapping[str, Path], criterion: Mapping[str, Path]) -> pd.DataFrame:
    """Return a line per contender, kernel and shape; raise ResultsError for a file that is not as expected.

    Both arguments map a contender's name to where its results are. ``times_as_fast`` compares a training step
    with the same contender's kernel ``against`` on the same shape: the one of which it is a variant, as
    step-x-2-threads is of step-x, or else the naive step. ``operations`` are the additions and
    multiplications of one call, if the benchmark tells them; ``share_of_peak`` is their rate divided by that
    of the peak kernel, which does nothing but independent multiplications and additions.
    """
    measured = []
    for read, sources in ((_pytest_benchmark, pytest_benchmark), (_criterion, criterion)):
        for contender, path in sources.items():
            try:
                measured += [{"contender": contender, **line} for line in read(path)]
            except (OSError, ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
                raise ResultsError(
                    f"{path}: is not what the benchmark writes: {error!r}; run make kernels again"
                ) from error
    table = pd.DataFrame(measured, columns=["contender", "kernel", "layers", "operations", "samples_s"])
    table["samples"] = table["samples_s"].map(len)
    for column, quantile in (("median_s", 50), ("lower_quartile_s", 25), ("upper_quartile_s", 75)):
        table[column] = [float(np.percentile(values, quantile)) for values in table["samples_s"]]
    times = table.set_index(["contender", "kernel", "layers"])["median_s"].to_dict()
    rates = {
        contender: operations / median
        for contender, kernel, operations, median in zip(
            table["contender"], table["kernel"], table["operations"], table["median_s"], strict=True
        )
        if kernel == PEAK_KERNEL and operations
    }
    derived = []
    for _, line in table.iterrows():
        contender, kernel, layers = line["contender"], line["kernel"], line["layers"]
        is_step = kernel.startswith("step-")
        own = table[(table["contender"] == contender) & (table["layers"] == layers)]
        names = (str(name) for name in own["kernel"])
        against = next((name for name in names if kernel.startswith(f"{name}-")), REFERENCE_KERNEL)
        other_s = times.get((contender, against, layers)) if is_step else None
        derived.append(
            {
                "against": against if other_s else "",
                "times_as_fast": other_s / line["median_s"] if other_s else np.nan,
                "ns_per_parameter": line["median_s"] * 1e9 / _parameters(layers) if is_step else np.nan,
                "share_of_peak": line["operations"] / line["median_s"] / rates[contender]
                if contender in rates and line["operations"]
                else np.nan,
            }
        )
    table = pd.concat([table, pd.DataFrame(derived, index=table.index)], axis=1)
    return table.reindex(columns=COLUMNS)


def read(path: Path) -> pd.DataFrame:
    """Return what kernels.csv holds, if there is one; raise ResultsError for any other file."""
    return read_csv(path, COLUMNS, "make kernels", texts=_TEXTS, blank=["against", *COLUMNS[8:]])


def renewed(path: Path, table: pd.DataFrame) -> pd.DataFrame:
    """Return ``table`` and, from the file of an earlier call, the contenders that it does not have."""
    earlier = read(path)
    kept = earlier[~earlier["contender"].isin(table["contender"])]
    return pd.concat([table, kept], ignore_index=True) if len(kept) else table


def _measurement(kernel: object, layers: object, operations: object, samples_s: object) -> dict[str, Any]:
    """Return what one benchmark measured; raise ValueError or TypeError where it cannot have."""
    if not isinstance(kernel, str) or not isinstance(layers, str) or not isinstance(samples_s, list):
        raise TypeError(f"kernel {kernel!r}, layers {layers!r}")
    # The kernels of the peaks have no network.
    if not kernel.startswith("peak-"):
        Shape.parse(layers)
    if not samples_s or not all(0.0 < seconds < math.inf for seconds in samples_s):
        raise ValueError(f"{kernel} {layers} has no times above zero")
    if operations is not None and not isinstance(operations, int):
        raise TypeError(f"operations {operations!r}")
    return {"kernel": kernel, "layers": layers, "operations": operations, "samples_s": samples_s}


def _pytest_benchmark(path: Path) -> Iterator[dict[str, Any]]:
    benchmarks = json.loads(path.read_text(encoding="utf-8"))["benchmarks"]
    if not benchmarks:
        raise ValueError("no benchmarks in it")
    for benchmark in benchmarks:
        about = benchmark["extra_info"]
        yield _measurement(about["kernel"], about["layers"], None, benchmark["stats"]["data"])


def _criterion(path: Path) -> Iterator[dict[str, Any]]:
    found = sorted(path.glob("*/*/new/benchmark.json"), key=_by_kernel_and_size)
    if not found:
        raise ValueError("no benchmark.json in it")
    for file in found:
        about = json.loads(file.read_text(encoding="utf-8"))
        sample = json.loads(file.with_name("sample.json").read_text(encoding="utf-8"))
        samples_s = [
            time * 1e-9 / count for count, time in zip(sample["iters"], sample["times"], strict=True)
        ]
        operations = (about["throughput"] or {}).get("Elements")
        yield _measurement(about["group_id"], about["value_str"], operations, samples_s)


def _by_kernel_and_size(file: Path) -> tuple[str, list[int]]:
    kernel, layers = file.parts[-4:-2]
    return kernel, [int(size) for size in layers.split("-") if size.isdigit()]


def _parameters(layers: str) -> int:
    return Shape.parse(layers).parameters
