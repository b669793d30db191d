"""A sweep on each of several machines, or one that they share: what bench does with --scheduler."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.archive import ABOUT, MACHINES, Archive, folders_in
from harness.codec import decode, encode
from harness.errors import INTERRUPTED, FlatnetError, UsageError
from harness.machines.cluster import Access, Cluster, SchedulerGone, Worker, connected
from harness.machines.lanes import Fleet, Lane
from harness.machines.roll_call import answers, checked_out, looked_at, one_a_machine
from harness.machines.split import hand_over, shares
from harness.measure.environment import Machine
from harness.measure.sweep import Progress, differs
from harness.plan import Options, Plan
from harness.records import PLAN, SweepFolder

if TYPE_CHECKING:
    from harness.terminal import Terminal

_RECONNECT_S = 60.0
"""For how long a scheduler that is gone is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What bench was asked for."""

    options: Options
    """Of each sweep, or of the one that the machines share."""
    access: Access
    """The scheduler."""
    command: list[str]
    """The words typed after bench."""
    look: Mapping[str, Any]
    """The manifest's text and the contenders chosen from it, as a station takes them."""
    split: bool
    """Whether the machines share one sweep."""
    same_work: bool
    """Whether all have one plan even if their processors differ."""
    fresh: bool
    """Whether an unfinished sweep is left alone."""
    resume: bool
    """Whether the latest one is finished whatever ``options`` and ``split`` say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What there is after measuring."""

    path: Path
    """The folder that has a sweep's folder for each machine."""
    given_up: list[str]
    """A line for each machine that was given up, with the reason."""
    status: int
    """1 if runs failed, or are missing that no other machine made; INTERRUPTED if somebody did that."""


def measure(wanted: Wanted, archive: Archive, terminal: "Terminal") -> Outcome:
    """Measure on every machine that has a worker, into ``archive``, which is locked.

    Raises FlatnetError if not all can measure what is here.
    """
    access, here = wanted.access, checked_out()
    if access.is_open:
        terminal.note(
            f"{access.address} is not encrypted: whoever reaches it can run programs on all machines;"
            " docs/machines.md says how to use TLS"
        )
    with connected(access) as cluster:
        workers = one_a_machine(cluster.present(), access.address)
        machines = looked_at(cluster, workers, wanted.look, here, terminal)
        path = _unfinished(wanted, archive, machines, terminal)
        if path is None:
            name = archive.new_name()
            plans = _plans(wanted, cluster, workers, machines, name, terminal)
            path = _begun(wanted, archive, name, plans, machines)
            shared = "parts of one plan for" if wanted.split else "a sweep on each of"
            terminal.say(f"{name}: {shared} {', '.join(plans)}")
            for plan in {id(plan): plan for plan in plans.values()}.values():
                terminal.plan(plan)
    # Those who are not there may come back.
    lanes = [
        Lane(machine=folder.name, progress=progress, worker=workers.get(folder.name))
        for folder in folders_in(path)
        if (progress := Progress.of(folder))
    ]
    interrupted = _carry_out(wanted, path, lanes, terminal)
    for lane in lanes:
        terminal.failures(lane.progress.failed, lane.progress.spared, f"{lane.machine}: ")
    has_failed = any(lane.progress.failed or not lane.is_through for lane in lanes)
    return Outcome(
        path=path,
        given_up=[f"{lane.machine}: {lane.failure}" for lane in lanes if lane.failure],
        status=INTERRUPTED if interrupted else int(has_failed),
    )


def _unfinished(
    wanted: Wanted, archive: Archive, machines: Mapping[str, Machine], terminal: "Terminal"
) -> Path | None:
    """Return the folder of the latest sweeps if they are to be resumed, None if there shall be new ones."""
    latest = next((path for path in reversed(archive.of_machines()) if (path / ABOUT).exists()), None)
    if latest is not None and not wanted.fresh:
        is_unfinished, obstacle = _obstacle(wanted, latest, machines, terminal)
        if is_unfinished and not obstacle:
            terminal.note(f"resuming {latest.name}")
            return latest
        if is_unfinished:
            terminal.note(f"{latest.name} stays unfinished: {obstacle}")
    if wanted.resume:
        raise UsageError("--resume: there is nothing to resume; leave the option out")
    return None


def _obstacle(
    wanted: Wanted, path: Path, machines: Mapping[str, Machine], terminal: "Terminal"
) -> tuple[bool, str]:
    """Return whether sweeps in ``path`` are unfinished, and the first reason not to resume them, or ''."""
    about = SweepFolder(path).read_json(ABOUT) or {}
    is_unfinished, reasons = False, []
    for folder in folders_in(path):
        for name in folder.set_half_lines_aside():
            terminal.note(f"the last line of {folder.name}'s {name} was incomplete: it is in {name}.half")
        progress = Progress.of(folder)
        if progress is None:
            return True, f"the {PLAN} of {folder.name} is gone"
        is_unfinished = is_unfinished or not progress.is_finished
        if machine := machines.get(folder.name):
            options = None if wanted.resume else wanted.options
            if difference := differs(folder, progress.plan, options, machine):
                reasons.append(f"{folder.name}: {difference}")
    if about.get("split") != wanted.split and not wanted.resume:
        reasons.append("it was started with other options; --resume finishes it with those")
    if strangers := [name for name in machines if name not in about.get("machines", ())]:
        reasons.append(f"{', '.join(strangers)} had no part in it")
    return is_unfinished, next(iter(reasons), "")


def _plans(
    wanted: Wanted,
    cluster: Cluster,
    workers: Mapping[str, Worker],
    machines: Mapping[str, Machine],
    name: str,
    terminal: "Terminal",
) -> dict[str, Plan]:
    """Return a plan for each machine, after pilot runs: one for all, one each, or parts of one."""
    processors = {machine.environment["cpu"] for machine in machines.values()}
    if wanted.split and len(processors) > 1:
        raise UsageError(
            f"--split: takes machines of one kind, here are {' and '.join(map(str, processors))}"
        )
    is_shared = wanted.split or wanted.same_work or len(processors) == 1
    limits = {one: machine.memory_bytes for one, machine in machines.items()}
    if is_shared:
        least = min((limit for limit in limits.values() if limit is not None), default=None)
        limits = {next(iter(machines)): least}
    requests = {
        one: {
            "do": "plan",
            "options": encode(wanted.options),
            "sweep": name,
            "memory_bytes": limit,
        }
        for one, limit in limits.items()
    }
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
    """Make the folder of new sweeps, with what is asked of each machine, and return it."""

    def fill(new: SweepFolder) -> None:
        for machine, plan in plans.items():
            folder = SweepFolder(new.path / machine)
            folder.path.mkdir()
            folder.begin(plan, {**machines[machine].environment, "command": wanted.command})
        new.write_json(ABOUT, {"sweep": name, "split": wanted.split, "machines": list(plans)})

    return archive.filled(name, fill, MACHINES).path


def _carry_out(wanted: Wanted, path: Path, lanes: list[Lane], terminal: "Terminal") -> bool:
    """Measure on all machines, and look for a scheduler that is gone; return whether that was interrupted."""
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
                    Fleet(
                        lanes=lanes,
                        workers=cluster,
                        look=wanted.look,
                        advance=advance,
                        hand_over=hand_over if is_split else None,
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
