"""A sweep on each of several machines, or one that they share: what bench does with --scheduler."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.archive import ABOUT, MACHINES, Archive, folders_in
from harness.codec import decode, encode
from harness.errors import INTERRUPTED, UsageError
from harness.machines.cluster import Access, Cluster, SchedulerGone, Worker, connected
from harness.machines.lanes import Fleet, Lane
from harness.machines.roll_call import answers, looked_at, one_a_machine
from harness.machines.split import hand_over, shares
from harness.measure.environment import Machine
from harness.measure.sweep import OTHER_OPTIONS, Progress, differs, mended
from harness.plan import Options, Plan
from harness.records import SweepFolder

if TYPE_CHECKING:
    from harness.terminal import Terminal

_RECONNECT_S = 60.0
"""How long to look for one that is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What bench was asked for: its flags."""

    options: Options
    """Of each sweep, or of the shared one."""
    access: Access
    command: list[str]
    look: Mapping[str, Any]
    """The manifest's text, and the contenders chosen from it."""
    split: bool
    same_work: bool
    fresh: bool


def measure(wanted: Wanted, archive: Archive, terminal: "Terminal") -> tuple[Path, int]:
    """Measure on every machine that has a worker, into ``archive``, which is locked.

    Return the folder of their sweeps, and the exit status: 1 if runs failed or are missing. Raises
    FlatnetError unless all can measure the same.
    """
    access = wanted.access
    if access.is_open:
        terminal.note(
            f"{access.address} is not encrypted: anyone there can run programs on all machines; for TLS see"
            " docs/machines.md"
        )
    with connected(access) as cluster:
        workers = one_a_machine(cluster.present(), access.address)
        machines = looked_at(cluster, workers, wanted.look, terminal)
        path = _unfinished(wanted, archive, machines, terminal)
        if path is None:
            name = archive.new_name()
            plans = _plans(wanted, cluster, workers, machines, name, terminal)
            path = _begun(wanted, archive, name, plans, machines)
            shared = "parts of one plan for" if wanted.split else "a sweep on each of"
            terminal.say(f"{name}: {shared} {', '.join(plans)}")
            for plan in {id(plan): plan for plan in plans.values()}.values():
                terminal.plan(plan)
    # A machine without a worker may come back.
    lanes = [
        Lane(machine=folder.name, progress=progress, worker=workers.get(folder.name))
        for folder in folders_in(path)
        if (progress := Progress.of(folder))
    ]
    interrupted = _carry_out(wanted, lanes, terminal)
    for lane in lanes:
        terminal.failures(lane.progress.failed, lane.progress.spared, f"{lane.machine}: ")
        if lane.failure:
            terminal.error(f"{lane.machine}: {lane.failure}")
    has_failed = any(lane.progress.failed or not lane.is_through for lane in lanes)
    return path, INTERRUPTED if interrupted else int(has_failed)


def _unfinished(
    wanted: Wanted, archive: Archive, machines: Mapping[str, Machine], terminal: "Terminal"
) -> Path | None:
    """Return the folder of the latest sweeps if they can be resumed, else None."""
    paths = [path for path in archive.of_machines() if (path / ABOUT).exists()]
    folders = {folder.name: folder for path in paths[-1:] for folder in folders_in(path)}
    sweeps = [progress for folder in folders.values() if (progress := Progress.of(folder))]
    if wanted.fresh or all(progress.is_finished for progress in sweeps):
        return None
    about = SweepFolder(paths[-1]).read_json(ABOUT) or {}
    obstacles = [OTHER_OPTIONS] if about.get("split") != wanted.split else []
    for name, machine in machines.items():
        if name not in folders:
            obstacles.append(f"{name} had no part in it")
        elif difference := differs(folders[name], wanted.options, machine):
            obstacles.append(f"{name}: {difference}")
    if obstacles:
        terminal.note(f"sweep {paths[-1].name} stays unfinished: {obstacles[0]}")
        return None
    for folder in folders.values():
        terminal.note(*mended(folder))
    terminal.note(f"resuming {paths[-1].name}")
    return paths[-1]


def _plans(
    wanted: Wanted,
    cluster: Cluster,
    workers: Mapping[str, Worker],
    machines: Mapping[str, Machine],
    name: str,
    terminal: "Terminal",
) -> dict[str, Plan]:
    """Return a plan for each machine after pilot runs: one for all, one each, or parts of one."""
    # A processor without a name may be like no other.
    kinds = {str(machine.environment["cpu"] or f"that of {one}") for one, machine in machines.items()}
    if wanted.split and len(kinds) > 1:
        raise UsageError(f"--split: takes machines of one kind, here are {' and '.join(kinds)}")
    is_shared = wanted.split or wanted.same_work or len(kinds) == 1
    limits = {one: machine.memory_bytes for one, machine in machines.items()}
    if is_shared:
        limits = {next(iter(machines)): min(filter(None, limits.values()), default=None)}
    ask = {"do": "plan", "options": encode(wanted.options), "sweep": name}
    requests = {one: {**ask, "memory_bytes": limit} for one, limit in limits.items()}
    with terminal.doing(f"pilot runs on {', '.join(requests)}"):
        replies = answers(cluster, workers, requests)
    plans: dict[str, Plan] = {one: decode(Plan, reply["plan"]) for one, reply in replies.items()}
    if not is_shared:
        return plans
    (plan,) = plans.values()
    return shares(plan, list(machines)) if wanted.split else dict.fromkeys(machines, plan)


def _begun(
    wanted: Wanted, archive: Archive, name: str, plans: Mapping[str, Plan], machines: Mapping[str, Machine]
) -> Path:
    def fill(new: SweepFolder) -> None:
        for machine, plan in plans.items():
            folder = SweepFolder(new.path / machine)
            folder.path.mkdir()
            folder.begin(plan, {**machines[machine].environment, "command": wanted.command})
        new.write_json(ABOUT, {"sweep": name, "split": wanted.split, "machines": list(plans)})

    return archive.filled(name, fill, MACHINES).path


def _carry_out(wanted: Wanted, lanes: list[Lane], terminal: "Terminal") -> bool:
    """Measure, while the scheduler may come and go; return whether it was interrupted."""
    until_s: float | None = None
    reassign = hand_over if wanted.split else None
    try:
        while until_s is None or time.monotonic() < until_s:
            try:
                with (
                    connected(wanted.access) as cluster,
                    terminal.progress({lane.machine: lane.progress.seconds for lane in lanes}) as advance,
                ):
                    until_s = None
                    Fleet(lanes, cluster, wanted.look, advance, reassign).carry_out()
                    return False
            except SchedulerGone as gone:
                if until_s is None:
                    until_s = time.monotonic() + _RECONNECT_S
                    terminal.note(f"{gone}; looking for it for {_RECONNECT_S:.0f} s")
                for lane in lanes:
                    lane.leave()
                time.sleep(1.0)
    except KeyboardInterrupt:
        return True
    terminal.error("the scheduler is gone; the same command resumes when it is back")
    return False
