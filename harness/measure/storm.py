"""Other work on this machine, in bursts at random: makes a bad hour that can be repeated.

As a program, ``storm.py SEED CORE ...`` leaves processes that work on these cores until standard input ends.
"""

import os
import random
import select
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager

_CALM_S, _BURST_S = 2.0, 0.7
"""Mean seconds between bursts and of a burst; both are exponentially distributed."""


@contextmanager
def storm(cores: Collection[int], seed: int = 1) -> Iterator[None]:
    """Let other work disturb these cores.

    It has to begin before runs are guarded: what starts later would be taken for what they leave.
    """
    read, write = os.pipe()
    words = [sys.executable, "-I", "-S", __file__, str(seed), *map(str, cores)]
    subprocess.run(words, stdin=read, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    os.close(read)
    try:
        yield
    finally:
        os.close(write)


def _work(core: int, seed: int) -> None:
    """Be busy on a core now and then, until standard input ends."""
    random.seed(seed)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})
    while not select.select([0], [], [], random.expovariate(1.0 / _CALM_S))[0]:
        end = time.monotonic() + random.expovariate(1.0 / _BURST_S)
        while time.monotonic() < end:
            pass


def main() -> None:
    """Leave a process for each core, which is no child of who started this."""
    seed, *cores = map(int, sys.argv[1:])
    for place, core in enumerate(cores):
        if not os.fork():
            _work(core, seed + place)
            return


if __name__ == "__main__":
    main()
