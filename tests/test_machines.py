"""A real scheduler and real workers, on this machine and with fakes: nothing is lost, nothing is doubled."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.records import SweepFolder
from tests import stations
from tests.gates import STUCK_S

distributed = pytest.importorskip("distributed", reason="make scheduler installs Dask")

FAKES = {"a": "honest:4e-7", "b": "honest:5e-8"}
SHAPES = ("--shapes", "4-2-1", "6-3-1", "--methods", "naive", "--seconds", "0.01")
NO_COMMAND = {"MAKELEVEL", "PYTHONPATH"}


def until(holds: Callable[[], Any], what: str) -> None:
    """Wait for other processes."""
    end = time.monotonic() + STUCK_S
    while not holds():
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.02)


class Cloud:
    """A scheduler, workers, and whoever asks them."""

    def __init__(self, path: Path, prefix: str) -> None:
        self.path = path
        self.prefix = prefix
        self.processes: list[subprocess.Popen[Any]] = []
        self.file = path / "scheduler.json"
        self.environment = {name: value for name, value in os.environ.items() if name not in NO_COMMAND}

    def start(self, words: list[str], cwd: Path, **variables: str) -> "subprocess.Popen[str]":
        """Start a module in a folder; what the harness says is kept."""
        process = subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=cwd,
            env={**self.environment, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if words[0] == "harness" else subprocess.DEVNULL,
            stderr=subprocess.PIPE if words[0] == "harness" else subprocess.DEVNULL,
            text=True,
        )
        self.processes.append(process)
        return process

    def scheduler(self, port: int = 0) -> "subprocess.Popen[str]":
        """Start a scheduler and wait until it has an address."""
        words = ["dask", "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
        self.file.unlink(missing_ok=True)
        process = self.start([*words, "--scheduler-file", str(self.file)], self.path)
        until(self._has_written, "the scheduler")
        return process

    def _has_written(self) -> bool:
        return self.file.exists() and self.file.read_text(encoding="utf-8").rstrip().endswith("}")

    @property
    def address(self) -> str:
        """The scheduler's address."""
        return str(json.loads(self.file.read_bytes())["address"])

    def worker(self, machine: str, cwd: Path, *words: str) -> "subprocess.Popen[str]":
        """Start a worker in a checkout."""
        usual = words or ("--resources", "measurement=1")
        return self.start(
            ["dask", "worker", self.address, "--nthreads", "1", "--no-nanny", "--no-dashboard", *usual],
            cwd,
            FLATNET_MACHINE=self.name(machine),
        )

    def name(self, machine: str) -> str:
        """Return a name that no other test has: a machine measures one thing at a time."""
        return f"{self.prefix}-{machine}"

    def wait_for(self, count: int) -> None:
        """Wait until so many workers are there."""
        with distributed.Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(count, timeout=STUCK_S)

    def bench(self, cwd: Path, *words: str, rounds: int = 3) -> "subprocess.Popen[str]":
        """Start a bench in a checkout."""
        line = ["harness", "bench", "--scheduler", self.address, *SHAPES, "--rounds", str(rounds), *words]
        return self.start(line, cwd)

    def benched(self, cwd: Path, *words: str, rounds: int = 3) -> tuple[int, str, str]:
        """Run a bench to its end; return its status and what it said."""
        process = self.bench(cwd, *words, rounds=rounds)
        out, err = process.communicate(timeout=STUCK_S)
        assert "Traceback" not in err, err
        return process.returncode, out, err

    def folder(self, cwd: Path, machine: str) -> SweepFolder:
        """Return a machine's folder of the latest bench."""
        latest = max((cwd / "results" / "machines").glob("2*"))
        return SweepFolder(latest / self.name(machine))

    def rows(self, cwd: Path, machine: str) -> int:
        """Return how many rows that has."""
        found = sorted((cwd / "results" / "machines").glob(f"2*/{self.name(machine)}/runs.csv"))
        return max(0, len(found[-1].read_text(encoding="utf-8").splitlines()) - 1) if found else 0

    def wait_for_rows(self, bench: "subprocess.Popen[str]", cwd: Path, machine: str) -> None:
        """Wait until some have come; fail if the bench has ended before."""
        until(lambda: bench.poll() is not None or self.rows(cwd, machine) > 6, "rows")
        assert bench.poll() is None, bench.communicate()

    def end(self) -> None:
        """End all of them."""
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.communicate()


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    own = Cloud(tmp_path, re.sub(r"\W", "-", f"t{os.getpid()}-{tmp_path.name[-30:]}"))
    try:
        own.scheduler()
        yield own
    finally:
        own.end()


