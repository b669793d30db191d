"""What tests need in place of contenders."""

import json
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from harness.case import METHODS
from harness.measure.contenders import Contender
from tests import sweeps

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
