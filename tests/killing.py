"""Kills workers by SIGKILL at random moments while two of them measure, and counts: python -m tests.killing.

Two workers of this machine stand for two machines, each pinned to a core where there are two, and measure the
real programs from this checkout. One or the other is killed at 20 random moments and started again. In the
end every run must be there once in each folder, and once in each journal.
"""

import atexit
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter

import distributed

from harness.paths import ROOT
from harness.records import SweepFolder

KILLS = 20
MACHINES = ("core-0", "core-1")


def started(core: int, words: list[str], **variables: str) -> "subprocess.Popen[bytes]":
    pinned = ["taskset", "-c", str(core)] if shutil.which("taskset") and (os.cpu_count() or 1) > 1 else []
    process = subprocess.Popen(
        [*pinned, sys.executable, "-m", *words],
        cwd=ROOT,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        stderr=subprocess.DEVNULL,
    )
    atexit.register(process.kill)
    return process


def main() -> None:
    """Print what became of it as JSON; end with status 1 unless every run is there once."""
    budget_s, seed = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0, 13
    file = ROOT / "results" / "killing.json"
    file.parent.mkdir(exist_ok=True)
    file.unlink(missing_ok=True)
    started(0, ["dask", "scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file)])
    while not (file.exists() and file.read_text(encoding="utf-8").endswith("}")):
        time.sleep(0.05)
    address = json.loads(file.read_bytes())["address"]

    def worker(core: int) -> "subprocess.Popen[bytes]":
        words = ["dask", "worker", address, "--resources", "measurement=1", "--nthreads", "1", "--no-nanny"]
        return started(core, [*words, "--no-dashboard"], FLATNET_MACHINE=MACHINES[core])

    workers = {core: worker(core) for core in range(2)}
    with distributed.Client(address) as client:
        client.wait_for_workers(2)
    bench = started(
        0, ["harness", "bench", "--scheduler", address, "--budget", str(budget_s), "--fresh", *sys.argv[2:]]
    )
    home = ROOT / "results" / "machines"
    before = set(home.glob("2*"))
    while bench.poll() is None and not set(home.glob("2*")) - before:
        time.sleep(0.1)
    (path,) = set(home.glob("2*")) - before
    kills, draw = 0, random.Random(seed)
    while bench.poll() is None:
        time.sleep(draw.uniform(0.2, 2.0 * budget_s / KILLS))
        if kills < KILLS and bench.poll() is None:
            core = draw.randrange(2)
            workers[core].send_signal(signal.SIGKILL)
            workers[core].wait()
            workers[core] = worker(core)
            kills += 1
    found = Counter(kills=kills)
    bad = bench.returncode
    for machine in MACHINES:
        folder = SweepFolder(path / machine)
        plan = folder.plan()
        assert plan is not None
        planned = Counter(run.key for run in plan.schedule())
        found["planned"] += planned.total()
        kept = SweepFolder(ROOT / "results" / "stations" / machine / "sweeps" / path.name)
        for place, rows in (("folder", folder.rows()), ("journal", kept.rows())):
            there = Counter(row.run.key for row in rows)
            found[f"once_in_{place}"] += sum(there[key] == 1 for key in planned)
            bad |= there != planned
    one, other = (SweepFolder(path / machine).losses() for machine in MACHINES)
    found.update(lanes=len(one), same_losses=sum(other.get(lane) == own for lane, own in one.items()))
    print(json.dumps(found, indent=4))
    sys.exit(int(bool(bad) or one != other))


if __name__ == "__main__":
    main()
