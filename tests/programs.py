"""The two programs as the tests see them: a command line in; a status and two streams out."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import IO, Any

from main import main

ROOT = Path(__file__).parent.parent
RUST_BINARY = ROOT / "rust_impl" / "target" / "release" / "flatnet"
METHODS = ("naive", "incremental", "backprop")
TIMEOUT_S = 120
"""No test waits for this; it only ends a run that hangs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What a program left behind."""

    status: int
    """The exit status; minus the signal's number where one ended it."""
    out: bytes
    """Standard output."""
    err: str
    """Standard error."""

    @property
    def initial_loss(self) -> float:
        """The loss of the untrained network."""
        return float(re.match(rb"Initial Loss: (\S+)\n", self.out)[1])  # type: ignore[index]

    @property
    def losses(self) -> list[float]:
        """The loss after each epoch."""
        return [float(text) for text in re.findall(rb"\r\d+/\d+: loss: ([-+.\w]+)", self.out)]


@dataclass(frozen=True, slots=True)
class Program:
    """One of the two programs."""

    name: str
    """python or rust."""
    command: tuple[str, ...]
    """What starts it."""

    def start(
        self,
        *words: str | bytes,
        command: tuple[str, ...] = (),
        variables: dict[str, str] | None = None,
        stdout: int | IO[bytes] = subprocess.PIPE,
        stderr: int | IO[bytes] = subprocess.PIPE,
        before: Callable[[], object] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start it on the arguments ``words``; ``before`` is called in the new process."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTHON", "RUST_")) and name != "LANG"
        }
        return subprocess.Popen(
            [*(command or self.command), *words],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            env={**inherited, "LC_ALL": "C.UTF-8", **(variables or {})},
            preexec_fn=before,  # noqa: PLW1509
        )

    def run(self, *words: str | bytes, **options: Any) -> Ended:
        """Run it to its end, with the options of ``start``."""
        return ended(self.start(*words, **options))


def ended(process: subprocess.Popen[bytes]) -> Ended:
    """Wait for a process and return what it left."""
    with process:
        try:
            out, err = process.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return Ended(status=process.returncode, out=out or b"", err=(err or b"").decode())


def run_in_process(*words: str | bytes) -> Ended:
    """Run the Python program within this process: all but its start and its end, in little time."""
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = main([os.fsdecode(word) for word in words])
    return Ended(status=status, out=out.getvalue().encode(), err=err.getvalue())


Run = Callable[..., Ended]
"""Takes the arguments of one of the programs and runs it to its end."""

PYTHON = Program("python", (sys.executable, str(ROOT / "python_impl" / "main.py")))
RUST = Program("rust", (str(RUST_BINARY),))
