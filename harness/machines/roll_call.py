"""Who is there to measure, and whether all can measure the same: found out before anything is measured."""

import argparse
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.commands.arguments import manifest_of
from harness.errors import FlatnetError, UsageError
from harness.machines import cluster
from harness.machines.lanes import Worker
from harness.machines.station import machine_name
from harness.measure import revisions
from harness.plan import Options

if TYPE_CHECKING:
    from harness.terminal import Terminal


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a machine said of itself."""

    worker: Worker
    """Who said so."""
    environment: Mapping[str, Any]
    """The machine."""
    versions: Mapping[str, str]
    """Its contenders, by name."""
    reference: str
    """Whom the others are compared with."""
    memory_bytes: int | None
    """The memory that a run may take there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What one command is about."""

    arguments: argparse.Namespace
    """Its flags."""
    options: Options
    """What it asks for."""
    access: cluster.Access
    """The scheduler."""
    commit: str
    """The commit that is checked out here."""
    tree: str
    """The files here, committed or not."""
    look: Mapping[str, Any]
    """What every station is asked first."""

    @property
    def is_clean(self) -> bool:
        """Whether all that is here is committed."""
        return self.tree == revisions.tree_of("HEAD")

    def environment_of(self, reply: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a machine said of itself; a deployed copy is no checkout, but of what is here."""
        said = dict(reply["environment"])
        if self.arguments.deploy:
            said |= {"commit": self.commit, "uncommitted_changes": not self.is_clean, "tree": self.tree}
        return said


def session_of(arguments: argparse.Namespace, options: Options) -> Session:
    """Return what a command is about; raise UsageError if that cannot be told."""
    address = cluster.checked_address(arguments.scheduler or cluster.address_in(arguments.scheduler_file))
    try:
        commit, tree = revisions.commit_of("HEAD"), revisions.tree_of(revisions.UNCOMMITTED)
    except UsageError as error:
        raise UsageError(
            "--scheduler: this is no git checkout, so nobody can tell whether workers have the same files;"
            " clone the project with git"
        ) from error
    manifest_of(arguments)  # If it is wrong, that is said before anybody is asked.
    return Session(
        arguments=arguments,
        options=options,
        access=cluster.Access(
            address=address,
            ca_file=arguments.tls_ca_file,
            cert=arguments.tls_cert,
            key=arguments.tls_key,
        ),
        commit=commit,
        tree=tree,
        look={
            "do": "look",
            "manifest": arguments.manifest.read_text(encoding="utf-8"),
            "contenders": arguments.contenders,
        },
    )


def looked_at(session: Session, workers: cluster.Cluster, terminal: "Terminal") -> dict[str, Look]:
    """Return what each machine says of itself; raise FlatnetError unless all can measure the same."""
    chosen = _one_a_machine(workers.present(), session.access.address)
    with terminal.doing(f"looking at {len(chosen)} machines, and building there"):
        tickets = {name: workers.ask(worker, session.look) for name, worker in chosen.items()}
        replies = answers(workers, chosen, tickets)
    refusals = [f"{name}: {reply['error']}" for name, reply in replies.items() if "error" in reply]
    looks = {
        name: Look(
            worker=chosen[name],
            environment=session.environment_of(reply),
            versions=reply["versions"],
            reference=reply["reference"],
            memory_bytes=reply["memory_bytes"],
        )
        for name, reply in replies.items()
        if "error" not in reply
    }
    refusals += _differences(session, looks)
    if refusals:
        for line in refusals:
            terminal.error(line)
        raise FlatnetError(
            f"nothing was measured, for the above {'reason' if len(refusals) == 1 else 'reasons'}"
        )
    for name, reply in replies.items():
        for line in reply["notes"]:
            terminal.note(f"{name}: {line}")
    for line in _other_files(looks):
        terminal.note(line)
    return looks


def _one_a_machine(present: Sequence[Worker], address: str) -> dict[str, Worker]:
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
                " FLATNET_MACHINE"
            )
    if unable := [name for name, worker in chosen.items() if not worker.offers]:
        raise FlatnetError(
            f"no worker of {', '.join(unable)} offers a measurement; start it by make worker"
            f" SCHEDULER={address}, or add --resources {cluster.RESOURCE}=1 to its command"
        )
    return chosen


def answers(
    workers: cluster.Cluster, asked: Mapping[str, Worker], tickets: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    """Return the replies to tickets, by machine; that of a worker that is gone is an error."""
    whose = {ticket: name for name, ticket in tickets.items()}
    found: dict[str, dict[str, Any]] = {}
    while whose:
        for ticket, reply in workers.replies(1.0):
            if ticket in whose:
                again = {"error": reply["again"]} if "again" in reply else {}
                found[whose.pop(ticket)] = {**reply, **again}
        here = {(worker.address, worker.process) for worker in workers.present()} if whose else set()
        for ticket, name in list(whose.items()):
            if (asked[name].address, asked[name].process) not in here:
                workers.forget([ticket])
                found[whose.pop(ticket)] = {"error": "its worker is gone; start it again"}
    return {name: found[name] for name in tickets}


def _differences(session: Session, looks: Mapping[str, Look]) -> list[str]:
    """Return a line for each machine that would not measure what is here, with what to do about it."""
    lines = []
    first = next(iter(looks.values()), None)
    for name, look in looks.items():
        said = look.environment
        if said["tree"] != session.tree:
            commit = str(said["commit"] or "no commit")[:10]
            here = session.commit[:10]
            lines.append(
                f"{name}: has other uncommitted changes than are here; commit or stash them, or use --deploy"
                if commit == here
                else f"{name}: has {commit}, here is {here}; there type git fetch && git checkout {here}, or"
                " use --deploy"
            )
        elif first is not None and look.versions != first.versions:
            lines.append(
                f"{name}: has {_listed(look.versions)}, but {first.worker.machine} has"
                f" {_listed(first.versions)}; install the same, or choose by --contenders"
            )
    return lines


def _listed(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} ({version})" for name, version in versions.items())


def _other_files(looks: Mapping[str, Look]) -> Iterator[str]:
    """Yield a note for each machine whose programs differ from those of another with the same processor."""
    first: dict[Any, tuple[str, Mapping[str, str]]] = {}
    for name, look in looks.items():
        built = look.environment.get("built", {})
        other, files = first.setdefault(look.environment["cpu"], (name, built))
        if differing := sorted(one for one in built if files.get(one) != built[one]):
            yield (
                f"{name}: the file of {', '.join(differing)} is not the same as on {other}: another compiler,"
                " or only the path in it"
            )
