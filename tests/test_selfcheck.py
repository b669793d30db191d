"""The check of the harness itself: what it makes, what it goes on with, and what it concludes."""

import csv
import math
import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness import cli
from harness.across.selfcheck import copies_of, intervals, shares, sharpness
from harness.archive import Archive
from harness.errors import ResultsError
from harness.measure import runner, storm
from harness.measure.contenders import attempt
from harness.measure.guard import processes, state
from harness.measure.runner import detached, usable_cores
from harness.measure.sweep import Sweep
from harness.plan import Run
from harness.records import ENVIRONMENT, RUNS
from harness.report import pictures_across, style
from harness.report.sentences import selfcheck as sentence
from harness.rows import Row
from tests import fakes
from tests.sweeps import SWEEP, pairs, plan, row, write


@pytest.fixture(autouse=True)
def two_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty would take long, and so would processes."""
    monkeypatch.setattr("harness.commands.selfcheck._SWEEP_S", 300.0)
    monkeypatch.setattr(runner, "run", fakes.at_once)


def without_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures_across, "selfcheck", lambda _: None)
    monkeypatch.setattr(style, "png", lambda _: b"")


def words(path: Path, rounds: int = 2) -> list[str]:
    manifest = fakes.write_manifest(path / "m.toml", {"a": "honest:4e-5", "b": "honest:1e-5"})
    return [
        *("selfcheck", "--manifest", str(manifest), "--results", str(path / "results")),
        *("--budget", "600", "--rounds", str(rounds)),
    ]


def test_extra_epochs_are_work_that_is_not_compared() -> None:
    case = fakes.case(epochs=8, samples=2)
    _, plain = attempt(fakes.contender(), case, timeout_s=60.0)
    _, more = attempt(replace(fakes.contender(), extra_epochs=0.25), case, timeout_s=60.0)
    assert plain is not None and more is not None
    assert more.losses == plain.losses
    assert len(plain.losses) == 9
    # The fake says so many seconds a step: ten epochs instead of eight.
    assert more.training_s == pytest.approx(1.25 * plain.training_s, rel=1e-6)


def test_a_check_from_start_to_end_and_again(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.main(words(tmp_path)) == 0
    archive = Archive(tmp_path / "results" / "selfcheck")
    (sweep,) = archive.sweeps()
    # Six and the control: a warm-up, and two rounds of each of two sweeps.
    assert len(sweep.rows()) == 7 * (1 + 2 * 2)
    assert "The rounds are cut into 2 sweeps." in capfd.readouterr().out
    with (tmp_path / "results" / "selfcheck.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    names = ["b", "a +0%", "a +2%", "a +5%", "b +0%"]
    training = [line for line in lines if line["measure"] == "training"]
    assert [line["contender"] for line in training] == names * 2
    assert [line["sweep"] for line in training] == [f"{sweep.name}+1"] * 5 + [f"{sweep.name}+2"] * 5
    assert {(line["reference"], line["rounds"]) for line in lines} == {("a", "2"), ("b", "2")}
    extra = {line["contender"]: line["extra_epochs"] for line in lines}
    assert extra == dict(zip(names, ["", "0.0", "0.02", "0.05", "0.0"], strict=True))
    # The fakes' training times are exact, so every difference is seen, and equality is.
    for line in training:
        share = float(line["extra_epochs"] or 0.0)
        expected = 4.0 if line["contender"] == "b" else 1.0 / (1.0 + share)
        assert float(line["ratio"]) == pytest.approx(expected, rel=1e-3)
        assert line["verdict"] == ("faster" if expected > 1.0 else "slower" if share else "cannot tell")
    assert (tmp_path / "results" / "selfcheck.png").read_bytes().startswith(b"\x89PNG")
    without_picture(monkeypatch)
    # It was cut off in the midst of a line: the same command goes on.
    runs = (sweep.path / RUNS).read_bytes()
    (sweep.path / RUNS).write_bytes(runs[: len(runs) // 2])
    assert cli.main(words(tmp_path)) == 0
    assert f"note: resuming {sweep.name}" in capfd.readouterr().err
    assert len(archive.sweeps()) == 1
    assert len(sweep.rows()) == 35
    # After a complete one, with --fresh, or with another number of rounds it is a new check.
    for other in (words(tmp_path), [*words(tmp_path), "--fresh"], words(tmp_path, rounds=1)):
        before = len(archive.sweeps())
        assert cli.main(other) == 0
        assert len(archive.sweeps()) == before + 1
        (archive.sweeps()[-1].path / RUNS).write_bytes(runs[: len(runs) // 2])


def test_interrupted_before_anything_was_timed_and_later(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    without_picture(monkeypatch)
    perform = Sweep.perform
    made: list[Run] = []

    def interrupted(self: Sweep, run: Run) -> Row:
        made.append(run)
        if len(made) in (4, 33):
            raise KeyboardInterrupt
        return perform(self, run)

    monkeypatch.setattr(Sweep, "perform", interrupted)
    for said in ("no sweep has two timed rounds yet, so there is nothing to show", ""):
        assert cli.main(words(tmp_path)) == 130
        out, err = capfd.readouterr()
        assert said in err
        assert "note: interrupted; the same command resumes it" in err
        assert ("contained the true ratio" in out) == (not said)
    assert cli.main(words(tmp_path)) == 0
    assert len(Archive(tmp_path / "results" / "selfcheck").sweeps()) == 1


def test_a_copy_is_held_against_what_it_is_a_copy_of(tmp_path: Path) -> None:
    """Three sweeps of three rounds, by hand: copies without extra work, one with 10%, and another program."""
    names = ("a", "a +0%", "a +10%", "b", "b +0%")
    seconds = [
        (1.0, copy, 1.1, b, b * more)
        for copy, b, more in ((1.0, 0.25, 1.0), (1.1, 0.2, 1.0), (1.3, 0.1, 1.5))
        for _ in range(3)
    ]
    rows = pairs(seconds, names=names)
    rows += [row("a", n, control=True, training_s=1.0, wall_s=1.5) for n in range(1, 10)]
    (planned,) = (of := plan(names)).cases
    folder = write(tmp_path, rows, replace(of, cases=(replace(planned, rounds=9),)))
    same = {"command": "x", "threads": 1, "env": {}, "tolerance": 0.0, "extra_epochs": 0.0}
    others: dict[str, dict[str, object]] = {
        "a +10%": {"extra_epochs": 0.1},
        "b": {"command": "y"},
        "b +0%": {"command": "y"},
    }
    contenders = {name: {**same, **others.get(name, {})} for name in names}
    machine = {"cpu": "A processor", "usable_cores": 2, "contenders": contenders}
    with pytest.raises(ResultsError, match="is no sweep of a self-check"):
        intervals(folder)
    folder.write_json(ENVIRONMENT, {**machine, "selfcheck": {"sweeps": 3, "storm": False}})
    table = intervals(folder)
    assert [*zip(table["contender"], table["reference"], strict=True)][:8:2] == [
        *(("a +0%", "a"), ("a +10%", "a"), ("b", "a"), ("b +0%", "b"))
    ]
    training = table[table["measure"] == "training"].set_index(["sweep", "contender"])
    assert training["verdict"].to_dict()[f"{SWEEP}+3", "a +0%"] == "slower"  # a false alarm
    first = training.loc[f"{SWEEP}+1"]
    assert first["true_ratio"].to_dict() == {
        "a +0%": 1.0,
        "a +10%": pytest.approx(1.0 / 1.1),
        "b": 5.0,  # the median of 4, 5 and 10
        "b +0%": 1.0,
    }
    # A part in which nobody has run b says nothing of it.
    without = [one for one in rows if one.run.round > 3 or not one.run.contender.startswith("b")]
    other = write(tmp_path / "other", without, replace(of, cases=(replace(planned, rounds=9),)))
    other.write_json(ENVIRONMENT, {**machine, "selfcheck": {"sweeps": 3, "storm": False}})
    assert dict(Counter(intervals(other)["contender"])) == {"a +0%": 6, "a +10%": 6, "b": 4, "b +0%": 4}
    # A job of a second of training and half a second of start-up is 1 / 15 longer with 10% more training.
    jobs = table[(table["measure"] == "job") & (table["contender"] == "a +10%")]
    assert jobs["true_ratio"].tolist() == pytest.approx([1.0 / (1.0 + 0.1 / 1.5)] * 3)
    right = table[table["contains"] & (table["measure"] == "training")]["contender"]
    assert Counter(right) == {"a +0%": 1, "a +10%": 3, "b": 1, "b +0%": 2}
    counted = shares(table).set_index(["contender", "measure"])
    of_b = counted[["contains", "sweeps", "seen"]].to_dict("index")["b", "training"]
    assert of_b == {"contains": 1, "sweeps": 3, "seen": 3}
    # 3 of 3: the lower end is the cube root of 0.025.
    assert counted.loc[("a +10%", "training"), "contains_low"] == pytest.approx(0.025 ** (1 / 3))
    # The first sweep has the truth of all copies, the others have not. Of a +0% the second and the third are
    # called slower, in training and for the job, and of b +0% the third.
    said = sentence(table)
    assert said.startswith(
        "On A processor, 2 cores, 1 of 3 sweeps (1% to 91%) contained the true ratio in all"
    )
    assert (
        "; 1 of 3 sweeps (1% to 91%) contained that of b against a, taken to be the median of all sweeps; "
        in said
    )
    alarms = "; there were 6 false alarms in 12 comparisons of a program with itself, half of them of jobs; "
    assert f"{alarms}training that takes 10% longer is seen in 3 of 3 sweeps" in said
    stormy = sentence(table.assign(storm=True, floor=1.2))
    assert stormy.startswith("On A processor, 2 cores, disturbed by other work, 1 of 3 sweeps")
    assert stormy.endswith(
        "; in 3 of the sweeps the control's floor was beyond 1.15, as on a very noisy machine."
    )


def test_sharpness_is_the_95th_percentile_of_the_error_in_half_widths() -> None:
    # Errors of 0, 1/20, 2/20, ... of a half width that is log(1.1) below and twice that above; the truth is
    # above in odd lines and below in even ones.
    shares_of_width = np.arange(21) / 20.0
    signs = np.where(np.arange(21) % 2, 1.0, -1.0)
    widths = np.where(signs > 0.0, 2.0, 1.0) * math.log(1.1)
    table = pd.DataFrame({"true_ratio": np.exp(signs * shares_of_width * widths), "ratio": 1.0})
    assert sharpness(table.assign(low=1.0 / 1.1, high=1.1**2)) == pytest.approx(0.95)
    assert sharpness(table[:1].assign(low=1.0, high=1.0)) == 0.0


@pytest.mark.parametrize(
    "other", [{"command": "y"}, {"threads": 2}, {"env": {"A": "b"}}, {"tolerance": 1e-9}], ids=str
)
def test_what_differs_in_more_than_work_is_no_copy(other: dict[str, object]) -> None:
    reference = {"command": "x", "threads": 1, "env": {}, "tolerance": 0.0, "extra_epochs": 0.0}
    contenders = {"a": reference, "copy": {**reference, "extra_epochs": 0.1}, "other": reference | other}
    assert copies_of(contenders) == {"copy": ("a", 0.1)}


def command_of(pid: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="nothing tells which processes there are")
def test_a_storm_works_in_bursts_and_ends_with_the_check() -> None:
    cores = sorted(usable_cores())[:2] or [0]
    with detached(storm.__file__, *map(str, cores)):
        time.sleep(0.5)
        ours = [pid for pid in processes() if b"storm.py" in command_of(pid)]
        assert len(ours) >= len(cores)
    gone = time.monotonic() + 10.0
    while any(Path(f"/proc/{pid}").exists() and b"Z" not in state(pid)[:1] for pid in ours):
        assert time.monotonic() < gone
        time.sleep(0.01)
