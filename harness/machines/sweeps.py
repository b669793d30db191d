"""A sweep on each of several machines, or one that they share: what bench does with --scheduler."""

import argparse
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.archive import MACHINES, Archive, sweep_name
from harness.codec import decode, encode
from harness.commands.arguments import archive_of
from harness.commands.join import ABOUT, folders_in, join
from harness.errors import INTERRUPTED, FlatnetError, NothingMeasured, UsageError
from harness.machines import cluster
from harness.machines.lanes import Fleet, Lane
from harness.machines.roll_call import Look, Session, answers, looked_at, session_of
from harness.machines.split import hand_over, shares
from harness.measure import revisions
from harness.measure.contenders import Lineup
from harness.measure.sweep import Sweep, differs
from harness.plan import Options, Plan
from harness.records import PLAN, SweepFolder, explained

if TYPE_CHECKING:
    from harness.terminal import Terminal

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


def run(arguments: argparse.Namespace, options: Options, terminal: "Terminal") -> int:
    """Measure on every machine that has a worker, and join what they found; 1 if one did not finish."""
    session = session_of(arguments, options)
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
            looks = looked_at(session, workers, terminal)
            path = _path(session, workers, looks, archive, terminal)
            lanes = _lanes(path, looks)
            try:
                interrupted = _carry_out(session, path, lanes, workers, terminal)
                if tree and not interrupted:
                    _clear(workers, lanes)
                return _report(path, lanes, terminal, interrupted=interrupted)
            except cluster.SchedulerGone as gone:
                terminal.note(f"{gone}; looking for it for {_RECONNECT_S:.0f} s")
        interrupted = _go_on(session, path, lanes, (tree, packed), terminal)
        return _report(path, lanes, terminal, interrupted=interrupted)


def _go_on(
    session: Session,
    path: Path,
    lanes: Sequence[Lane],
    deployed: tuple[str | None, bytes | None],
    terminal: "Terminal",
) -> bool:
    """Look for a scheduler that is gone, and go on if it is back; return whether that was interrupted."""
    gone_since_s = time.monotonic()
    try:
        while time.monotonic() - gone_since_s < _RECONNECT_S:
            for lane in lanes:
                lane.leave()
            with suppress(cluster.SchedulerGone), cluster.connected(session.access, *deployed) as workers:
                gone_since_s = time.monotonic()
                interrupted = _carry_out(session, path, lanes, workers, terminal)
                if deployed[0] and not interrupted:
                    _clear(workers, lanes)
                return interrupted
            time.sleep(1.0)
    except KeyboardInterrupt:
        return True
    terminal.error("the scheduler is gone; the same command goes on when it is back")
    return False


def _path(
    session: Session,
    workers: cluster.Cluster,
    looks: Mapping[str, Look],
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
    session: Session, path: Path, looks: Mapping[str, Look], terminal: "Terminal"
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
            if not folder.can_grow():
                obstacle = obstacle or "another version of the harness wrote its runs.csv"
    if about.get("split") != session.arguments.split and not session.arguments.resume:
        obstacle = obstacle or "it was started with other options; --resume finishes it with those"
    if strangers := [name for name in looks if name not in about.get("machines", ())]:
        obstacle = obstacle or f"{', '.join(strangers)} had no part in it"
    return is_unfinished, obstacle if is_unfinished else ""


def _plans(
    session: Session,
    workers: cluster.Cluster,
    looks: Mapping[str, Look],
    name: str,
    terminal: "Terminal",
) -> dict[str, Plan]:
    """Return a plan for each machine, after pilot runs: one for all, one each, or parts of one."""
    arguments = session.arguments
    processors = {look.environment["cpu"] for look in looks.values()}
    if arguments.split and len(processors) > 1:
        raise UsageError(
            f"--split: takes machines of one kind, here are {' and '.join(map(str, processors))}"
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
        replies = answers(workers, {one: looks[one].worker for one in planners}, tickets)
    if failed := [f"{one}: {reply['error']}" for one, reply in replies.items() if "error" in reply]:
        raise FlatnetError("; ".join(failed))
    plans: dict[str, Plan] = {one: decode(Plan, reply["plan"]) for one, reply in replies.items()}
    if not is_shared:
        return plans
    (plan,) = plans.values()
    return shares(plan, list(looks)) if arguments.split else dict.fromkeys(looks, plan)


def _lanes(path: Path, looks: Mapping[str, Look]) -> list[Lane]:
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
    session: Session, path: Path, lanes: Sequence[Lane], workers: cluster.Cluster, terminal: "Terminal"
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
    answers(workers, asked, {name: workers.clear(worker) for name, worker in asked.items()})


def _report(path: Path, lanes: Sequence[Lane], terminal: "Terminal", *, interrupted: bool) -> int:
    """Join what was measured and say who did not finish; return the exit status."""
    for lane in lanes:
        terminal.failures(lane.sweep.failed, lane.sweep.spared, f"{lane.machine}: ")
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
