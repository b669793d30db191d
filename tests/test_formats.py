"""A sweep in the formats of other tools, read as these tools read them."""

import json
import math
import os
import re
import shutil
import statistics
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pytest_benchmark.stats import Stats

from harness import cli
from harness.analysis.results import Results
from harness.plan import DEFAULT_SHAPES
from harness.report import formats
from tests import sweeps
from tests.programs import ROOT

SWEEP = ROOT / "docs" / "sweep"
HYPERFINE = {
    "command": str,
    "mean": float,
    "stddev": float,
    "median": float,
    "user": float,
    "system": float,
    "min": float,
    "max": float,
    "times": list,
    "memory_usage_byte": list,
    "exit_codes": list,
    "parameters": dict,
}
"""The fields of a result in hyperfine's source, and what they are when none is missing."""


@pytest.fixture
def results(tmp_path: Path) -> Results:
    """Return a sweep in which each kind of run that is in no statistic is there."""
    rows = [
        *(sweeps.row("python", number, training_s=4.0 + 0.1 * number) for number in range(6)),
        *(sweeps.row("python", number, training_s=99.0, control=True) for number in range(1, 6)),
        *(sweeps.row("rust", number, training_s=1.0, wall_s=2.0 + 0.5 * number) for number in range(6)),
        *(sweeps.mismatch("c", number, training_s=0.001) for number in range(1, 6)),
        sweeps.failure("d", 1),
    ]
    return sweeps.understood(tmp_path / "sweep", rows)


