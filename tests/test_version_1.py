"""A results folder of version 1.0 is taken over, sweep by sweep; `version-1.0` is one that it wrote."""

import csv
import json
import shutil
from pathlib import Path

import pytest

from harness.archive import Archive
from harness.errors import ResultsError
from harness.plan import Plan
from harness.version_1 import is_of_version_1, take_over

OLD = Path(__file__).with_name("version-1.0")


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


SWEEPS = list(dict.fromkeys(row["sweep"] for row in lines(OLD / "runs.csv")))
NAMES = [f"{sweep[:19].replace(':', '-')}{sweep[19:23]}Z" for sweep in SWEEPS]


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """Return a results folder with the files of version 1.0 and others."""
    path = tmp_path / "results"
    shutil.copytree(OLD, path)
    (path / "README.md").write_text("read me", encoding="utf-8")
    (path / "kernels.csv").write_text("kernels", encoding="utf-8")
    return Archive(path)


def is_taken_over(archive: Archive) -> None:
    """Assert that every row and every loss of the old folder stands in the folder of its sweep, once."""
    assert not is_of_version_1(archive)
    assert [sweep.name for sweep in archive.sweeps()] == NAMES
    for sweep, name in zip(SWEEPS, NAMES, strict=True):
        folder = archive.find(name)
        for table in ("runs.csv", "losses.csv"):
            before = [row for row in lines(OLD / table) if row["sweep"] == sweep]
            after = lines(folder.path / table)
            assert len(before) > 2
            # Columns that are newer are empty.
            known = [{name: cell for name, cell in row.items() if name in before[0]} for row in after]
            assert [{**row, "sweep": ""} for row in before] == [{**row, "sweep": ""} for row in known]
        assert {row.sweep for row in folder.rows()} == {name}
    for file in OLD.iterdir():
        assert (archive.path / "version-1.0" / file.name).read_bytes() == file.read_bytes()
    assert (archive.path / "README.md").read_text(encoding="utf-8") == "read me"
    assert (archive.path / "kernels.csv").read_text(encoding="utf-8") == "kernels"
    assert (archive.path / "runs.csv").resolve() == (archive.find(NAMES[-1]).path / "runs.csv").resolve()


def test_each_sweep_gets_its_folder(archive: Archive) -> None:
    assert is_of_version_1(archive)
    assert len(SWEEPS) == 2
    take_over(archive)
    is_taken_over(archive)


def test_the_plan_and_the_environment_are_those_of_the_last_sweep(archive: Archive) -> None:
    take_over(archive)
    first, last = archive.sweeps()
    assert (first.plan(), first.environment()) == (None, {})
    old = json.loads((OLD / "plan.json").read_text(encoding="utf-8"))
    plan = last.plan()
    assert isinstance(plan, Plan)
    assert plan.versions == old["versions"]
    (planned,) = plan.cases
    assert str(planned.case) == "backprop 4-2-1"
    assert planned.run_s == old["cases"][0]["run_s"]
    assert planned.control
    assert plan.options.run_s == 0.0001
    environment = json.loads((OLD / "environment.json").read_text(encoding="utf-8"))
    assert last.environment() == {**environment, "sweep": last.name}


def test_a_plan_that_cannot_be_understood_is_left_behind(archive: Archive) -> None:
    document = json.loads((OLD / "plan.json").read_text(encoding="utf-8"))
    (archive.path / "plan.json").write_text(json.dumps({**document, "cases": 3}), encoding="utf-8")
    take_over(archive)
    assert archive.find("latest").plan() is None
    assert len(archive.find("latest").rows()) > 2


class Killed(BaseException):
    """Ends a command in the midst of what it does, as kill -9 would."""


def test_killed_at_any_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before each change of the file system: the same again finishes it."""
    for count in range(100):
        path = tmp_path / str(count)
        shutil.copytree(OLD, path)
        (path / "README.md").write_text("read me", encoding="utf-8")
        (path / "kernels.csv").write_text("kernels", encoding="utf-8")
        archive, left = Archive(path), count
        with monkeypatch.context() as patched:
            for name in ("mkdir", "rename", "replace", "unlink", "symlink_to"):
                real = getattr(Path, name)

                def call(path: Path, *words: object, real: object = real, **more: object) -> object:
                    nonlocal left
                    left -= 1
                    if left < 0:
                        raise Killed
                    return real(path, *words, **more)  # type: ignore[operator]

                patched.setattr(Path, name, call)
            try:
                take_over(archive)
            except Killed:
                was_killed = True
            else:
                was_killed = False
        if is_of_version_1(archive):
            take_over(archive)
        archive.publish()
        is_taken_over(archive)
        if not was_killed:
            assert count > 12
            return
    pytest.fail("never came to its end")


def test_a_table_that_cannot_be_read_stays_where_it_is(archive: Archive) -> None:
    path = archive.path / "runs.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("backprop", "magic"), encoding="utf-8")
    with pytest.raises(ResultsError, match="method is 'magic'"):
        take_over(archive)
    assert is_of_version_1(archive)
    assert archive.sweeps() == []
