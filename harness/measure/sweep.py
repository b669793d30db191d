"""A sweep: interleaved rounds of every case, each process checked for parity and recorded as it ends."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from harness.measure.contenders import Contender, attempt, fingerprint
from harness.measure.environment import Machine
from harness.parity import REPEATED, Verdict, compare, compare_all
from harness.plan import Options, Plan, Run
from harness.records import PLAN, RUNS, LossKey, SweepFolder
from harness.rows import WITH_LOSSES, Made, Row

OTHER_OPTIONS = f"it was started with other options, which are in its {PLAN}"
_OF_PROCESS = ("wall_s", "user_s", "system_s", "involuntary_switches", "stolen_s", "error")
_OF_OUTPUT = ("training_s", "compile_s", "peak_memory_bytes")


class Progress(Made):
    """How far a plan is carried out, by what its folder has; raises ResultsError if it cannot be read."""

    def __init__(self, plan: Plan, folder: SweepFolder) -> None:
        super().__init__(plan, folder.rows())
        self.folder = folder
        epochs = {run.key[:3]: run.case.epochs for run in plan.schedule() if run.warm_up}
        later_first = (row for row in reversed(self.rows.values()) if row.status in WITH_LOSSES)
        first: dict[LossKey, str] = {row.run.key[:3]: row.status for row in later_first}
        # There are fewer if their writer was killed, and no row if the round is made again.
        self.losses: dict[LossKey, tuple[float, ...]] = {
            key: losses
            for key, losses in folder.losses().items()
            if key in first and len(losses) == epochs.get(key, -1) + 1
        }
        """Of each contender's first run on each case that had any."""
        self.wrong = {key for key, status in first.items() if status == "mismatch"}
        """Whose losses are no measure for others."""

    @staticmethod
    def of(folder: SweepFolder) -> "Progress | None":
        """Return the progress in ``folder``, None if its plan is gone."""
        plan = folder.plan()
        return Progress(plan, folder) if plan else None

    @property
    def is_finished(self) -> bool:
        """Whether no run is pending."""
        return next(self.pending(), None) is None

    @property
    def left_s(self) -> float:
        """The planned seconds of the pending runs."""
        return sum(map(self.plan.estimate_of, self.pending()))

    @property
    def seconds(self) -> tuple[float, float]:
        """The planned seconds of the runs that are made, and of all."""
        return self.plan.estimate_s - self.left_s, self.plan.estimate_s

    def rounds(self) -> Iterator[tuple[str, int]]:
        """Yield case and number of each unfinished round, each as late as possible."""
        return (found for found, _ in groupby(self.pending(), key=lambda run: (str(run.case), run.round)))

    def take(self, rows: Iterable[Row], losses: Mapping[LossKey, Sequence[float]]) -> list[Row]:
        """Record what was measured elsewhere; return the rows that are new here."""
        for key, values in losses.items():
            self._keep(key, values)
        new = [row for row in rows if row.run.key not in self.rows]
        for row in new:
            self._record(row)
        return new

    def lost(self) -> list[Run]:
        """Return the runs that were made and have no row: something else changed the file."""
        kept = {row.run.key for row in self.folder.rows()}
        return [run for run in self.plan.schedule() if run.key in self.rows and run.key not in kept]

    def _keep(self, key: LossKey, losses: Sequence[float]) -> None:
        if key not in self.losses:
            self.losses[key] = tuple(losses)
            self.folder.append_losses(key, losses)

    def _record(self, row: Row) -> None:
        self.folder.append_row(row)
        self.note(row)


