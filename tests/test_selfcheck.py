"""The check of the harness itself: what it makes, what it goes on with, and what it concludes."""

import csv
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from harness import cli
from harness.across.selfcheck import intervals, shares
from harness.archive import Archive
from harness.measure import pilots, selfcheck
from harness.measure.attempt import attempt
from harness.measure.sweep import Sweep
from harness.plan import Run
from harness.records import RUNS
from harness.report.sentences import selfcheck as sentence
from harness.rows import Row
from tests import fakes
from tests.sweeps import pairs, plan, row, understood


@pytest.fixture(autouse=True)
def two_small_sweeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two rounds must fit into the budget also on a machine that is busy."""
    monkeypatch.setattr(selfcheck, "REPEATS", 2)
    monkeypatch.setattr(pilots, "_FEWEST_ROUNDS", 2)


def words(path: Path, budget: str = "4") -> list[str]:
    manifest = fakes.write_manifest(path / "m.toml", {"a": "honest:4e-7", "b": "honest:1e-7"})
    return [
        *("selfcheck", "--manifest", str(manifest), "--results", str(path / "results")),
        *("--budget", budget),
    ]


def test_extra_epochs_are_work_that_is_not_compared() -> None:
    case = fakes.case(epochs=8, samples=2)
    plain = attempt(fakes.contender(), case, timeout_s=60.0, memory_bytes=None).output
    more = replace(fakes.contender(), extra_epochs=0.25)
    tried = attempt(more, case, timeout_s=60.0, memory_bytes=None)
    assert plain is not None and tried.output is not None
    assert tried.output.losses == plain.losses
    assert len(plain.losses) == 9
    # The fake says so many seconds a step: ten epochs instead of eight.
    assert tried.output.training_s == pytest.approx(1.25 * plain.training_s, rel=1e-6)


def test_a_check_from_start_to_end_and_again(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words(tmp_path)) == 0
    archive = Archive(tmp_path / "results" / "selfcheck")
    assert len(archive.sweeps()) == 2
    out = capfd.readouterr().out
    assert "2 such sweeps: about " in out
    with (tmp_path / "results" / "selfcheck.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    names = ["b", "a +0%", "a +2%", "a +5%", "a +10%", "a +20%"]
    assert [line["contender"] for line in lines if line["measure"] == "training"] == names * 2
    assert {line["reference"] for line in lines} == {"a"}
    extra = {line["contender"]: line["extra_epochs"] for line in lines}
    assert extra == dict(zip(names, ["", "0.0", "0.02", "0.05", "0.1", "0.2"], strict=True))
    # The fakes' training times are exact, so every difference is seen, and equality is.
    training = [line for line in lines if line["measure"] == "training"]
    for line in training:
        share = float(line["extra_epochs"] or 0.0)
        expected = 4.0 if line["contender"] == "b" else 1.0 / (1.0 + share)
        assert float(line["ratio"]) == pytest.approx(expected, rel=1e-3)
        assert line["verdict"] == ("faster" if expected > 1.0 else "slower" if share else "cannot tell")
    assert (tmp_path / "results" / "selfcheck.png").read_bytes().startswith(b"\x89PNG")
    # Complete: the next one begins anew.
    assert cli.main(words(tmp_path)) == 0
    assert len(archive.sweeps()) == 4


def test_a_check_that_was_cut_off_goes_on(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words(tmp_path)) == 0
    archive = Archive(tmp_path / "results" / "selfcheck")
    first, second = archive.sweeps()
    runs = (second.path / RUNS).read_bytes()
    (second.path / RUNS).write_bytes(runs[: len(runs) // 2])  # in the midst of a line
    capfd.readouterr()
    assert cli.main(words(tmp_path)) == 0
    assert "note: going on with an unfinished check" in capfd.readouterr().err
    assert [sweep.name for sweep in archive.sweeps()] == [first.name, second.name]
    assert len(second.rows()) == len(first.rows())
    # Between two sweeps.
    for path in sorted(second.path.iterdir()):
        path.unlink()
    second.path.rmdir()
    assert cli.main(words(tmp_path)) == 0
    assert len(archive.sweeps()) == 2
    # Another budget is another check.
    (archive.sweeps()[-1].path / RUNS).write_bytes(runs[: len(runs) // 2])
    assert cli.main(words(tmp_path, "5")) == 0
    assert len(archive.sweeps()) == 4


def test_interrupted_before_anything_was_timed_and_later(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    perform = Sweep.perform
    made: list[Run] = []

    def interrupted(self: Sweep, run: Run) -> Row:
        if len(made) in (3, 60):
            made.append(run)
            raise KeyboardInterrupt
        made.append(run)
        return perform(self, run)

    monkeypatch.setattr(Sweep, "perform", interrupted)
    for said in ("no sweep has two timed rounds yet, so there is nothing to show", ""):
        assert cli.main(words(tmp_path)) == 130
        out, err = capfd.readouterr()
        assert said in err
        assert "note: interrupted; the same command goes on from here" in err
        assert ("intervals held" in out) == (not said)
    assert cli.main(words(tmp_path)) == 0
    assert len(Archive(tmp_path / "results" / "selfcheck").sweeps()) == 2


def test_who_is_to_be_seen_is_a_copy_of_the_reference(tmp_path: Path) -> None:
    """Three sweeps, by hand: the copy without extra work, one with 10%, and somebody else."""
    sweeps = []
    for number, (copy, slowed, rival) in enumerate(((1.0, 1.1, 0.25), (1.1, 1.1, 0.2), (1.3, 1.1, 0.1))):
        names = ("a", "a +0%", "a +10%", "b")
        rows = pairs([(1.0, copy, slowed, rival)] * 3, names=names)
        rows += [row("a", n, control=True, training_s=1.0, wall_s=1.5) for n in (1, 2, 3)]
        results = understood(tmp_path / str(number), rows, plan(names))
        command = {"command": "x"}
        machine = {
            "cpu": "A processor",
            "usable_cores": 2,
            "contenders": {
                "a": {**command, "extra_epochs": 0.0},
                "a +0%": {**command, "extra_epochs": 0.0},
                "a +10%": {**command, "extra_epochs": 0.1},
                "b": {"command": "y", "extra_epochs": 0.0},
            },
        }
        sweeps.append(replace(results, environment=machine, sweep=str(number)))
    table = intervals(sweeps)
    training = table[table["measure"] == "training"].set_index(["sweep", "contender"])
    assert training["verdict"].to_dict()["2", "a +0%"] == "slower"  # a false alarm
    first = training[training.index.get_level_values("sweep") == "0"]
    true = dict(zip(first.index.get_level_values("contender"), first["true_ratio"], strict=True))
    assert true == {
        "a +0%": 1.0,
        "a +10%": pytest.approx(1.0 / 1.1),
        "b": 5.0,  # the median of 4, 5 and 10
    }
    held = table[table["holds"] & (table["measure"] == "training")]["contender"]
    assert Counter(held) == {"a +0%": 1, "a +10%": 3, "b": 1}
    counted = shares(table).set_index(["contender", "measure"])
    of_b = counted[["holds", "sweeps", "seen"]].to_dict("index")["b", "training"]
    assert of_b == {"holds": 1, "sweeps": 3, "seen": 3}
    # 3 of 3: the lower end is the cube root of 0.025.
    assert counted.loc[("a +10%", "training"), "holds_low"] == pytest.approx(0.025 ** (1 / 3))
    count = int(table["holds"].sum())
    assert sentence(table).startswith(f"On A processor, 2 cores, {count} of 18 intervals held (")
    assert sentence(table).endswith(
        "), 4 false alarms in 6 comparisons of a with itself, a difference of 10% is seen in at least 9 of 10"
        " sweeps."
    )
