"""Tables as files, and a sweep in the formats of other tools, read as these tools read them."""

import io
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from pytest_benchmark.stats import Stats

from harness import cli
from harness.analysis.results import Results, understand
from harness.plan import DEFAULT_SHAPES
from harness.report import files
from harness.report.files import write_tables
from tests import sweeps
from tests.programs import ROOT
from tests.sweeps import case, curve, failure, mismatch, pairs, row, write

SWEEP = ROOT / "docs" / "sweep"
HYPERFINE = {
    "command": str,
    **dict.fromkeys(("mean", "stddev", "median", "user", "system", "min", "max"), float),
    **dict.fromkeys(("times", "memory_usage_byte", "exit_codes"), list),
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
    of = sweeps.plan(["python", "rust", "c", "d"])
    return sweeps.understood(tmp_path / "sweep", rows, of)


def exported(path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert cli.main(["show", str(path), "--results", "nowhere", "--format", name]) == 0
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
    assert rust["parameters"] == {
        "contender": "rust",
        "method": "naive",
        "layers": "4-2-1",
        "job": "1x1",
        "neurons": "7",
    }


def test_what_is_not_known_is_null(tmp_path: Path) -> None:
    rows = [sweeps.row("python", 1, peak_memory_bytes=None)]
    (one,) = json.loads(files.hyperfine(sweeps.understood(tmp_path, rows)))["results"]
    assert (one["stddev"], one["memory_usage_byte"]) == (None, None)


def test_pytest_benchmark_reads_it_as_seconds_of_a_step(results: Results, tmp_path: Path) -> None:
    written = tmp_path / "0001_flatnet.json"
    written.write_text(files.pytest_benchmark(results))
    python, rust = (one["stats"] for one in json.loads(written.read_text())["benchmarks"])
    assert set(python) == {*Stats.fields, "data", "iterations"}
    assert python["data"] == pytest.approx([4.1, 4.2, 4.3, 4.4, 4.5])
    assert python["mean"] == pytest.approx(4.3)
    assert (rust["min"], rust["max"], rust["rounds"], rust["iterations"]) == (1.0, 1.0, 5, 1)
    done = subprocess.run(
        [Path(sys.executable).with_name("pytest-benchmark"), "compare", written, "--csv", tmp_path / "t.csv"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": "200"},
    )
    assert "Failed to load" not in done.stdout + done.stderr
    table = pd.read_csv(tmp_path / "t.csv").set_index("name")
    assert table["median"].to_dict() == pytest.approx({"naive/4-2-1/python": 4.3, "naive/4-2-1/rust": 1.0})


def test_without_the_package_its_format_is_refused(
    results: Results, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pytest_benchmark.stats", None)
    assert cli.main(["show", str(results.path), "--format", "pytest-benchmark"]) == 2
    assert capsys.readouterr().err == (
        "error: --format pytest-benchmark: takes that package; make kernels installs it\n"
    )


def test_markdown_has_the_answer_and_every_case(capsys: pytest.CaptureFixture[str]) -> None:
    answer, *rest = exported(SWEEP, "markdown", capsys).splitlines()
    assert answer.startswith("rust trains 10-5-1 (naive) ")
    titles = [line for line in rest if line.startswith("### ")]
    assert titles == ["### naive", "### incremental", "### backprop"]
    shapes = [line.split()[1] for line in rest if re.match(r"\| \d", line)]
    assert shapes[-9:] == list(map(str, DEFAULT_SHAPES))


def test_all_timed_runs_of_a_real_sweep_are_there() -> None:
    runs = pd.read_csv(SWEEP / "runs.csv").query("warm_up == 'no' and control == 'no'")
    counts = {
        " ".join(map(str, lane)): len(own) for lane, own in runs.groupby(["contender", "method", "layers"])
    }
    entries = json.loads(files.hyperfine(sweeps.published("sweep")))["results"]
    assert {one["command"]: len(one["times"]) for one in entries} == counts
    document = json.loads(files.pytest_benchmark(sweeps.published("sweep")))
    assert len(document["benchmarks"]) == len(counts)


def test_the_tables_of_a_sweep(tmp_path: Path) -> None:
    rows = [
        *pairs([(4.0, 1.0)] * 2),
        *(row("python", number, control=True, training_s=4.0, wall_s=4.5) for number in (1, 2)),
        *pairs([(1.0,)], of=case("10-5-1"), names=["python"]),
        *(mismatch("rust", 1, of=case("10-5-1")), failure("go", 1)),
    ]
    folder = write(tmp_path, rows)
    results = understand(folder)
    write_tables(folder, results)
    # Ratios 4 and 4; of a job, half a second of start-up and 10,000 steps. Rust's other start-up takes a
    # second for 55 weights, so each takes 0.5 / 45 s a sample, and 99 samples of 10 weights 11 s.
    job = (0.5 + 10_000 * 4.0) / (0.5 + 11.0 + 10_000 * 1.0)
    equal = "1.0,1.0,1.0,2,2.0,0.0,1.0,1.0,1.0,1.0,4-2-1"
    none = "0,0.0,,,,,1.0,4-2-1"
    wrong = "mismatch,epoch 1: 2.0 instead of 1.0 (off by 5e-01 of the initial loss)"
    assert (folder.path / "speedup.csv").read_text(encoding="utf-8").splitlines() == [
        "method,layers,neurons,parameters,multiply_adds,contender,reference,control,measure,samples,"
        "epochs,reference_epochs,rounds,effective_rounds,lag1,ratio,low,high,floor,floor_layers,verdict,parity",
        *(
            f"naive,4-2-1,7,12,240,rust,python,no,{measure},1.0,1.0,1.0,2,2.0,0.0,{ratio},{ratio},{ratio}"
            ",1.0,4-2-1,faster,identical"
            for measure, ratio in (("training", 4.0), ("job", job))
        ),
        *(
            f"naive,4-2-1,7,12,240,go,python,no,{measure},1.0,1.0,1.0,{none},crash,"
            for measure in ("training", "job")
        ),
        *(
            f"naive,4-2-1,7,12,240,python,python,yes,{measure},{equal},cannot tell,identical"
            for measure in ("training", "job")
        ),
        *(
            f"naive,10-5-1,16,57,6270,rust,python,no,{measure},1.0,1.0,1.0,{none},{wrong}"
            for measure in ("training", "job")
        ),
    ]
    summary = (folder.path / "summary.csv").read_text(encoding="utf-8").splitlines()
    assert summary[1] == "naive,4-2-1,7,12,240,python,step_s,ok,,1,1,2,4.0,4.0,4.0,2.0,0.0,0.0,4.0,4.0,4.0,0"
    assert "naive,10-5-1,16,57,6270,rust,step_s,mismatch,,1,1,1,1.0,,,1.0,,0.0,1.0,1.0,1.0,0" in summary


def test_numbers_read_back_to_the_same_values(tmp_path: Path) -> None:
    times = {"10-5-1": 0.1, "16-8-1": 0.3, "32-16-1": 1 / 3}
    folder = write(tmp_path, [*curve("python", "naive", times), *curve("rust", "naive", times)])
    results = understand(folder)
    write_tables(folder, results)
    for name, table in (
        ("summary.csv", results.summary),
        ("speedup.csv", results.speedups),
        ("scaling.csv", results.exponents),
    ):
        content = (folder.path / name).read_bytes()
        assert b"\r" not in content
        back = pd.read_csv(io.BytesIO(content))
        if "warming" in back:
            back["warming"] = back["warming"].astype(object).fillna("").astype(str)
        if "control" in back:
            back["floor_layers"] = back["floor_layers"].astype(object).fillna("").astype(str)
            back["control"] = back["control"].map({"yes": True, "no": False})
        pd.testing.assert_frame_equal(back, table, check_exact=True)


def test_a_sweep_with_nothing_to_compare_has_tables_with_a_header_only(tmp_path: Path) -> None:
    folder = write(tmp_path, [row()])
    write_tables(folder, understand(folder))
    for name in ("speedup.csv", "scaling.csv"):
        assert len((folder.path / name).read_text(encoding="utf-8").splitlines()) == 1
