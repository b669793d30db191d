"""The list of sweeps, and one case over many of them."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness import cli
from harness.across.history import history, overview
from harness.analysis.results import understand
from harness.archive import Archive
from harness.case import Shape
from harness.errors import NothingMeasured
from harness.records import ENVIRONMENT, RUNS, SweepFolder
from harness.report import sentences
from harness.report.pictures_across import history as picture
from tests import sweeps

SMALL = Shape.parse("4-2-1")


def archived(path: Path, name: str, python_s: float, rust_s: float, host: str = "box") -> SweepFolder:
    """Write a sweep of ten rounds into a results folder; rust takes a twentieth more or less."""
    rows = [
        row
        for number in range(1, 11)
        for row in (
            sweeps.row("python", number, training_s=python_s),
            sweeps.row("python", number, training_s=python_s * (1.01 if number % 2 else 1.0), control=True),
            sweeps.row("rust", number, training_s=rust_s * (0.95, 1.0, 1.05)[number % 3]),
            sweeps.row("rust", number, training_s=7.0, of=sweeps.case("10-5-1")),
        )
    ]
    folder = sweeps.write(path / "new", rows)
    folder.write_json(
        ENVIRONMENT, {"host": host, "cpu": "X", "commit": name * 9, "uncommitted_changes": host == "b"}
    )
    (path / "sweeps").mkdir(exist_ok=True)
    return SweepFolder(folder.path.rename(path / "sweeps" / name))


def test_a_case_over_sweeps(tmp_path: Path) -> None:
    archived(tmp_path, "1", 8.0, 2.0)
    archived(tmp_path, "2", 9.0, 1.0, "b")
    table = history(Archive(tmp_path).sweeps(), "naive", SMALL, print).set_index(["sweep", "contender"])
    assert list(table.index) == [("1", "python"), ("1", "rust"), ("2", "python"), ("2", "rust")]
    assert table["step_s"].to_list() == [8.0, 2.0, 9.0, 1.0]
    assert table["training_ratio"].to_list() == pytest.approx([math.nan, 4.0, math.nan, 9.0], nan_ok=True)
    one = table.to_dict("index")["2", "rust"]
    assert one["step_low"] < 1.0 < one["step_high"]
    assert one["training_low"] < 9.0 < one["training_high"]
    assert 1.0 < one["training_floor"] < 1.02
    assert (one["training_verdict"], one["host"], one["commit"]) == ("faster", "b", "2" * 9)
    # Who did not run the case is left out.
    folders = Archive(tmp_path).sweeps()
    assert set(history(folders, "naive", Shape.parse("10-5-1"), print)["contender"]) == {"rust"}
    with pytest.raises(NothingMeasured, match="no sweep has a time of backprop 4-2-1"):
        history(folders, "backprop", SMALL, print)


def test_the_picture_shows_every_sweep_and_where_the_machine_changes(tmp_path: Path) -> None:
    for name, host in (("1", "a"), ("2", "a"), ("3", "b")):
        archived(tmp_path, name, 8.0, 2.0, host)
    figure = picture(history(Archive(tmp_path).sweeps(), "naive", SMALL, print), "naive 4-2-1")
    steps, ratios = figure.axes
    labels = [text.get_text().split("\n")[-1] for text in ratios.get_xticklabels()]
    assert labels == ["1" * 7, "2" * 7, "3" * 7 + "+"]
    assert [container.get_label() for container in steps.containers] == ["python", "rust"]
    (ratio,) = ratios.containers
    assert list(np.asarray(ratio[0].get_ydata())) == pytest.approx([4.0] * 3)
    (line,) = [line for line in ratios.lines if line.get_linestyle() == "--"]
    assert list(np.asarray(line.get_xdata())) == [1.5, 1.5]
    assert [text.get_text() for text in steps.texts] == ["from here on b: X "]


def test_what_a_list_says(tmp_path: Path) -> None:
    assert overview(archived(tmp_path, "1", 8.0, 2.0)) == {
        "sweep": "1",
        "host": "box",
        "commit": "1111111",
        "cases": 2,
        # The warm-ups of three and of one are not there.
        "runs": "40 of 44",
        "failed": 0,
        "contenders": ("python", "rust"),
    }
    rows = [sweeps.row("python", 1), sweeps.failure("rust", 1), sweeps.mismatch("go", 1)]
    folder = sweeps.write(tmp_path, rows)
    (folder.path / ENVIRONMENT).unlink()
    said = overview(folder)
    assert (said["failed"], said["host"], said["commit"]) == (2, "", "")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archived(tmp_path, "1", 8.0, 2.0)
    broken = archived(tmp_path, "2", 8.0, 2.0)
    (broken.path / RUNS).write_text("nonsense\n", encoding="utf-8")
    assert cli.main(["sweeps", "--results", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[2].split()[:2] == ["1", "box"]
    assert f"error: {broken.path / RUNS}: " in said.err
    assert cli.main(["sweeps", "--results", str(tmp_path), "--case", "naive", "4-2-1"]) == 0
    history = capsys.readouterr()
    assert history.out.splitlines() == [str(tmp_path / f"history.{kind}") for kind in ("csv", "png")]
    assert history.err == said.err
    assert len(pd.read_csv(tmp_path / "history.csv")) == 2
    # What cannot be drawn is said before anything is read.
    assert cli.main(["sweeps", "--results", str(tmp_path), "--case", "naive", "4"]) == 2
    assert str(broken.path) not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["naive", "x"], "--case: got 'x', takes two or more positive sizes such as 10-5-1"),
        (["4-2-1", "naive"], "--case: got '4-2-1', takes naive, incremental, backprop and a shape"),
        (["naive", "4-2-1"], "no sweep has a time of naive 4-2-1; make sweeps lists them"),
    ],
)
def test_what_is_refused(
    words: list[str], line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["sweeps", "--results", str(tmp_path), "--case", *words]) != 0
    assert line in capsys.readouterr().err


def test_an_unfinished_sweep_does_not_look_finished(tmp_path: Path) -> None:
    """Two contenders and a control in three rounds and a warm-up: 12 runs."""
    rows = [sweeps.row("python", number) for number in (0, 1)]
    folder = sweeps.write(tmp_path, rows, sweeps.plan(("python", "rust")))
    assert overview(folder)["runs"] == "2 of 12"
    assert sentences.unfinished(understand(folder)) == "unfinished: 2 of 12 runs"
