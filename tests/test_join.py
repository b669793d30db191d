"""Several machines in one table: who counts, what they say together, who is not like the others."""

from pathlib import Path

import pytest

from harness import cli
from harness.across import machines
from harness.analysis.results import Results, understand
from harness.plan import Plan
from harness.records import ENVIRONMENT, SweepFolder
from harness.report import sentences
from harness.rows import Row
from tests import sweeps

ROUNDS = 12
LOSSES = {("python", "naive", "4-2-1"): (0.5, 0.25), ("rust", "naive", "4-2-1"): (0.5, 0.25)}


def rows(ratio: float, *, wobble: float = 0.01, control: float = 0.01, unit_s: float = 1.0) -> list[Row]:
    """Return rounds in which rust is so many times as fast, give or take a wobble, and a control's."""
    found = []
    for number in range(1, ROUNDS + 1):
        sign = 1 if number % 2 else -1
        found += [
            sweeps.row("python", number, training_s=unit_s, wall_s=unit_s + 1.0),
            sweeps.row("rust", number, training_s=unit_s / ratio * (1 + sign * wobble), wall_s=unit_s + 1.0),
            sweeps.row(
                "python",
                number,
                control=True,
                training_s=unit_s * (1 + sign * control),
                wall_s=(unit_s + 1.0) * (1 + sign * control),
            ),
        ]
    return found


def machine(path: Path, name: str, made: list[Row], plan: Plan | None = None, **losses: float) -> SweepFolder:
    kept = {key: (0.5, losses.get(key[0], 0.25)) for key in LOSSES}
    folder = sweeps.write(path / name, made, plan, kept)
    folder.write_json(ENVIRONMENT, {"host": name, "cpu": f"cpu of {name}"})
    return folder


def understood(path: Path, **made: list[Row]) -> dict[str, Results]:
    return {name: understand(machine(path, name, own)) for name, own in made.items()}


def training(found: dict[str, Results]) -> dict[str, object]:
    table = machines.joined(found)
    rivals = table[(table["contender"] == "rust") & (table["measure"] == "training")]
    return dict(zip(rivals["machine"], rivals["counts"], strict=True))


def test_what_three_machines_say_together(tmp_path: Path) -> None:
    found = understood(tmp_path, a=rows(50.0), b=rows(100.0), c=rows(200.0))
    table = machines.joined(found)
    summed = machines.summary(table)
    (one,) = summed[summed["measure"] == "training"].to_dict("records")
    assert one["machines"] == 3
    assert one["ratio"] == pytest.approx(100.0, rel=1e-3)
    # The machines' own intervals are narrow beside ln 2, which is the standard deviation between them.
    assert one["spread"] == pytest.approx(2.0, rel=1e-3)
    assert one["high"] / one["ratio"] == pytest.approx(2.0 ** (4.30265 / 3**0.5), rel=1e-3)
    (sentence,) = sentences.machines(summed)
    assert (
        "on 3 machines (95% interval of the mean 17.9 to 560; machines differ by a factor of 2.0" in sentence
    )
    assert list(sentences.remarks(found)) == []
    # One alone has no interval over machines.
    (sentence,) = sentences.machines(machines.summary(machines.joined({"a": found["a"]})))
    assert sentence.endswith("there is no interval.")


def test_a_noisy_machine_is_named_and_left_out(tmp_path: Path) -> None:
    found = understood(tmp_path, a=rows(100.0), b=rows(100.0), c=rows(900.0, control=0.3))
    assert training(found) == {"a": "yes", "b": "yes", "c": "noisy"}
    (remark,) = sentences.remarks(found)
    assert remark.startswith("c: The machine was very noisy")
    summed = machines.summary(machines.joined(found)).set_index("measure")
    assert summed["ratio"]["training"] == pytest.approx(100.0, rel=1e-3)


def test_other_losses_are_named_and_left_out(tmp_path: Path) -> None:
    found = {
        name: understand(machine(tmp_path, name, rows(100.0), None, **losses))
        for name, losses in (("a", {}), ("b", {"rust": 0.125}), ("c", {}))
    }
    assert training(found) == {"a": "yes", "b": "other losses", "c": "yes"}
    (remark,) = sentences.remarks(found)
    assert remark == (
        "b: rust has other losses than on a (naive 4-2-1: epoch 1: 0.125 instead of 0.25 (off by 2e-1 of the"
        " initial loss)); it is left out of the summary"
    )


