"""Ends what a bench has started if the bench itself no longer can: the program ``guard.py TAG``.

All that a bench starts inherits a variable that names it, by which it is found in /proc. The program waits
for the end of its standard input, and so of the bench. If nothing came, it ends what is left.

A signal at the parent's death (PR_SET_PDEATHSIG) would end the child alone, and made a start take 2.3 times
as long.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

VARIABLE = "FLATNET_BENCH"


def tag(pid: int | str) -> str:
    """Return what is unique to a process: namespace, id, start in ticks since boot."""
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
    """Yield the ids of all processes that the system shows."""
    with suppress(OSError):
        yield from (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())


def state(pid: int | str) -> list[bytes]:
    """Return a process's state, parent, group, ... from /proc; nothing if it is no more."""
    with suppress(OSError):
        # The second field, a name in brackets, may hold anything.
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    return []


def _namespace() -> str:
    """Return the number of our namespace of process ids, or ''."""
    with suppress(OSError):
        return str(Path("/proc/self/ns/pid").readlink()).strip("pid:[]")
    return ""


def main() -> None:
    """Wait for the bench's end, as no child of it: it has only those that it times."""
    if os.fork():
        return
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if sys.stdin.buffer.read():
        return  # The bench has ended well, and so has all that it started.
    # Twice, because a process may just be starting another.
    for _ in range(2):
        end_leftovers(sys.argv[1])


if __name__ == "__main__":
    main()
