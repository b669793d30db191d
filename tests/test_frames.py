"""From records to frames."""

from pathlib import Path

import pandas as pd
import pytest

from harness.analysis.frames import in_order, read_csv, runs_frame
from harness.errors import ResultsError
from harness.rows import COLUMNS
from tests.sweeps import case, row


def test_columns_that_follow_from_others() -> None:
    runs = runs_frame([row(of=case(samples=4, epochs=8), training_s=1.0, wall_s=2.0)])
    assert list(runs.columns) == [*COLUMNS, "cpu_s", "startup_s", "torn"]
    assert runs[["cpu_s", "startup_s", "torn"]].to_numpy().tolist()[0] == [0.75, 1.0, False]
    # 4-2-1: 10 weights, 2 biases; naive runs 2 passes for each parameter.
    follow = runs[["layers", "neurons", "parameters", "multiply_adds"]]
    assert follow.to_numpy().tolist() == [["4-2-1", 7, 12, 240]]
    # What is not known is not a number.
    runs = runs_frame([row(status="timeout", training_s=None, peak_memory_bytes=None)])
    assert runs.loc[0, ["training_s", "peak_memory_bytes", "startup_s"]].isna().all()
    assert runs.loc[0, "wall_s"] == 2.0


def test_tables_are_sorted_by_method_then_by_size() -> None:
    table = pd.DataFrame(
        [("backprop", "4-2-1"), ("naive", "100-1"), ("naive", "10-5-1"), ("naive", "2-2-2-2")],
        columns=["method", "layers"],
    )
    # Weights 100, 55 and 12: W * (W + layers) grows alike.
    assert [tuple(line) for line in in_order(table).to_numpy()] == [
        ("naive", "2-2-2-2"),
        ("naive", "10-5-1"),
        ("naive", "100-1"),
        ("backprop", "4-2-1"),
    ]
    assert in_order(table.iloc[:0]).empty


def read(path: Path, content: str | None) -> pd.DataFrame:
    if content is not None:
        path.write_text(content, encoding="utf-8")
    columns = ["who", "count", "ratio", "note", "hit"]
    return read_csv(path, columns, "make it", texts=["who", "note"], flags=["hit"], blank=["ratio", "note"])


def test_a_table_that_a_command_left(tmp_path: Path) -> None:
    table = read(tmp_path / "t.csv", "who,count,ratio,note,hit\nNA,3,0.5,,yes\n7,4,,null,no\n")
    assert table.drop(columns="ratio").to_numpy().tolist() == [["NA", 3, "", True], ["7", 4, "null", False]]
    assert table["ratio"][0] == 0.5 and pd.isna(table["ratio"][1])
    assert table["hit"].dtype == bool and table["count"].dtype == int
    nothing = read(tmp_path / "none.csv", None)
    assert nothing.empty and list(nothing.columns) == list(table.columns)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "No columns to parse from file"),
        ("\x00", "it has other columns than who, count, ratio, note, hit"),
        ("who,count\na,1\n", "it has other columns than who, count, ratio, note, hit"),
        ("who,count,ratio,note,hit\na,,1,b,yes\n", "count is missing in a line"),
        ("who,count,ratio,note,hit\n,1,1,b,yes\n", "who is missing in a line"),
        ("who,count,ratio,note,hit\na,many,1,b,yes\n", "Unable to parse string"),
        ("who,count,ratio,note,hit\na,1,1,b,maybe\n", "hit is neither yes nor no in a line"),
        ("who,count,ratio,note,hit\na,1,1,b,yes,7,8\n", ""),
    ],
)
def test_a_table_that_nobody_understands_is_one_line(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(ResultsError) as caught:
        read(path := tmp_path / "t.csv", content)
    assert str(caught.value).startswith(f"{path}: cannot be understood: {message}")
    assert str(caught.value).endswith("; move it away and run make it")
    assert "\n" not in str(caught.value)