@pytest.fixture
def here(tmp_path: Path) -> Path:
    return stations.checkout(tmp_path / "here", FAKES)


def there(here: Path, machine: str) -> Path:
    """Return the checkout of another machine."""
    return stations.clone(here.with_name(machine), here)


def whole(folder: SweepFolder) -> list[Any]:
    """Return the keys of a folder's rows; fail if it has not just those of its plan."""
    plan = folder.plan()
    assert plan is not None
    keys = [row.run.key for row in folder.rows()]
    assert sorted(keys) == sorted(run.key for run in plan.schedule())
    assert {row.status for row in folder.rows()} == {"ok"}
    return sorted(keys)


def measured(checkout: Path) -> int:
    """Return how many runs the stations of a checkout have in their journals."""
    paths = (checkout / "results" / "stations").glob("*/sweeps/*/runs.csv")
    return sum(len(SweepFolder(path.parent).rows()) for path in paths)


def test_two_machines(cloud: Cloud, here: Path) -> None:
    for machine in ("x", "y"):
        cloud.worker(machine, there(here, machine))
    cloud.wait_for(2)
    status, out, err = cloud.benched(here)
    assert (status, "error" in err) == (0, False), err
    x, y = (cloud.folder(here, machine) for machine in ("x", "y"))
    assert whole(x) == whole(y)
    assert x.losses() == y.losses()
    assert x.environment()["host"] == cloud.name("x")
    assert x.environment()["command"] == [*SHAPES, "--rounds", "3"]
    assert "on 2 machines" in out
    with (x.path.parent / "joined.csv").open(encoding="utf-8", newline="") as file:
        assert {row["machine"] for row in csv.DictReader(file)} == {cloud.name("x"), cloud.name("y")}
    for path in (x.path.parent / "machines.png", x.path / "speedup.csv"):
        assert path.exists()
    assert [measured(here.with_name(machine)) for machine in ("x", "y")] == [len(x.rows()), len(y.rows())]
    # All is finished: the same command starts anew.
    status, _, _ = cloud.benched(here)
    assert (status, cloud.folder(here, "x").path == x.path) == (0, False)


def test_a_worker_killed_and_started_again(cloud: Cloud, here: Path) -> None:
    x, y = there(here, "x"), there(here, "y")
    cloud.worker("x", x)
    victim = cloud.worker("y", y)
    cloud.wait_for(2)
    bench = cloud.bench(here, rounds=7)
    cloud.wait_for_rows(bench, here, "y")
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    cloud.worker("y", y)
    _, err = bench.communicate(timeout=STUCK_S)
    assert bench.returncode == 0, err
    folders = [cloud.folder(here, machine) for machine in ("x", "y")]
    assert whole(folders[0]) == whole(folders[1])
    assert measured(y) == len(folders[1].rows())


def test_a_client_killed_and_run_again(cloud: Cloud, here: Path) -> None:
    x = there(here, "x")
    cloud.worker("x", x)
    cloud.wait_for(1)
    bench = cloud.bench(here, rounds=7)
    cloud.wait_for_rows(bench, here, "x")
    bench.send_signal(signal.SIGKILL)
    bench.wait()
    before = cloud.folder(here, "x")
    kept = before.rows()
    status, _, err = cloud.benched(here, rounds=7)
    assert (status, "note: resuming " in err) == (0, True), err
    after = cloud.folder(here, "x")
    assert after.path == before.path
    whole(after)
    assert after.rows()[: len(kept)] == kept
    assert measured(x) == len(after.rows())


def test_a_scheduler_that_is_started_again(cloud: Cloud, here: Path) -> None:
    """The workers end with it, and are started again, too: the same command goes on."""
    x = there(here, "x")
    cloud.worker("x", x)
    cloud.wait_for(1)
    bench = cloud.bench(here, rounds=7)
    cloud.wait_for_rows(bench, here, "x")
    port = int(cloud.address.rpartition(":")[2])
    for process in cloud.processes[:2]:
        process.kill()
        process.wait()
    cloud.scheduler(port)
    cloud.worker("x", x)
    _, err = bench.communicate(timeout=STUCK_S)
    assert (bench.returncode, "the scheduler is gone; looking for it" in err) == (0, True), err
    whole(cloud.folder(here, "x"))
    assert measured(x) == len(cloud.folder(here, "x").rows())


