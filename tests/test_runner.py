"""One process from start to end, on programs that end in every way there is."""

import math
import os
import resource
import signal
import sys
import threading
from pathlib import Path
from typing import Any, NoReturn

import pytest

from harness.measure import runner
from harness.measure.contract import arguments, parse_output
from harness.measure.runner import Process
from tests import fakes

LONG_S = 60.0
"""More than any of these programs takes: this timeout is not what ends it."""


def run(behaviour: str, timeout_s: float = LONG_S) -> Process:
    command = [*fakes.command(behaviour), *arguments(fakes.case())]
    return runner.run(command, timeout_s=timeout_s)


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait as shortly as possible before force is used."""
    monkeypatch.setattr(runner, "_GRACE_S", 0.1)


def is_running(pid: int) -> bool:
    """Whether a process is there and has not ended; one that nobody has waited for has."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


on_linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")


def test_a_run_that_ends_well() -> None:
    process = run("honest")
    assert (process.failure, process.error) == ("", "")
    output = parse_output(fakes.case(), process.stdout, process.stderr, process.wall_s)
    # (seed + neurons) / (3 * epoch + 7) with seed 1, 4 + 2 + 1 neurons: 8/7 before, 8/31 after 8 epochs.
    assert output.losses[0] == 8 / 7
    assert output.losses[-1] == 8 / 31
    assert len(output.losses) == 9
    # 2 samples, 8 epochs, 0.4 us a step, to 9 decimals.
    assert output.training_s == 6.4e-6


def test_seconds_are_finite_and_of_this_process_only() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    first, second = run("hungry:16"), run("honest")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    for process in (first, second):
        assert 0.0 < process.wall_s < math.inf
        assert 0.0 < process.user_s + process.system_s < math.inf
    # Together they are what the kernel has booked on all children, to its microsecond each.
    assert first.user_s + second.user_s == pytest.approx(after.ru_utime - before.ru_utime, abs=1e-5)
    assert first.system_s + second.system_s == pytest.approx(after.ru_stime - before.ru_stime, abs=1e-5)


@pytest.mark.skipif(runner.measuring_core() is None, reason="one core, or no choice of it")
@pytest.mark.parametrize("one_core", [True, False])
def test_a_program_has_a_core_and_the_harness_the_others(one_core: bool) -> None:
    cores = os.sched_getaffinity(0)
    code = "import os; print(*sorted(os.sched_getaffinity(0)), *sorted(os.sched_getaffinity(os.getppid())))"
    said = script(code, one_core=one_core).stdout
    core = runner.fastest(frozenset(cores))
    # The harness is back on its cores once the program has started, or a moment later.
    own, parents = [core], [sorted(cores - {core}), [core]]
    expected = [own + parent for parent in parents] if one_core else [sorted(cores) * 2]
    assert [int(word) for word in said.split()] in expected
    assert os.sched_getaffinity(0) == cores


@pytest.mark.parametrize(
    ("name", "of_each", "core"),
    [
        # Equal, or nothing is told.
        ("cpu_capacity", [1024, 1024, 1024, 1024], 3),
        ("", [], 3),
        # On ARM small cores come first, or last.
        ("cpu_capacity", [446, 446, 1024, 1024], 3),
        ("cpu_capacity", [1024, 1024, 446, 446], 1),
        # Intel's efficiency cores come last.
        ("cpufreq/cpuinfo_max_freq", [5100000, 5200000, 5200000, 3900000], 2),
    ],
)
def test_of_unequal_cores_a_fastest_measures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, of_each: list[int], core: int
) -> None:
    monkeypatch.setattr(runner, "CPU", tmp_path)
    for number, value in enumerate(of_each):
        path = tmp_path / f"cpu{number}" / name
        path.parent.mkdir(parents=True)
        path.write_text(f"{value}\n")
    assert runner.fastest.__wrapped__(frozenset(range(4))) == core


def test_what_the_system_did_meanwhile() -> None:
    process = run("honest")
    assert process.involuntary_switches >= 0
    if Path("/proc/stat").exists():
        assert process.stolen_s is not None
        assert 0.0 <= process.stolen_s < 60.0


UNNAMED = signal.SIGRTMIN + 1 if hasattr(signal, "SIGRTMIN") else 0
"""A real-time signal."""


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        ("crash:3", "exit status 3: error: the 7th gear is missing"),
        (f"killed:{signal.SIGKILL:d}", "ended by SIGKILL"),
        pytest.param(
            f"killed:{UNNAMED}",
            f"ended by signal {UNNAMED}",
            marks=pytest.mark.skipif(not UNNAMED, reason="no real-time signals"),
        ),
        ("loud-crash:1000000", "exit status 1: " + "x" * 500),
    ],
    ids=["status", "named", "unnamed", "endless"],
)
def test_the_status_or_the_signal_and_the_last_line(behaviour: str, error: str) -> None:
    process = run(behaviour)
    assert (process.failure, process.error) == ("crash", error)


def script(text: str, **options: Any) -> Process:
    """Run a program in Python."""
    return runner.run([sys.executable, "-I", "-S", "-c", text], timeout_s=LONG_S, **options)


