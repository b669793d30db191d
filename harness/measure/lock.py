"""One measurement at a time on a machine, whichever command makes it."""

import fcntl
import os
import re
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from harness.codec import printable, shown
from harness.errors import INTERRUPTED, UsageError

VARIABLE = "FLATNET_MACHINE"
"""Names the machine in place of its host name."""
TEMPORARY = Path("/tmp")
_LONGEST = 500
"""Bytes that name a command."""


def this_machine() -> str:
    """Return this machine's name."""
    host = re.sub(r"[^0-9A-Za-z._-]", "-", socket.gethostname()).lstrip("._-")[:63]
    return os.environ.get(VARIABLE) or host or "here"


def machine_name(name: str) -> str:
    """Return ``name``; raise UsageError if no folder can have it."""
    if not re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z._-]{0,62}", name):
        raise UsageError(f"{VARIABLE}: got {shown(name)}, takes letters, digits, '.', '_' and '-'")
    return name


@contextmanager
def machine_locked(machine: str, on_wait: Callable[[str], object] = lambda _: None) -> Iterator[None]:
    """Wait until nothing else measures here, and keep others out; ``on_wait`` gets the other's command."""
    # Not where TMPDIR says, which may differ between users and shells.
    path = TEMPORARY / f"flatnet-{machine_name(machine)}.lock"
    try:
        with suppress(FileExistsError):
            new = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL, 0o644)
            os.fchmod(new, 0o644)
            os.close(new)
        try:
            lock = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
        except PermissionError:
            # Another user's file: reading is enough to lock it.
            lock = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        raise UsageError(f"{path}: cannot be locked: {error.strerror}; remove it") from error
    with os.fdopen(lock, "rb"):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait(printable(os.pread(lock, _LONGEST, 0).decode(errors="replace")) or "another command")
            fcntl.flock(lock, fcntl.LOCK_EX)
        about = f"{' '.join(sys.argv[1:])} (process {os.getpid()}, in {Path.cwd()})"
        with suppress(OSError):
            os.ftruncate(lock, 0)
            os.pwrite(lock, about.encode(errors="replace")[:_LONGEST], 0)
        try:
            yield
        finally:
            with suppress(OSError):
                os.ftruncate(lock, 0)


def main() -> None:
    """Run ``lock.py COMMAND ...`` while nothing else measures here; end as it does."""
    try:
        with machine_locked(this_machine(), lambda who: os.write(2, f"note: waiting for {who}\n".encode())):
            status = os.spawnvp(os.P_WAIT, sys.argv[1], sys.argv[1:])
    except UsageError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    sys.exit(status if status >= 0 else 128 - status)


if __name__ == "__main__":
    main()
