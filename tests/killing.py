"""Kills workers by SIGKILL at random moments while two of them measure, and counts: python -m tests.killing.

Two workers of this machine stand for two machines, each pinned to a core where there are two, and measure the
real programs from this checkout. One or the other is killed at 20 random moments and started again. In the
end every run must be there once in each folder, and once in each journal.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from harness.paths import ROOT
from harness.records import SweepFolder

KILLS = 20
MACHINES = ("core-0", "core-1")


def started(core: int, words: list[str], **variables: str) -> "subprocess.Popen[bytes]":
    pinned = ["taskset", "-c", str(core)] if shutil.which("taskset") and (os.cpu_count() or 1) > 1 else []
    return subprocess.Popen(
        [*pinned, sys.executable, "-m", *words],
        cwd=ROOT,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def main() -> None:
    """Print what became of it; end with status 1 if a run is missing or there twice."""
    budget_s, seed = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0, 13
    file = ROOT / "results" / "killing.json"
    file.parent.mkdir(exist_ok=True)
    file.unlink(missing_ok=True)
    processes = [
        started(0, ["dask", "scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file)])
    ]
    while not (file.exists() and file.read_text(encoding="utf-8").endswith("}")):
        time.sleep(0.05)
    address = json.loads(file.read_bytes())["address"]

    def worker(core: int) -> "subprocess.Popen[bytes]":
        words = ["dask", "worker", address, "--resources", "measurement=1", "--nthreads", "1", "--no-nanny"]
        return started(core, [*words, "--no-dashboard"], FLATNET_MACHINE=MACHINES[core])

    workers = {core: worker(core) for core in range(2)}
    time.sleep(5.0)
    bench = started(
        0, ["harness", "bench", "--scheduler", address, "--budget", str(budget_s), "--fresh", *sys.argv[2:]]
    )
    home = ROOT / "results" / "machines"
    before = set(home.glob("2*"))
    while bench.poll() is None and not set(home.glob("2*")) - before:
        time.sleep(0.1)
    (path,) = set(home.glob("2*")) - before
    moments, kills, draw = [], 0, random.Random(seed)
    while bench.poll() is None:
        time.sleep(draw.uniform(0.2, 2.0 * budget_s / KILLS))
        if kills < KILLS and bench.poll() is None:
            core = draw.randrange(2)
            workers[core].send_signal(signal.SIGKILL)
            workers[core].wait()
            moments.append(len(SweepFolder(path / MACHINES[core]).rows()))
            workers[core] = worker(core)
            kills += 1
    for process in (*workers.values(), *processes):
        process.kill()
    print(f"{kills} kills, when the victim's folder here had {', '.join(map(str, moments))} rows")
    bad = bench.returncode
    for machine in MACHINES:
        folder = SweepFolder(path / machine)
        plan = folder.plan()
        assert plan is not None
        wanted = sorted(run.key for run in plan.schedule())
        here = sorted(row.run.key for row in folder.rows())
        kept = SweepFolder(ROOT / "results" / "stations" / machine / "sweeps" / path.name)
        there = sorted(row.run.key for row in kept.rows())
        print(f"{machine}: planned {len(wanted)}, here {len(here)}, in the journal {len(there)} runs")
        bad |= here != wanted or there != wanted
    losses = [SweepFolder(path / machine).losses() for machine in MACHINES]
    same = losses[0] == losses[1]
    print(f"losses of {len(losses[0])} contenders and cases are {'identical' if same else 'not the same'}")
    print(f"exit status of the bench: {bench.returncode}; {Path(path)}")
    sys.exit(int(bool(bad) or not same))


if __name__ == "__main__":
    main()
