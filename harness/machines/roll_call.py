"""Who is there to measure, and whether all can measure the same: found out before anything is measured."""

import platform
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.errors import FlatnetError, UsageError
from harness.machines.cluster import RESOURCE, Cluster, Worker
from harness.machines.errand import VARIABLE, machine_name
from harness.measure import revisions
from harness.measure.environment import Machine
from harness.measure.sweep import listed

if TYPE_CHECKING:
    from harness.terminal import Terminal


def one_a_machine(present: Sequence[Worker], address: str) -> dict[str, Worker]:
    """Return a worker for each machine; raise FlatnetError if there is none, or one that cannot measure."""
    if not present:
        raise FlatnetError(f"no worker is at {address}; on each machine: make worker SCHEDULER={address}")
    for worker in present:
        if not worker.machine:
            raise FlatnetError(
                f"the worker at {worker.address} runs Python {worker.python}, here is"
                f" {platform.python_version()}; start it by the same"
            )
    chosen: dict[str, Worker] = {}
    for worker in sorted(present, key=lambda one: (one.machine, not one.offers, one.address)):
        known = chosen.setdefault(machine_name(worker.machine), worker)
        if known.boot != worker.boot:
            raise FlatnetError(
                f"two machines are called {worker.machine}; start the worker of one of them with another"
                f" {VARIABLE}"
            )
    if unable := [name for name, worker in chosen.items() if not worker.offers]:
        raise FlatnetError(
            f"no worker of {', '.join(unable)} offers a measurement; start it by make worker"
            f" SCHEDULER={address}, or add --resources {RESOURCE}=1 to its command"
        )
    return chosen


def checked_out() -> tuple[str, str]:
    """Return the ids of the commit and of the tree of files that are here; raise UsageError without git."""
    try:
        return revisions.commit_of("HEAD"), revisions.tree_of(revisions.UNCOMMITTED)
    except UsageError as error:
        raise UsageError(
            "--scheduler: this is no git checkout, so nobody can tell whether workers have the same files;"
            " clone the project with git"
        ) from error


def looked_at(
    cluster: Cluster,
    workers: Mapping[str, Worker],
    look: Mapping[str, Any],
    here: tuple[str, str],
    terminal: "Terminal",
) -> dict[str, Machine]:
    """Return what each machine says of itself; raise FlatnetError unless all can measure what is ``here``.

    ``look`` has the contenders that each is asked for.
    """
    with terminal.doing(f"looking at {len(workers)} machines, and building there"):
        replies = answers(cluster, workers, {name: {"do": "look", **look} for name in workers})
    refusals = [f"{name}: {reply['error']}" for name, reply in replies.items() if "error" in reply]
    machines = {name: machine_of(reply) for name, reply in replies.items() if "error" not in reply}
    refusals += differences(machines, *here)
    for line in refusals:
        terminal.error(line)
    if refusals:
        reasons = "reason" if len(refusals) == 1 else "reasons"
        raise FlatnetError(f"nothing was measured, for the above {reasons}")
    for name, reply in replies.items():
        for line in reply["notes"]:
            terminal.note(f"{name}: {line}")
    for line in other_files(machines):
        terminal.note(line)
    return machines


def machine_of(reply: Mapping[str, Any]) -> Machine:
    """Return what a station's answer to a look says of its machine."""
    return Machine(
        environment=reply["environment"],
        versions=reply["versions"],
        reference=reply["reference"],
        memory_bytes=reply["memory_bytes"],
    )


def answers(
    cluster: Cluster, workers: Mapping[str, Worker], requests: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Return the replies to requests, by machine; that of a worker that is gone is an error."""
    whose = {cluster.ask(workers[name], request): name for name, request in requests.items()}
    found: dict[str, dict[str, Any]] = {}
    while whose:
        for ticket, reply in cluster.replies(1.0):
            if ticket in whose:
                again = {"error": reply["again"]} if "again" in reply else {}
                found[whose.pop(ticket)] = {**reply, **again}
        here = {worker.key for worker in cluster.present()} if whose else set()
        for ticket, name in list(whose.items()):
            if workers[name].key not in here:
                cluster.forget([ticket])
                found[whose.pop(ticket)] = {"error": "its worker is gone; start it again"}
    return {name: found[name] for name in requests}


def differences(machines: Mapping[str, Machine], commit: str, tree: str) -> list[str]:
    """Return a line for each machine that would not measure what is here, with what to do about it."""
    lines = []
    first = next(iter(machines), "")
    for name, machine in machines.items():
        there, here = str(machine.environment["commit"] or "no commit")[:10], commit[:10]
        if machine.environment["tree"] != tree:
            lines.append(
                f"{name}: has other uncommitted changes than are here; commit or stash them"
                if there == here
                else f"{name}: has {there}, here is {here}; there type git fetch && git checkout {here}"
            )
        elif machine.versions != machines[first].versions:
            lines.append(
                f"{name}: has {listed(machine.versions)}, but {first} has"
                f" {listed(machines[first].versions)}; install the same, or choose by --contenders"
            )
    return lines


def other_files(machines: Mapping[str, Machine]) -> Iterator[str]:
    """Yield a note for each machine whose programs differ from those of another with the same processor."""
    first: dict[Any, tuple[str, Mapping[str, str]]] = {}
    for name, machine in machines.items():
        built = machine.environment.get("built", {})
        other, files = first.setdefault(machine.environment["cpu"], (name, built))
        if differing := sorted(one for one in built if files.get(one) != built[one]):
            yield (
                f"{name}: the file of {', '.join(differing)} is not the same as on {other}: another compiler,"
                " or only the path in it"
            )
