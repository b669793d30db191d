"""A sweep: interleaved rounds of every case, each process checked for parity and recorded as it ends."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby

from harness.case import Case
from harness.measure.attempt import attempt
from harness.measure.contenders import Contender
from harness.measure.contract import Output
from harness.measure.machine import Machine
from harness.parity import compare
from harness.plan import Options, Plan, Run, RunKey
from harness.records import RUNS, LossKey, SweepFolder
from harness.rows import FAILED, Row

OTHER_OPTIONS = "it was started with other options; --resume finishes it with those"


class Progress:
    """How far a plan is carried out, by what its folder has.

    A contender whose run failed is spared that case, and larger shapes of its method.
    """

    def __init__(self, plan: Plan, folder: SweepFolder) -> None:
        """Read what ``folder`` has of ``plan``; raise ResultsError if it cannot be read."""
        self.plan = plan
        self.folder = folder
        self.spared: dict[tuple[str, str], Case] = {}
        """The smallest case that a contender is spared, by contender and method."""
        self.failed: list[Row] = []
        """The runs that failed or had other losses."""
        epochs = {(one.case.method, str(one.case.shape)): one.case.epochs for one in plan.cases}
        # There are fewer if their writer was killed.
        self.losses: dict[LossKey, tuple[float, ...]] = {
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
        """Return the progress of the sweep in ``folder``, None if its plan is gone."""
        plan = folder.plan()
        return Progress(plan, folder) if plan else None

    @property
    def is_finished(self) -> bool:
        """Whether no run is left to be made."""
        return next(self.pending(), None) is None

    @property
    def left_s(self) -> float:
        """The planned seconds of the runs to be made."""
        return sum(map(self.plan.estimate_of, self.pending()))

    def pending(self) -> Iterator[Run]:
        """Yield the runs to be made, each as late as possible: a failure spares others."""
        return filter(self.is_pending, self.plan.schedule())

    def is_pending(self, run: Run) -> bool:
        """Whether ``run`` is still to be made."""
        return run.key not in self.rows and self._is_below_the_spared(run)

    def _is_below_the_spared(self, run: Run) -> bool:
        spared = self.spared.get((run.contender, run.case.method))
        return spared is None or run.case.shape.size < spared.shape.size

    def rounds(self) -> Iterator[tuple[str, int]]:
        """Yield case and number of each unfinished round, as late as possible."""
        return (found for found, _ in groupby(self.pending(), key=lambda run: (str(run.case), run.round)))

    def take(self, rows: Iterable[Row], losses: Mapping[LossKey, Sequence[float]]) -> list[Row]:
        """Record what was measured elsewhere, and return the rows that are new here."""
        for key, values in losses.items():
            self._keep(key, values)
        new = [row for row in rows if row.run.key not in self.rows]
        for row in new:
            self._record(row)
        return new

    def lost(self) -> list[Run]:
        """Return the runs that were made and have no row: something else has changed the file."""
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
        if row.status in FAILED and self._is_below_the_spared(run):
            self.spared[run.contender, run.case.method] = run.case


class Sweep(Progress):
    """A plan being carried out, from wherever an earlier session left it."""

    def __init__(self, plan: Plan, contenders: Sequence[Contender], folder: SweepFolder, host: str) -> None:
        super().__init__(plan, folder)
        self._contenders = {contender.name: contender for contender in contenders}
        self._host = host

    def perform(self, run: Run) -> Row:
        """Make ``run``, record it, and return its record."""
        contender, plan = self._contenders[run.contender], self.plan
        started = datetime.now(UTC)
        tried = attempt(contender, run.case, timeout_s=plan.options.timeout_s, memory_bytes=plan.memory_bytes)
        process, output = tried.process, tried.output
        status, parity = tried.failure, ""
        if output:
            holds, parity = self._check(run, contender, output)
            status = "ok" if holds else "mismatch"
        row = Row(
            sweep=plan.sweep,
            started_utc=started.isoformat(timespec="milliseconds"),
            host=self._host,
            version=plan.versions[run.contender],
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
            error=tried.error,
        )
        self._record(row)
        return row

    def _check(self, run: Run, contender: Contender, output: Output) -> tuple[bool, str]:
        """Compare with the losses of the reference on this case, else of the first that has any."""
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
    if options is not None and plan.options != options:
        return OTHER_OPTIONS
    if (plan.versions, plan.reference) != (machine.versions, machine.reference):
        its, ours = (f"{listed(one.versions)}, compared with {one.reference}" for one in (plan, machine))
        return f"it is of {its}; here are {ours}"
    before, now = folder.environment(), machine.environment
    names = ("host", "commit", "tree", "contenders")
    if changed := " and ".join(name for name in names if before.get(name) != now.get(name)):
        return f"its environment.json has another {changed}"
    if not folder.can_grow():
        return f"another version of the harness wrote its {RUNS}"
    return ""


def listed(versions: Mapping[str, str]) -> str:
    """Return contenders and their versions as people read them."""
    return ", ".join(f"{name} ({version})" for name, version in versions.items())
