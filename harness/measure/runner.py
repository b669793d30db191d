"""One process from start to end: its output, what it cost, and how it ended.

The child leads a process group of its own. When ``run`` returns or raises, nothing that it started is left:
it was asked to end, then killed.
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
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO

from harness.codec import printable
from harness.measure import guard
from harness.measure.variables import variables
from harness.paths import ROOT

CPU = Path("/sys/devices/system/cpu")
OUTPUT_LIMIT_BYTES = 64 * 1024 * 1024
_LONGEST_LINE = 500
"""Characters of a program's last line that are kept: csv must read the row."""
_GRACE_S = 2.0
_PROBE_TIMEOUT_S = 30.0
_SETTLE_S = 0.2
_POLL_S = 0.01
_SLICE_S = 0.25
"""How long the timer sleeps; if it takes twice as long, the harness was stopped."""
_TAG = guard.tag(os.getpid())
_adopting = threading.Event()
"""Set while orphaned descendants become our children."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process that has ended; as for runs.csv, results/README.md says what the others mean."""

    stdout: str = ""
    """Its standard output; bytes that are not UTF-8 are replaced."""
    stderr: str = ""
    """Its standard error, likewise."""
    wall_s: float = 0.0
    user_s: float = 0.0
    system_s: float = 0.0
    involuntary_switches: int = 0
    stolen_s: float | None = None
    failure: str = ""
    """The status of a failure, or ''."""
    error: str = ""
    """The failure in words, with its last line of standard error."""