def exported(path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert cli.main(["export", str(path), "--results", "nowhere", "--format", name]) == 0
    return capsys.readouterr().out


def test_hyperfine(results: Results, capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(exported(results.path, "hyperfine", capsys))
    assert list(document) == ["results"]
    python, rust = document["results"]
    for one in (python, rust):
        assert {name: type(value) for name, value in one.items()} == HYPERFINE
        assert all(isinstance(value, str) for value in one["parameters"].values())
    assert (python["command"], rust["command"]) == ("python naive 4-2-1", "rust naive 4-2-1")
    assert rust["times"] == [2.5, 3.0, 3.5, 4.0, 4.5]
    assert (rust["mean"], rust["median"], rust["min"], rust["max"]) == (3.5, 3.5, 2.5, 4.5)
    assert rust["stddev"] == pytest.approx(math.sqrt(10 / 16))
    assert (rust["user"], rust["system"]) == (0.25, 0.5)
    assert rust["memory_usage_byte"] == [4096] * 5
    assert rust["exit_codes"] == [0] * 5
    assert rust["parameters"] == {"contender": "rust", "method": "naive", "layers": "4-2-1", "neurons": "7"}


def test_what_is_not_known_is_null(tmp_path: Path) -> None:
    rows = [sweeps.row("python", 1, peak_memory_bytes=None)]
    (one,) = json.loads(formats.hyperfine(sweeps.understood(tmp_path, rows)))["results"]
    assert (one["stddev"], one["memory_usage_byte"]) == (None, None)


def test_pytest_benchmark_reads_it(results: Results, tmp_path: Path) -> None:
    written = tmp_path / "0001_flatnet.json"
    written.write_text(formats.pytest_benchmark(results))
    done = subprocess.run(
        [Path(sys.executable).with_name("pytest-benchmark"), "compare", written, "--csv", tmp_path / "t.csv"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": "200"},
    )
    assert "Failed to load" not in done.stdout + done.stderr
    heads, *lines = (line.split(",") for line in (tmp_path / "t.csv").read_text().splitlines())
    table = {line[heads.index("name")]: dict(zip(heads, line, strict=True)) for line in lines}
    assert set(table) == {"naive/4-2-1/python", "naive/4-2-1/rust"}
    assert float(table["naive/4-2-1/python"]["median"]) == pytest.approx(4.3)
    assert float(table["naive/4-2-1/rust"]["max"]) == 1.0


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 7, 8, 9, 100, 101, 102, 103])
def test_statistics_are_those_of_pytest_benchmark(n: int, tmp_path: Path) -> None:
    random = Random(n)
    theirs: Any = Stats()  # type: ignore[no-untyped-call]
    rows = [
        sweeps.row("python", number, training_s=random.lognormvariate(0.0, 1.0)) for number in range(1, n + 1)
    ]
    for row in rows:
        theirs.update(row.training_s)
    document = json.loads(formats.pytest_benchmark(sweeps.understood(tmp_path, rows)))
    (stats,) = (one["stats"] for one in document["benchmarks"])
    assert stats.pop("data") == theirs.data
    assert stats.pop("iterations") == 1
    assert set(stats) == set(Stats.fields)
    for name, value in theirs.as_dict().items():
        assert stats[name] == (pytest.approx(value) if isinstance(value, float) else value), name


def test_github_action_benchmark(results: Results) -> None:
    """Its `customSmallerIsBetter` is a list of name, value, unit, range and extra."""
    python, rust = json.loads(formats.github_action_benchmark(results))
    assert python["name"] == "python naive 4-2-1"
    assert python["value"] == pytest.approx(4.3e9)
    assert (rust["value"], rust["unit"]) == (1e9, "ns/step")
    assert re.fullmatch(r"\d+ to \d+", python["range"])
    for one in (python, rust):
        kinds = {name: type(value) for name, value in one.items()}
        assert kinds == {"name": str, "unit": str, "value": float, "range": str, "extra": str}


def test_markdown_has_the_answer_and_every_case(capsys: pytest.CaptureFixture[str]) -> None:
    answer, *rest = exported(SWEEP, "markdown", capsys).splitlines()
    assert answer.startswith("rust trains 10-5-1 (naive) ")
    titles = [line for line in rest if line.startswith("### ")]
    assert titles == ["### naive", "### incremental", "### backprop"]
    shapes = [line.split()[1] for line in rest if re.match(r"\| \d", line)]
    assert shapes[-9:] == list(map(str, DEFAULT_SHAPES))


@pytest.mark.parametrize("name", ["hyperfine", "pytest-benchmark", "github-action-benchmark"])
def test_all_cases_of_a_real_sweep_are_there(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    document: Any = json.loads(exported(SWEEP, name, capsys))
    entries = document if isinstance(document, list) else document.get("results") or document["benchmarks"]
    lines = [line.split(",") for line in (SWEEP / "runs.csv").read_text().splitlines()]
    columns = [lines[0].index(column) for column in ("contender", "method", "layers")]
    assert len(entries) == len({tuple(line[column] for column in columns) for line in lines[1:]})


def test_the_hyperfine_numbers_are_those_of_the_rows(capsys: pytest.CaptureFixture[str]) -> None:
    entries = json.loads(exported(SWEEP, "hyperfine", capsys))["results"]
    one = next(entry for entry in entries if entry["command"] == "rust backprop 64-32-1")
    lines = [line.split(",") for line in (SWEEP / "runs.csv").read_text().splitlines()]
    heads = lines[0]
    walls = [
        float(line[heads.index("wall_s")])
        for line in lines[1:]
        if [line[heads.index(name)] for name in ("contender", "method", "layers", "warm_up", "control")]
        == ["rust", "backprop", "64-32-1", "no", "no"]
    ]
    assert sorted(one["times"]) == sorted(walls)
    assert one["median"] == statistics.median(walls)


def test_the_format_has_to_be_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["export", str(SWEEP)]) == 2
    assert "the following arguments are required: --format" in capsys.readouterr().err


def test_a_copied_folder_is_enough(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Compared, exported and plotted where no program is built."""
    copy = tmp_path / "from another machine"
    copy.mkdir()
    for name in ("runs.csv", "plan.json", "environment.json"):
        shutil.copy(SWEEP / name, copy)
    results = ["--results", str(tmp_path / "results")]
    assert json.loads(exported(copy, "hyperfine", capsys))
    assert cli.main(["compare", str(copy), str(copy), *results]) == 0
    assert cli.main(["plot", str(copy), *results]) == 0
    assert (copy / "scaling.png").exists()
