"""The contract between the harness and the programs that it times: arguments in, losses out.

A program is told its case by command-line arguments. It writes the losses, and nothing else, to standard
output, and what varies from run to run as ``Name: value`` lines to standard error. This module is the one
place that knows both formats, and the arithmetic that follows from a case alone.
"""

import re
from dataclasses import dataclass
from itertools import pairwise

from harness.errors import ContractError, UsageError

METHODS = ("naive", "incremental", "backprop")

_EPOCH = re.compile(r"(\d+)/(\d+): loss: (\S+)")
_TRAINING_TIME = re.compile(r"^Training Time: ([0-9]{1,18}(?:\.[0-9]{1,18})?) s$", re.MULTILINE)
_PEAK_MEMORY = re.compile(r"^Peak Memory: ([0-9]{1,18}) B$", re.MULTILINE)


def parse_layers(text: str) -> tuple[int, ...]:
    """Return the layer sizes that ``text`` such as 10-5-1 names; raise UsageError where it names none."""
    sizes = text.split("-")
    if len(sizes) < 2 or not all(re.fullmatch(r"[1-9][0-9]{0,18}", size) for size in sizes):
        raise UsageError(f"shape: got {text!r}, takes two or more positive sizes such as 10-5-1")
    return tuple(map(int, sizes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One command line but for the program: a shape, a method and every other argument."""

    layers: tuple[int, ...]
    """Layer sizes, input first."""
    method: str
    """naive, incremental or backprop."""
    samples: int
    """Training samples."""
    epochs: int
    """Passes over the samples."""
    step: float
    """h of the central difference."""
    learning_rate: float
    """Factor on the gradient in every update."""
    low: float
    """Least value of an input."""
    high: float
    """Greatest value of an input."""
    seed: int
    """Seed of the random stream that all programs share, 0 to 2^64 - 1."""

    @property
    def shape(self) -> str:
        """The layer sizes as people write them: 10-5-1."""
        return "-".join(map(str, self.layers))

    @property
    def neurons(self) -> int:
        """The sum of all layer sizes."""
        return sum(self.layers)

    @property
    def parameters(self) -> int:
        """Weights, and one bias a layer."""
        return sum(columns * rows + 1 for columns, rows in pairwise(self.layers))

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of one training step with this case's method."""
        return multiply_adds(self.layers, self.method)

    @property
    def training_steps(self) -> int:
        """How many gradients and updates a run consists of."""
        return self.samples * self.epochs

    def arguments(self) -> list[str]:
        """Return the command-line arguments; numbers are written so that they read back exactly."""
        return [
            f"--method={self.method}",
            f"--samples={self.samples}",
            f"--epochs={self.epochs}",
            f"--step={self.step!r}",
            f"--learning-rate={self.learning_rate!r}",
            f"--low={self.low!r}",
            f"--high={self.high!r}",
            f"--seed={self.seed}",
            *map(str, self.layers),
        ]


def multiply_adds(layers: tuple[int, ...], method: str) -> int:
    """Count the multiply-adds of one training step: one for each term that enters a sum.

    With W_k the weights of layer k and W their total, a forward pass has W. ``naive`` runs two for each of
    the P parameters. ``incremental`` adds, for weight (i, q), the terms of its row from q on, those of
    every row of the next layer from i on, and all of the layers after that. ``backprop`` has one forward
    pass and, but for the first layer, one pass back.
    """
    weights = [columns * rows for columns, rows in pairwise(layers)]
    total = sum(weights)
    if method == "naive":
        return 2 * (total + len(weights)) * total
    if method == "backprop":
        return 2 * total - weights[0]
    count = total
    for k, (columns, rows) in enumerate(pairwise(layers)):
        in_row = rows * (columns * (columns + 1) // 2)
        next_rows = layers[k + 2] if k + 2 < len(layers) else 0
        in_next = columns * next_rows * (rows * (rows + 1) // 2)
        in_rest = columns * rows * sum(weights[k + 2 :])
        after_bias = sum(weights[k + 1 :])
        count += 2 * (in_row + in_next + in_rest + after_bias)
    return count


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What one run said."""

    losses: tuple[float, ...]
    """The overall loss before training and after each epoch: epochs + 1 values."""
    training_s: float
    """Seconds of the training loop by the program's own monotonic clock."""
    peak_memory_bytes: int | None
    """The program's own high-water mark; None where it did not tell."""


def parse_output(case: Case, stdout: str, stderr: str) -> Output:
    """Return what a run of ``case`` said; raise ContractError with the first thing that is not as agreed."""
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
    training = _TRAINING_TIME.search(stderr)
    if not training:
        raise ContractError("printed no line 'Training Time: SECONDS s' to standard error")
    if case.training_steps and not float(training[1]):
        raise ContractError(f"printed a training time of zero for {case.training_steps} training steps")
    peak = _PEAK_MEMORY.search(stderr)
    return Output(
        losses=tuple(losses),
        training_s=float(training[1]),
        peak_memory_bytes=int(peak[1]) if peak else None,
    )


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
