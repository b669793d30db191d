"""A process that has loaded the harness, and is forked for each command: interpreters start slowly."""

import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.programs import TIMEOUT_S

SERVES = """
import gc, json, os, sys
# A bench within the process of the tests takes each child of that for what its runs have left.
if os.fork():
    os._exit(0)
from harness import cli
from harness.across import comparison, history, machines, predictions
from harness.measure import guard, runner
from harness.report import files, page, pictures, pictures_across, tables_across

exec(sys.argv[1])
gc.freeze()
for line in sys.stdin:
    words, variables, *streams = json.loads(line)
    if child := os.fork():
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        continue
    os.environ.clear()
    os.environ.update(variables)
    # What a bench leaves is known by the process of that bench.
    runner._TAG = guard.tag(os.getpid())
    for number, path in enumerate(streams, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    try:
        status = cli.main(words)
    except SystemExit as end:
        status = end.code or 0
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status)
"""


class Loaded:
    """Runs commands, one at a time."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    def start(
        self, words: Sequence[str], out: Path, err: Path, variables: Mapping[str, str] = os.environ
    ) -> int:
        """Start a command with these streams and variables; return its process id."""
        assert self._process.stdin
        request = [words, dict(variables), str(out), str(err)]
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        return self._said()

    def wait(self) -> int:
        """Wait until the command has ended; return its exit status, minus the number of a signal."""
        return self._said()

    def _said(self) -> int:
        assert self._process.stdout
        assert select.select([self._process.stdout], [], [], TIMEOUT_S)[0]
        return int(self._process.stdout.readline())


@contextmanager
def loaded(project: Path, more: str = "") -> Iterator[Loaded]:
    """Load the harness of a project, execute ``more`` there, and yield what runs its commands."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVES, more],
        cwd=project,
        # Unbuffered, because what is read ahead cannot be waited for.
        bufsize=0,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        process.wait()
        yield Loaded(process)