def test_losses_are_held_against_those_of_longer_runs(tmp_path: Path) -> None:
    """Each machine plans its own epochs."""
    key = ("rust", "naive", "4-2-1")
    for last, said in ((0.25, 0), (0.125, 1)):
        kept = {"a": (0.5, 0.25), "b": (0.5, last, 0.0625), "c": (0.5, 0.25, 0.0625, 0.03)}
        found = {
            name: understand(sweeps.write(tmp_path / f"{name}{said}", rows(100.0), None, {key: losses}))
            for name, losses in kept.items()
        }
        assert list(machines.other_losses(found)) == [("b", "rust")] * said


def unlike(path: Path, **made: list[Row]) -> list[str]:
    return machines.unlike(machines.joined(understood(path, **made)))


def test_whether_machines_are_alike(tmp_path: Path) -> None:
    assert unlike(tmp_path / "1", a=rows(100.0), b=rows(100.5)) == []
    (other, *_) = unlike(tmp_path / "2", a=rows(100.0), b=rows(150.0))
    assert other.startswith("the ratio of rust at 4-2-1 (naive, training) is 1.50x as large on b as on a")
    slower = unlike(tmp_path / "3", a=rows(100.0), b=rows(100.0, unit_s=1.5))
    assert [text.partition(" is ")[0] for text in slower] == [
        "the step of rust at 4-2-1 (naive, training)",
        "the step of python at 4-2-1 (naive, training)",
    ]
    # The reference's own step has the floor of its ratios.
    noisy = [rows(100.0, control=0.05), rows(100.0, control=0.05, unit_s=1.03)]
    assert unlike(tmp_path / "4", a=noisy[0], b=noisy[1]) == []


def test_cases_that_others_took_over_are_not_joined(tmp_path: Path) -> None:
    """Rows of a case that is no longer in a machine's plan are kept, and are no result."""
    elsewhere = sweeps.case("6-3-1")
    folder = machine(tmp_path, "a", rows(100.0), sweeps.plan(["python", "rust"], [elsewhere]))
    results = machines.planned(understand(folder))
    assert set(results.speedups["layers"]) == {"6-3-1"}
    assert len(results.runs) == 3 * ROUNDS


def test_join_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Folders that were copied from anywhere; a folder of them is joined where it is."""
    a, b = (machine(tmp_path, name, rows(ratio)) for name, ratio in (("a", 50.0), ("b", 100.0)))
    results = tmp_path / "results"
    assert cli.main(["join", "--results", str(results), str(a.path), str(b.path)]) == 0
    said = capsys.readouterr().out
    assert "on 2 machines (95% interval of the mean" in said
    (into,) = (results / "machines").iterdir()
    assert sorted(path.name for path in into.iterdir()) == ["joined.csv", "machines.png", "pooled.csv"]
    assert (into / "machines.png").read_bytes().startswith(b"\x89PNG")
    for folder, name in ((a, "a"), (b, "b")):
        folder.path.rename(into / name)
    (into / "joined.csv").unlink()
    assert cli.main(["join", "--results", str(results), str(into)]) == 0
    assert (into / "joined.csv").exists()
    assert (into / "a" / "speedup.csv").exists()


def test_an_unfinished_sweep_is_named_and_a_folder_given_twice_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two of three rounds of three runs each; the warm-ups are missing as well."""
    plan = sweeps.plan(["python", "rust"])
    a, b = machine(tmp_path, "a", rows(50.0)[:6], plan), machine(tmp_path, "b", rows(100.0))
    words = ["join", "--results", str(tmp_path / "results"), str(a.path)]
    assert cli.main([*words, str(b.path)]) == 0
    notes = [line for line in capsys.readouterr().err.splitlines() if "unfinished" in line]
    assert notes == [
        f"note: {a.path}: unfinished: 6 of 12 runs",
        f"note: {b.path}: unfinished: 36 of 39 runs",
    ]
    assert cli.main([*words, str(a.path)]) == 2
    assert "takes one folder a machine" in capsys.readouterr().err


def test_machines_without_a_single_interval(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [machine(tmp_path / place, "a", rows(50.0)[:3]) for place in "xy"]
    assert (
        cli.main(["join", "--results", str(tmp_path / "results"), *(str(one.path) for one in folders)]) == 0
    )
    out, err = capsys.readouterr()
    assert "nothing can be said about machines in general" in out
    assert f"note: {folders[1].path} is of a as well, and counts as a machine of its own" in err
