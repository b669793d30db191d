"""A sweep on each of several machines, or one that they share: what bench does with --scheduler."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.archive import ABOUT, MACHINES, Archive, folders_in
from harness.codec import decode, encode
from harness.errors import INTERRUPTED, FlatnetError, UsageError
from harness.machines.cluster import Access, Cluster, SchedulerGone, Worker, connected
from harness.machines.lanes import Fleet, Lane
from harness.machines.roll_call import answers, looked_at, one_a_machine
from harness.machines.split import hand_over, shares
from harness.measure.environment import Machine
from harness.measure.sweep import OTHER_OPTIONS, Progress, differs
from harness.plan import Options, Plan
from harness.records import PLAN, SweepFolder

if TYPE_CHECKING:
    from harness.terminal import Terminal

_RECONNECT_S = 60.0
"""How long to look for a scheduler that is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What bench was asked for."""

    options: Options
    """Of each sweep, or of the shared one."""
    access: Access
    """The scheduler."""
    command: list[str]
    """The words typed after bench."""
    look: Mapping[str, Any]
    """The manifest's text and the contenders chosen from it."""
    split: bool
    """Whether the machines share one sweep."""
    same_work: bool
    """Whether all have one plan even if their processors differ."""
    fresh: bool
    """Whether to leave an unfinished sweep alone."""
    resume: bool
    """Whether to finish the latest one whatever ``options`` and ``split`` say."""


def measure(wanted: Wanted, archive: Archive, terminal: "Terminal") -> tuple[Path, int]:
    """Measure on every machine that has a worker, into ``archive``, which is locked.

    Return the folder of all their sweeps, and the exit status: 1 if runs failed or are missing. Raises
    FlatnetError unless all machines can measure what is here.
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
    interrupted = _carry_out(wanted, path, lanes, terminal)
    for lane in lanes:
        terminal.failures(lane.progress.failed, lane.progress.spared, f"{lane.machine}: ")
        if lane.failure:
            terminal.error(f"{lane.machine}: {lane.failure}")
    has_failed = any(lane.progress.failed or not lane.is_through for lane in lanes)
    return path, INTERRUPTED if interrupted else int(has_failed)


def _unfinished(
    wanted: Wanted, archive: Archive, machines: Mapping[str, Machine], terminal: "Terminal"
) -> Path | None:
    """Return the folder of the latest sweeps if they are to be resumed, else None."""
    latest = next((path for path in reversed(archive.of_machines()) if (path / ABOUT).exists()), None)
    if latest is not None and not wanted.fresh:
        folders = folders_in(latest)
        sweeps = [Progress.of(folder) for folder in folders]
        if not all(sweep and sweep.is_finished for sweep in sweeps):
            obstacle = next(_obstacles(wanted, latest, machines), "")
            if not obstacle:
                for folder in folders:
                    for name in folder.set_half_lines_aside():
                        terminal.note(f"{folder.path / name} ended in half a line: it is in {name}.half")
                    if plan := folder.plan():
                        folder.set_cut_rounds_aside(plan)
                terminal.note(f"resuming {latest.name}")
                return latest
            terminal.note(f"{latest.name} stays unfinished: {obstacle}")
    if wanted.resume:
        raise UsageError("--resume: there is nothing to resume; leave the option out")
    return None


def _obstacles(wanted: Wanted, path: Path, machines: Mapping[str, Machine]) -> Iterator[str]:
    """Yield the reasons not to resume the sweeps in ``path``."""
    options = None if wanted.resume else wanted.options
    for folder in folders_in(path):
        plan, machine = folder.plan(), machines.get(folder.name)
        if plan is None:
            yield f"the {PLAN} of {folder.name} is gone"
        elif machine and (difference := differs(folder, plan, options, machine)):
            yield f"{folder.name}: {difference}"
    about = SweepFolder(path).read_json(ABOUT) or {}
    if about.get("split") != wanted.split and not wanted.resume:
        yield OTHER_OPTIONS
    if strangers := [name for name in machines if name not in about.get("machines", ())]:
        yield f"{', '.join(strangers)} had no part in it"


def _plans(
    wanted: Wanted,
    cluster: Cluster,
    workers: Mapping[str, Worker],
    machines: Mapping[str, Machine],
    name: str,
    terminal: "Terminal",
) -> dict[str, Plan]:
    """Return a plan for each machine, after pilot runs: one for all, one each, or parts of one."""
    # Nobody knows whether a processor without a name is like another.
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
    if failed := [f"{one}: {reply['error']}" for one, reply in replies.items() if "error" in reply]:
        raise FlatnetError("; ".join(failed))
    plans: dict[str, Plan] = {one: decode(Plan, reply["plan"]) for one, reply in replies.items()}
    if not is_shared:
        return plans
    (plan,) = plans.values()
    return shares(plan, list(machines)) if wanted.split else dict.fromkeys(machines, plan)


def _begun(
    wanted: Wanted, archive: Archive, name: str, plans: Mapping[str, Plan], machines: Mapping[str, Machine]
) -> Path:
    """Make the folder of new sweeps, and return it."""

    def fill(new: SweepFolder) -> None:
        for machine, plan in plans.items():
            folder = SweepFolder(new.path / machine)
            folder.path.mkdir()
            folder.begin(plan, {**machines[machine].environment, "command": wanted.command})
        new.write_json(ABOUT, {"sweep": name, "split": wanted.split, "machines": list(plans)})

    return archive.filled(name, fill, MACHINES).path


def _carry_out(wanted: Wanted, path: Path, lanes: list[Lane], terminal: "Terminal") -> bool:
    """Measure on all machines, whose scheduler may be gone a while; return whether it was interrupted."""
    is_split = (SweepFolder(path).read_json(ABOUT) or {}).get("split")
    until_s: float | None = None
    try:
        while until_s is None or time.monotonic() < until_s:
            try:
                with (
                    connected(wanted.access) as cluster,
                    terminal.progress({lane.machine: lane.seconds for lane in lanes}) as advance,
                ):
                    until_s = None
                    to_others = hand_over if is_split else None
                    Fleet(
                        lanes=lanes, workers=cluster, look=wanted.look, advance=advance, hand_over=to_others
                    ).carry_out()
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
