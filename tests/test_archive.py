"""The results folder: every sweep whole, the latest linked, whoever is killed when."""

import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness import archive as archives
from harness.archive import Archive
from harness.errors import ResultsError, UsageError
from harness.plan import Plan
from harness.records import SweepFolder, replace_file
from tests import sweeps


def plan(name: str) -> Plan:
    return sweeps.plan(("a",), sweep=name)


def archive_of(path: Path, *names: str) -> Archive:
    archive = Archive(path)
    with archive.locked():
        for name in names:
            archive.add(plan(name), {"host": "box"})
    return archive


BEGUN = {name: f"latest/{name}" for name in ("environment.json", "losses.csv", "plan.json", "runs.csv")}
"""The links to the files that each sweep has from its beginning."""


def linked(path: Path) -> dict[str, str]:
    """Return what each link in the folder leads to."""
    return {entry.name: str(entry.readlink()) for entry in path.iterdir() if entry.is_symlink()}


def test_two_sweeps_in_one_millisecond_have_two_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stopped(datetime):
        @classmethod
        def now(cls, tz: object = None) -> "Stopped":
            assert tz is UTC
            return cls(2026, 1, 1, 3, 32, 52, 123_999, tzinfo=UTC)

    monkeypatch.setattr(archives, "datetime", Stopped)
    archive = Archive(tmp_path)
    names = []
    for _ in range(3):
        names.append(archive.new_name())
        archive_of(tmp_path, names[-1])
    assert names == [f"2026-01-01T03-32-52.{place}Z" for place in (123, 124, 125)]
    assert [sweep.name for sweep in archive.sweeps()] == names
    # Somebody has put the clock right, after a sweep of the day after tomorrow.
    archive_of(tmp_path, "2026-01-03T23-59-59.999Z")
    assert archive.new_name() == "2026-01-04T00-00-00.000Z"
    (tmp_path / "machines" / "2026-01-05T00-00-00.000Z").mkdir(parents=True)
    assert archive.new_name() == "2026-01-05T00-00-00.001Z"


def test_what_stands_in_the_folder_belongs_to_the_latest_sweep(tmp_path: Path) -> None:
    archive = archive_of(tmp_path, "1")
    first = archive.find("latest")
    first.append_row(sweeps.row())
    replace_file(first.path / "scaling.png", b"old picture")
    archive.publish()
    assert linked(tmp_path) == {"latest": "sweeps/1", **BEGUN, "scaling.png": "latest/scaling.png"}
    assert (tmp_path / "scaling.png").read_bytes() == b"old picture"
    archive_of(tmp_path, "2")
    # The new sweep has no rows and no picture yet, so the folder has none either.
    assert linked(tmp_path) == {"latest": "sweeps/2", **BEGUN}
    archive.find("latest").append_row(sweeps.row("rust"))
    archive.publish()
    assert SweepFolder(tmp_path).rows() == [sweeps.row("rust")]
    assert first.rows() == [sweeps.row()]
    assert (first.path / "scaling.png").read_bytes() == b"old picture"
    # All links are relative.
    copied = tmp_path.rename(tmp_path.with_name(f"{tmp_path.name}-copied"))
    assert SweepFolder(copied).rows() == [sweeps.row("rust")]
    assert Archive(copied).find("latest").plan() == plan("2")


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("read me", encoding="utf-8")
    (tmp_path / "kernels.csv").write_text("mine", encoding="utf-8")
    (tmp_path / "elsewhere").symlink_to("/nowhere")
    archive = archive_of(tmp_path, "1", "2")
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == "read me"
    assert (tmp_path / "kernels.csv").read_text(encoding="utf-8") == "mine"
    assert linked(tmp_path)["elsewhere"] == "/nowhere"
    (archive.find("latest").path / "kernels.csv").write_text("of the sweep", encoding="utf-8")
    with pytest.raises(ResultsError) as caught:
        archive.publish()
    assert str(caught.value) == (
        f"{tmp_path / 'kernels.csv'}: is in the way of the latest sweep's; move it away"
    )
    assert (tmp_path / "kernels.csv").read_text(encoding="utf-8") == "mine"


class Killed(BaseException):
    """Ends a command in the midst of what it does, as kill -9 would."""


