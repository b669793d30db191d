"""What is said before anybody is asked: wrong flags, open schedulers, machines that are not alike."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness import cli
from harness.errors import FlatnetError, UsageError
from harness.machines.cluster import Access, SchedulerGone, Worker, address_in, checked_address, connected
from harness.machines.roll_call import differences, one_a_machine, other_files
from harness.measure.environment import Machine


def test_whether_others_can_reach_it() -> None:
    assert all(Access(address=f"tcp://{host}:8786").is_open for host in ("10.0.0.1", "first"))
    for closed in ("tcp://127.0.0.1", "tcp://[::1]", "tcp://localhost", "tls://first"):
        assert not Access(address=f"{closed}:8786").is_open, closed


def test_without_dask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(UsageError, match="Dask is not installed here; make scheduler does that"),
        connected(Access(address="tcp://127.0.0.1:1")),
    ):
        pass


@pytest.mark.parametrize("flag", [["--split"], ["--same-work"], ["--tls-cert", __file__]])
def test_flags_that_need_a_scheduler(flag: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", *flag]) == 2
    line = "error: --split, --same-work, --tls-...: take --scheduler or --scheduler-file as well\n"
    assert capsys.readouterr().err == line


def test_a_certificate_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "--tls-key", "/nowhere"]) == 2
    assert capsys.readouterr().err.startswith("error: --tls-key: got '/nowhere', takes a file; see ")


def test_scheduler_files(tmp_path: Path) -> None:
    path = tmp_path / "scheduler.json"
    with pytest.raises(ValueError, match="cannot be read: No such file"):
        address_in(str(path))
    for text in ('{"id": 1}', '{"address": "nowhere"}', "[]", "?"):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match="has no address"):
            address_in(str(path))
    path.write_text('{"address": "tcp://127.0.0.1:8786"}', encoding="utf-8")
    assert address_in(str(path)) == "tcp://127.0.0.1:8786"


def worker(machine: str = "x", **changes: Any) -> Worker:
    one = Worker(address=f"tcp://{machine}:1", machine=machine, boot="1", process=1, offers=True)
    return replace(one, **changes)


def test_a_second_worker_is_a_spare() -> None:
    """Whoever can measure comes first."""
    one, other = worker(offers=False), worker(address="tcp://x:2")
    assert one_a_machine([one, other, worker("y")], "tcp://s:1") == {"x": other, "y": worker("y")}


@pytest.mark.parametrize(
    ("workers", "error"),
    [
        ([], "no worker is at tcp://s:1; on each machine: make worker SCHEDULER=tcp://s:1"),
        ([worker(offers=False)], "no worker of x offers a measurement"),
        ([worker(), worker(address="tcp://x:2", boot="2")], "two machines are called x"),
        ([worker("", address="tcp://x:1")], "the worker at tcp://x:1 runs another Python; use 3."),
        ([worker("../up")], "FLATNET_MACHINE: got '../up'"),
    ],
)
def test_workers_that_will_not_do(workers: list[Worker], error: str) -> None:
    with pytest.raises(FlatnetError) as caught:
        one_a_machine(workers, "tcp://s:1")
    assert error in str(caught.value)


def machine(version: str = "1", built: str = "same", **changes: object) -> Machine:
    contenders = {
        "rust": {"version": version, "build": "cargo", "sha256": built},
        "python": {"version": "3", "build": "", "sha256": built},
    }
    environment = {"tree": "t", "commit": "0123456789abcdef", "cpu": "c", "contenders": contenders}
    return Machine(environment={**environment, **changes}, memory_bytes=None)


def test_what_must_be_the_same() -> None:
    machines = {
        "a": machine(),
        "b": machine(tree="u", commit="fedcba9876543210"),
        "c": machine(tree="u"),
        "d": machine(tree=None, commit=None),
        "e": machine("2"),
    }
    assert list(differences(machines, "0123456789abcdef", "t")) == [
        "b: has fedcba9876, here is 0123456789; there type git fetch && git checkout 0123456789",
        "c: has other uncommitted changes than are here; commit or stash them",
        "d: has no commit, here is 0123456789; there type git fetch && git checkout 0123456789",
        "e: has rust (2), python (3), but a has rust (1), python (3); install the same, or use --contenders",
    ]


def test_other_files_are_noted_between_machines_of_one_processor() -> None:
    machines = {
        "a": machine(),
        "b": machine(built="other"),
        "c": machine(built="third", cpu="arm"),
    }
    (note,) = other_files(machines)
    assert note.startswith("b: the file of rust differs from that on a")


@pytest.mark.parametrize(
    ("access", "error"),
    [
        (Access(address="tls://127.0.0.1:1"), "perhaps check your TLS configuration?"),
        (
            Access(
                address="tls://127.0.0.1:1",
                tls=dict.fromkeys(("tls_ca_file", "tls_client_cert", "tls_client_key"), "/nowhere"),
            ),
            "No such file or directory",
        ),
    ],
)
def test_certificates_that_will_not_do(access: Access, error: str) -> None:
    pytest.importorskip("distributed", reason="make scheduler installs Dask")
    with pytest.raises(SchedulerGone, match="no scheduler can be reached at tls") as gone, connected(access):
        pass
    assert error in str(gone.value)


@pytest.mark.parametrize(
    "text", ["nonsense", "host:8786", "http://host:8786", "tcp://host", "tcp://host:x", ""]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="takes an address such as tcp://host:8786"):
        checked_address(text)
    assert checked_address("tls://[::1]:8786") == "tls://[::1]:8786"
