"""The contract between the harness and the programs that it times: arguments in, losses out.

A program is told its case by command-line arguments. It writes the losses, and nothing else, to standard
output, and what varies from run to run as ``Name: value`` lines to standard error. This module is the one
place that knows both formats.
"""

import re
from dataclasses import dataclass

from harness.case import Case
from harness.errors import ContractError

_EPOCH = re.compile(r"(\d+)/(\d+): loss: (\S+)")
_TRAINING_TIME = re.compile(r"^Training Time: ([0-9]{1,18}(?:\.[0-9]{1,18})?) s$", re.MULTILINE)
_PEAK_MEMORY = re.compile(r"^Peak Memory: ([0-9]{1,18}) B$", re.MULTILINE)
_COMPILE_TIME = re.compile(r"^Compile Time: ([0-9]{1,18}(?:\.[0-9]{1,18})?) s$", re.MULTILINE)
_LEAST_STEP_S = 1e-9
"""Less than this no training step can take: the shortest is a chain of some ten operations."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """Return ``text`` with control characters written out, so that a terminal shows them and obeys none."""
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape", "surrogatepass").decode(), text)


def arguments(case: Case) -> list[str]:
    """Return the command-line arguments of ``case``; numbers are written so that they read back exactly."""
    return [
        f"--method={case.method}",
        f"--samples={case.samples}",
        f"--epochs={case.epochs}",
        f"--step={case.step!r}",
        f"--learning-rate={case.learning_rate!r}",
        f"--low={case.low!r}",
        f"--high={case.high!r}",
        f"--seed={case.seed}",
        *map(str, case.shape.layers),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What one run said."""

    losses: tuple[float, ...]
    """The overall loss before training and after each epoch: epochs + 1 values."""
    training_s: float
    """Seconds of the training loop by the program's own monotonic clock."""
    compile_s: float | None
    """Seconds that it compiled at run time, outside of the training; None if it does not."""
    peak_memory_bytes: int | None
    """The program's own high-water mark; None if it did not tell."""


def parse_output(case: Case, stdout: str, stderr: str, wall_s: float) -> Output:
    """Return what a run of ``case`` said that lived for ``wall_s`` seconds.

    Raises ContractError with the first thing that is not as agreed, a training time that cannot be true
    included.
    """
    head, line_break, rest = stdout.partition("\n")
    body, tail = "", rest
    if case.epochs:
        body, _, tail = rest.partition("\n")
    initial = _labelled_loss(head + line_break, "Initial Loss")
    losses = [initial]
    chunks = body.split("\r")[1:] if body.startswith("\r") else []
    if len(chunks) != case.epochs:
        raise ContractError(f"printed {len(chunks)} epochs instead of {case.epochs}")
    for epoch, chunk in enumerate(chunks, start=1):
        match = _EPOCH.fullmatch(chunk)
        if not match or (match[1], match[2]) != (str(epoch), str(case.epochs)):
            raise ContractError(f"printed {chunk[:60]!r} where the loss of epoch {epoch} belongs")
        losses.append(_loss(match[3]))
    final = _labelled_loss(tail, "Final Loss")
    if repr(final) != repr(losses[-1]):
        raise ContractError(f"printed the final loss {final!r}, the last epoch's is {losses[-1]!r}")
    training = _only_line(_TRAINING_TIME, stderr, "Training Time")
    if training is None:
        raise ContractError("printed no line 'Training Time: SECONDS s' to standard error")
    training_s = float(training)
    if training_s < case.training_steps * _LEAST_STEP_S:
        raise ContractError(
            f"printed a training time of {training} s, too short for {case.training_steps} training steps"
        )
    compiling = _only_line(_COMPILE_TIME, stderr, "Compile Time")
    compile_s = float(compiling) if compiling else None
    if training_s + (compile_s or 0.0) > wall_s:
        both = f"a training time of {training} s" + (
            f" and a compile time of {compiling} s" if compiling else ""
        )
        raise ContractError(f"printed {both}, but ended after {wall_s:.9f} s")
    peak = _only_line(_PEAK_MEMORY, stderr, "Peak Memory")
    return Output(
        losses=tuple(losses),
        training_s=training_s,
        compile_s=compile_s,
        peak_memory_bytes=int(peak) if peak else None,
    )


def _only_line(pattern: "re.Pattern[str]", stderr: str, name: str) -> str | None:
    found = pattern.findall(stderr)
    if len(found) > 1:
        raise ContractError(f"printed {len(found)} lines '{name}: ...' to standard error")
    return str(found[0]) if found else None


def _labelled_loss(text: str, label: str) -> float:
    start, end = f"{label}: ", "\n"
    if not (text.startswith(start) and text.endswith(end)):
        raise ContractError(f"printed {text[:60]!r} where a line '{label}: NUMBER' belongs")
    return _loss(text[len(start) : -len(end)])


def _loss(text: str) -> float:
    """Read a number that must be written as ``repr`` writes it, so that equal bits are equal bytes."""
    try:
        value = float(text)
    except ValueError:
        value = None
    if value is None or repr(value) != text:
        raise ContractError(f"printed {text[:60]!r} where the shortest digits of a number belong")
    return value