def test_killed_at_any_moment_while_a_sweep_gives_way_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before each call that changes the file system: nothing is of two sweeps, and the next call mends it."""
    calls = ("mkdir", "rename", "replace", "unlink", "symlink_to")
    count = 0
    while True:
        folder = tmp_path / str(count)
        archive = archive_of(folder, "1")
        archive.find("latest").append_row(sweeps.row())
        replace_file(archive.find("latest").path / "scaling.png", b"old")
        archive.publish()
        left = count
        with monkeypatch.context() as patched:
            for name in calls:
                real = getattr(Path, name)

                def call(path: Path, *words: object, real: object = real, **more: object) -> object:
                    nonlocal left
                    left -= 1
                    if left < 0:
                        raise Killed
                    return real(path, *words, **more)  # type: ignore[operator]

                patched.setattr(Path, name, call)
            with suppress(Killed):
                archive.add(plan("2"), {"host": "box"})
        names = [sweep.name for sweep in archive.sweeps()]
        assert names in (["1"], ["1", "2"])
        # A link that leads nowhere shows nothing; none shows the sweep before beside the new one.
        now = linked(folder)["latest"].removeprefix("sweeps/")
        shown = {entry.resolve().parent.name for entry in folder.iterdir() if entry.is_file()}
        assert shown - {folder.name} <= {now}
        assert archive.find("1").rows() == [sweeps.row()]
        with archive.locked():
            archive.publish()
            if "2" not in names:
                archive.add(plan("2"), {"host": "box"})
        assert archive.find("latest").plan() == plan("2")
        assert linked(folder) == {"latest": "sweeps/2", **BEGUN}
        hidden = {entry.name for entry in folder.rglob(".*")}
        assert hidden <= {".lock"}
        if left >= 0:
            assert count > 8
            break
        count += 1


def test_finding_a_sweep(tmp_path: Path) -> None:
    names = (f"2026-{day}T00-00-00.000Z" for day in ("01-01", "01-02", "02-01"))
    archive = archive_of(tmp_path, *names)
    for word, name in (
        ("latest", "2026-02-01T00-00-00.000Z"),
        ("latest~0", "2026-02-01T00-00-00.000Z"),
        ("latest~2", "2026-01-01T00-00-00.000Z"),
        ("2026-01-02", "2026-01-02T00-00-00.000Z"),
        ("2026-02-01", "2026-02-01T00-00-00.000Z"),
    ):
        assert archive.find(word).name == name
    elsewhere = tmp_path / "copied"
    elsewhere.mkdir()
    (elsewhere / "runs.csv").write_bytes(b"")
    assert archive.find(str(elsewhere)).path == elsewhere
    takes = "takes latest, latest~N, a folder, or a name that sweeps lists"
    for word, message in (
        ("latest~3", f"but {tmp_path} has only 3; make bench ARGS=--fresh measures another"),
        ("2026-01", "which begins the names of 2; write more of it"),
        ("", takes),
        ("../sweeps", takes),
    ):
        with pytest.raises(UsageError) as caught:
            archive.find(word)
        assert str(caught.value) == f"sweep: got '{word}', {message}"
    assert archive_of(tmp_path / "named", "quiet", "quieter").find("quiet").name == "quiet"


def test_an_empty_folder_has_no_sweep(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent"):
        archive = Archive(path)
        assert archive.sweeps() == []
        archive.publish()
        with pytest.raises(ResultsError) as caught:
            archive.find("latest")
        assert str(caught.value) == f"{path}: has no sweep; run make bench first"


def test_two_benches_in_one_folder(tmp_path: Path) -> None:
    with (
        Archive(tmp_path).locked(),
        pytest.raises(ResultsError, match=r"another command is writing there; wait, or use --results$"),
        Archive(tmp_path).locked(),
    ):
        pass


def test_without_symbolic_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(1, os.strerror(1))

    monkeypatch.setattr(Path, "symlink_to", refuse)
    with pytest.raises(ResultsError) as caught:
        archive_of(tmp_path, "1")
    assert str(caught.value) == (
        f"{tmp_path}: cannot be linked: Operation not permitted;"
        " use --results with a file system that has symbolic links"
    )


def test_only_sweeps_that_were_measured_here_are_the_latest(tmp_path: Path) -> None:
    """Not a copy with a name of its own, an empty folder, or a link to elsewhere."""
    real = "2026-01-01T03-32-52.123Z"
    archive = archive_of(tmp_path / "results", real)
    archive_of(tmp_path / "results", "baseline", "zz")
    (archive.path / "sweeps" / "2027-01-01T00-00-00.000Z").mkdir()
    (tmp_path / "system").mkdir()
    (tmp_path / "system" / "secret").touch()
    (archive.path / "sweeps" / "2028-01-01T00-00-00.000Z").symlink_to(tmp_path / "system")
    assert [sweep.name for sweep in archive.sweeps()] == ["baseline", "zz", real]
    assert archive.find("latest").name == real
    assert archive.find("baseline").name == archive.find("latest~2").name == "baseline"
    archive.publish()
    assert "secret" not in linked(archive.path)
    assert linked(archive.path)["latest"] == f"sweeps/{real}"
