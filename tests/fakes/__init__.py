"""What tests need in place of contenders, and records of runs that never were."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from harness.case import METHODS, Case, Shape
from harness.measure.contenders import Contender
from harness.plan import Run
from harness.rows import Row

SWEEP = "2024-01-01T00-00-00.000Z"
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


def case(
    layers: tuple[int, ...] = (4, 2, 1),
    method: str = "naive",
    *,
    samples: int = 2,
    epochs: int = 8,
    seed: int = 1,
) -> Case:
    """Return a small case."""
    return Case(
        shape=Shape(layers),
        method=method,
        samples=samples,
        epochs=epochs,
        step=0.1,
        learning_rate=0.01,
        low=0.0,
        high=1.0,
        seed=seed,
    )


def row(
    contender: str = "python",
    round: int = 1,  # noqa: A002
    *,
    of: Case | None = None,
    sweep: str = SWEEP,
    control: bool = False,
    status: str = "ok",
    training_s: float | None = 1.0,
    wall_s: float = 2.0,
    parity: str = "identical",
    error: str = "",
) -> Row:
    """Return the record of a run of ``of``, which took ``training_s`` and ``wall_s`` seconds."""
    return Row(
        sweep=sweep,
        started_utc="2024-01-01T00:00:00.123+00:00",
        host="box",
        version=f"{contender} 1.0",
        run=Run(case=of or case(), contender=contender, control=control, round=round, position=1),
        threads=1,
        status=status,
        wall_s=wall_s,
        user_s=0.25,
        system_s=0.5,
        training_s=training_s,
        peak_memory_bytes=4096,
        initial_loss=0.5,
        final_loss=0.25,
        parity=parity,
        error=error,
    )
