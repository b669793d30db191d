"""What the commands that measure have in common: the machine made ready, a sweep carried out."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from harness.archive import Archive
from harness.errors import FlatnetError
from harness.measure import environment
from harness.measure.contenders import Lineup, Manifest, build, lineup
from harness.measure.guard import end_leftovers
from harness.measure.pilots import make_plan
from harness.measure.runner import guarded
from harness.measure.sweep import Sweep
from harness.plan import Options

if TYPE_CHECKING:
    from harness.terminal import Terminal

INTERRUPTED = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """Who can be run, and where."""

    lineup: Lineup
    """The contenders that are present."""
    reference: str
    """Whom the others are compared with."""
    environment: Mapping[str, object]
    """The machine."""

    @property
    def host(self) -> str:
        """The machine's name."""
        return str(self.environment["host"])


@contextmanager
def measuring(archive: Archive, manifest: Manifest, terminal: "Terminal") -> Iterator[None]:
    """Build everything, for a sweep in ``archive``, which is locked, and let nothing started outlive us."""
    archive.publish()
    if failures := build(manifest):
        raise FlatnetError("; ".join(failures))
    for command in end_leftovers():
        terminal.note(f"ended a program that an interrupted bench had left running: {command}")
    with guarded():
        yield


def look_around(manifest: Manifest, terminal: "Terminal") -> Here:
    """Find out who can be run and on what machine; raise UsageError if nobody can."""
    with terminal.doing("looking at the machine and the contenders"):
        found = lineup(manifest)
        reference = manifest.reference if manifest.reference in found.versions else found.present[0].name
        described = environment.describe(found)
    terminal.missing(found.missing)
    for line in environment.warnings(described):
        terminal.note(line)
    return Here(lineup=found, reference=reference, environment=described)


def begin(archive: Archive, options: Options, here: Here, terminal: "Terminal") -> Sweep:
    """Plan a sweep of who is here, after pilot runs, and make its folder."""
    with terminal.counting("pilot runs", None) as advance:
        plan = make_plan(
            options,
            sweep=archive.new_name(),
            reference=here.reference,
            contenders=here.lineup.present,
            versions=here.lineup.versions,
            memory_bytes=options.memory_bytes or environment.memory_limit(),
            on_pilot=advance,
        )
    return Sweep(plan, here.lineup.present, archive.add(plan, here.environment), here.host)


def carry_out(terminal: "Terminal", *sweeps: Sweep) -> bool:
    """Make all runs that are still to be made; return whether somebody interrupted it.

    Several sweeps take turns, a round each, so that they see the same hour of the machine.
    """
    planned_s = [sum(map(sweep.plan.estimate_of, sweep.pending())) or 1.0 for sweep in sweeps]
    made_s = [0.0] * len(sweeps)
    # A run is taken out of its iterator when the one before it is through: a failure spares others.
    rounds = {
        place: groupby(sweep.pending(), key=lambda run: (run.case, run.round))
        for place, sweep in enumerate(sweeps)
    }
    try:
        with terminal.progress({"": (0.0, sum(planned_s))}) as advance:
            while rounds:
                place = min(rounds, key=lambda place: made_s[place] / planned_s[place])
                sweep, (_, runs) = sweeps[place], next(rounds[place], (None, None))
                if runs is None:
                    del rounds[place]
                    continue
                for run in runs:
                    seconds = sweep.plan.estimate_of(run)
                    advance("", sweep.plan.place_of(run), 0.0)
                    sweep.perform(run)
                    advance("", sweep.plan.place_of(run), seconds)
                    made_s[place] += seconds
    except KeyboardInterrupt:
        return True
    return False
