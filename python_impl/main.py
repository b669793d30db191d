"""Train a small neural network whose parameters lie in one flat vector.

This is the command line and the output; nothing here computes. Standard output holds the losses and
nothing else, so that it can be compared byte for byte with other implementations. What varies from
run to run goes to standard error.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import os
import platform
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from random import Random
from typing import NoReturn

from gradients import METHODS
from network import Network, overall_loss
from training import random_inputs, teacher_targets, train

VERSION = "1.0.0"
LARGEST = 2**64 - 1
INTEGER = re.compile(r"\+?[0-9]+")
FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
# CPython keeps a float as an object of 24 bytes and a reference of 8 to it.
BYTES_PER_VALUE = 32


class Failure(Exception):
    """What ends the program early: a line for the user and the exit status."""

    def __init__(self, message: str, status: int) -> None:
        """Keep the line and the exit status."""
        super().__init__(message)
        self.status = status


class Parser(argparse.ArgumentParser):
    """argparse, but an error is one line."""

    def error(self, message: str) -> NoReturn:
        """Raise Failure in place of argparse's usage text and exit."""
        raise Failure(" ".join(message.removeprefix("argument ").splitlines()), 2)


def integer(least: int) -> Callable[[str], int]:
    """Return a parser of decimal integers from ``least`` to 2^64 - 1."""

    def parse(text: str) -> int:
        # 2^64 - 1 has 20 digits; int() of a text with thousands of them is slow, then refused.
        digits = text.removeprefix("+").lstrip("0") or "0"
        if INTEGER.fullmatch(text) and len(digits) <= 20 and least <= int(digits) <= LARGEST:
            return int(digits)
        raise argparse.ArgumentTypeError(f"got {text!r}, takes an integer from {least} to 2^64 - 1")

    return parse


def number(wanted: str, accepts: Callable[[float], bool]) -> Callable[[str], float]:
    """Return a parser of finite decimal numbers that ``accepts`` takes, ``wanted`` in words."""

    def parse(text: str) -> float:
        if FLOAT.fullmatch(text) and math.isfinite(float(text)) and accepts(float(text)):
            return float(text)
        raise argparse.ArgumentTypeError(f"got {text!r}, takes {wanted}")

    return parse


def method(text: str) -> str:
    """Return ``text`` if it names a method."""
    if text in METHODS:
        return text
    raise argparse.ArgumentTypeError(f"got {text!r}, takes {', '.join(METHODS)}")


def parse_arguments(words: Sequence[str]) -> argparse.Namespace:
    """Return the checked arguments; raise Failure for unusable ones."""
    finite = number("a finite number", lambda _: True)
    parser = Parser(
        prog="flatnet",
        description="Train a neural network whose parameters lie in one flat vector.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "layers",
        metavar="LAYER",
        nargs="*",
        type=integer(1),
        help="layer sizes, input first, at least two",
    )
    parser.add_argument(
        "--method",
        metavar="{" + ",".join(METHODS) + "}",
        type=method,
        default="naive",
        help="how the gradient is found (default: naive)",
    )
    parser.add_argument(
        "--epochs",
        metavar="N",
        type=integer(0),
        default=100,
        help="passes over the samples (default: 100)",
    )
    parser.add_argument(
        "--samples",
        metavar="N",
        type=integer(1),
        default=100,
        help="training samples (default: 100)",
    )
    parser.add_argument(
        "--step",
        metavar="H",
        type=number("a finite number above zero", lambda value: value > 0.0),
        default=0.1,
        help="h of the central difference (default: 0.1)",
    )
    parser.add_argument(
        "--learning-rate",
        metavar="LR",
        type=number("a finite number of at least zero", lambda value: value >= 0.0),
        default=0.01,
        help="(default: 0.01)",
    )
    parser.add_argument("--low", metavar="A", type=finite, default=0.0, help="least input (default: 0.0)")
    parser.add_argument("--high", metavar="B", type=finite, default=1.0, help="greatest input (default: 1.0)")
    parser.add_argument(
        "--seed",
        metavar="S",
        type=integer(0),
        help="0 to 2^64 - 1 (default: drawn from the operating system, and reported)",
    )
    parser.add_argument("--plot", metavar="PATH", help="write the loss curve as a picture; needs matplotlib")
    parser.add_argument(
        "--version",
        action="version",
        version=f"flatnet {VERSION} ({platform.python_implementation()} {platform.python_version()})",
    )
    arguments = parser.parse_intermixed_args(list(values_attached(words)))
    if len(arguments.layers) < 2:
        raise Failure(f"LAYER: got {len(arguments.layers)} sizes, takes at least two", 2)
    if arguments.low > arguments.high:
        raise Failure(f"--low: got {arguments.low!r}, takes at most --high, which is {arguments.high!r}", 2)
    check_memory(arguments.layers, arguments.samples)
    return arguments


