"""What every peer in Python needs besides its network: arguments in, random numbers, losses out.

The programs beside this file import it, so that each of them shows its tool and nothing else.
"""

import sys
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

HELD_BACK_S = 0.05
"""For how long output is held back: a flush wakes the reader of a pipe."""


class Arguments(NamedTuple):
    """A case, as docs/contender.md has it."""

    method: str
    samples: int
    epochs: int
    step: float
    learning_rate: float
    low: float
    high: float
    seed: int
    layers: list[int]


def read_arguments(version: Callable[[], str], methods: tuple[str, ...]) -> Arguments:
    """Return what the command line says; options are written --name=value, as the harness writes them."""
    values: dict[str, str] = {}
    words = sys.argv[1:]
    if words == ["--version"]:
        print(f"flatnet {version()} on Python {sys.version.split()[0]}")
        sys.exit(0)
    while words and words[0].startswith("--"):
        name, _, values[name] = words.pop(0).partition("=")
    try:
        arguments = Arguments(
            method=values.pop("--method", methods[0]),
            samples=int(values.pop("--samples", "100")),
            epochs=int(values.pop("--epochs", "100")),
            step=float(values.pop("--step", "0.1")),
            learning_rate=float(values.pop("--learning-rate", "0.01")),
            low=float(values.pop("--low", "0")),
            high=float(values.pop("--high", "1")),
            seed=int(values.pop("--seed", "1")),
            layers=[int(word) for word in words],
        )
    except ValueError as error:
        refuse(str(error))
    if values:
        refuse(f"unknown option {next(iter(values))}")
    if arguments.method not in methods:
        refuse(f"--method: got {arguments.method!r}, takes {' or '.join(methods)}")
    if len(arguments.layers) < 2 or min(*arguments.layers, arguments.samples) < 1:
        refuse("takes two or more layer sizes and one or more samples, each at least 1")
    return arguments


def refuse(message: str) -> None:
    """End with the line and the status that unusable arguments have."""
    print(f"error: {message}", file=sys.stderr)
    sys.exit(2)


def seed_words(seed: int) -> list[int]:
    """Return the 32-bit words by which Python seeds its generator, for NumPy's, which is the same."""
    words = [seed & 0xFFFFFFFF, seed >> 32]
    return words if words[1] else words[:1]


def compiled(prepare: Callable[[], object]) -> float:
    """Return how many seconds ``prepare`` takes, which has everything compiled that training needs."""
    start = time.perf_counter()
    prepare()
    return time.perf_counter() - start


def report(epochs: int, initial: float, losses: Iterator[float], compile_s: float | None = None) -> None:
    """Train, which is what drawing from ``losses`` does, and write what the contract asks for."""
    write, flush, clock = sys.stdout.write, sys.stdout.flush, time.perf_counter
    write(f"Initial Loss: {initial!r}\n")
    flush()
    loss = initial
    start = flushed = clock()
    for epoch, loss in enumerate(losses, start=1):
        write(f"\r{epoch}/{epochs}: loss: {loss!r}")
        if clock() - flushed >= HELD_BACK_S:
            flush()
            flushed = clock()
    training_s = clock() - start
    write(f"\nFinal Loss: {loss!r}\n" if epochs else f"Final Loss: {loss!r}\n")
    flush()
    print(f"Training Time: {training_s:.9f} s", file=sys.stderr)
    if compile_s is not None:
        print(f"Compile Time: {compile_s:.9f} s", file=sys.stderr)
    try:
        # Not pathlib, which takes long to import.
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:  # noqa: PTH123
            kilobytes = next(line.split()[1] for line in status if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return
    print(f"Peak Memory: {int(kilobytes) * 1024} B", file=sys.stderr)
