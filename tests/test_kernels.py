"""What the in-process benchmarks wrote, as one table."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import pytest

from harness.analysis import kernels
from harness.errors import ResultsError


def write_pytest_benchmark(path: Path, results: Mapping[tuple[str, str], Sequence[float]]) -> Path:
    benchmarks = [
        {"extra_info": {"kernel": kernel, "layers": layers}, "stats": {"data": list(data)}}
        for (kernel, layers), data in results.items()
    ]
    path.write_text(json.dumps({"benchmarks": benchmarks}), encoding="utf-8")
    return path


def write_criterion(
    folder: Path, results: Mapping[tuple[str, str], Sequence[float]], operations: int | None = None
) -> Path:
    """Write samples of two calls each, in nanoseconds as Criterion does, a round for each sample."""
    throughput = None if operations is None else {"Elements": operations}
    for (kernel, layers), data in results.items():
        about = {"group_id": kernel, "value_str": layers, "throughput": throughput}
        for number, value in enumerate(data):
            new = folder / str(number) / kernel / layers / "new"
            new.mkdir(parents=True)
            (new / "benchmark.json").write_text(json.dumps(about), encoding="utf-8")
            sample = {"iters": [2.0], "times": [value * 2e9]}
            (new / "sample.json").write_text(json.dumps(sample), encoding="utf-8")
    return folder


def line(table: pd.DataFrame, contender: str, kernel: str) -> "pd.Series[float]":
    found: pd.Series[float] = table[(table["contender"] == contender) & (table["kernel"] == kernel)].iloc[0]
    return found


def test_both_benchmarks_in_one_table(tmp_path: Path) -> None:
    own = write_pytest_benchmark(
        tmp_path / "python.json",
        {
            ("forward", "10-5-1"): [4.0, 1.0, 2.0, 3.0, 9.0],
            ("step-naive", "10-5-1"): [8.0],
            ("step-backprop", "10-5-1"): [0.25],
        },
    )
    other = write_criterion(
        tmp_path / "criterion",
        {("step-naive", "10-5-1"): [0.5], ("step-backprop", "10-5-1"): [0.25, 0.125, 0.1]},
    )
    table = kernels.gather({"python": own}, {"rust": other})
    assert tuple(table.columns) == tuple(kernels.COLUMNS)
    assert len(table) == 5
    forward = line(table, "python", "forward")
    # Sorted 1 2 3 4 9: quartiles at ranks 1, 2 and 3.
    assert (forward["samples"], forward["median_s"]) == (5, 3.0)
    assert (forward["lower_quartile_s"], forward["upper_quartile_s"]) == (2.0, 4.0)
    assert pd.isna(forward["times_as_fast"]) and pd.isna(forward["ns_per_parameter"])
    python, rust = line(table, "python", "step-backprop"), line(table, "rust", "step-backprop")
    # Against the same program's naive step: 8 / 0.25 and 0.5 / 0.125, the median of three rounds.
    assert (python["times_as_fast"], rust["times_as_fast"], rust["samples"]) == (32.0, 4.0, 3)
    # 10-5-1 has 57 parameters.
    assert python["ns_per_parameter"] == 0.25e9 / 57
    assert line(table, "python", "step-naive")["times_as_fast"] == 1.0


def test_share_of_peak(tmp_path: Path) -> None:
    folder = write_criterion(tmp_path, {("step-naive", "10-5-1"): [0.5]}, operations=1000)
    write_criterion(tmp_path, {("peak-multiply-add", "1-1"): [0.25]}, operations=2000)
    table = kernels.gather({}, {"rust": folder})
    # 1000 operations in 0.5 s against 2000 in 0.25 s: a quarter of the rate.
    assert line(table, "rust", "step-naive")["share_of_peak"] == 0.25
    assert line(table, "rust", "peak-multiply-add")["share_of_peak"] == 1.0


def test_what_adds_has_a_share_of_the_additions_alone(tmp_path: Path) -> None:
    folder = write_criterion(tmp_path, {("step-incremental-avx2", "10-5-1"): [0.5]}, operations=600)
    write_criterion(tmp_path, {("peak-add", "1-1"): [0.25]}, operations=400)
    write_criterion(tmp_path, {("peak-multiply-add", "1-1"): [0.25]}, operations=800)
    table = kernels.gather({}, {"rust": folder})
    # 1200 additions a second, of the 1600 of which the machine does 3200 with as many multiplications.
    assert line(table, "rust", "step-incremental-avx2")["share_of_peak"] == 0.75
    assert line(table, "rust", "peak-add")["share_of_peak"] == 1.0
    assert line(table, "rust", "peak-multiply-add")["share_of_peak"] == 1.0


def test_share_of_the_chain(tmp_path: Path) -> None:
    folder = write_criterion(tmp_path, {("step-backprop", "10-5-1"): [0.5]})
    write_criterion(tmp_path, {("step-naive", "10-5-1"): [8.0]})
    write_criterion(tmp_path, {("peak-chain", "10-5-1"): [0.25]})
    table = kernels.gather({}, {"rust": folder})
    # What waits takes a quarter of a second, and the step half of one.
    assert line(table, "rust", "step-backprop")["share_of_peak"] == 0.5
    assert pd.isna(line(table, "rust", "step-naive")["share_of_peak"])
    # Where arithmetic is the nearer limit: 900 operations in 0.5 s against 2000 a second.
    folder = write_criterion(tmp_path / "large", {("step-backprop", "10-5-1"): [0.5]}, operations=900)
    write_criterion(tmp_path / "large", {("peak-multiply-add", "1-1"): [1.0]}, operations=2000)
    table = kernels.gather({}, {"rust": folder})
    assert line(table, "rust", "step-backprop")["share_of_peak"] == 0.9


def test_a_variant_is_compared_with_what_it_is_a_variant_of(tmp_path: Path) -> None:
    samples = {"step-naive": [3.0], "step-incremental": [1.0], "step-incremental-2-threads": [0.5]}
    folder = write_criterion(tmp_path, {(kernel, "64-64-64-1"): data for kernel, data in samples.items()})
    table = kernels.gather({}, {"rust": folder})
    threads = line(table, "rust", "step-incremental-2-threads")
    assert (str(threads["against"]), threads["times_as_fast"]) == ("step-incremental", 2.0)
    assert str(line(table, "rust", "step-incremental")["against"]) == "step-naive"
    # Without that one there is no ratio.
    alone = write_pytest_benchmark(tmp_path / "p", {("step-backprop", "4-2-1"): [1.0]})
    assert kernels.gather({"p": alone}, {})["times_as_fast"].isna().all()


def test_kernels_come_by_size_and_a_peak_has_none(tmp_path: Path) -> None:
    made: dict[tuple[str, str], list[float]] = {
        ("step-naive", shape): [0.5] for shape in ("100-50-1", "10-5-1", "32-16-1")
    }
    folder = write_criterion(tmp_path, made | {("peak-multiply-add", "1-thread"): [0.5]})
    table = kernels.gather({}, {"rust": folder})
    steps = table[table["kernel"] == "step-naive"]
    assert steps["layers"].tolist() == ["10-5-1", "32-16-1", "100-50-1"]
    assert str(line(table, "rust", "peak-multiply-add")["layers"]) == "1-thread"
    # It does not tell its operations.
    assert table["share_of_peak"].isna().all()


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "{}", '{"benchmarks": []}', '{"benchmarks": [3]}'),
        *(
            f'{{"benchmarks": [{{"extra_info": {info}, "stats": {{"data": {data}}}}}]}}'
            for info, data in (
                ("{}", "[1.0]"),
                *(('{"kernel": "a", "layers": "4-2-1"}', data) for data in ("[]", '["x"]', "3", "[0.0]")),
                ('{"kernel": "step-a", "layers": "4"}', "[1.0]"),
                ('{"kernel": 3, "layers": "4-2-1"}', "[1.0]"),
            )
        ),
    ],
)
def test_a_broken_file_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "python.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ResultsError) as caught:
        kernels.gather({"python": path}, {})
    message = str(caught.value)
    assert message.startswith(f"{path}: is not what the benchmark writes: ")
    assert message.endswith("; run make kernels again")
    assert "\n" not in message


def test_a_missing_file_and_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="is not what the benchmark writes: FileNotFoundError"):
        kernels.gather({"python": tmp_path / "none.json"}, {})
    with pytest.raises(ResultsError, match=r"is not what the benchmark writes: .*no benchmark\.json in it"):
        kernels.gather({}, {"rust": tmp_path})


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("benchmark.json", {"group_id": "a"}),
        ("benchmark.json", []),
        ("sample.json", {"iters": [1.0, 2.0], "times": [1.0]}),
        ("sample.json", {"iters": [0.0], "times": [1.0]}),
        ("sample.json", {"iters": [], "times": []}),
        ("sample.json", {"iters": 1, "times": 2}),
    ],
)
def test_a_broken_criterion_folder_is_one_line(tmp_path: Path, name: str, document: object) -> None:
    write_criterion(tmp_path, {("step-naive", "10-5-1"): [0.5]})
    (tmp_path / "0" / "step-naive" / "10-5-1" / "new" / name).write_text(
        json.dumps(document), encoding="utf-8"
    )
    with pytest.raises(ResultsError, match=r"^[^\n]*: is not what the benchmark writes: [^\n]*$"):
        kernels.gather({}, {"rust": tmp_path})
