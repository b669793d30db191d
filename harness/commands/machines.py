"""A sweep on each of several machines, or one that they share: what bench does with --scheduler."""

import argparse
import platform
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.archive import Archive, sweep_name
from harness.codec import decode, encode
from harness.commands import cluster
from harness.commands.join import ABOUT, MACHINES, folders_in, join
from harness.commands.lanes import Fleet, Lane, Worker
from harness.commands.measuring import INTERRUPTED
from harness.commands.shared import archive_of, manifest_of
from harness.commands.split import hand_over, shares
from harness.errors import FlatnetError, NothingMeasured, UsageError
from harness.measure import revisions
from harness.measure.contenders import Lineup
from harness.measure.station import machine_name
from harness.measure.sweep import Sweep, differs
from harness.plan import Options, Plan
from harness.records import PLAN, SweepFolder, explained

if TYPE_CHECKING:
    from harness.console import Terminal

_RECONNECT_S = 60.0
"""For how long a scheduler that is gone is looked for."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags with which bench measures on other machines."""
    group = parser.add_argument_group("to measure on the workers of a Dask scheduler, docs/machines.md")
    where = group.add_mutually_exclusive_group()
    where.add_argument("--scheduler", metavar="ADDRESS", help="such as tcp://host:8786")
    where.add_argument(
        "--scheduler-file", metavar="FILE", type=Path, help="what `dask scheduler` wrote its address into"
    )
    group.add_argument(
        "--split", action="store_true", help="share one sweep out by cases, instead of a whole one for each"
    )
    group.add_argument(
        "--same-work",
        action="store_true",
        help="one plan for all machines (default: if their processors are the same)",
    )
    group.add_argument(
        "--deploy",
        action="store_true",
        help="let workers build and run a copy of what is here, in a temporary folder",
    )
    for flag, what in (("ca-file", "certificate authority"), ("cert", "certificate"), ("key", "private key")):
        group.add_argument(f"--tls-{flag}", metavar="FILE", help=f"TLS: {what}, as Dask takes it")


def is_wanted(arguments: argparse.Namespace) -> bool:
    """Whether the flags ask for other machines; raise UsageError if some make no sense without them."""
    if arguments.scheduler or arguments.scheduler_file:
        return True
    names = ("split", "same_work", "deploy", "tls_ca_file", "tls_cert", "tls_key")
    if given := [name for name in names if getattr(arguments, name)]:
        raise UsageError(f"--{given[0].replace('_', '-')}: takes --scheduler or --scheduler-file as well")
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
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
class _Session:
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


def run(arguments: argparse.Namespace, options: Options, terminal: "Terminal") -> int:
    """Measure on every machine that has a worker, and join what they measured; 1 if a machine did not finish."""
    session = _session(arguments, options)
    if session.access.is_open:
        terminal.note(
            f"{session.access.address} is not encrypted: whoever reaches it can run programs on all machines;"
            " docs/machines.md says how to use TLS"
        )
    archive = archive_of(arguments)
    packed = revisions.packed(session.tree) if arguments.deploy else None
    tree = session.tree if arguments.deploy else None
    with archive.locked():
        with cluster.connected(session.access, tree, packed) as workers:
            looks = _looked_at(session, workers, terminal)
            path = _path(session, workers, looks, archive, terminal)
            lanes = _lanes(path, looks)
            try:
                interrupted = _carry_out(session, path, lanes, workers, terminal)
                if tree:
                    _clear(workers, lanes)
                return _report(path, lanes, terminal, interrupted=interrupted)
            except cluster.SchedulerGone as gone:
                terminal.note(f"{gone}; looking for it for {_RECONNECT_S:.0f} s")
        interrupted = _go_on(session, path, lanes, (tree, packed), terminal)
        return _report(path, lanes, terminal, interrupted=interrupted)


