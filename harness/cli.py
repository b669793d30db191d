"""The composition root: parses, dispatches, and turns every failure into one line and an exit status.

Commands import heavy packages late, so that ``--help`` is quick and no timed process has a large parent.
"""

import argparse
import io
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType
from typing import NoReturn

from harness import __version__
from harness.commands import (
    article,
    bench,
    build,
    compare,
    join,
    kernels,
    plot,
    predict,
    selfcheck,
    show,
    sweeps,
    verify,
)
from harness.errors import INTERRUPTED, FlatnetError, UsageError
from harness.terminal import Terminal

_UNHEEDED = ("FORCE_COLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "MPLBACKEND")
"""They would make a terminal of a file, or other pictures."""
COMMANDS = (build, bench, show, plot, sweeps, compare, join, predict, article, verify, selfcheck, kernels)


def main(words: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status; every failure is one line."""
    for name in _UNHEEDED:
        os.environ.pop(name, None)
    os.environ["MATPLOTLIBRC"] = os.devnull
    if not os.environ.get("COLUMNS", "80").strip("0").isdigit():
        del os.environ["COLUMNS"]
    for stream in (sys.stdout, sys.stderr):
        # What cannot encode µ or ± gets a question mark.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    handlers = {signal.SIGTERM: _exit, signal.SIGHUP: _exit, signal.SIGINT: signal.default_int_handler}
    # What was ignored from the start, as SIGHUP under nohup, stays so.
    before = {
        number: signal.signal(number, handler)
        for number, handler in handlers.items()
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    terminal, failed = Terminal(), 1
    try:
        arguments = _parse(sys.argv[1:] if words is None else words)
        failed = arguments.failed
        status = int(arguments.run(arguments, terminal))
        if status == INTERRUPTED:
            terminal.note("interrupted; the same command resumes it, but for --fresh")
        return status
    except FlatnetError as error:
        message, failed = str(error), 2 if isinstance(error, UsageError) else failed
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        # At its end the interpreter would try again to write what is buffered.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        message = f"cannot {'use ' + str(error.filename) if error.filename else 'write'}: {error.strerror}"
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    with suppress(OSError):
        terminal.error(message)
    return failed


def _parse(words: Sequence[str]) -> argparse.Namespace:
    parser = _Parser(
        prog="python -m harness",
        description="Run implementations of one neural network, compare their losses, and show how their"
        " runtime grows with the number of neurons.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"flatnet harness {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        name = command.__name__.rpartition(".")[2]
        own = commands.add_parser(name, help=command.__doc__, description=command.__doc__, allow_abbrev=False)
        own.set_defaults(run=command.run, parser=own, failed=1)
        command.add_arguments(own)
    arguments, unknown = parser.parse_known_args(words)
    if unknown:
        arguments.parser.error(f"unknown argument {unknown[0]!r}")
    arguments.words = words[1:]
    return arguments


class _Parser(argparse.ArgumentParser):
    """argparse, but an error is one line, and says what was typed."""

    def error(self, message: str) -> NoReturn:
        *_, command = self.prog.split()
        typed = f"make {command} ARGS=--help" if "MAKELEVEL" in os.environ else f"{self.prog} --help"
        raise UsageError(f"{message.removeprefix('argument ')}; see {typed}")

    def _get_value(self, action: argparse.Action, arg_string: str) -> object:
        try:
            return action.type(arg_string) if callable(action.type) else arg_string
        except ValueError as error:
            raise argparse.ArgumentError(action, str(error)) from error

    def _check_value(self, action: argparse.Action, value: object) -> None:
        if action.choices is not None and value not in action.choices:
            known = ", ".join(map(str, action.choices))
            raise argparse.ArgumentError(action, f"got {value!r}, takes {known}")


def _exit(number: int, _: FrameType | None) -> NoReturn:
    sys.exit(128 + number)
