"""A sweep: interleaved rounds of every case, each process checked for parity and recorded as it ends."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from harness import runner
from harness.contenders import ROOT, Contender
from harness.contract import Case, Output, parse_output
from harness.errors import ContractError
from harness.parity import compare
from harness.plan import Plan, PlannedCase
from harness.records import FAILED, Folder, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One process that the plan asks for."""

    case: Case
    """What it computes."""
    contender: str
    """Who computes it."""
    control: bool
    """Whether it is the reference for the second time in its round."""
    round: int
    """0 for the warm-up."""
    position: int
    """Its place in the round, from 1."""
    planned_s: float
    """The seconds that it is expected to take."""

    @property
    def key(self) -> tuple[str, str, str, bool, int]:
        """What tells it from all other runs of its sweep."""
        return self.contender, self.case.method, self.case.shape, self.control, self.round


def schedule(plan: Plan) -> Iterator[Run]:
    """Yield all runs in their order.

    A round goes through all cases before the next one begins, so that a machine that drifts hits every
    size alike. Within a case the contenders take turns at once after one another, in the plan's order in
    even rounds and in the opposite order in odd ones.
    """
    for number in range(plan.options.rounds + 1):
        for planned in plan.cases:
            turns = _turns(planned, plan.reference)
            for position, (name, control) in enumerate(turns[::-1] if number % 2 else turns, start=1):
                yield Run(
                    case=planned.case,
                    contender=name,
                    control=control,
                    round=number,
                    position=position,
                    planned_s=planned.run_s[name],
                )


def _turns(planned: PlannedCase, reference: str) -> list[tuple[str, bool]]:
    turns = [(name, False) for name in planned.run_s]
    return [*turns, (reference, True)] if planned.control else turns


def _cells(case: Case) -> dict[str, Any]:
    """Return what a row says of its case."""
    return {
        "method": case.method,
        "layers": case.shape,
        "neurons": case.neurons,
        "parameters": case.parameters,
        "multiply_adds": case.multiply_adds,
        "samples": case.samples,
        "epochs": case.epochs,
        "step": case.step,
        "learning_rate": case.learning_rate,
        "low": case.low,
        "high": case.high,
        "seed": case.seed,
    }


class Sweep:
    """A plan being carried out, from wherever an earlier session left it.

    After a run that failed its contender is spared that case, and larger shapes of its method.
    """

    def __init__(self, plan: Plan, contenders: Sequence[Contender], folder: Folder, host: str) -> None:
        """Take up what ``folder`` has of ``plan``; raise ResultsError where that cannot be understood."""
        self.plan = plan
        self.spared: dict[tuple[str, str], Case] = {}
        self._contenders: Mapping[str, Contender] = {c.name: c for c in contenders}
        self._folder = folder
        self._host = host
        self._losses = folder.read_losses()
        self._done: set[tuple[str, str, str, bool, int]] = set()
        cases = {(planned.case.method, planned.case.shape): planned.case for planned in plan.cases}
        for row in folder.read_rows():
            if row.sweep == plan.sweep and (row.method, row.layers) in cases:
                self._note(row, cases[row.method, row.layers])

    def pending(self) -> Iterator[Run]:
        """Yield the runs that are still to be made, each as late as possible: a failure spares others."""
        for run in schedule(self.plan):
            if run.key not in self._done and not self._is_spared(run):
                yield run

    def perform(self, run: Run) -> Row:
        """Make ``run``, record it, and return its record."""
        contender = self._contenders[run.contender]
        started = datetime.now(UTC)
        process = runner.run(
            contender.command_line(run.case), cwd=ROOT, timeout_s=self.plan.options.timeout_s
        )
        output, parity, status, error = None, "", process.failure, process.error
        if not status:
            try:
                output = parse_output(run.case, process.stdout, process.stderr)
            except ContractError as broken:
                status, error = "garbled", str(broken)
        if output:
            holds, parity = self._check(run, contender, output)
            status = "ok" if holds else "mismatch"
        row = Row(
            sweep=self.plan.sweep,
            started_utc=started.isoformat(timespec="milliseconds"),
            host=self._host,
            contender=run.contender,
            version=self.plan.versions[run.contender],
            control=run.control,
            **_cells(run.case),
            threads=contender.threads,
            round=run.round,
            position=run.position,
            warm_up=run.round == 0,
            status=status,
            wall_s=process.wall_s,
            user_s=process.user_s,
            system_s=process.system_s,
            training_s=output.training_s if output else None,
            peak_memory_bytes=output.peak_memory_bytes if output else None,
            initial_loss=output.losses[0] if output else None,
            final_loss=output.losses[-1] if output else None,
            parity=parity,
            error=error,
        )
        self._folder.append_row(row)
        self._note(row, run.case)
        return row

    def _check(self, run: Run, contender: Contender, output: Output) -> tuple[bool, str]:
        """Compare with the reference's losses on this case, or keep these as the ones to compare with."""
        names = [self.plan.reference, *self._contenders]
        keys = [(self.plan.sweep, name, run.case.method, run.case.shape) for name in names]
        expected = next((self._losses[key] for key in keys if key in self._losses), None)
        own = (self.plan.sweep, run.contender, run.case.method, run.case.shape)
        if own not in self._losses:
            self._losses[own] = output.losses
            self._folder.write_losses(self._losses)
        if expected is None:
            return True, "reference"
        verdict = compare(expected, output.losses, contender.tolerance_ulp)
        return verdict.holds, verdict.text

    def _note(self, row: Row, case: Case) -> None:
        self._done.add((row.contender, row.method, row.layers, row.control, row.round))
        if row.status in FAILED:
            lane = row.contender, row.method
            known = self.spared.get(lane)
            if known is None or case.multiply_adds < known.multiply_adds:
                self.spared[lane] = case

    def _is_spared(self, run: Run) -> bool:
        failed = self.spared.get((run.contender, run.case.method))
        return failed is not None and run.case.multiply_adds >= failed.multiply_adds
