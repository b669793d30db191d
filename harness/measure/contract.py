"""The contract between the harness and the programs that it times, which docs/contender.md has in words."""

import re
from contextlib import suppress
from dataclasses import dataclass

from harness.case import Case

_EPOCH = re.compile(r"(\d+)/(\d+): loss: (\S+)")
_TRAINING_TIME = r"Training Time: ([0-9]{1,18}(?:\.[0-9]{1,18})?) s"
_COMPILE_TIME = _TRAINING_TIME.replace("Training", "Compile")
_PEAK_MEMORY = r"Peak Memory: ([0-9]{1,18}) B"
LEAST_STEP_S = 1e-9
"""No training step can take less: the shortest is a chain of some ten operations."""


def arguments(case: Case) -> list[str]:
    """Return the command-line arguments of ``case``; its numbers read back exactly."""
    names = ("method", "samples", "epochs", "step", "learning_rate", "low", "high", "seed")
    flags = (f"--{name.replace('_', '-')}={getattr(case, name)}" for name in names)
    return [*flags, *map(str, case.shape.layers)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What one run said; None: not told."""

    losses: tuple[float, ...]
    """The overall loss before training and after each epoch: epochs + 1 values."""
    training_s: float
    compile_s: float | None
    peak_memory_bytes: int | None


def parse_output(case: Case, stdout: str, stderr: str, wall_s: float) -> Output:
    """Return what a run of ``case`` said that took ``wall_s`` seconds.

    Raises ValueError with the first thing that is not as agreed, or cannot be true.
    """
    head, line_break, tail = stdout.partition("\n")
    body, _, tail = tail.partition("\n") if case.epochs else ("", "", tail)
    losses = [_labelled_loss(head + line_break, "Initial Loss")]
    chunks = body.split("\r")[1:] if body.startswith("\r") else []
    if len(chunks) != case.epochs:
        raise ValueError(f"printed {len(chunks)} epochs instead of {case.epochs}")
    for epoch, chunk in enumerate(chunks, start=1):
        match = _EPOCH.fullmatch(chunk)
        if not match or (match[1], match[2]) != (str(epoch), str(case.epochs)):
            raise ValueError(f"printed {chunk[:60]!r} where the loss of epoch {epoch} belongs")
        losses.append(_loss(match[3]))
    final = _labelled_loss(tail, "Final Loss")
    if repr(final) != repr(losses[-1]):
        raise ValueError(f"printed the final loss {final!r}, the last epoch's is {losses[-1]!r}")
    training = _told(_TRAINING_TIME, stderr)
    if training is None:
        raise ValueError("printed no line 'Training Time: SECONDS s' to standard error")
    printed = f"printed a training time of {training} s"
    if float(training) < case.training_steps * LEAST_STEP_S:
        raise ValueError(f"{printed}, too short for {case.training_steps} training steps")
    compiling = _told(_COMPILE_TIME, stderr)
    if float(training) + float(compiling or 0) > wall_s:
        printed += f" and a compile time of {compiling} s" if compiling else ""
        raise ValueError(f"{printed}, but ended after {wall_s:.9f} s")
    peak = _told(_PEAK_MEMORY, stderr)
    return Output(
        losses=tuple(losses),
        training_s=float(training),
        compile_s=float(compiling) if compiling else None,
        peak_memory_bytes=int(peak) if peak else None,
    )


def _told(line: str, stderr: str) -> str | None:
    """Return the number in the only line that matches ``line``, or None."""
    found = re.findall(f"^{line}$", stderr, re.MULTILINE)
    if len(found) > 1:
        raise ValueError(f"printed {len(found)} lines '{line.partition(':')[0]}: ...' to standard error")
    return str(found[0]) if found else None


def _labelled_loss(text: str, label: str) -> float:
    if not (text.startswith(f"{label}: ") and text.endswith("\n")):
        raise ValueError(f"printed {text[:60]!r} where a line '{label}: NUMBER' belongs")
    return _loss(text[len(label) + 2 : -1])


def _loss(text: str) -> float:
    """Read a number that is written as ``repr`` does, so that equal bits are equal bytes."""
    with suppress(ValueError):
        if repr(value := float(text)) == text:
            return value
    raise ValueError(f"printed {text[:60]!r} where the shortest digits of a number belong")