def test_what_is_refused_before_anything_is_measured(cloud: Cloud, here: Path) -> None:
    status, _, err = cloud.benched(here)
    assert (status, err.splitlines()[-1]) == (
        1,
        f"error: no worker is at {cloud.address}; on each machine: make worker SCHEDULER={cloud.address}",
    )
    able = cloud.worker("x", there(here, "x"), "--resources", "other=1")
    cloud.wait_for(1)
    status, _, err = cloud.benched(here)
    assert status == 1
    assert f"error: no worker of {cloud.name('x')} offers a measurement; start it by make worker" in err
    able.kill()
    able.wait()
    lost = cloud.worker("z", cloud.path)
    cloud.wait_for(1)
    status, _, err = cloud.benched(here)
    assert status == 1
    assert f"error: {cloud.name('z')}: {cloud.path} is no checkout with this version of the project" in err
    lost.kill()
    lost.wait()
    stations.commit(here)
    (here / "new.py").write_text("", encoding="utf-8")
    stations.commit(here)
    cloud.worker("y", here.with_name("x"))
    cloud.wait_for(1)
    status, _, err = cloud.benched(here)
    assert status == 1
    assert re.search(
        rf"error: {cloud.name('y')}: has \w{{10}}, here is (\w{{10}}); there type git fetch && git checkout"
        r" \1\n",
        err,
    ), err
    assert not (here / "results" / "machines").exists()


def test_a_sweep_that_is_split_with_a_machine_that_never_returns(cloud: Cloud, here: Path) -> None:
    lanes = here / "harness" / "machines" / "lanes.py"
    text = lanes.read_text(encoding="utf-8")
    lanes.write_text(text.replace("GRACE_S = 30.0", "GRACE_S = 1.0"), encoding="utf-8")
    stations.commit(here)
    workers = {machine: cloud.worker(machine, there(here, machine)) for machine in ("x", "y")}
    cloud.wait_for(2)
    shapes = ("--shapes", "4-2-1", "6-3-1", "8-4-1", "10-5-1", "--split")
    bench = cloud.bench(here, *shapes, rounds=6)
    cloud.wait_for_rows(bench, here, "y")
    workers["y"].kill()
    out, err = bench.communicate(timeout=STUCK_S)
    assert bench.returncode == 0, err
    assert f"error: {cloud.name('y')}: is gone; what it had not finished was measured again on others" in err
    x, y = (cloud.folder(here, machine) for machine in ("x", "y"))
    whole(x)
    plan = x.plan()
    assert plan is not None
    assert {str(one.case.shape) for one in plan.cases} == {"4-2-1", "6-3-1", "8-4-1", "10-5-1"}
    assert y.rows()
    rest = y.plan()
    assert rest is not None
    # If nothing counts any more of what it measured, nobody can say whether the machines are alike.
    nothing = "was measured anew elsewhere", "no timed run has ended well yet"
    assert any(text in err for text in nothing) is not bool(rest.cases)
    assert ("The machines may " in out) is bool(rest.cases)


def test_a_sweep_that_is_split(cloud: Cloud, here: Path) -> None:
    for machine in ("x", "y"):
        cloud.worker(machine, there(here, machine))
    cloud.wait_for(2)
    status, out, err = cloud.benched(here, "--shapes", "4-2-1", "6-3-1", "10-5-1", "--split", rounds=2)
    assert status == 0, err
    folders = [cloud.folder(here, machine) for machine in ("x", "y")]
    shapes = [{key[2] for key in whole(folder)} for folder in folders]
    assert shapes[0] | shapes[1] == {"4-2-1", "6-3-1", "10-5-1"}
    assert shapes[0] & shapes[1] == {"10-5-1"}
    assert "The machines may " in out
    together = SweepFolder(folders[0].path.parent / "whole" / "sweep")
    if together.path.exists():
        assert {key[2] for key in whole(together)} == {"4-2-1", "6-3-1", "10-5-1"}


def test_nobody_answers(here: Path, cloud: Cloud) -> None:
    cloud.processes[0].kill()
    cloud.processes[0].wait()
    status, _, err = cloud.benched(here)
    assert status == 1
    assert f"error: no scheduler can be reached at {cloud.address}: " in err