class Sweep(Progress):
    """A plan being carried out, from wherever an earlier session left it."""

    def __init__(self, plan: Plan, contenders: Sequence[Contender], folder: SweepFolder, host: str) -> None:
        super().__init__(plan, folder)
        self.contenders = {contender.name: contender for contender in contenders}
        self._host = host

    def perform(self, run: Run) -> Row:
        """Make ``run``, and return its row, which is recorded."""
        contender, plan = self.contenders[run.contender], self.plan
        started = datetime.now(UTC)
        layout = contender.layout(run, plan.options.layouts)
        process, output = attempt(
            contender,
            run.case,
            timeout_s=plan.options.timeout_s,
            memory_bytes=plan.memory_bytes,
            layout=layout,
        )
        measured: dict[str, Any] = {name: getattr(process, name) for name in _OF_PROCESS}
        measured |= {"status": process.failure, "training_s": None}
        if output:
            verdict = self._check(run, contender, output.losses)
            measured |= {name: getattr(output, name) for name in _OF_OUTPUT}
            measured |= {"status": "ok" if verdict.holds else "mismatch", "parity": verdict.text}
            measured |= {"initial_loss": output.losses[0], "final_loss": output.losses[-1]}
        row = Row(
            sweep=plan.sweep,
            started_utc=started.isoformat(timespec="milliseconds"),
            host=self._host,
            version=plan.versions[run.contender],
            run=run,
            threads=contender.threads,
            layout=layout,
            **measured,
        )
        self._record(row)
        return row

    def _check(self, run: Run, contender: Contender, losses: Sequence[float]) -> Verdict:
        """Compare with its first run on this case, the reference's, and others' of no larger tolerance."""
        key = name, method, layers = run.key[:3]
        own = self.losses.get(key)
        self._keep(key, losses)
        if own and not (verdict := compare(own, losses, contender.tolerance)).holds:
            return replace(verdict, text=f"unlike its first run: {verdict.text}")
        reference = self.plan.reference
        others = sorted(self.contenders.values(), key=lambda one: (one.name != reference, one.tolerance))
        found = [
            (self.losses[one.name, method, layers], max(contender.tolerance, one.tolerance))
            for one in others
            if one.name != name and (one.name == reference or one.tolerance <= contender.tolerance)
            if (one.name, method, layers) in self.losses.keys() - self.wrong
        ]
        verdict = compare_all(found, losses)
        if own and not found:
            return replace(verdict, text=REPEATED)
        if not (own or verdict.holds):
            self.wrong.add(key)
        return verdict

    def edited(self) -> list[str]:
        """Return the contenders whose program has changed since the sweep was begun."""
        began = self.folder.environment().get("contenders", {})
        names = self.contenders.items()
        return [name for name, one in names if began.get(name, {}).get("sha256") != fingerprint(one)]


def differs(folder: SweepFolder, options: Options, machine: Machine) -> str:
    """Return how the sweep in ``folder`` differs from one that is planned now, or ''."""
    plan = folder.plan()
    if plan is None:
        return f"its {PLAN} is gone"
    if plan.options != options:
        return OTHER_OPTIONS
    if (plan.versions, plan.reference) != (machine.versions, machine.reference):
        its, ours = (f"{listed(one.versions)}, compared with {one.reference}" for one in (plan, machine))
        return f"it is of {its}; here are {ours}"
    before, now = folder.environment(), machine.environment
    names = ("host", "commit", "tree", "contenders")
    if changed := " and ".join(name for name in names if before.get(name) != now.get(name)):
        return f"its environment.json has another {changed}"
    return "" if folder.can_grow() else f"another version of the harness wrote its {RUNS}"


def mended(folder: SweepFolder) -> list[str]:
    """Set aside what a killed writer of a sweep left half done; return a note on each part."""
    notes = [
        f"{folder.path / name} ended in an incomplete line, moved to {name}.half"
        for name in folder.set_half_lines_aside()
    ]
    if (plan := folder.plan()) and folder.set_cut_rounds_aside(plan):
        notes.append(f"{folder.name}: the round that was cut off is made again; its runs are in {RUNS}.half")
    return notes


def listed(versions: Mapping[str, str]) -> str:
    """Return contenders and their versions as people read them."""
    return ", ".join(f"{name} ({version})" for name, version in versions.items())
