"""One process from start to end: its output, what it cost, and how it ended.

The child leads a process group of its own. Whatever happens, nothing of that group is left when ``run``
returns or raises: it is asked to end, then made to.
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

OUTPUT_LIMIT_BYTES = 64 * 1024 * 1024
_LONGEST_LINE = 500
"""Characters of a program's last line that are kept: a row must stay one that the csv module reads back."""
_GRACE_S = 2.0
_SETTLE_S = 0.2
_POLL_S = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process that has ended."""

    stdout: str
    """Its standard output, decoded; bytes that are not UTF-8 are replaced."""
    stderr: str
    """Its standard error, likewise."""
    wall_s: float
    """Seconds from before it was started until its end was known."""
    user_s: float
    """CPU seconds in user mode, of it and of those of its children that it waited for."""
    system_s: float
    """CPU seconds in the kernel, likewise."""
    failure: str
    """Why it counts as failed: timeout, crash, flood, stray; empty if it does not."""
    error: str
    """The failure in words, with its last line of standard error; empty without failure."""


def run(command: Sequence[str], *, cwd: Path, timeout_s: float) -> Process:
    """Run ``command`` to its end, or to the end of ``timeout_s`` seconds.

    A command that cannot be started counts as a crash. Only the process itself is timed: output is read
    by threads, and a descendant that outlives it is ended and makes the run a failed one.
    """
    start = time.perf_counter()
    try:
        child = subprocess.Popen(
            command,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        return _not_started(command[0], error)
    assert child.stdout is not None and child.stderr is not None
    # The leader's process id is the group's too, and stays taken until the leader has been waited for.
    group = child.pid
    stdout = _Reader(child.stdout, group)
    stderr = _Reader(child.stderr, group)
    late = threading.Event()
    timer = threading.Timer(timeout_s, _end_late, (group, late))
    timer.start()
    try:
        _, wait_status, usage = os.wait4(child.pid, 0)
        wall_s = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(wait_status)
    except BaseException:
        # An interrupted harness: the leader must be waited for while its group is being ended.
        ender = threading.Thread(target=end_group, args=(group,))
        ender.start()
        child.wait()
        ender.join()
        raise
    finally:
        timer.cancel()
    stray = _outlives(group, _SETTLE_S)
    end_group(group)
    texts = stdout.text(), stderr.text()
    failure, error_text = "", ""
    if late.is_set():
        failure, error_text = "timeout", f"ended after {timeout_s:g} s"
    elif stdout.flooded or stderr.flooded:
        failure, error_text = "flood", f"wrote more than {OUTPUT_LIMIT_BYTES} B"
    elif child.returncode != 0:
        failure, error_text = "crash", _ending(child.returncode)
    elif stray:
        failure, error_text = "stray", "left a process of its own running"
    last_line = [line[:_LONGEST_LINE] for line in texts[1].strip().splitlines()[-1:]]
    return Process(
        stdout=texts[0],
        stderr=texts[1],
        wall_s=wall_s,
        user_s=usage.ru_utime,
        system_s=usage.ru_stime,
        failure=failure,
        error=": ".join([error_text, *last_line]) if failure else "",
    )


def end_group(group: int) -> None:
    """End every process of ``group``: by SIGTERM, and after a grace period by SIGKILL.

    A leader that has not been waited for still counts, so some other thread must be waiting for it.
    """
    for sign in (signal.SIGTERM, signal.SIGKILL):
        if not _signal_group(group, sign) or not _outlives(group, _GRACE_S):
            return


def _end_late(group: int, late: threading.Event) -> None:
    late.set()
    end_group(group)


def _outlives(group: int, seconds: float) -> bool:
    """Whether ``group`` still has a process after at most ``seconds``."""
    deadline = time.monotonic() + seconds
    while _is_alive(group):
        if time.monotonic() >= deadline:
            return True
        time.sleep(_POLL_S)
    return False


def _is_alive(group: int) -> bool:
    """Whether ``group`` has a process that has not ended.

    One that has ended but was not waited for still takes signals. Where process 1 is no real init, as in
    many containers, an orphan may stay so for long; only /proc tells it from one that runs.
    """
    if not _signal_group(group, 0):
        return False
    states = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # The second field, a name in brackets, may hold anything.
            state, _, its_group, *_ = path.read_bytes().rpartition(b")")[2].split()
            if int(its_group) == group:
                states.append(state)
    return not states or any(state not in (b"Z", b"X") for state in states)


def _signal_group(group: int, sign: int) -> bool:
    """Send ``sign``, 0 for none, to every process of ``group``; whether there was one."""
    try:
        os.killpg(group, sign)
    except ProcessLookupError:
        return False
    except PermissionError:
        # macOS answers so for a group that holds only processes which have ended.
        return False
    return True


def _ending(exit_status: int) -> str:
    if exit_status >= 0:
        return f"exit status {exit_status}"
    try:
        return f"ended by {signal.Signals(-exit_status).name}"
    except ValueError:
        return f"ended by signal {-exit_status}"


def _not_started(program: str, error: OSError) -> Process:
    return Process(
        stdout="",
        stderr="",
        wall_s=0.0,
        user_s=0.0,
        system_s=0.0,
        failure="crash",
        error=f"{program}: cannot be started: {error.strerror}",
    )


class _Reader:
    """Reads a pipe to its end in a thread, and ends the process group that writes too much."""

    def __init__(self, pipe: IO[bytes], group: int) -> None:
        self.flooded = False
        self._chunks: list[bytes] = []
        self._pipe = pipe
        self._thread = threading.Thread(target=self._read, args=(group,), daemon=True)
        self._thread.start()

    def _read(self, group: int) -> None:
        size = 0
        with self._pipe:
            while chunk := os.read(self._pipe.fileno(), 65536):
                size += len(chunk)
                if size <= OUTPUT_LIMIT_BYTES:
                    self._chunks.append(chunk)
                elif not self.flooded:
                    self.flooded = True
                    _signal_group(group, signal.SIGKILL)

    def text(self) -> str:
        """Return what was read. A descendant that left the group may hold the pipe: it is not waited for."""
        self._thread.join(_GRACE_S)
        return b"".join(self._chunks).decode(errors="replace")
