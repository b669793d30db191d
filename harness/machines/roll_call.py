"""Which machines are there, and whether all can measure the same."""

import platform
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.errors import FlatnetError, UsageError
from harness.machines.cluster import RESOURCE, Cluster, Worker
from harness.measure import revisions
from harness.measure.environment import Machine
from harness.measure.lock import VARIABLE, machine_name
from harness.measure.sweep import listed

if TYPE_CHECKING:
    from harness.terminal import Terminal


def one_a_machine(present: Sequence[Worker], address: str) -> dict[str, Worker]:
    """Return a worker for each machine; raise FlatnetError if there is none, or one cannot measure."""
    if not present:
        raise FlatnetError(f"no worker is at {address}; on each machine: make worker SCHEDULER={address}")
    if other := next((worker for worker in present if not worker.machine), None):
        here = platform.python_version()
        raise FlatnetError(f"the worker at {other.address} runs another Python; use {here}, as here")
    chosen: dict[str, Worker] = {}
    for worker in sorted(present, key=lambda one: (one.machine, not one.offers, one.address)):
        known = chosen.setdefault(machine_name(worker.machine), worker)
        if known.boot != worker.boot:
            twice = f"two machines are called {worker.machine}"
            raise FlatnetError(f"{twice}; start one's worker with another {VARIABLE}")
    if unable := ", ".join(name for name, worker in chosen.items() if not worker.offers):
        start = f"start it by make worker SCHEDULER={address}, or with --resources {RESOURCE}=1"
        raise FlatnetError(f"no worker of {unable} offers a measurement; {start}")
    return chosen


def looked_at(
    cluster: Cluster, workers: Mapping[str, Worker], look: Mapping[str, Any], terminal: "Terminal"
) -> dict[str, Machine]:
    """Return each machine as it describes itself; raise FlatnetError unless all can measure the same."""
    try:
        commit = revisions.object_id("HEAD^{commit}")
        tree = revisions.tree_of(revisions.UNCOMMITTED)
    except UsageError as error:
        raise UsageError("--scheduler: takes a git checkout, to compare workers' files; clone one") from error
    with terminal.doing(f"looking at {len(workers)} machines, and building there"):
        replies = answers(cluster, workers, {name: {"do": "look", **look} for name in workers})
    machines = {name: Machine(**reply["machine"]) for name, reply in replies.items()}
    if unlike := "; ".join(differences(machines, commit, tree)):
        raise FlatnetError(unlike)
    notes = [f"{name}: {line}" for name, reply in replies.items() for line in reply["notes"]]
    terminal.note(*notes, *other_files(machines))
    return machines


def answers(
    cluster: Cluster, workers: Mapping[str, Worker], requests: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Return the replies to requests, by machine; raise FlatnetError if one fails, or a worker is gone."""
    whose = {cluster.ask(workers[name], request): name for name, request in requests.items()}
    found: dict[str, dict[str, Any]] = {}
    while whose:
        for ticket, reply in cluster.replies(1.0):
            if ticket in whose:
                found[whose.pop(ticket)] = {"error": reply["again"]} if "again" in reply else reply
        here = cluster.present() if whose else []
        for ticket, name in list(whose.items()):
            if workers[name] not in here:
                cluster.forget([ticket])
                found[whose.pop(ticket)] = {"error": "its worker is gone; start it again"}
    if failed := [f"{name}: {reply['error']}" for name, reply in found.items() if "error" in reply]:
        raise FlatnetError("; ".join(failed))
    return {name: found[name] for name in requests}


def differences(machines: Mapping[str, Machine], commit: str, tree: str) -> Iterator[str]:
    """Yield what to do about each machine that would measure something else."""
    first = next(iter(machines), "")
    for name, machine in machines.items():
        there, here = str(machine.environment["commit"] or "no commit")[:10], commit[:10]
        if machine.environment["tree"] == tree:
            its, firsts = listed(machine.versions), listed(machines[first].versions)
            if its != firsts:
                yield f"{name}: has {its}, but {first} has {firsts}; install the same, or use --contenders"
        elif there == here:
            yield f"{name}: has other uncommitted changes than are here; commit or stash them"
        else:
            yield f"{name}: has {there}, here is {here}; there type git fetch && git checkout {here}"


def other_files(machines: Mapping[str, Machine]) -> Iterator[str]:
    """Yield a note on each machine whose built programs differ from another's of the same processor."""
    first: dict[Any, tuple[str, Mapping[str, str]]] = {}
    for name, machine in machines.items():
        programs = machine.environment["contenders"]
        built = {one: about["sha256"] for one, about in programs.items() if about["build"]}
        other, files = first.setdefault(machine.environment["cpu"] or name, (name, built))
        if differing := sorted(one for one in built if files.get(one) != built[one]):
            what = ", ".join(differing)
            yield f"{name}: the file of {what} differs from that on {other}: another compiler, or only a path"
