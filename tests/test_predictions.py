"""Predictions: written down first, then checked; refused where the record does not support them."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from harness import cli
from harness.across import predictions
from harness.analysis.results import Results
from harness.archive import Archive
from harness.case import ARTICLE_JOB, Shape
from harness.measure import runner
from harness.measure.sweep import Sweep
from harness.paths import ROOT
from harness.plan import Run
from harness.report import sentences
from harness.report.files import csv
from harness.rows import Row
from tests import fakes, sweeps

SHAPES = ("4-2-1", "8-4-1", "10-5-1", "16-8-1", "32-16-1", "64-32-1", "128-64-1")


def sweep(path: Path, shapes: tuple[str, ...] = SHAPES) -> Results:
    """Return a sweep in which a multiply-add of backprop takes b 1 ns and a 50 ns, and a start 0.1 s."""
    rows = []
    for text in shapes:
        of = sweeps.case(text, "backprop", samples=10, epochs=10)
        for name, cost in (("a", 50e-9), ("b", 1e-9)):
            for number in range(1, 8):
                seconds = of.multiply_adds * 100 * cost * (1.0 + 0.001 * number)
                rows.append(sweeps.row(name, number, of=of, training_s=seconds, wall_s=seconds + 0.1))
    return sweeps.understood(path, rows)


def predicted(results: Results, *shapes: str) -> pd.DataFrame:
    parts = [
        predictions.predicted(results, list(results.costs.values()), Shape.parse(text), ARTICLE_JOB, "now")
        for text in shapes
    ]
    return pd.concat(parts, ignore_index=True)


def test_what_is_predicted(tmp_path: Path) -> None:
    table = predicted(sweep(tmp_path), "33-17-9-3").set_index("contender")
    products = Shape.parse("33-17-9-3").multiply_adds("backprop")
    assert table["step_s"]["b"] == pytest.approx(products * 1.004e-9, rel=1e-6)
    assert table["training_s"]["b"] == pytest.approx(10_000 * table["step_s"]["b"])
    assert table["job_s"]["b"] == pytest.approx(table["training_s"]["b"] + 0.1, rel=1e-3)
    assert table["speedup"]["b"] == pytest.approx(50.0)
    assert pd.isna(table["speedup"]["a"])
    for figure in ("step", "training", "job"):
        assert (table[f"{figure}_low"] <= table[f"{figure}_s"]).all()
        assert (table[f"{figure}_s"] <= table[f"{figure}_high"]).all()
    assert list(table["beyond"]) == [1.0, 1.0]


def test_a_check_fills_in_what_was_measured_and_nothing_else(tmp_path: Path) -> None:
    table = predicted(sweep(tmp_path / "a"), "20-10-1", "9-9-9-1", "100-50-1")
    truth = sweep(tmp_path / "b", ("20-10-1", "9-9-9-1"))
    table.loc[table["layers"] == "9-9-9-1", ["step_low", "step_high"]] = [1.0, 2.0]
    done = predictions.checked(table, truth).set_index(["layers", "contender"])
    assert list(done["hit"]) == ["yes", "yes", "no", "no", "", ""]
    assert done["ratio"]["20-10-1", "b"] == pytest.approx(1.0)
    products = Shape.parse("9-9-9-1").multiply_adds("backprop")
    assert done["measured_step_s"]["9-9-9-1", "a"] == pytest.approx(products * 50.2e-9)
    assert done["measured_step_s"].isna().sum() == 2
    hits = predictions.hits(done.reset_index()).set_index("contender")
    assert (hits["checks"]["a"], hits["hits"]["a"]) == (2, 1)
    assert sentences.record(done.reset_index()).startswith(
        "Of 4 predictions for shapes that were not measured, 2 came true within their 95%"
        " interval (7% to 93%);"
    )


def test_the_record_reads_back(tmp_path: Path) -> None:
    table = predictions.checked(predicted(sweep(tmp_path / "a"), "20-10-1", "9-1"), sweep(tmp_path / "b"))
    (tmp_path / "predictions.csv").write_bytes(csv(table))
    pd.testing.assert_frame_equal(predictions.read(tmp_path / "predictions.csv"), table)


@pytest.mark.parametrize(
    ("checks", "limit"),
    [
        ([], 100.0),
        # Fewer than five say nothing.
        ([(1.0, "no")] * 4, 100.0),
        ([(1.0, "yes")] * 4 + [(8.0, "yes")], 8.0),
        ([(1.0, "yes")] * 4 + [(3.0, "yes"), (5.0, "no"), (9.0, "no")], 5.0),
        ([(1.0, "no")] * 6, 1.0),
        ([(1.0, "yes")] * 5 + [(500.0, "yes")], 100.0),
    ],
)
def test_how_far_a_record_goes(checks: list[tuple[float, str]], limit: float) -> None:
    table = pd.DataFrame(checks, columns=["beyond", "hit"]).assign(contender="a", method="naive")
    assert predictions.limit(table, "a", "naive") == limit
    assert predictions.limit(table, "a", "backprop") == 100.0


def test_a_prediction_from_a_sweep(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ["predict", "200-100-1", "--sweep", "docs/sweep", "--results", str(tmp_path)]
    assert cli.main([*words, "--job", "3x7"]) == 0
    out = capsys.readouterr().out
    assert "Predicted for 200-100-1, 7 samples, 3 epochs" in out
    cost = sweeps.published("sweep").costs["rust", "backprop"]
    assert cost.step((200, 100, 1)).times(21).value > 0.0
    assert "No prediction was checked yet: make predict ARGS=--check" in out


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([], "predict: takes a shape such as 200-100-1, or --check"),
        (["3-1", "--check"], "predict: takes a shape such as 200-100-1, or --check"),
        (["3-1", "--sweep", "docs/nothing"], "sweep: got 'docs/nothing', takes latest, latest~N, a folder"),
        (["3-x"], "SHAPE: got '3-x', takes two or more positive sizes such as 10-5-1"),
        (["3-1", "--sweep", "docs/peers"], "no contender and method of these has 5 measured shapes"),
        (
            ["9999-9999-1", "--sweep", "docs/sweep"],
            "predict: 9999-9999-1 cannot be predicted, for the reasons",
        ),
    ],
)
def test_what_is_refused(
    words: list[str], line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["predict", *words, "--results", str(tmp_path)]) == 2
    assert line in capsys.readouterr().err


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the words of a small check, all of which fits however busy the machine is."""
    learned = tuple(map(Shape.parse, ("3-1", "4-2-1", "5-3-1", "6-2-2", "9-1")))
    monkeypatch.setattr("harness.commands.predict.LEARNED_SHAPES", learned)
    monkeypatch.setattr("harness.commands.predict.HELD_OUT_SHAPES", (Shape((4, 3, 1)), Shape((8, 2, 1))))
    manifest = fakes.write_manifest(tmp_path / "m.toml", {"a": "honest", "b": "honest:2e-7"})
    return [
        *("predict", "--check", "--results", str(tmp_path), "--manifest", str(manifest)),
        *("--methods", "backprop", "--rounds", "2", "--budget", "600"),
    ]