@contextmanager
def detached(*words: str) -> Iterator[int]:
    """Run a Python file that leaves processes until its standard input ends; yield what writes to that.

    Enter it before ``guarded``, which takes what starts later for what a run leaves.
    """
    read, write = os.pipe()
    command = [sys.executable, "-I", "-S", *words]
    subprocess.run(command, stdin=read, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    os.close(read)
    try:
        yield write
    finally:
        os.close(write)


@contextmanager
def guarded() -> Iterator[None]:
    """Let all that ``run`` starts meanwhile be seen, and ended even if we are killed."""
    with detached(guard.__file__, _TAG) as bench:
        _adopt(1)
        try:
            yield
        finally:
            _adopt(0)
            with suppress(BrokenPipeError):
                os.write(bench, b"done")


def _adopt(value: int) -> None:
    """Begin, or with 0 cease, to adopt orphaned descendants; only on Linux."""
    _adopting.clear()
    # 36 is PR_SET_CHILD_SUBREAPER.
    if sys.platform == "linux" and ctypes.CDLL(None).prctl(36, value, 0, 0, 0) == 0 and value:
        _adopting.set()


def run(
    command: Sequence[str],
    *,
    timeout_s: float,
    env: Mapping[str, str] | None = None,
    memory_bytes: int | None = None,
    one_core: bool = False,
) -> Process:
    """Run ``command`` in the project's folder for at most ``timeout_s`` seconds.

    A command that cannot be started is a crash. Threads read the output, so only the process itself is
    timed. A descendant that outlives it fails the run. ``env`` is added to ``variables``. ``memory_bytes``
    limits what it allocates, if the system can. With ``one_core`` it has the measuring core, and the harness
    the others, if there are any.
    """
    core = measuring_core() if one_core else None
    cores = set() if core is None else {core}
    with _on(usable_cores() - cores if cores else cores):
        stolen_s, start = _stolen_s(), time.perf_counter()
        try:
            with _on(cores):
                child = subprocess.Popen(
                    command,
                    cwd=ROOT,
                    env={**variables(), **(env or {}), guard.VARIABLE: _TAG},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    start_new_session=True,
                )
        except OSError as error:
            return Process(failure="crash", error=f"cannot be started: {error.strerror}")
        return _ended(child, start, stolen_s, timeout_s, memory_bytes)


def ask(command: Sequence[str]) -> tuple[str, str]:
    """Run ``command``; return its standard output, and the reason if it failed."""
    process = run(command, timeout_s=_PROBE_TIMEOUT_S)
    return process.stdout, f"{printable(' '.join(command))}: {process.error}" if process.failure else ""


def usable_cores() -> set[int]:
    """Return the cores that we may use; none if the system does not tell."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()


def measuring_core() -> int | None:
    """Return the core that is kept for the programs, one of the fastest; None if there is no choice."""
    cores = usable_cores()
    return fastest(frozenset(cores)) if len(cores) > 1 else None


@cache
def fastest(cores: frozenset[int]) -> int:
    """Return the last of the fastest cores: others may save energy."""

    def speed(core: int) -> list[int]:
        # ARM tells the first, Intel's unequal cores differ in the second.
        paths = (CPU / f"cpu{core}" / name for name in ("cpu_capacity", "cpufreq/cpuinfo_max_freq"))
        return [int(path.read_text(encoding="ascii")) for path in paths if path.exists()]

    return max(cores, key=lambda core: (speed(core), core))


@contextmanager
def _on(cores: set[int]) -> Iterator[None]:
    """Keep this thread, and what it starts meanwhile, on these cores, if there are any."""
    before = usable_cores()
    if cores:
        os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        if cores:
            os.sched_setaffinity(0, before)


def _ended(
    child: "subprocess.Popen[bytes]",
    start: float,
    stolen_s: float,
    timeout_s: float,
    memory_bytes: int | None,
) -> Process:
    """Wait for a process that began at ``start`` and ``stolen_s``, and end all that it leaves."""
    assert child.stdout is not None and child.stderr is not None
    # The group's id is the leader's, which stays taken until we have waited for it.
    group = child.pid
    try:
        if memory_bytes is not None and sys.platform == "linux":
            # Some runtimes reserve much more of the address space than they use.
            with suppress(OSError, ValueError):
                resource.prlimit(group, resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
        stdout, stderr = _Reader(child.stdout, group), _Reader(child.stderr, group)
        with closing(_Timer(group, timeout_s)) as timer:
            _, wait_status, usage = os.wait4(child.pid, 0)
            wall_s = time.perf_counter() - start
            stolen_s = _stolen_s() - stolen_s
            status = child.returncode = os.waitstatus_to_exitcode(wait_status)
    except BaseException:
        # Interrupted: wait for the leader while its group is being ended.
        ender = threading.Thread(target=_end_group, args=(group,))
        ender.start()
        child.wait()
        ender.join()
        _end_adopted()
        raise
    stray = _outlasts(_SETTLE_S, lambda: _has_adopted() or _group_is_alive(group))
    if stray:
        _end_group(group)
        _end_adopted()
    output, errors = stdout.text(), stderr.text()
    last_line = printable("".join(errors.strip().splitlines()[-1:])[:_LONGEST_LINE])
    failure = error = ""
    if timer.is_over:
        failure, error = "timeout", f"ended after {timeout_s:g} s"
    elif stdout.flooded or stderr.flooded:
        failure, error = "flood", f"wrote more than {OUTPUT_LIMIT_BYTES} B"
    elif status:
        names = {-number.value: f"ended by {number.name}" for number in signal.Signals}
        other = f"exit status {status}" if status > 0 else f"ended by signal {-status}"
        failure, error = "crash", names.get(status, other)
        # Its peak tells nothing: it is counted from that of the harness on.
        if memory_bytes is not None and ("memory" in last_line.lower() or "alloc" in last_line.lower()):
            failure, error = "memory", f"{error}, and may take {memory_bytes} B of memory"
    elif stray:
        failure, error = "stray", "left a process of its own running"
    elif timer.missed_s:
        failure, error = "paused", f"the harness was stopped for {timer.missed_s:.1f} s of it"
    return Process(
        stdout=output,
        stderr=errors,
        wall_s=wall_s,
        user_s=usage.ru_utime,
        system_s=usage.ru_stime,
        involuntary_switches=usage.ru_nivcsw,
        stolen_s=None if math.isnan(stolen_s) else stolen_s,
        failure=failure,
        error=": ".join(filter(None, (error, last_line))) if failure else "",
    )


def _stolen_s() -> float:
    """Return the CPU seconds that the host has given to others so far; nan but on Linux."""
    with suppress(OSError, IndexError, ValueError), Path("/proc/stat").open("rb") as file:
        # cpu user nice system idle iowait irq softirq steal
        return int(file.readline().split()[8]) / os.sysconf("SC_CLK_TCK")
    return math.nan


class _Timer:
    """Ends a process group when its time is over; while the harness is stopped, it stands still."""

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

    def close(self) -> None:
        self._stopped.set()
        self._thread.join()


def _end_group(group: int) -> None:
    """End ``group`` by SIGTERM, and after a grace period by SIGKILL.

    Another thread must wait for the leader, which counts as running until then.
    """
    for sign in (signal.SIGTERM, signal.SIGKILL):
        if not _signal_group(group, sign) or not _outlasts(_GRACE_S, lambda: _group_is_alive(group)):
            return


def _end_adopted() -> None:
    # More may come as these end.
    while _has_adopted():
        for pid in guard.processes():
            if guard.state(pid)[1:2] == [b"%d" % os.getpid()]:
                with suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(_POLL_S)


def _has_adopted() -> bool:
    """Whether a descendant has come to us, and still runs; meanwhile we have no other children."""
    with suppress(ChildProcessError):
        while _adopting.is_set() and os.waitpid(-1, os.WNOHANG)[0]:
            pass
        return _adopting.is_set()
    return False


def _outlasts(seconds: float, is_there: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while is_there():
        if time.monotonic() >= deadline:
            return True
        time.sleep(_POLL_S)
    return False


def _group_is_alive(group: int) -> bool:
    """Whether ``group`` has a process that has not ended.

    A zombie takes signals, and without a real init, as in many containers, may stay; only /proc tells.
    """
    if not _signal_group(group, 0):
        return False
    members = [state for state in map(guard.state, guard.processes()) if state[2:3] == [b"%d" % group]]
    return not members or any(state[0] not in (b"Z", b"X") for state in members)


def _signal_group(group: int, sign: int) -> bool:
    """Send ``sign``, 0 for none, to ``group``; return whether it has a process."""
    # macOS denies permission for a group of zombies.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, sign)
        return True
    return False


class _Reader:
    """Reads a pipe to its end in a thread, and ends a process group that writes too much."""

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
        """Return what was read, even if an unseen process still holds the pipe."""
        self._thread.join(_GRACE_S)
        return b"".join(self._chunks).decode(errors="replace")
