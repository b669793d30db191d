"""How much a scheduler and a client have to do for each run, with many machines: python -m tests.scale.

200 workers, all in one process, each a machine of its own whose fake runs take no time at all: 10,200 runs.
What is left is the overhead, which is printed as JSON: CPU seconds of scheduler and client for each run, and
how long joining takes.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import distributed
from rich.console import Console

from harness.archive import folders_in
from harness.commands.join import join
from harness.machines import cluster, errand
from harness.machines.cluster import Worker
from harness.machines.lanes import Fleet, Lane
from harness.measure.sweep import Progress
from harness.paths import ROOT
from harness.plan import Options, Plan
from harness.records import SweepFolder
from harness.terminal import Terminal
from tests import fakes, sweeps

MACHINES = 200
ROUNDS = 16
ALONE = {
    "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
    "DASK_DISTRIBUTED__ADMIN__SYSTEM_MONITOR__INTERVAL": "60s",
}
"""What each worker does for itself, 200 of them in one process have no time for."""


def plan() -> Plan:
    """Return a plan of 51 runs."""
    return sweeps.plan(("a", "b"), (fakes.case("10-5-1"),), options=Options(rounds=ROUNDS))


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Answer as a station that measures in no time."""
    from distributed import get_worker  # noqa: PLC0415 - it runs elsewhere

    from tests.test_lanes import Machine  # noqa: PLC0415

    kept = vars(get_worker())
    return kept.setdefault("machine", Machine("x")).answer(request)  # type: ignore[no-any-return]


async def work(address: str) -> None:
    """Be all workers, until killed."""
    workers = [
        await distributed.Worker(
            address, nthreads=1, name=f"m{number:03}", resources={cluster.RESOURCE: 1}, dashboard=False
        )
        for number in range(MACHINES)
    ]
    await asyncio.gather(*(worker.finished() for worker in workers))


def cpu_s(pid: int | str) -> float:
    """Return the CPU seconds of a process."""
    ticks = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[11:13]
    return sum(map(int, ticks)) / 100.0


def measure(address: str, scheduler: int, path: Path) -> None:
    """Let all machines make their sweeps, and print what that cost."""
    errand.ask = answer
    with cluster.connected(cluster.Access(address=address)) as workers:
        client = workers._client
        while len(client.scheduler_info(n_workers=-1)["workers"]) < MACHINES:
            time.sleep(0.5)

        def present() -> list[Worker]:
            found = client.scheduler_info(n_workers=-1)["workers"]
            return [
                Worker(address=one, machine=about["name"], boot="", process=0, offers=True)
                for one, about in found.items()
            ]

        workers.present = present  # type: ignore[method-assign]
        lanes = []
        for worker in present():
            folder = SweepFolder(path / worker.machine)
            folder.path.mkdir()
            folder.begin(plan(), {"host": worker.machine, "cpu": "fake"})
            lanes.append(Lane(machine=worker.machine, progress=Progress(plan(), folder), worker=worker))
        before = cpu_s("self"), cpu_s(scheduler)
        Fleet(lanes=lanes, workers=workers, look={}, advance=lambda *_: None).carry_out()
        after = cpu_s("self"), cpu_s(scheduler)
        runs = sum(len(lane.progress.folder.rows()) for lane in lanes)
    assert runs == MACHINES * plan().runs
    client_s, scheduler_s = ((late - early) / runs for early, late in zip(before, after, strict=True))
    start = time.perf_counter()
    join(folders_in(path), path, Terminal(Console(quiet=True)))
    found = {"machines": MACHINES, "runs": runs, "scheduler_s": scheduler_s, "client_s": client_s}
    found["join_s"] = time.perf_counter() - start
    print(json.dumps(found, indent=4))


def main() -> None:
    """Start a scheduler and the workers, measure, and end them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        file = path / "scheduler.json"
        words = ["dask", "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
        scheduler = subprocess.Popen(
            [sys.executable, "-m", *words, "--scheduler-file", str(file)], stderr=subprocess.DEVNULL
        )
        while not (file.exists() and file.read_text(encoding="utf-8").endswith("}")):
            time.sleep(0.05)
        address = json.loads(file.read_bytes())["address"]
        crowd = subprocess.Popen(
            [sys.executable, "-m", "tests.scale", address],
            cwd=ROOT,
            env={**os.environ, **ALONE},
            stderr=subprocess.DEVNULL,
        )
        try:
            (path / "sweeps").mkdir()
            measure(address, scheduler.pid, path / "sweeps")
        finally:
            for process in (crowd, scheduler):
                process.kill()
                process.wait()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(work(sys.argv[1]))
    else:
        main()
