"""What tests need in place of contenders."""

import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

from harness.case import METHODS
from harness.measure.contenders import Contender
from harness.measure.runner import Process, run
from tests import sweeps
from tests.fakes.program import main

PROGRAM = Path(__file__).with_name("program.py")


def command(behaviour: str) -> tuple[str, ...]:
    """Return the command of a fake program; isolated, because that starts in a few milliseconds."""
    return (sys.executable, "-I", "-S", str(PROGRAM), behaviour)


def contender(name: str = "fake", behaviour: str = "honest", methods: tuple[str, ...] = METHODS) -> Contender:
    """Return a contender that behaves so."""
    return Contender(
        name=name,
        command=command(behaviour),
        version=(*command(behaviour), "--version"),
        methods=methods,
    )


def at_once(command: Sequence[str], **options: Any) -> Process:
    """Take the place of ``runner.run``: fakes behave within this process, and are said to take a second."""
    if str(PROGRAM) not in command:
        return run(command, **options)
    words = list(command[command.index(str(PROGRAM)) + 1 :])
    assert options["timeout_s"] > 0.0 and not options.get("env")
    # Who was told to use several threads may have all cores.
    threads = any(word.startswith(("--threads", "--version")) for word in words)
    assert options.get("one_core", False) != threads
    out, err, failure = StringIO(), StringIO(), ""
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main(words)
        except SystemExit:
            failure = "crash"
    return Process(
        stdout=out.getvalue(),
        stderr=err.getvalue(),
        wall_s=1.0,
        user_s=0.5,
        involuntary_switches=3,
        stolen_s=0.125,
        failure=failure,
        error=failure,
    )


def write_manifest(path: Path, behaviours: Mapping[str, str]) -> Path:
    """Write a manifest of fakes, the first being the reference, and return its path."""
    entries = []
    for name, behaviour in behaviours.items():
        words = command(behaviour)
        entries.append(
            "[[contender]]\n"
            f"name = {json.dumps(name)}\n"
            f"command = {json.dumps(words)}\n"
            f"version = {json.dumps([*words, '--version'])}\n"
            f"methods = {json.dumps(METHODS)}\n"
        )
    path.write_text("\n".join(entries), encoding="utf-8")
    return path


case = partial(sweeps.case, samples=2, epochs=8)
"""Returns a small case, in which every behaviour shows."""
