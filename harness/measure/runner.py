"""One process from start to end: its output, what it cost, and how it ended.

The child leads a process group of its own. Whatever happens, nothing that it started is left when ``run``
returns or raises: it is asked to end, then made to.
"""

import ctypes
import math
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from harness.measure import guard
from harness.measure.contract import printable
from harness.paths import ROOT

OUTPUT_LIMIT_BYTES = 64 * 1024 * 1024
_LONGEST_LINE = 500
"""Characters of a program's last line that are kept: a row must stay one that the csv module reads back."""
_GRACE_S = 2.0
_PROBE_TIMEOUT_S = 30.0
_SETTLE_S = 0.2
_POLL_S = 0.01
_SLICE_S = 1.0
"""How long the timer sleeps at a time; if that lasts longer by as much again, the harness was stopped."""
_TAG = guard.tag()


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process that has ended."""

    stdout: str = ""
    """Its standard output, decoded; bytes that are not UTF-8 are replaced."""
    stderr: str = ""
    """Its standard error, likewise."""
    wall_s: float = 0.0
    """Seconds from before it was started until its end was known."""
    user_s: float = 0.0
    """CPU seconds in user mode, of it and of those of its children that it waited for."""
    system_s: float = 0.0
    """CPU seconds in the kernel, likewise."""
    involuntary_switches: int = 0
    """How often it, or a child of its, had to leave a core to somebody else."""
    stolen_s: float | None = None
    """CPU seconds that the host gave to others meanwhile, over all cores; None: the system does not tell."""
    failure: str = ""
    """Why it counts as failed: timeout, crash, memory, flood, stray, paused; empty if it does not."""
    error: str = ""
    """The failure in words, with its last line of standard error; empty without failure."""


@contextmanager
def guarded() -> Iterator[None]:
    """Make sure that what ``run`` starts meanwhile is seen, and ended, whatever becomes of it or of us."""
    read, write = os.pipe()
    # Started before orphans come to us, it is adopted by somebody else as soon as it has forked.
    command = [sys.executable, "-I", "-S", guard.__file__, _TAG]
    subprocess.run(command, stdin=read, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    os.close(read)
    _Adoption.set(True)
    try:
        yield
    finally:
        _Adoption.set(False)
        with suppress(BrokenPipeError):
            os.write(write, b"done")
        os.close(write)


class _Adoption:
    """Whether descendants whose parents have ended become our children: on Linux only, if asked for."""

    is_on = False

    @classmethod
    def set(cls, on: bool) -> None:
        """Ask for it, or no longer."""
        if sys.platform == "linux":
            # 36 is PR_SET_CHILD_SUBREAPER.
            cls.is_on = ctypes.CDLL(None).prctl(36, int(on), 0, 0, 0) == 0 and on


def run(
    command: Sequence[str],
    *,
    cwd: Path,
    timeout_s: float,
    env: Mapping[str, str] | None = None,
    memory_bytes: int | None = None,
    one_core: bool = False,
) -> Process:
    """Run ``command`` to its end, or to the end of ``timeout_s`` seconds.

    A command that cannot be started counts as a crash. Only the process itself is timed: output is read
    by threads, and a descendant that outlives it is ended and makes the run a failed one. ``env`` is added to
    the variables of the harness. ``memory_bytes`` is what it may allocate, if the system can hold it to that.
    With ``one_core`` it stays on the measuring core and the harness on the others, if there are any and the
    system lets us choose.
    """
    core = measuring_core() if one_core else None
    cores = set() if core is None else {core}
    with _on(os.sched_getaffinity(0) - cores if cores else cores):
        stolen_s, start = _stolen_s(), time.perf_counter()
        try:
            with _on(cores):
                child = subprocess.Popen(
                    command,
                    cwd=cwd,
                    env={**os.environ, **(env or {}), guard.VARIABLE: _TAG},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    start_new_session=True,
                )
        except OSError as error:
            reason = f"{printable(command[0])}: cannot be started: {error.strerror}"
            return Process(failure="crash", error=reason)
        return _ended(child, start, stolen_s, timeout_s, memory_bytes)


def ask(command: Sequence[str]) -> tuple[str, str]:
    """Run ``command`` and return its standard output, and the reason if it failed."""
    process = run(command, cwd=ROOT, timeout_s=_PROBE_TIMEOUT_S)
    said = "" if process.error.startswith(printable(command[0])) else f"{printable(' '.join(command))}: "
    return process.stdout, f"{said}{process.error}" if process.failure else ""


def measuring_core() -> int | None:
    """Return the core that is kept for the programs; None if there is only one, or no choice."""
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set[int]()
    return max(cores) if len(cores) > 1 else None


@contextmanager
def _on(cores: set[int]) -> Iterator[None]:
    """Keep this thread, and what it starts meanwhile, on these cores; where it was if there are none."""
    if not cores:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _ended(
    child: "subprocess.Popen[bytes]",
    start: float,
    stolen_s: float,
    timeout_s: float,
    memory_bytes: int | None,
) -> Process:
    """Wait for a process and end all that it leaves; ``start`` and ``stolen_s`` are clocks at its start."""
    assert child.stdout is not None and child.stderr is not None
    # The leader's process id is the group's too, and stays taken until the leader has been waited for.
    group = child.pid
    if memory_bytes is not None and sys.platform == "linux":
        # What it can write to; of their address space some runtimes reserve much more than they use.
        with suppress(OSError, ValueError):
            resource.prlimit(group, resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    stdout, stderr = _Reader(child.stdout, group), _Reader(child.stderr, group)
    timer = _Timer(group, timeout_s)
    try:
        _, wait_status, usage = os.wait4(child.pid, 0)
        wall_s = time.perf_counter() - start
        stolen_s = _stolen_s() - stolen_s
        child.returncode = os.waitstatus_to_exitcode(wait_status)
    except BaseException:
        # An interrupted harness: the leader must be waited for while its group is being ended.
        ender = threading.Thread(target=_end_group, args=(group,))
        ender.start()
        child.wait()
        ender.join()
        _end_adopted()
        raise
    finally:
        timer.stop()
    stray = _outlasts(_SETTLE_S, lambda: _has_adopted() or _group_is_alive(group))
    if stray:
        _end_group(group)
        _end_adopted()
    texts = stdout.text(), stderr.text()
    last_line = printable("".join(line[:_LONGEST_LINE] for line in texts[1].strip().splitlines()[-1:]))
    failure, error_text = "", ""
    if timer.is_over:
        failure, error_text = "timeout", f"ended after {timeout_s:g} s"
    elif stdout.flooded or stderr.flooded:
        failure, error_text = "flood", f"wrote more than {OUTPUT_LIMIT_BYTES} B"
    elif child.returncode != 0:
        failure, error_text = "crash", f"exit status {child.returncode}"
        if child.returncode < 0:
            names = {number.value: number.name for number in signal.Signals}
            error_text = f"ended by {names.get(-child.returncode, f'signal {-child.returncode}')}"
        # Its peak would tell nothing: the system counts that from the peak of the harness on.
        if memory_bytes is not None and ("memory" in last_line.lower() or "alloc" in last_line.lower()):
            failure, error_text = "memory", f"{error_text}, and may take {memory_bytes} B of memory"
    elif stray:
        failure, error_text = "stray", "left a process of its own running"
    elif timer.missed_s:
        failure, error_text = "paused", f"the harness was stopped for {timer.missed_s:.1f} s of it"
    return Process(
        stdout=texts[0],
        stderr=texts[1],
        wall_s=wall_s,
        user_s=usage.ru_utime,
        system_s=usage.ru_stime,
        involuntary_switches=usage.ru_nivcsw,
        stolen_s=None if math.isnan(stolen_s) else stolen_s,
        failure=failure,
        error=": ".join(filter(None, (error_text, last_line))) if failure else "",
    )


def _stolen_s() -> float:
    """Return the CPU seconds that the host has given to others so far, over all cores.

    Linux alone tells, in ticks of about a hundredth of a second; elsewhere it is nan.
    """
    with suppress(OSError, IndexError, ValueError), Path("/proc/stat").open("rb") as file:
        # cpu user nice system idle iowait irq softirq steal
        return int(file.readline().split()[8]) / os.sysconf("SC_CLK_TCK")
    return math.nan


class _Timer:
    """Ends a process group when its time is over. Time in which the harness is stopped does not count."""

    def __init__(self, group: int, timeout_s: float) -> None:
        self.is_over = False
        self.missed_s = 0.0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, args=(group, timeout_s), daemon=True)
        self._thread.start()

    def _watch(self, group: int, left_s: float) -> None:
        while left_s > 0.0:
            slice_s = min(left_s, _SLICE_S)
            before = time.monotonic()
            ended = self._stopped.wait(slice_s)
            missed_s = time.monotonic() - before - slice_s
            self.missed_s += missed_s if missed_s > _SLICE_S else 0.0
            if ended:
                return
            left_s -= slice_s
        self.is_over = True
        _end_group(group)

    def stop(self) -> None:
        """Let the time run no longer."""
        self._stopped.set()
        self._thread.join()


def _end_group(group: int) -> None:
    """End every process of ``group``: by SIGTERM, and after a grace period by SIGKILL.

    A leader that has not been waited for still counts, so some other thread must be waiting for it.
    """
    for sign in (signal.SIGTERM, signal.SIGKILL):
        if not _signal_group(group, sign) or not _outlasts(_GRACE_S, lambda: _group_is_alive(group)):
            return


def _end_adopted() -> None:
    """End the descendants that have left the group and come to us, and what they leave in turn."""
    while _has_adopted():
        for pid in guard.processes():
            if guard.state(pid)[1:2] == [b"%d" % os.getpid()]:
                with suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(_POLL_S)


def _has_adopted() -> bool:
    """Whether a descendant has come to us, and still runs; while ``run`` is at it, we have no other child."""
    with suppress(ChildProcessError):
        while _Adoption.is_on and os.waitpid(-1, os.WNOHANG)[0]:
            pass
        return _Adoption.is_on
    return False


def _outlasts(seconds: float, is_there: Callable[[], bool]) -> bool:
    """Whether something is still there after so many ``seconds``."""
    deadline = time.monotonic() + seconds
    while is_there():
        if time.monotonic() >= deadline:
            return True
        time.sleep(_POLL_S)
    return False


def _group_is_alive(group: int) -> bool:
    """Whether ``group`` has a process that has not ended.

    One that has ended but was not waited for still takes signals. If process 1 is no real init, as in
    many containers, an orphan may stay so for long; only /proc tells it from one that runs.
    """
    if not _signal_group(group, 0):
        return False
    members = [state for state in map(guard.state, guard.processes()) if state[2:3] == [b"%d" % group]]
    return not members or any(state[0] not in (b"Z", b"X") for state in members)


def _signal_group(group: int, sign: int) -> bool:
    """Send ``sign``, 0 for none, to every process of ``group``; whether there was one."""
    # macOS denies permission for a group that holds only processes which have ended.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, sign)
        return True
    return False


class _Reader:
    """Reads a pipe to its end in a thread, and ends the process group that writes too much."""

    def __init__(self, pipe: IO[bytes], group: int) -> None:
        self.flooded = False
        self._chunks: list[bytes] = []
        self._thread = threading.Thread(target=self._read, args=(pipe, group), daemon=True)
        self._thread.start()

    def _read(self, pipe: IO[bytes], group: int) -> None:
        size = 0
        with pipe:
            while chunk := os.read(pipe.fileno(), 65536):
                size += len(chunk)
                if size <= OUTPUT_LIMIT_BYTES:
                    self._chunks.append(chunk)
                elif not self.flooded:
                    self.flooded = True
                    _signal_group(group, signal.SIGKILL)

    def text(self) -> str:
        """Return what was read; not waiting for ever for a process that holds the pipe unseen."""
        self._thread.join(_GRACE_S)
        return b"".join(self._chunks).decode(errors="replace")
