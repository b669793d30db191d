"""One measurement at a time on a machine."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.measure.lock import TEMPORARY, VARIABLE, machine_locked, machine_name, this_machine
from harness.paths import ROOT

HOLDS = "import sys, harness.measure.lock as lock\nsys.argv = ['x', 'bench', '--budget', '9']\n"
HOLDS += "with lock.machine_locked(lock.this_machine()):\n    print('held', flush=True)\n    sys.stdin.read()"


@pytest.fixture(autouse=True)
def its_own_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, f"lock-{os.getpid()}-{tmp_path.name}"[:60])


def test_the_second_waits_and_is_told_for_whom() -> None:
    told: list[str] = []
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdin is not None and first.stdout is not None
        assert first.stdout.readline() == "held\n"

        def on_wait(who: str) -> None:
            told.append(who)
            assert first.poll() is None
            first.communicate("")

        with machine_locked(this_machine(), on_wait):
            assert first.poll() == 0
    assert told == [f"bench --budget 9 (process {first.pid}, in {ROOT})"]
    with machine_locked(this_machine(), told.append):
        pass
    assert len(told) == 1


def test_who_was_killed_holds_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDS], cwd=ROOT, stdin=-1, stdout=-1, text=True) as first:
        assert first.stdout is not None
        first.stdout.readline()
        first.kill()
    path = TEMPORARY / f"flatnet-{this_machine()}.lock"
    path.write_text(f"{path.read_text()}, once more: {'bench' * 100}", encoding="utf-8")
    with machine_locked(this_machine(), pytest.fail):
        assert path.read_text("utf-8").endswith(f"(process {os.getpid()}, in {Path.cwd()})")


def test_another_users_file_is_enough_to_wait_for(monkeypatch: pytest.MonkeyPatch) -> None:
    path = TEMPORARY / f"flatnet-{this_machine()}.lock"
    path.touch(0o444)
    honest = os.open

    def refused(name: str, flags: int, mode: int = 0o777) -> int:
        if str(name) == str(path) and flags & os.O_RDWR:
            raise PermissionError(13, "Permission denied")
        return honest(name, flags, mode)

    monkeypatch.setattr(os, "open", refused)
    with machine_locked(this_machine()):
        assert path.read_text() == ""


def test_a_command_runs_under_the_lock_and_ends_as_it_does() -> None:
    words = [sys.executable, "-m", "harness.measure.lock", sys.executable, "-c", "raise SystemExit(3)"]
    assert subprocess.run(words, cwd=ROOT, check=False).returncode == 3


def test_what_cannot_be_locked_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"FLATNET_MACHINE: got '\.\./up', takes letters"):
        machine_name("../up")
    path = TEMPORARY / f"flatnet-{this_machine()}.lock"
    path.symlink_to(tmp_path / "elsewhere")
    try:
        with (
            pytest.raises(UsageError, match=r"cannot be locked: .*; remove it$"),
            machine_locked(this_machine()),
        ):
            pass
    finally:
        path.unlink()
    assert not (tmp_path / "elsewhere").exists()
