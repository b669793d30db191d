"""Nothing that a bench starts outlives it, or takes too much memory, whoever is killed or stopped."""

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.measure import guard, runner
from harness.measure.contenders import attempt
from harness.measure.contract import arguments
from harness.measure.runner import Process
from harness.paths import ROOT
from tests import fakes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone shows and ends all of it")
STUCK_S = 30.0


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Wait as shortly as possible, and adopt orphans meanwhile."""
    monkeypatch.setattr(runner, "_GRACE_S", 0.1)
    monkeypatch.setattr(runner, "_SETTLE_S", 0.05)
    with runner.guarded():
        yield


def run(behaviour: str, memory_bytes: int | None = None) -> Process:
    command = [*fakes.command(behaviour), *arguments(fakes.case())]
    return runner.run(command, timeout_s=60.0, memory_bytes=memory_bytes)


def ends(pid: int) -> bool:
    """Wait until a process has ended; false if it never does."""
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([watched], [], [], STUCK_S)[0])
    finally:
        os.close(watched)


def test_what_leaves_the_group_is_stray_and_ended(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    process = run(f"daemon:{pid}")
    assert process.failure == "stray"
    assert process.error == "left a process of its own running: Peak Memory: 4096 B"
    assert not Path(f"/proc/{pid.read_text(encoding='ascii')}").exists()
    assert "Final Loss: " in process.stdout
    assert run("honest").failure == ""


def test_without_the_guard_it_would_be_left(tmp_path: Path) -> None:
    """So that the test above shows something."""
    runner._adopting.clear()
    pid = tmp_path / "pid"
    assert run(f"daemon:{pid}").failure == ""
    os.kill(int(pid.read_text(encoding="ascii")), signal.SIGKILL)


BENCH = (
    "import sys; from harness.measure import runner; from pathlib import Path\n"
    "with runner.guarded():\n"
    "    print('ready', flush=True)\n"
    "    runner.run(sys.argv[1:], timeout_s=60.0)\n"
)


def started(tmp_path: Path) -> tuple["subprocess.Popen[str]", int]:
    """Start a harness that runs a program with a process that has left its group; return that one's id."""
    told = tmp_path / "told"
    os.mkfifo(told)
    command = [*fakes.command(f"slow-with-daemon:{told}"), *arguments(fakes.case())]
    bench = subprocess.Popen(
        [sys.executable, "-c", BENCH, *command], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    return bench, int(told.read_text(encoding="ascii"))


def test_a_killed_harness_leaves_nothing(tmp_path: Path) -> None:
    bench, pid = started(tmp_path)
    bench.kill()
    out, _ = bench.communicate(timeout=STUCK_S)  # The guard does not hold the output open.
    assert out == "ready\n"
    assert ends(pid)


def test_what_is_left_all_the_same_is_ended_and_named(tmp_path: Path) -> None:
    bench, pid = started(tmp_path)
    variables = Path(f"/proc/{pid}/environ").read_text(encoding="utf-8").split("\0")
    tag = dict(variable.partition("=")[::2] for variable in variables)[guard.VARIABLE]
    # While its bench lives it is let alone.
    assert guard.end_leftovers() == []
    assert Path(f"/proc/{pid}").exists()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        words = path.read_bytes().split(b"\0")
        if guard.__file__.encode() in words and tag.encode() in words:
            os.kill(int(path.parent.name), signal.SIGKILL)
    bench.kill()
    bench.communicate(timeout=STUCK_S)
    assert Path(f"/proc/{pid}").exists()
    ended = guard.end_leftovers()
    assert len([command for command in ended if "slow-with-daemon" in command]) == len(ended) >= 2
    assert ends(pid)


def test_the_guard_ends_with_its_bench() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BENCH, "true"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("ready\n", "")
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        words = path.read_bytes().split(b"\0")
        if guard.__file__.encode() in words and words[-2] != runner._TAG.encode():
            assert ends(int(path.parent.name))


def test_a_run_that_takes_too_much_memory() -> None:
    limit = 64 * 2**20
    process = run("hungry:200", limit)
    assert process.failure == "memory"
    assert process.error == f"exit status 1, and may take {limit} B of memory: MemoryError"
    assert run("hungry:20", limit).failure == ""
    assert run("crash:3", limit).failure == "crash"
    assert run("hungry:200").failure == ""


def test_control_characters_of_a_last_line_are_written_out() -> None:
    assert run("escapes").error == r"exit status 1: \x1b[2J\x9b2J\u202egone"


@pytest.mark.parametrize(("stops", "failure"), [(2, "paused"), (1, "")])
def test_a_harness_that_was_stopped_makes_no_false_timeout(
    stops: int, failure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its clock jumps by an hour while a run goes on that has a minute; the run is made again, once."""
    real, jumps = time.monotonic, [0.0]

    class Event(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            ended = super().wait(timeout)
            # A thread that starts waits, too, but without an end.
            if timeout and len(jumps) <= stops:
                jumps.append(3600.0)
            return ended

    monkeypatch.setattr(threading, "Event", Event)
    monkeypatch.setattr(time, "monotonic", lambda: real() + sum(jumps))
    process, output = attempt(fakes.contender(), fakes.case(), timeout_s=60.0)
    assert process.failure == failure
    assert process.error.startswith("the harness was stopped for " if failure else "")
    assert bool(output) == (not failure)


@pytest.mark.parametrize(
    ("behaviour", "failure", "error"),
    [
        ("honest", "", ""),
        ("garbled", "garbled", "printed 'Hello, world!"),
        ("crash:2", "crash", "exit status 2: "),
        ("honest:10", "garbled", "printed a training time of 160.000000000 s, but ended after 0."),
    ],
)
def test_an_attempt_names_what_went_wrong(behaviour: str, failure: str, error: str) -> None:
    process, output = attempt(fakes.contender("a", behaviour), fakes.case(), timeout_s=60.0)
    assert (process.failure, bool(process.error), output is None) == (failure, bool(failure), bool(failure))
    assert process.error.startswith(error)