def test_output_that_is_not_utf_8_and_input_that_is_empty() -> None:
    process = script("import sys; sys.stdout.buffer.write(b'\\xff\\xfeok'); sys.exit(len(sys.stdin.read()))")
    assert (process.stdout, process.failure) == ("\ufffd\ufffdok", "")


def test_garbled_output_is_not_the_runners_affair() -> None:
    process = run("garbled")
    assert (process.failure, process.stdout) == ("", "Hello, world!\n")


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("/nowhere/program", "cannot be started: No such file or directory"),
        ("/", "cannot be started: Permission denied"),
    ],
)
def test_a_program_that_cannot_be_started(command: str, error: str) -> None:
    process = runner.run([command], timeout_s=LONG_S)
    assert process == Process(failure="crash", error=error)


@pytest.mark.parametrize(
    ("behaviour", "error"), [("slow", ": still at it"), ("deaf", ": deaf"), ("closed-output", "")]
)
def test_a_program_that_takes_too_long_is_asked_to_end_and_then_killed(behaviour: str, error: str) -> None:
    process = run(behaviour, timeout_s=0.3)
    # Under load it may not have come as far as to say something.
    assert process.failure == "timeout"
    assert process.error in ("ended after 0.3 s", f"ended after 0.3 s{error}")


@pytest.mark.parametrize("descriptor", [1, 2])
def test_a_flood_is_stopped(monkeypatch: pytest.MonkeyPatch, descriptor: int) -> None:
    monkeypatch.setattr(runner, "OUTPUT_LIMIT_BYTES", 100_000)
    process = run(f"flood:{descriptor}")
    assert process.failure == "flood"
    assert process.error.startswith("wrote more than 100000 B")
    assert len(process.stdout) <= 100_000
    assert len(process.stderr) <= 100_000


def test_output_up_to_the_limit_is_no_flood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "OUTPUT_LIMIT_BYTES", 100_000)
    assert script("print(end='x' * 100_000)").failure == ""


@on_linux
@pytest.mark.parametrize("behaviour", ["orphan", "orphan-deaf"])
def test_a_child_left_behind_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behaviour: str
) -> None:
    monkeypatch.setattr(runner, "_SETTLE_S", 0.0)
    pid = tmp_path / "pid"
    process = run(f"{behaviour}:{pid}")
    assert process.failure == "stray"
    assert process.error.startswith("left a process of its own running")
    assert not is_running(int(pid.read_text(encoding="ascii")))
    assert parse_output(fakes.case(), process.stdout, process.stderr, process.wall_s).losses[0] == 8 / 7


@on_linux
def test_a_child_that_ends_by_itself_is_no_stray() -> None:
    # It closes its end of the pipe as it ends, so it has ended for sure when the parent reads the end.
    process = script(
        "import os\n"
        "read, write = os.pipe()\n"
        "if os.fork() == 0:\n"
        "    os._exit(0)\n"
        "os.close(write)\n"
        "os.read(read, 1)\n"
        "os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)\n"
    )
    assert process.failure == ""


@on_linux
def test_a_timeout_ends_the_children_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = tmp_path / "pid"
    os.mkfifo(pipe)
    pids: list[int] = []

    class Timer(runner._Timer):
        """Fires as soon as the program has told its child's process id."""

        def _watch(self, group: int, _: float) -> None:
            pids.append(int(pipe.read_text(encoding="ascii")))
            super()._watch(group, 0.0)

    monkeypatch.setattr(runner, "_Timer", Timer)
    process = run(f"slow-with-child:{pipe}")
    assert (process.failure, process.error) == ("timeout", "ended after 60 s")
    assert not is_running(pids[0])


@on_linux
def test_an_interrupted_harness_leaves_nothing_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while a run goes on: the program and its child are gone when the exception arrives."""
    pipe = tmp_path / "pid"
    os.mkfifo(pipe)
    pids: list[int] = []
    waiting, wait4 = threading.Event(), os.wait4

    def wait(pid: int, options: int) -> object:
        waiting.set()
        return wait4(pid, options)

    def interrupt() -> None:
        # Returns when the program has written its child's process id and is past its set-up.
        pids.append(int(pipe.read_text(encoding="ascii")))
        waiting.wait(60)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    monkeypatch.setattr(os, "wait4", wait)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    other = threading.Thread(target=interrupt)
    other.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            run(f"slow-with-child:{pipe}")
    finally:
        signal.signal(signal.SIGINT, before)
        other.join()
    assert not is_running(pids[0])


@on_linux
def test_an_interrupt_right_after_the_start_leaves_nothing_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = tmp_path / "pid"
    os.mkfifo(pipe)
    pids: list[int] = []

    def interrupted(*_: object) -> NoReturn:
        pids.append(int(pipe.read_text(encoding="ascii")))
        raise KeyboardInterrupt

    monkeypatch.setattr("harness.measure.runner._Timer", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(f"slow-with-child:{pipe}")
    assert not is_running(pids[0])


def test_variables_are_added_to_those_of_the_harness() -> None:
    text = "import os; print(os.environ['FLATNET_TEST'], 'PATH' in os.environ)"
    assert script(text, env={"FLATNET_TEST": "x y"}).stdout == "x y True\n"
