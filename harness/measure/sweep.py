"""A sweep: interleaved rounds of every case, each process checked for parity and recorded as it ends."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from harness.case import Case
from harness.measure.attempt import attempt
from harness.measure.contenders import Contender, Lineup
from harness.measure.contract import Output
from harness.parity import compare
from harness.plan import Options, Plan, Run, RunKey
from harness.records import LossKey, SweepFolder
from harness.rows import FAILED, Row


class Sweep:
    """A plan being carried out, from wherever an earlier session left it.

    After a run that failed its contender is spared that case, and larger shapes of its method.
    """

    def __init__(self, plan: Plan, contenders: Sequence[Contender], folder: SweepFolder, host: str) -> None:
        """Take up what ``folder`` has of ``plan``; raise ResultsError if that cannot be understood."""
        self.plan = plan
        self.folder = folder
        self.spared: dict[tuple[str, str], Case] = {}
        """From which case on a contender is not run any more, by contender and method."""
        self.failed: list[Row] = []
        """The runs that failed or had other losses."""
        self._contenders: Mapping[str, Contender] = {contender.name: contender for contender in contenders}
        self._host = host
        epochs = {
            (planned.case.method, str(planned.case.shape)): planned.case.epochs for planned in plan.cases
        }
        # Fewer losses than that were being written when somebody was killed.
        self._losses = {
            key: losses
            for key, losses in folder.losses().items()
            if len(losses) == epochs.get(key[1:], -1) + 1
        }
        self._done: set[RunKey] = set()
        for row in folder.rows():
            self._note(row)

    def pending(self) -> Iterator[Run]:
        """Yield the runs that are still to be made, each as late as possible: a failure spares others."""
        for run in self.plan.schedule():
            if self.is_pending(run):
                yield run

    def is_pending(self, run: Run) -> bool:
        """Whether ``run`` is still to be made."""
        return run.key not in self._done and not self._is_spared(run)

    def rounds(self) -> Iterator[tuple[str, int]]:
        """Yield case and number of each round that is still to be made or finished, as late as possible."""
        latest: tuple[str, int] | None = None
        for run in self.pending():
            if latest != (str(run.case), run.round):
                latest = str(run.case), run.round
                yield latest

    def take(self, rows: Iterable[Row], losses: Mapping[LossKey, Sequence[float]]) -> list[Row]:
        """Record what somebody else measured of this sweep, and return the rows that are new here."""
        for key, values in losses.items():
            if key not in self._losses:
                self._losses[key] = tuple(values)
                self.folder.append_losses(key, values)
        new = [row for row in rows if row.run.key not in self._done]
        for row in new:
            self.folder.append_row(row)
            self._note(row)
        return new

    @property
    def losses(self) -> Mapping[LossKey, tuple[float, ...]]:
        """The losses of each contender on each case."""
        return self._losses

    def perform(self, run: Run) -> Row:
        """Make ``run``, record it, and return its record."""
        contender = self._contenders[run.contender]
        started = datetime.now(UTC)
        tried = attempt(
            contender,
            run.case,
            timeout_s=self.plan.options.timeout_s,
            memory_bytes=self.plan.memory_bytes,
        )
        status, parity, output = tried.failure, "", tried.output
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
            wall_s=tried.process.wall_s,
            user_s=tried.process.user_s,
            system_s=tried.process.system_s,
            involuntary_switches=tried.process.involuntary_switches,
            stolen_s=tried.process.stolen_s,
            training_s=output.training_s if output else None,
            compile_s=output.compile_s if output else None,
            peak_memory_bytes=output.peak_memory_bytes if output else None,
            initial_loss=output.losses[0] if output else None,
            final_loss=output.losses[-1] if output else None,
            parity=parity,
            error=tried.error,
        )
        self.folder.append_row(row)
        self._note(row)
        return row

    def lost(self) -> list[Run]:
        """Return the runs that were made and have no row: somebody else must have been at the file."""
        kept = {row.run.key for row in self.folder.rows()}
        return [run for run in self.plan.schedule() if run.key in self._done and run.key not in kept]

    def _check(self, run: Run, contender: Contender, output: Output) -> tuple[bool, str]:
        """Compare with the reference's losses on this case, or keep these as the ones to compare with."""
        case = run.case.method, str(run.case.shape)
        names = [self.plan.reference, *self._contenders]
        other = next((name for name in names if (name, *case) in self._losses), None)
        if (run.contender, *case) not in self._losses:
            self._losses[run.contender, *case] = output.losses
            self.folder.append_losses((run.contender, *case), output.losses)
        if other is None:
            return True, "reference"
        tolerance = max(contender.tolerance, self._contenders[other].tolerance)
        verdict = compare(self._losses[other, *case], output.losses, tolerance)
        return verdict.holds, verdict.text

    def _note(self, row: Row) -> None:
        run = row.run
        self._done.add(run.key)
        if row.status not in ("ok", "paused"):
            self.failed.append(row)
        if row.status in FAILED:
            lane = run.contender, run.case.method
            known = self.spared.get(lane)
            if known is None or run.case.shape.size < known.shape.size:
                self.spared[lane] = run.case

    def _is_spared(self, run: Run) -> bool:
        failed = self.spared.get((run.contender, run.case.method))
        return failed is not None and run.case.shape.size >= failed.shape.size


def resumed(
    folder: SweepFolder,
    options: Options | None,
    lineup: Lineup,
    reference: str,
    environment: Mapping[str, object],
) -> tuple[Sweep | None, str]:
    """Return the sweep in ``folder`` if it is unfinished, and the reason not to go on with it, or ''.

    It must have been asked for in the same words (None: in any), of the same programs on the same machine.
    """
    plan = folder.plan()
    if plan is None:
        return None, "its plan.json is gone"
    sweep = Sweep(plan, lineup.present, folder, str(environment["host"]))
    if next(sweep.pending(), None) is None:
        return None, ""
    difference = differs(folder, plan, options, lineup, reference, environment)
    if not difference and not folder.can_grow():
        difference = "another version of the harness wrote its runs.csv"
    return sweep, difference


def differs(
    folder: SweepFolder,
    plan: Plan,
    options: Options | None,
    lineup: Lineup,
    reference: str,
    environment: Mapping[str, object],
) -> str:
    """Return in what the sweep in ``folder`` differs from one that would be planned now, or ''."""
    before = folder.environment()
    changed = [name for name in ("host", "commit", "contenders") if before.get(name) != environment[name]]
    if options is not None and plan.options != options:
        return "it was started with other options; --resume finishes it with those"
    if plan.versions != lineup.versions or plan.reference != reference:
        return f"it is of {_listed(plan.versions)}, compared with {plan.reference};" + (
            f" here are {_listed(lineup.versions)}, compared with {reference}"
        )
    if changed:
        differ = "differs" if len(changed) == 1 else "differ"
        return f"its {' and '.join(changed)} {differ} from what is here now; environment.json has it all"
    return ""


def _listed(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} ({version})" for name, version in versions.items())
