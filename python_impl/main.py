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
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random
from typing import Any, NoReturn

from gradients import METHODS
from network import Network, overall_loss
from training import random_inputs, teacher_targets, train

VERSION = "1.0.0"
LARGEST = 2**64 - 1
INTEGER = re.compile(r"\+?[0-9]+")
FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
VALUED = (
    *("--method", "--epochs", "--samples", "--step", "--learning-rate"),
    *("--low", "--high", "--seed", "--plot"),
)
FLAGS = ("-h", "--help", "--version")
# CPython keeps a float as an object of 24 bytes and a reference of 8 to it.
BYTES_PER_VALUE = 32


class Failure(Exception):
    """What ends the program early: a line for the user and the exit status."""

    def __init__(self, message: str, status: int) -> None:
        """Keep the line and the exit status."""
        super().__init__(message)
        self.status = status


class Parser(argparse.ArgumentParser):
    """argparse, but an error is one line, and help that cannot be written is an error."""

    def error(self, message: str) -> NoReturn:
        """Raise Failure in place of argparse's usage text and exit."""
        raise Failure(message.removeprefix("argument "), 2)

    def _print_message(self, message: str, file: Any = None) -> None:
        # argparse's own swallows the error.
        print(message, end="", file=file or sys.stderr, flush=True)


def quoted(text: str) -> str:
    """Return ``text`` in quotes and on one line, whatever characters and bytes it holds."""
    text = os.fsencode(text).decode("utf-8", "replace")
    return "'" + CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text) + "'"


def integer(least: int) -> Callable[[str], int]:
    """Return a parser of decimal integers from ``least`` to 2^64 - 1."""

    def parse(text: str) -> int:
        # 2^64 - 1 has 20 digits; int() of a text with thousands of them is slow, then refused.
        digits = text.removeprefix("+").lstrip("0") or "0"
        if INTEGER.fullmatch(text) and len(digits) <= 20 and least <= int(digits) <= LARGEST:
            return int(digits)
        raise argparse.ArgumentTypeError(f"got {quoted(text)}, takes an integer from {least} to 2^64 - 1")

    return parse


def number(wanted: str, accepts: Callable[[float], bool]) -> Callable[[str], float]:
    """Return a parser of finite decimal numbers that ``accepts`` takes, ``wanted`` in words."""

    def parse(text: str) -> float:
        if FLOAT.fullmatch(text) and math.isfinite(float(text)) and accepts(float(text)):
            return float(text)
        raise argparse.ArgumentTypeError(f"got {quoted(text)}, takes {wanted}")

    return parse


def method(text: str) -> str:
    """Return ``text`` if it names a method."""
    if text in METHODS:
        return text
    raise argparse.ArgumentTypeError(f"got {quoted(text)}, takes {', '.join(METHODS)}")


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
    arguments = parser.parse_args(options_first(words))
    if len(arguments.layers) < 2:
        raise Failure(f"LAYER: got {len(arguments.layers)} sizes, takes at least two", 2)
    if arguments.low > arguments.high:
        raise Failure(f"--low: got {arguments.low!r}, takes at most --high, which is {arguments.high!r}", 2)
    check_memory(arguments.layers, arguments.samples)
    return arguments


def options_first(words: Sequence[str]) -> list[str]:
    """Return the options, each joined to its value, then ``--``, then the layers.

    argparse itself would take the value in ``--low -1e-5`` for an option, and that of an unknown option
    for a layer.
    """
    options: list[str] = []
    layers: list[str] = []
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        if word == "--":
            layers.extend(rest)
        elif name in FLAGS:
            if equals:
                raise Failure(f"{name}: got {quoted(value)}, takes no value", 2)
            return [*options, word]
        elif name in VALUED:
            next_word = word if equals else next(rest, None)
            # argparse would drop a value `--`.
            if next_word in (None, "--") or (equals and value == "--"):
                raise Failure(f"{name}: got no value, takes one", 2)
            options.append(word if equals else f"{word}={next_word}")
        elif re.match("-[^0-9.]", word):
            raise Failure(f"unknown argument {quoted(name)}; see --help", 2)
        else:
            layers.append(word)
    return [*options, "--", *layers]


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
    from pathlib import Path

    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise Failure(f"--plot: cannot import matplotlib: {error}", 1) from error

    figure = Figure(layout="constrained")
    axes = figure.subplots()
    axes.plot(range(len(losses)), losses, marker=".")
    axes.set(title="Loss during training", xlabel="epoch", ylabel="overall loss", yscale="log")
    try:
        # Without a format, matplotlib would write to PATH.png where PATH has no suffix.
        figure.savefig(path, format=Path(path).suffix[1:] or "png")
    except (OSError, ValueError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise Failure(f"--plot: cannot write {quoted(path)}: {reason}", 1) from error


def run(arguments: argparse.Namespace) -> None:
    """Train, and write the losses to standard output and the measurements to standard error."""
    if arguments.plot is not None and importlib.util.find_spec("matplotlib") is None:
        raise Failure("--plot: needs matplotlib; install it with: python3 -m pip install matplotlib", 2)
    seed = arguments.seed
    if seed is None:
        seed = int.from_bytes(os.urandom(8), "little")
        print(f"Seed: {seed}", file=sys.stderr, flush=True)
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
        print(
            f"warning: the loss became {losses[diverged]!r} in epoch {diverged};"
            " try a smaller --learning-rate",
            file=sys.stderr,
        )
    print(f"Training Time: {training_s:.9f} s", file=sys.stderr)
    peak_bytes = peak_memory_bytes()
    if peak_bytes is not None:
        print(f"Peak Memory: {peak_bytes} B", file=sys.stderr)


def main(words: Sequence[str]) -> int:
    """Run the program and return its exit status; every failure is at most one line."""
    try:
        run(parse_arguments(words))
        return 0
    except Failure as failure:
        message, status = f"error: {failure}", failure.status
    except MemoryError:
        message, status = "error: out of memory; use smaller layers or fewer samples", 1
    except BrokenPipeError:
        message, status = "", 1
    except OSError as error:
        message, status = f"error: cannot write: {error.strerror} (os error {error.errno})", 1
    except KeyboardInterrupt:
        message, status = "error: interrupted", 130
    # What the streams still hold cannot be written; the interpreter must not try again at its end.
    if status in (1, 130):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    try:
        if message:
            print(message, file=sys.stderr, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    return status


if __name__ == "__main__":
    # A stream that was closed from the start leads nowhere, as it does in Rust.
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    sys.exit(main(sys.argv[1:]))