def _go_on(
    session: _Session,
    path: Path,
    lanes: Sequence[Lane],
    deployed: tuple[str | None, bytes | None],
    terminal: "Terminal",
) -> bool:
    """Look for a scheduler that is gone, and go on if it is back; return whether somebody interrupted that."""
    gone_since_s = time.monotonic()
    try:
        while time.monotonic() - gone_since_s < _RECONNECT_S:
            for lane in lanes:
                lane.leave()
            with suppress(cluster.SchedulerGone), cluster.connected(session.access, *deployed) as workers:
                gone_since_s = time.monotonic()
                return _carry_out(session, path, lanes, workers, terminal)
            time.sleep(1.0)
    except KeyboardInterrupt:
        return True
    terminal.error("the scheduler is gone; the same command goes on when it is back")
    return False


def _session(arguments: argparse.Namespace, options: Options) -> _Session:
    address = arguments.scheduler or cluster.address_in(arguments.scheduler_file)
    try:
        commit, tree = revisions.commit_of("HEAD"), revisions.tree_of(revisions.UNCOMMITTED)
    except UsageError as error:
        raise UsageError(
            "--scheduler: this is no git checkout, so nobody can tell whether workers have the same; clone the"
            " project with git"
        ) from error
    manifest_of(arguments)  # If it is wrong, that is said before anybody is asked.
    return _Session(
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


def _looked_at(session: _Session, workers: cluster.Cluster, terminal: "Terminal") -> dict[str, _Look]:
    """Return what each machine says of itself; raise FlatnetError unless all can measure the same."""
    chosen = _one_a_machine(workers.present(), session.access.address)
    with terminal.doing(f"looking at {len(chosen)} machines, and building there"):
        tickets = {name: workers.ask(worker, session.look) for name, worker in chosen.items()}
        replies = _answers(workers, chosen, tickets)
    refusals = [f"{name}: {reply['error']}" for name, reply in replies.items() if "error" in reply]
    looks = {
        name: _Look(
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
                f"the worker at {worker.address} runs Python {worker.python}, here is {platform.python_version()};"
                " start it by the same"
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
            f"no worker of {', '.join(unable)} offers a measurement; start it by make worker SCHEDULER={address},"
            f" or add --resources {cluster.RESOURCE}=1 to its command"
        )
    return chosen


def _answers(
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


def _differences(session: _Session, looks: Mapping[str, _Look]) -> list[str]:
    """Return a line for each machine that would not measure what is here, with what to do about it."""
    lines = []
    first = next(iter(looks.values()), None)
    for name, look in looks.items():
        said = look.environment
        if said["tree"] != session.tree:
            commit = str(said["commit"])
            if commit != session.commit:
                there, here = commit[:10], session.commit[:10]
                todo = f"there type git fetch && git checkout {session.commit[:10]}"
            else:
                there, here, todo = (
                    "changes that are not committed",
                    "others, or none",
                    "commit them, or git stash",
                )
            lines.append(f"{name}: its checkout has {there}, here is {here}; {todo}, or use --deploy")
        elif first is not None and look.versions != first.versions:
            lines.append(
                f"{name}: has {_listed(look.versions)}, but {first.worker.machine} has {_listed(first.versions)};"
                " install the same, or choose by --contenders"
            )
    return lines


def _listed(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} ({version})" for name, version in versions.items())


def _other_files(looks: Mapping[str, _Look]) -> Iterator[str]:
    """Yield a note for each machine whose programs differ from those of another with the same processor."""
    first: dict[Any, tuple[str, Mapping[str, str]]] = {}
    for name, look in looks.items():
        built = look.environment.get("built", {})
        other, files = first.setdefault(look.environment["cpu"], (name, built))
        if differing := sorted(one for one in built if files.get(one) != built[one]):
            yield (
                f"{name}: the file of {', '.join(differing)} is not the same as on {other}: another compiler, or"
                " only the path in it"
            )


def _path(
    session: _Session,
    workers: cluster.Cluster,
    looks: Mapping[str, _Look],
    archive: Archive,
    terminal: "Terminal",
) -> Path:
    """Return the folder of the unfinished sweeps that this command goes on with, or of new ones."""
    arguments, home = session.arguments, archive.path / MACHINES
    latest = max(home.glob(f"[0-9]*/{ABOUT}"), default=None)
    if latest is not None and not arguments.fresh:
        is_unfinished, obstacle = _obstacle(session, latest.parent, looks, terminal)
        if is_unfinished and not obstacle:
            terminal.note(f"going on with {latest.parent.name}")
            return latest.parent
        if obstacle:
            terminal.note(f"{latest.parent.name} stays unfinished: {obstacle}")
    if arguments.resume:
        raise UsageError("--resume: there is nothing to go on with; leave the option out")
    name = sweep_name(datetime.now(UTC))
    plans = _plans(session, workers, looks, name, terminal)
    new = home / ".new"
    with explained(home, "cannot be written", "name another folder with --results"):
        shutil.rmtree(new, ignore_errors=True)
        for machine, plan in plans.items():
            folder = SweepFolder(new / machine)
            folder.path.mkdir(parents=True)
            folder.begin(plan, looks[machine].environment)
        SweepFolder(new).write_json(ABOUT, {"sweep": name, "split": arguments.split, "machines": list(plans)})
        new.rename(home / name)
    terminal.say(
        f"{name}: {'parts of one plan for' if arguments.split else 'a sweep on each of'} {', '.join(plans)}"
    )
    for plan in {id(plan): plan for plan in plans.values()}.values():
        terminal.plan(plan)
    return home / name


def _obstacle(
    session: _Session, path: Path, looks: Mapping[str, _Look], terminal: "Terminal"
) -> tuple[bool, str]:
    """Return whether sweeps in ``path`` are unfinished, and the reason not to go on with them, or ''."""
    about = SweepFolder(path).read_json(ABOUT) or {}
    is_unfinished, obstacle = False, ""
    for folder in folders_in(path):
        for name in folder.set_half_lines_aside():
            terminal.note(
                f"the last line of {folder.name}'s {name} was only half written: it is in {name}.half"
            )
        plan = folder.plan()
        if plan is None:
            return False, f"the {PLAN} of {folder.name} is gone"
        sweep = Sweep(plan, (), folder, folder.name)
        is_unfinished = is_unfinished or next(sweep.pending(), None) is not None
        look = looks.get(folder.name)
        if look is not None:
            asked = None if session.arguments.resume else session.options
            found = Lineup(present=(), versions=look.versions)
            obstacle = obstacle or differs(folder, plan, asked, found, look.reference, look.environment)
            if folder.environment().get("tree") != look.environment["tree"]:
                obstacle = obstacle or f"the files on {folder.name} are no longer the same"
    if about.get("split") != session.arguments.split and not session.arguments.resume:
        obstacle = obstacle or "it was started with other options; --resume finishes it with those"
    if strangers := [name for name in looks if name not in about.get("machines", ())]:
        obstacle = obstacle or f"{', '.join(strangers)} had no part in it"
    return is_unfinished, obstacle if is_unfinished else ""


def _plans(
    session: _Session,
    workers: cluster.Cluster,
    looks: Mapping[str, _Look],
    name: str,
    terminal: "Terminal",
) -> dict[str, Plan]:
    """Return a plan for each machine, after pilot runs: one for all, one each, or parts of one."""
    arguments = session.arguments
    processors = {look.environment["cpu"] for look in looks.values()}
    if arguments.split and len(processors) > 1:
        raise UsageError(
            f"--split: takes machines of one kind, here are {' and '.join(map(str, processors))}; leave it out"
        )
    is_shared = arguments.split or arguments.same_work or len(processors) == 1
    planners = dict(list(looks.items())[:1]) if is_shared else dict(looks)
    limits = [look.memory_bytes for look in looks.values()]
    least = min((limit for limit in limits if limit is not None), default=None)
    requests = {
        machine: {
            "do": "plan",
            "options": encode(session.options),
            "sweep": name,
            "memory_bytes": session.options.memory_bytes or (least if is_shared else look.memory_bytes),
        }
        for machine, look in planners.items()
    }
    with terminal.doing(f"pilot runs on {', '.join(planners)}"):
        tickets = {one: workers.ask(looks[one].worker, request) for one, request in requests.items()}
        replies = _answers(workers, {one: looks[one].worker for one in planners}, tickets)
    if failed := [f"{one}: {reply['error']}" for one, reply in replies.items() if "error" in reply]:
        raise FlatnetError("; ".join(failed))
    plans: dict[str, Plan] = {one: decode(Plan, reply["plan"]) for one, reply in replies.items()}
    if not is_shared:
        return plans
    (plan,) = plans.values()
    return shares(plan, list(looks)) if arguments.split else dict.fromkeys(looks, plan)


def _lanes(path: Path, looks: Mapping[str, _Look]) -> list[Lane]:
    """Return a lane for each machine that has a folder; who is not there may come back."""
    lanes = []
    for folder in folders_in(path):
        plan, look = folder.plan(), looks.get(folder.name)
        assert plan is not None
        lanes.append(
            Lane(
                machine=folder.name,
                sweep=Sweep(plan, (), folder, folder.name),
                environment=folder.environment(),
                worker=look.worker if look else None,
            )
        )
    return lanes


def _carry_out(
    session: _Session, path: Path, lanes: Sequence[Lane], workers: cluster.Cluster, terminal: "Terminal"
) -> bool:
    """Measure on all machines; return whether somebody interrupted it."""

    def changed(lane: Lane, reply: Mapping[str, Any]) -> str:
        plan, said = lane.sweep.plan, session.environment_of(reply)
        found = Lineup(present=(), versions=reply["versions"])
        if said["tree"] != lane.environment.get("tree"):
            return "came back with other files; put the old ones there, or start anew with --fresh"
        return differs(lane.sweep.folder, plan, None, found, str(reply["reference"]), said)

    about = SweepFolder(path).read_json(ABOUT) or {}
    with terminal.lanes({lane.machine: _seconds(lane) for lane in lanes}) as advance:
        fleet = Fleet(
            lanes=lanes,
            workers=workers,
            look=session.look,
            differs=changed,
            advance=advance,
            hand_over=hand_over if about.get("split") else None,
        )
        try:
            fleet.carry_out()
        except KeyboardInterrupt:
            fleet.stop()
            return True
    return False


def _seconds(lane: Lane) -> tuple[float, float]:
    """Return the planned seconds of the runs that are made, and of all."""
    left_s = sum(map(lane.sweep.plan.estimate_of, lane.sweep.pending()))
    return lane.sweep.plan.estimate_s - left_s, lane.sweep.plan.estimate_s


def _clear(workers: cluster.Cluster, lanes: Sequence[Lane]) -> None:
    """Remove deployed copies, but for those whose journal may be wanted again."""
    asked = {lane.machine: lane.worker for lane in lanes if lane.worker and lane.is_through}
    _answers(workers, asked, {name: workers.clear(worker) for name, worker in asked.items()})


def _report(path: Path, lanes: Sequence[Lane], terminal: "Terminal", *, interrupted: bool) -> int:
    """Join what was measured and say who did not finish; return the exit status."""
    for lane in lanes:
        terminal.failures(lane.sweep.failed, lane.sweep.spared)
    try:
        join(folders_in(path), path, terminal)
    except NothingMeasured as nothing:
        terminal.note(str(nothing))
    unfinished = [lane for lane in lanes if not lane.is_through and not lane.was_handed_over]
    for lane in lanes:
        if lane.failure:
            terminal.error(f"{lane.machine}: {lane.failure}")
    if interrupted:
        terminal.note("interrupted; the same command goes on from here")
        return INTERRUPTED
    return int(bool(unfinished or any(lane.sweep.failed for lane in lanes)))
