"""What other programs read."""

import json
import statistics
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pandas as pd

from harness import __version__
from harness.analysis import cost
from harness.analysis.frames import only
from harness.analysis.results import Results
from harness.errors import UsageError
from harness.records import SweepFolder, replace_file
from harness.report import sentences, tables
from harness.table import Table


def write_tables(folder: SweepFolder, results: Results) -> None:
    """Write all tables that are computed from the rows."""
    for name, table in (
        ("summary.csv", results.summary),
        ("speedup.csv", results.speedups),
        ("alternatives.csv", results.alternatives),
        ("scaling.csv", results.exponents),
        ("cost.csv", cost.table(results.costs)),
        ("crossover.csv", results.crossovers),
    ):
        replace_file(folder.path / name, csv(table))


def csv(table: pd.DataFrame) -> bytes:
    """Return a table as the bytes of a CSV file, with yes and no as in runs.csv."""
    flags = {
        str(name): own.map({True: "yes", False: "no"}) for name, own in table.select_dtypes(bool).items()
    }
    return table.assign(**flags).to_csv(index=False, lineterminator="\n").encode()


def comparison(table: pd.DataFrame, shown: Table, answer: str, how: str) -> str:
    """Return a comparison as markdown, csv or json; ``shown`` is the table as people read it."""
    if how == "json":
        lines = table.astype(object).where(table.notna(), None).to_dict("records")
        return json.dumps({"answer": answer, "cases": lines}, indent=2)
    if how == "csv":
        return csv(table).decode().removesuffix("\n")
    return f"{answer}\n\n{shown.markdown}"


def markdown(results: Results) -> str:
    """Return the answer and a table for each method."""
    parts = [*sentences.answer(results)]
    for method in results.medians["method"].unique():
        parts += [f"### {method}", tables.speedups(results, method).markdown]
    return "\n\n".join(parts)


def hyperfine(results: Results) -> str:
    """Return what `hyperfine --export-json` writes (1.20): seconds of the job, one value a round."""
    found = []
    for lane, runs in _lanes(results):
        seconds, memory = runs["job_s"].tolist(), runs["peak_memory_bytes"]
        found.append(
            {
                "command": " ".join(lane.values()),
                "mean": statistics.fmean(seconds),
                "stddev": statistics.stdev(seconds) if len(seconds) > 1 else None,
                "median": statistics.median(seconds),
                # CPU seconds are those of the run, in proportion.
                "user": float((runs["user_s"] * runs["job_s"] / runs["wall_s"]).mean()),
                "system": float((runs["system_s"] * runs["job_s"] / runs["wall_s"]).mean()),
                "min": min(seconds),
                "max": max(seconds),
                "times": seconds,
                "memory_usage_byte": None if memory.isna().any() else memory.astype(int).tolist(),
                "exit_codes": [0] * len(seconds),
                "parameters": {**lane, "job": str(results.job), "neurons": str(runs["neurons"].iloc[0])},
            }
        )
    return _json({"results": found})


def pytest_benchmark(results: Results) -> str:
    """Return what `pytest --benchmark-json` writes (5): seconds of a training step, one value a run.

    Raises UsageError if pytest-benchmark is not installed.
    """
    try:
        from pytest_benchmark.stats import Stats  # noqa: PLC0415 - a sweep is measured and read without it
    except ImportError as error:
        raise UsageError("--format pytest-benchmark: takes that package; make kernels installs it") from error
    where = results.environment
    python, _, version = str(where.get("python", "")).partition(" ")
    benchmarks = []
    for lane, runs in _lanes(results):
        stats = Stats()  # type: ignore[no-untyped-call]
        stats.data = runs["step_s"].tolist()
        steps = int(runs["samples"].iloc[0] * runs["epochs"].iloc[0])
        benchmarks.append(
            {
                "group": "{method} {layers}".format_map(lane),
                "name": lane["contender"],
                "fullname": "{method}/{layers}/{contender}".format_map(lane),
                "params": lane,
                "param": lane["layers"],
                "extra_info": {"neurons": int(runs["neurons"].iloc[0])},
                "options": {},
                "stats": {**stats.as_dict(), "data": stats.data, "iterations": steps},  # type: ignore[no-untyped-call]
            }
        )
    return _json(
        {
            "machine_info": {
                "node": where.get("host"),
                "system": where.get("system"),
                "python_version": version,
                "python_implementation": python,
                "cpu": {"brand_raw": where.get("cpu"), "count": where.get("cores")},
            },
            "commit_info": {
                "id": where.get("commit"),
                "dirty": where.get("uncommitted_changes"),
                "project": "flatnet",
            },
            "benchmarks": benchmarks,
            "datetime": results.runs["started_utc"].max(),
            "version": f"flatnet {__version__}",
        }
    )


FORMATS: Mapping[str, Callable[[Results], str]] = {
    "markdown": markdown,
    "hyperfine": hyperfine,
    "pytest-benchmark": pytest_benchmark,
}
"""By the name that `show --format` takes."""


def _lanes(results: Results) -> Iterator[tuple[dict[Any, str], pd.DataFrame]]:
    """Yield contender, method and shape, and the timed runs with the right losses."""
    names = ["contender", "method", "layers"]
    runs = only(results.runs, status="ok", warm_up=False, control=False).groupby(names, sort=False)
    for lane in only(results.medians, status="ok")[names].to_dict("records"):
        yield lane, runs.get_group(tuple(lane.values()))


def _json(document: object) -> str:
    return json.dumps(document, indent=2, allow_nan=False)
