"""A sweep: interleaved rounds of every case, each process checked for parity and recorded as it ends."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby

from harness.case import Case
from harness.measure.attempt import attempt
from harness.measure.contenders import Contender
from harness.measure.contract import Output
from harness.measure.environment import Machine
from harness.parity import compare
from harness.plan import Options, Plan, Run, RunKey
from harness.records import RUNS, LossKey, SweepFolder
from harness.rows import FAILED, Row


class Progress:
    """How far a plan is carried out, by what its folder has.

    After a run that failed its contender is spared that case, and larger shapes of its method.
    """

    def __init__(self, plan: Plan, folder: SweepFolder) -> None:
        """Read what ``folder`` has of ``plan``; raise ResultsError if that cannot be understood."""
        self.plan = plan
        self.folder = folder
        self.spared: dict[tuple[str, str], Case] = {}
        """The smallest case that a contender is spared, by contender and method."""
        self.failed: list[Row] = []
        """The runs that failed or had other losses."""
        epochs = {
            (planned.case.method, str(planned.case.shape)): planned.case.epochs for planned in plan.cases
        }
        self.losses: dict[LossKey, tuple[float, ...]] = {
            # Fewer were being written when somebody was killed.
            key: losses
            for key, losses in folder.losses().items()
            if len(losses) == epochs.get(key[1:], -1) + 1
        }
        """The losses of each contender on each case."""
        self.rows: dict[RunKey, Row] = {}
        """The runs that are made."""
        for row in folder.rows():
            self._note(row)

    @staticmethod
    def of(folder: SweepFolder) -> "Progress | None":
        """Return how far the sweep in ``folder`` is, None if its plan is gone."""
        plan = folder.plan()
        return Progress(plan, folder) if plan else None

    @property
    def is_finished(self) -> bool:
        """Whether no run is left to be made."""
        return next(self.pending(), None) is None

    @property
    def left_s(self) -> float:
        """The planned seconds of the runs that are still to be made."""
        return sum(map(self.plan.estimate_of, self.pending()))

    def pending(self) -> Iterator[Run]:
        """Yield the runs that are still to be made, each as late as possible: a failure spares others."""
        for run in self.plan.schedule():
            if self.is_pending(run):
                yield run

    def is_pending(self, run: Run) -> bool:
        """Whether ``run`` is still to be made."""
        failed = self.spared.get((run.contender, run.case.method))
        return run.key not in self.rows and (failed is None or run.case.shape.size < failed.shape.size)

    def rounds(self) -> Iterator[tuple[str, int]]:
        """Yield case and number of each unfinished round, as late as possible."""
        for case_and_round, _ in groupby(self.pending(), key=lambda run: (str(run.case), run.round)):
            yield case_and_round

    def take(self, rows: Iterable[Row], losses: Mapping[LossKey, Sequence[float]]) -> list[Row]:
        """Record what was measured elsewhere, and return the rows that are new here."""
        for key, values in losses.items():
            self._keep(key, values)
        new = [row for row in rows if row.run.key not in self.rows]
        for row in new:
            self._record(row)
        return new

    def lost(self) -> list[Run]:
        """Return the runs that were made and have no row: somebody else must have been at the file."""
        kept = {row.run.key for row in self.folder.rows()}
        return [run for run in self.plan.schedule() if run.key in self.rows and run.key not in kept]

    def _keep(self, key: LossKey, losses: Sequence[float]) -> None:
        if key not in self.losses:
            self.losses[key] = tuple(losses)
            self.folder.append_losses(key, losses)

    def _record(self, row: Row) -> None:
        self.folder.append_row(row)
        self._note(row)

    def _note(self, row: Row) -> None:
        run = row.run
        self.rows[run.key] = row
        if row.status not in ("ok", "paused"):
            self.failed.append(row)
        if row.status in FAILED:
            lane = run.contender, run.case.method
            known = self.spared.get(lane)
            if known is None or run.case.shape.size < known.shape.size:
                self.spared[lane] = run.case


class Sweep(Progress):
    """A plan being carried out, from wherever an earlier session left it."""

    def __init__(self, plan: Plan, contenders: Sequence[Contender], folder: SweepFolder, host: str) -> None:
        """Take up what ``folder`` has of ``plan``; raise ResultsError if that cannot be understood."""
        super().__init__(plan, folder)
        self._contenders: Mapping[str, Contender] = {contender.name: contender for contender in contenders}
        self._host = host

    def perform(self, run: Run) -> Row:
        """Make ``run``, record it, and return its record."""
        contender = self._contenders[run.contender]
        started = datetime.now(UTC)
        process, output = attempt(
            contender,
            run.case,
            timeout_s=self.plan.options.timeout_s,
            memory_bytes=self.plan.memory_bytes,
        )
        status, parity = process.failure, ""
        if output:
            holds, parity = self._check(run, contender, output)
            status = "ok" if holds else "mismatch"
        row = Row(
            sweep=self.plan.sweep,
            started_utc=started.isoformat(timespec="milliseconds"),
            host=self._host,
            version=self.plan.versions[run.contender],
            run=run,
            threads=contender.threads,
            status=status,
            wall_s=process.wall_s,
            user_s=process.user_s,
            system_s=process.system_s,
            involuntary_switches=process.involuntary_switches,
            stolen_s=process.stolen_s,
            training_s=output.training_s if output else None,
            compile_s=output.compile_s if output else None,
            peak_memory_bytes=output.peak_memory_bytes if output else None,
            initial_loss=output.losses[0] if output else None,
            final_loss=output.losses[-1] if output else None,
            parity=parity,
            error=process.error,
        )
        self._record(row)
        return row

    def _check(self, run: Run, contender: Contender, output: Output) -> tuple[bool, str]:
        """Compare with the reference's losses on this case, or keep these as the ones to compare with."""
        case = run.case.method, str(run.case.shape)
        names = [self.plan.reference, *self._contenders]
        other = next((name for name in names if (name, *case) in self.losses), None)
        self._keep((run.contender, *case), output.losses)
        if other is None:
            return True, "reference"
        tolerance = max(contender.tolerance, self._contenders[other].tolerance)
        verdict = compare(self.losses[other, *case], output.losses, tolerance)
        return verdict.holds, verdict.text


def differs(folder: SweepFolder, plan: Plan, options: Options | None, machine: Machine) -> str:
    """Return how the sweep in ``folder`` differs from one that would be planned now, or ''."""
    before, now = folder.environment(), machine.environment
    changed = [name for name in ("host", "commit", "tree", "contenders") if before.get(name) != now.get(name)]
    if options is not None and plan.options != options:
        return "it was started with other options; --resume finishes it with those"
    if plan.versions != machine.versions or plan.reference != machine.reference:
        return f"it is of {listed(plan.versions)}, compared with {plan.reference};" + (
            f" here are {listed(machine.versions)}, compared with {machine.reference}"
        )
    if changed:
        differ = "differs" if len(changed) == 1 else "differ"
        return f"its {' and '.join(changed)} {differ} from what is here now; environment.json has it all"
    if not folder.can_grow():
        return f"another version of the harness wrote its {RUNS}"
    return ""


def listed(versions: Mapping[str, str]) -> str:
    """Return contenders and their versions as people read them."""
    return ", ".join(f"{name} ({version})" for name, version in versions.items())
