"""The command line: what it takes and what it refuses, in the same words as the Rust program.

Words are read left to right. The first that asks for help or the version ends the reading, and so does
the first that is refused; what is left to check depends on several words and comes after the last.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence

from gradients import METHODS

VERSION = "2.0.0"
HELP = """\
Usage: flatnet [OPTIONS] LAYER LAYER [LAYER ...]

Train a neural network whose parameters lie in one flat vector.

  LAYER ...            layer sizes, input first, at least two

Options:
  --method METHOD      how the gradient is found: naive, incremental or backprop (default: naive)
  --epochs N           passes over the samples (default: 100)
  --samples N          training samples (default: 100)
  --step H             h of the central difference (default: 0.1)
  --learning-rate LR   factor on the gradient (default: 0.01)
  --low A              least input (default: 0.0)
  --high B             greatest input (default: 1.0)
  --seed S             0 to 2^64 - 1 (default: drawn from the operating system, and reported)
  --plot PATH          write the loss curve as a picture; needs matplotlib
  --version            print the version
  -h, --help           print this help
"""
LARGEST = 2**64 - 1
# CPython keeps a float as an object of 24 bytes and a reference of 8 to it.
BYTES_PER_VALUE = 32
CONTROL = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}


class Failure(Exception):
    """What ends the program early: a line for the user and the exit status."""

    def __init__(self, message: str, status: int) -> None:
        """Keep the line and the exit status."""
        super().__init__(message)
        self.status = status


class Arguments:
    """What the command line asks for, at first the defaults."""

    method = "naive"
    epochs = 100
    samples = 100
    step = 0.1
    learning_rate = 0.01
    low = 0.0
    high = 1.0
    seed: int | None = None
    plot: str | None = None

    def __init__(self) -> None:
        """Start without any layer."""
        self.layers: list[int] = []


def parse_arguments(words: Sequence[str]) -> Arguments | None:
    """Return the checked arguments, None once help or the version is printed; raise Failure for others."""
    arguments = Arguments()
    rest = iter(words)
    for word in rest:
        name, equals, text = word.partition("=")
        if word == "--":
            arguments.layers += [layer(word) for word in rest]
        elif not is_option(word):
            arguments.layers.append(layer(word))
        elif name in ("--help", "-h", "--version"):
            if equals:
                raise refused(name, text, "no value")
            print(version() if name == "--version" else HELP, end="", flush=True)
            return None
        elif name not in OPTIONS:
            raise Failure(f"unknown argument {quoted(name)}; see --help", 2)
        else:
            value = text if equals else next(rest, None)
            if value is None:
                raise Failure(f"{name}: got no value, takes one", 2)
            setattr(arguments, name[2:].replace("-", "_"), OPTIONS[name](name, value))
    if len(arguments.layers) < 2:
        raise Failure(f"LAYER: got {len(arguments.layers)} sizes, takes at least two", 2)
    if arguments.low > arguments.high:
        raise Failure(f"--low: got {arguments.low!r}, takes at most --high, which is {arguments.high!r}", 2)
    check_memory(arguments.layers, arguments.samples)
    return arguments


def is_option(word: str) -> bool:
    """Return whether a word is an option: not -5 or -.5, nor a dash alone."""
    # The empty text, which follows a dash alone, is in every text.
    return word[:1] == "-" and word[1:2] not in ".0123456789"


def layer(text: str) -> int:
    """Return the size of a layer."""
    return integer("LAYER", text, 1)


def method(name: str, text: str) -> str:
    """Return ``text`` if it names a method."""
    if text in METHODS:
        return text
    raise refused(name, text, ", ".join(METHODS))


def integer(name: str, text: str, least: int) -> int:
    """Return the decimal integer from ``least`` to 2^64 - 1 that ``text`` is."""
    digits = text.removeprefix("+")
    # 2^64 - 1 has 20 digits; int() of a text with thousands of them is slow, then refused.
    if digits.isascii() and digits.isdigit() and len(digits.lstrip("0")) <= 20:
        value = int(digits[-20:])
        if least <= value <= LARGEST:
            return value
    raise refused(name, text, f"an integer from {least} to 2^64 - 1")


def number(name: str, text: str, wanted: str, accepts: Callable[[float], bool]) -> float:
    """Return the finite decimal number that ``text`` is, if ``accepts`` takes it; ``wanted`` says which."""
    # float() takes much else: spaces, underscores, digits of other scripts.
    if set(text) <= set("+-.0123456789eE"):
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if math.isfinite(value) and accepts(value):
            return value
    raise refused(name, text, wanted)


def finite(name: str, text: str) -> float:
    """Return the number that ``text`` is."""
    return number(name, text, "a finite number", lambda _: True)


def positive(name: str, text: str) -> float:
    """Return the number above zero that ``text`` is."""
    return number(name, text, "a finite number above zero", lambda value: value > 0.0)


def not_negative(name: str, text: str) -> float:
    """Return the number of at least zero that ``text`` is."""
    return number(name, text, "a finite number of at least zero", lambda value: value >= 0.0)


OPTIONS: dict[str, Callable[[str, str], object]] = {
    "--method": method,
    "--epochs": lambda name, text: integer(name, text, 0),
    "--samples": lambda name, text: integer(name, text, 1),
    "--step": positive,
    "--learning-rate": not_negative,
    "--low": finite,
    "--high": finite,
    "--seed": lambda name, text: integer(name, text, 0),
    "--plot": lambda _, text: text,
}


def check_memory(layers: Sequence[int], samples: int) -> None:
    """Raise Failure if the student, the teacher and the data need more than the machine's memory."""
    parameters = sum(rows * columns + 1 for rows, columns in zip(layers[1:], layers))
    needed = BYTES_PER_VALUE * (2 * parameters + samples * (layers[0] + layers[-1]))
    try:
        available = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return
    if needed > available:
        raise Failure(
            f"LAYER: got {'-'.join(map(str, layers))} with {samples} samples, which needs"
            f" {needed / 1e9:.1f} GB of memory; takes what fits into this machine's {available / 1e9:.1f} GB",
            2,
        )


def refused(name: str, text: str, wanted: str) -> Failure:
    """Return what the argument ``name`` got and what it takes."""
    return Failure(f"{name}: got {quoted(text)}, takes {wanted}", 2)


def quoted(text: str) -> str:
    """Return ``text`` in quotes and on one line, whatever characters and bytes it holds."""
    return "'" + os.fsencode(text).decode("utf-8", "replace").translate(CONTROL) + "'"


def version() -> str:
    """Return the line that names the program and the interpreter."""
    import platform

    return f"flatnet {VERSION} ({platform.python_implementation()} {platform.python_version()})\n"
