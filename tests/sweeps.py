"""Sweeps that never were: rows, and the folders that hold them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from harness.analysis.intervals import median_interval
from harness.analysis.results import Results, understand
from harness.case import Case, Job, Shape
from harness.codec import encode
from harness.digits import plus_minus, three_digits
from harness.paths import ROOT
from harness.plan import LeftOut, Options, Plan, PlannedCase, Run
from harness.records import ENVIRONMENT, PLAN, LossKey, SweepFolder
from harness.rows import Row

SWEEP = "2026-01-01T00-00-00.000Z"


def case(
    layers: str = "4-2-1", method: str = "naive", *, samples: int = 1, epochs: int = 1, seed: int = 1
) -> Case:
    """Return a small case."""
    return Case(
        shape=Shape.parse(layers),
        method=method,
        samples=samples,
        epochs=epochs,
        step=0.1,
        learning_rate=0.01,
        low=0.0,
        high=1.0,
        seed=seed,
    )


SMALL = case()


def row(
    contender: str = "python",
    round: int = 1,  # noqa: A002
    *,
    of: Case = SMALL,
    control: bool = False,
    status: str = "ok",
    training_s: float | None = 1.0,
    wall_s: float = 2.0,
    peak_memory_bytes: int | None = 4096,
    parity: str = "identical",
    error: str = "",
) -> Row:
    """Return the record of a run of ``of``, which took ``training_s`` and ``wall_s`` seconds."""
    return Row(
        sweep=SWEEP,
        run=Run(case=of, contender=contender, control=control, round=round, position=1),
        status=status,
        wall_s=wall_s,
        training_s=training_s,
        user_s=0.25,
        system_s=0.5,
        peak_memory_bytes=peak_memory_bytes,
        initial_loss=0.5,
        final_loss=0.25,
        parity=parity,
        error=error,
        started_utc="2026-01-01T00:00:00.123+00:00",
        host="box",
        version=f"{contender} 1.0",
    )


def failure(contender: str, round: int, status: str = "crash", *, of: Case = SMALL) -> Row:  # noqa: A002
    """Return the record of a run that failed after 64 seconds."""
    return row(contender, round, of=of, status=status, training_s=None, wall_s=64.0, parity="")


def mismatch(contender: str, round: int, *, of: Case = SMALL, training_s: float = 1.0) -> Row:  # noqa: A002
    """Return the record of a run with other losses."""
    text = f"epoch {round}: 2.0 instead of 1.0 (off by 5e-01 of the initial loss)"
    return row(contender, round, of=of, status="mismatch", training_s=training_s, parity=text)


def pairs(
    seconds: Iterable[tuple[float, ...]], of: Case = SMALL, names: Sequence[str] = ("python", "rust")
) -> list[Row]:
    """Return rounds 1, 2, ... in which each took so many seconds to train, and half a second to start."""
    return [
        row(name, number, of=of, training_s=value, wall_s=value + 0.5)
        for number, all_of_round in enumerate(seconds, start=1)
        for name, value in zip(names, all_of_round, strict=True)
    ]


def curve(contender: str, method: str, times: Mapping[str, float]) -> list[Row]:
    """Return two equal timed runs of every shape: seconds per training step."""
    return [
        row(contender, number, of=case(layers, method), training_s=seconds, wall_s=seconds + 1.0)
        for layers, seconds in times.items()
        for number in (1, 2)
    ]


def plan(
    names: Sequence[str],
    cases: Iterable[Case] = (SMALL,),
    *,
    sweep: str = SWEEP,
    options: Options | None = None,
    run_s: Sequence[float] = (),
    control: bool | Case | None = True,
    version: str = "1.0",
    left_out: Iterable[LeftOut] = (),
) -> Plan:
    """Return the plan of a sweep in which everybody runs everything, in 0.25 seconds if not in ``run_s``.

    A job has a single step, so that it takes as long as a run of SMALL.
    """
    options = options or Options(rounds=3, job=Job(1, 1))
    return Plan(
        sweep=sweep,
        options=options,
        reference=names[0],
        versions=dict.fromkeys(names, version),
        memory_bytes=None,
        cases=tuple(
            PlannedCase(
                case=one,
                run_s=dict(zip(names, run_s or [0.25] * len(names), strict=True)),
                control=control in (True, one),
                rounds=options.rounds or 7,
            )
            for one in cases
        ),
        left_out=tuple(left_out),
    )


def made_by(rows: Sequence[Row]) -> Plan:
    """Return the plan of a sweep in which what ran is what was asked for, with the article's job."""
    names = list(dict.fromkeys(one.run.contender for one in rows)) or ["python"]
    controls = [one.run.contender for one in rows if one.run.control]
    planned = []
    for name in dict.fromkeys(str(one.run.case) for one in rows):
        own = [one.run for one in rows if str(one.run.case) == name]
        epochs = {run.contender: run.case.epochs for run in own}
        planned.append(
            PlannedCase(
                case=replace(own[0].case, epochs=min(epochs.values())),
                epochs=epochs,
                run_s=dict.fromkeys(epochs, 0.25),
                control=any(run.control for run in own),
                rounds=max(1, *(run.round for run in own)),
            )
        )
    reference = (controls or names)[0]
    return replace(plan([reference, *names], (), options=Options()), cases=tuple(planned))


def write(
    path: Path,
    rows: Iterable[Row],
    of: Plan | None = None,
    losses: Mapping[LossKey, Sequence[float]] | None = None,
) -> SweepFolder:
    """Write the folder of a sweep; without a plan, what ran is what was asked for."""
    folder, rows = SweepFolder(path / SWEEP), list(rows)
    folder.path.mkdir(parents=True, exist_ok=True)
    for one in rows:
        folder.append_row(one)
    for key, values in (losses or {}).items():
        folder.append_losses(key, values)
    folder.write_json(PLAN, encode(of or made_by(rows)))
    folder.write_json(ENVIRONMENT, {"host": "box", "commit": "0123456789"})
    return folder


@cache
def published(name: str) -> Results:
    """Return what a sweep of docs/ showed. All tests of a process share it, so none may change it."""
    return understand(SweepFolder(ROOT / "docs" / name))


def understood(
    path: Path,
    rows: Iterable[Row],
    of: Plan | None = None,
    reference: str | None = None,
    margin: float | None = None,
) -> Results:
    """Return what a sweep of these rows showed."""
    return understand(write(path, rows, of), reference, margin)


def bounds(*values: float) -> str:
    """Return the interval of the median of these as people read it."""
    found = median_interval(np.array(values))
    return f"{three_digits(found.low)} to {three_digits(found.high)}"


def width(*values: float) -> str:
    """Return how wide that interval is, as a narrow terminal says it."""
    found = median_interval(np.array(values))
    return plus_minus(found.low, found.high)


def floor(*values: float) -> float:
    """Return the factor of 1 within which the interval of these lies."""
    found = median_interval(np.array(values))
    return max(found.high, 1.0 / found.low)
