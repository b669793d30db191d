"""Other work on this machine, in random bursts: a bad hour that can be repeated.

The program ``storm.py CORE ...`` leaves processes that work on these cores until standard input ends.
"""

import os
import random
import select
import sys
import time

_CALM_S, _BURST_S = 2.0, 0.7
"""Mean seconds between bursts and of a burst, both exponentially distributed."""


def main() -> None:
    """Leave a process for each core, no child of what started this."""
    for core in map(int, sys.argv[1:]):
        if not os.fork():
            random.seed(core)
            if hasattr(os, "sched_setaffinity"):
                os.sched_setaffinity(0, {core})
            while not select.select([0], [], [], random.expovariate(1.0 / _CALM_S))[0]:
                end = time.monotonic() + random.expovariate(1.0 / _BURST_S)
                while time.monotonic() < end:
                    pass
            return


if __name__ == "__main__":
    main()
