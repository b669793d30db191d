"""One attempt of a contender at a case: run it, read what it said, name what went wrong."""

from dataclasses import dataclass, replace

from harness.case import Case
from harness.errors import ContractError
from harness.measure import runner
from harness.measure.contenders import Contender
from harness.measure.contract import Output, parse_output
from harness.measure.runner import Process
from harness.paths import ROOT


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """How one run ended."""

    process: Process
    """What it cost."""
    output: Output | None
    """What it said; None if it failed."""
    failure: str
    """Why it failed, as the status of a row; empty if it did not."""
    error: str
    """The failure in words; empty without failure."""


def attempt(contender: Contender, case: Case, *, timeout_s: float, memory_bytes: int | None) -> Attempt:
    """Run ``case`` with ``contender`` for at most so many seconds and with at most so much memory.

    Whoever trains more epochs than the case has must print them all; the losses of the case are kept.
    """
    asked = replace(case, epochs=case.epochs + round(case.epochs * contender.extra_epochs))
    process = runner.run(
        contender.command_line(asked),
        cwd=ROOT,
        env=contender.env,
        timeout_s=timeout_s,
        memory_bytes=memory_bytes,
        one_core=contender.threads == 1,
    )
    if process.failure:
        return Attempt(process=process, output=None, failure=process.failure, error=process.error)
    try:
        output = parse_output(asked, process.stdout, process.stderr, process.wall_s)
    except ContractError as error:
        return Attempt(process=process, output=None, failure="garbled", error=str(error))
    output = replace(output, losses=output.losses[: case.epochs + 1])
    return Attempt(process=process, output=output, failure="", error="")