def values_attached(words: Sequence[str]) -> Iterator[str]:
    """Yield ``--low=-1e-5`` for ``--low -1e-5``: argparse would take that value for an option."""
    rest = iter(words)
    for word in rest:
        value = next(rest, None) if word in ("--step", "--learning-rate", "--low", "--high") else None
        yield word if value is None else f"{word}={value}"


def check_memory(layers: Sequence[int], samples: int) -> None:
    """Raise Failure where the networks and the data need more than the machine's memory."""
    parameters = sum(rows * columns + 1 for rows, columns in zip(layers[1:], layers))
    needed = BYTES_PER_VALUE * (2 * parameters + samples * (layers[0] + layers[-1]))
    try:
        available = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return
    if needed > available:
        raise Failure(
            f"LAYER: got {'-'.join(map(str, layers))} with {samples} samples, which needs"
            f" {needed:.1e} B of memory; takes what fits into this machine's {available:.1e} B",
            2,
        )


def peak_memory_bytes() -> int | None:
    """Return this process's own high-water mark, None where the system does not tell it."""
    with suppress(OSError), open("/proc/self/status", encoding="ascii", errors="replace") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return None


def save_plot(losses: Sequence[float], path: str) -> None:
    """Draw the loss against the epoch, epoch 0 being the untrained network."""
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained")
    axes = figure.subplots()
    axes.plot(range(len(losses)), losses)
    axes.set(title="Loss during training", xlabel="epoch", ylabel="overall loss", yscale="log")
    try:
        figure.savefig(path)
    except (OSError, ValueError) as error:
        raise Failure(f"--plot: cannot write {path!r}: {error}", 1) from error


def note(line: str) -> None:
    """Write a line to standard error, if open: print would take None for standard output."""
    if sys.stderr is not None:
        print(line, file=sys.stderr, flush=True)


def run(arguments: argparse.Namespace) -> None:
    """Train, and write the losses to standard output and the measurements to standard error."""
    if arguments.plot is not None and importlib.util.find_spec("matplotlib") is None:
        raise Failure("--plot: needs matplotlib; install it with: python3 -m pip install matplotlib", 2)
    if sys.stdout is None:
        raise Failure("cannot write the losses: standard output is closed", 1)
    seed = arguments.seed
    if seed is None:
        seed = int.from_bytes(os.urandom(8), "little")
        note(f"Seed: {seed}")
    rng = Random(seed)
    inputs = random_inputs(arguments.samples, arguments.layers[0], arguments.low, arguments.high, rng)
    targets = teacher_targets(arguments.layers, inputs, rng)
    network = Network(arguments.layers, rng)

    write, flush = sys.stdout.write, sys.stdout.flush
    end_of_line = "\x1b[K" if sys.stdout.isatty() else ""
    losses = [overall_loss(network, inputs, targets)]
    write(f"Initial Loss: {losses[0]!r}\n")
    flush()
    epochs = arguments.epochs
    start = time.perf_counter()
    for loss in train(
        network,
        inputs,
        targets,
        training_step=METHODS[arguments.method],
        epochs=epochs,
        step=arguments.step,
        learning_rate=arguments.learning_rate,
    ):
        losses.append(loss)
        write(f"\r{len(losses) - 1}/{epochs}: loss: {loss!r}{end_of_line}")
        flush()
    training_s = time.perf_counter() - start
    write(f"\nFinal Loss: {losses[-1]!r}\n" if epochs else f"Final Loss: {losses[-1]!r}\n")
    flush()

    report(losses, training_s)
    if arguments.plot is not None:
        save_plot(losses, arguments.plot)


def report(losses: Sequence[float], training_s: float) -> None:
    """Write to standard error what differs from run to run, and a warning if the loss diverged."""
    diverged = next((epoch for epoch, loss in enumerate(losses) if not math.isfinite(loss)), None)
    if diverged is not None:
        note(
            f"warning: the loss became {losses[diverged]!r} in epoch {diverged};"
            " try a smaller --learning-rate"
        )
    note(f"Training Time: {training_s:.9f} s")
    peak_bytes = peak_memory_bytes()
    if peak_bytes is not None:
        note(f"Peak Memory: {peak_bytes} B")


def main(words: Sequence[str]) -> int:
    """Run the program and return its exit status; every failure is at most one line."""
    try:
        run(parse_arguments(words))
    except Failure as failure:
        message, status = f"error: {failure}", failure.status
    except MemoryError:
        message, status = "error: out of memory; use smaller layers or fewer samples", 1
    except BrokenPipeError:
        message, status = "", 1
    except OSError as error:
        message, status = f"error: cannot write the losses: {error.strerror}", 1
    except KeyboardInterrupt:
        message, status = "error: interrupted", 130
    else:
        return 0
    if message:
        note(message)
    if status in (1, 130):
        # What standard output still holds cannot be written: the interpreter must not try again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
