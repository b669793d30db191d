"""Ends what a bench has started if the bench itself no longer can.

Every program of a bench has a variable in its environment that names the bench, and hands it on to whatever
it starts. So all that is left of a bench can be found, even what has left the process group: on Linux, where
/proc shows the environments. Elsewhere nothing is found.

As a program, ``guard.py TAG`` waits until its standard input ends, which it does when the bench has ended in
whatever way. If the bench has not written anything before, it ends what the bench has left. A signal to each
child at its parent's death (PR_SET_PDEATHSIG) would do for the child alone, and only if set between fork and
exec; with that, starting a process took 2.3 times as long.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress

VARIABLE = "FLATNET_BENCH"


def tag() -> str:
    """Return the value of the variable for this process: what is unique to it among all that run."""
    return f"{_namespace()}-{os.getpid()}-{_beginning(os.getpid())}"


def end_leftovers(only: str = "") -> list[str]:
    """End all programs whose bench is no more, or those of the bench ``only``; return their command lines."""
    ended = []
    for pid, its_tag in _tagged():
        # In another namespace, as that of a container, its bench may well be running.
        namespace, _, owner = its_tag.partition("-")
        pid_of_owner, _, beginning = owner.partition("-")
        is_orphan = namespace == _namespace() and _beginning(pid_of_owner) != beginning
        if its_tag == only or (not only and is_orphan):
            with suppress(OSError):
                command = _read(f"/proc/{pid}/cmdline").replace(b"\0", b" ").decode(errors="replace").strip()
                os.kill(pid, signal.SIGKILL)
                ended.append(command)
    return ended


def _tagged() -> Iterator[tuple[int, str]]:
    """Yield the processes that have the variable, but for this one, and its value."""
    start = f"{VARIABLE}=".encode()
    for pid in processes():
        if pid != os.getpid():
            with suppress(OSError):
                for entry in _read(f"/proc/{pid}/environ").split(b"\0"):
                    if entry.startswith(start):
                        yield pid, entry[len(start) :].decode(errors="replace")


def processes() -> Iterator[int]:
    """Yield the ids of all processes, as far as the system shows them."""
    with suppress(OSError):
        # pathlib takes longer to load than this takes.
        yield from (int(name) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208


def state(pid: int | str) -> list[bytes]:
    """Return what the system tells of a process: state, parent, group, ...; nothing if it is no more."""
    with suppress(OSError):
        # The second field, a name in brackets, may hold anything.
        return _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    return []


def _namespace() -> str:
    """Return the number of the namespace in which process ids are counted; nothing if there is none."""
    with suppress(OSError):
        return os.readlink("/proc/self/ns/pid").strip("pid:[]")  # noqa: PTH115
    return ""


def _beginning(pid: int | str) -> str:
    """Return when a process began, in ticks since the system did; nothing if it is no more."""
    return b"".join(state(pid)[19:20]).decode()


def _read(path: str) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123
        return file.read()


def main() -> None:
    """Leave the bench's children, so that it has only those that it times; then wait for its end."""
    if os.fork():
        return
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if sys.stdin.buffer.read():
        return  # The bench says that it has ended well, and so has all that it started.
    # Twice: the first time may meet a process that is just starting another.
    for _ in range(2):
        end_leftovers(sys.argv[1])


if __name__ == "__main__":
    main()