WATCHED = """
import sys
from harness import cli
from harness.commands import predict
from harness.measure.sweep import Sweep

def perform(sweep, run):
    print("loaded:", sorted({"pandas", "numpy", "scipy", "matplotlib"} & sys.modules.keys()))
    raise KeyboardInterrupt

predict.LEARNED_SHAPES = predict.LEARNED_SHAPES[:1]
Sweep.perform = perform
sys.exit(cli.main(sys.argv[1:]))
"""


def test_nothing_heavy_is_loaded_while_it_learns(check: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, *check], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 130
    assert "loaded: []" in done.stdout.splitlines()


def test_an_interrupted_check_goes_on(
    tmp_path: Path, check: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody interrupts it three times: twice while it learns, once while it tests; then another check.

    Fakes take the same time for every step: a cost that has no term of its own, found all the same.
    """
    # 5 and 2 shapes by both contenders, two controls of each, 3 rounds with the warm-up.
    perform, made, keys, runs = Sweep.perform, 0, [], 3 * ((5 + 2) * 2 + 2 + 2)

    def interrupted(sweep: Sweep, run: Run) -> Row:
        nonlocal made
        made += 1
        if made in (5, 30, 45, runs + 20):
            raise KeyboardInterrupt
        keys.append((sweep.folder.name, run.key))
        return perform(sweep, run)

    monkeypatch.setattr(runner, "run", fakes.at_once)
    monkeypatch.setattr(Sweep, "perform", interrupted)
    assert [cli.main(check) for _ in range(3)] == [130] * 3
    written_down = predictions.read(tmp_path / "predictions.csv")
    assert set(written_down["checked_by"]) == {""}
    assert cli.main(check) == 0
    assert "4 predictions are in" in capsys.readouterr().out
    # Nothing is measured twice, but for rounds that were cut off.
    assert len(set(keys)) == runs < len(keys) < runs + 10
    table = predictions.read(tmp_path / "predictions.csv")
    assert list(table["step_s"]) == list(written_down["step_s"])
    assert list(zip(table["layers"], table["contender"], strict=True)) == [
        *(("4-3-1", "a"), ("4-3-1", "b"), ("8-2-1", "a"), ("8-2-1", "b"))
    ]
    assert list(table["measured_step_s"]) == pytest.approx([4e-7, 2e-7] * 2)
    assert list(table["speedup"].dropna()) == pytest.approx([2.0, 2.0], rel=0.01)
    first, second = (sweep.name for sweep in Archive(tmp_path / "predicted").sweeps())
    assert {*table["sweep"], *table["checked_by"]} == {first, second}
    assert cli.main(["predict", "6-3-1", "--results", str(tmp_path)]) == 0
    assert "Of 4 predictions" in capsys.readouterr().out
    # Without what it learned from there is another way.
    (tmp_path / "predicted" / "sweeps").rename(tmp_path / "elsewhere")
    assert cli.main(["predict", "6-3-1", "--results", str(tmp_path)]) == 2
    gone = f"{first} is gone; name a --sweep, or run --check again"
    assert f"error: predict: {gone}" in capsys.readouterr().err
    (tmp_path / "elsewhere").rename(tmp_path / "predicted" / "sweeps")
    # Another check is another one.
    assert cli.main(check) == 130
    assert keys[-1][0] > second
