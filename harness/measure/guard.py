"""Ends what a bench has started if the bench itself no longer can.

All programs of a bench inherit an environment variable that names the bench. So all that it leaves can be
found, even outside the process group: on Linux, where /proc shows environments. Elsewhere nothing is found.

As a program, ``guard.py TAG`` waits for the end of its standard input, which is the end of the bench. Unless
the bench has written something, it ends what is left of it. A signal at the parent's death
(PR_SET_PDEATHSIG) would end the child alone, and made starting a process take 2.3 times as long.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

VARIABLE = "FLATNET_BENCH"


def tag(pid: int | str) -> str:
    """Return what is unique to a process: namespace, id, and start in ticks since boot."""
    return f"{_namespace()}-{pid}-{b''.join(state(pid)[19:20]).decode()}"


def end_leftovers(only: str = "") -> list[str]:
    """End the programs of benches that are no more, or of the bench ``only``; return their command lines."""
    ended = []
    start = f"{VARIABLE}=".encode()
    for pid in processes():
        with suppress(OSError):
            entries = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            values = [entry.removeprefix(start) for entry in entries if entry.startswith(start)]
            its_tag = b"".join(values[:1]).decode(errors="replace")
            # In another namespace, such as a container's, its bench may well be running.
            is_orphan = its_tag.startswith(f"{_namespace()}-") and tag(its_tag.split("-")[1]) != its_tag
            if pid != os.getpid() and (its_tag == only if only else is_orphan):
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                os.kill(pid, signal.SIGKILL)
                ended.append(b" ".join(words).decode(errors="replace").strip())
    return ended


def processes() -> Iterator[int]:
    """Yield the ids of all processes, as far as the system shows them."""
    with suppress(OSError):
        yield from (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())


def state(pid: int | str) -> list[bytes]:
    """Return what /proc tells of a process: state, parent, group, ...; nothing if it is no more."""
    with suppress(OSError):
        # The second field, a name in brackets, may hold anything.
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    return []


def _namespace() -> str:
    """Return the number of the namespace of process ids, or ''."""
    with suppress(OSError):
        return str(Path("/proc/self/ns/pid").readlink()).strip("pid:[]")
    return ""


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
