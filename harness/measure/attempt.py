"""One attempt of a contender at a case: run it, read what it said, name what went wrong."""

from dataclasses import replace

from harness.case import Case
from harness.errors import ContractError
from harness.measure import runner
from harness.measure.contenders import Contender
from harness.measure.contract import Output, parse_output
from harness.measure.runner import Process


def attempt(
    contender: Contender, case: Case, *, timeout_s: float, memory_bytes: int | None = None, layout: int = 0
) -> tuple[Process, Output | None]:
    """Run ``case`` with ``contender``; return its process, and what it said: None if it failed.

    Output that breaks the contract is the failure "garbled". A contender with extra epochs must print them
    too; the losses of the case are kept.
    """
    asked = replace(case, epochs=case.epochs + round(case.epochs * contender.extra_epochs))
    process = runner.run(
        contender.command_line(asked, layout),
        env=contender.env,
        timeout_s=timeout_s,
        memory_bytes=memory_bytes,
        one_core=contender.threads == 1,
    )
    if process.failure:
        return process, None
    try:
        output = parse_output(asked, process.stdout, process.stderr, process.wall_s)
    except ContractError as error:
        return replace(process, failure="garbled", error=str(error)), None
    return process, replace(output, losses=output.losses[: case.epochs + 1])
