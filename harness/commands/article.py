"""Judge the article's claims by what was measured, and show where the time of its run goes."""

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from harness import claims
from harness.archive import Archive
from harness.case import ARTICLE_RUN, METHODS, Shape
from harness.claims import Published, Storage
from harness.commands import arguments as flags
from harness.measure import runner
from harness.measure.contenders import Contender, attempt, with_python
from harness.measure.session import alone, measuring
from harness.parity import compare
from harness.records import replace_file
from harness.terminal import Terminal

_TIMEOUT_S = 120.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add its flags."""
    flags.add_sweep(parser)
    flags.add_contenders(parser)
    flags.add_numbers(parser, rounds=(7, "rounds of the runs that lack a part"))


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Train as the article did, by many seeds and without parts; time storages; judge."""
    said = claims.load()
    archive = Archive(arguments.results)
    folder = archive.find(arguments.sweep)
    manifest, failed = flags.manifest_of(arguments), list[str]()
    with alone(archive, terminal), measuring(archive, manifest, arguments.contenders, terminal) as here:
        measured: dict[str, list[Any]] = {
            "seeds.csv": list(losses(here.contenders, said.run, terminal, failed)),
            "storage.csv": list(storages(said.storage, terminal, failed)),
            "parts.csv": list(parts(here.contenders, arguments.rounds, terminal, failed)),
        }
    terminal.note(*dict.fromkeys(failed))
    import pandas as pd

    from harness.analysis import article
    from harness.analysis.results import understand
    from harness.report import files, pictures_across, style, tables_across

    tables = {name: pd.DataFrame(lines, columns=article.FILES[name]) for name, lines in measured.items()}
    for name, table in tables.items():
        # What was not measured does not replace what was.
        if len(table):
            replace_file(archive.path / name, files.csv(table))
    results = understand(folder, arguments.reference, arguments.margin)
    judged = article.judged(said, results, tables["storage.csv"], tables["seeds.csv"])
    replace_file(archive.path / "claims.csv", files.csv(judged))
    terminal.show(tables_across.claims(judged))
    shares = article.parts(tables["parts.csv"], results)
    replace_file(archive.path / "parts.png", style.png(pictures_across.parts(shares)))
    terminal.show(tables_across.parts(shares))
    return int(bool(failed) or any(table.empty for table in tables.values()))


def losses(
    contenders: Sequence[Contender], runs: Sequence[Published], terminal: Terminal, failed: list[str]
) -> Iterator[tuple[str, int, str, float, float]]:
    """Yield name, seed, contender, initial and final loss of each run with every seed.

    The quickest contender with the losses of the first makes them. What fails is added to ``failed``, here
    and below.
    """
    tried = [attempt(contender, runs[0].case(1), timeout_s=_TIMEOUT_S) for contender in contenders]
    right = next((output.losses for _, output in tried if output), ())
    walls_s = [
        process.wall_s if output and compare(right, output.losses).holds else math.inf
        for process, output in tried
    ]
    quickest = contenders[walls_s.index(min(walls_s))]
    with terminal.counting("seeds", claims.SEEDS * len(runs)) as advance:
        for published in runs:
            for seed in range(1, claims.SEEDS + 1):
                process, output = attempt(quickest, published.case(seed), timeout_s=_TIMEOUT_S)
                if output:
                    yield published.name, seed, quickest.name, output.losses[0], output.losses[-1]
                else:
                    failed.append(f"{quickest.name}, seed {seed}: {process.error}")
                advance()


def storages(
    programs: Sequence[Storage], terminal: Terminal, failed: list[str]
) -> Iterator[tuple[str, str, int, float, float]]:
    """Yield contender, shape, round, and the seconds of a pass with flat and with nested weights."""
    what, able = "flat and nested weights", list(programs)
    with terminal.counting(what, claims.ROUNDS * len(programs)) as advance:
        for number in range(1, claims.ROUNDS + 1):
            for program in tuple(able):
                try:
                    for shape, flat_s, nested_s in _passes(program):
                        yield program.contender, shape, number, flat_s, nested_s
                except ValueError as error:
                    able.remove(program)
                    failed.append(f"{what} of {program.contender} cannot be timed: {error}")
                advance()


def _passes(program: Storage) -> Iterator[tuple[str, float, float]]:
    """Yield shape and both seconds; raise ValueError if that fails."""
    command = with_python(program.command)
    done = runner.run(command, env=program.env, timeout_s=_TIMEOUT_S, one_core=True)
    if done.failure:
        raise ValueError(done.error)
    for line in done.stdout.splitlines():
        shape, *seconds = line.split()
        flat_s, nested_s = map(float, seconds)
        if not min(flat_s, nested_s) > 0.0:
            raise ValueError(f"printed {line[:60]!r} where a shape and two times belong")
        yield str(Shape.parse(shape)), flat_s, nested_s


def parts(
    contenders: Sequence[Contender], rounds: int, terminal: Terminal, failed: list[str]
) -> Iterator[tuple[str, str, str, int, float, float, float]]:
    """Yield contender, method, what was run, round, and the seconds of process, training and compiling.

    A round is the article's run and two that lack a part, by each contender; every other one is reversed,
    the first a warm-up.
    """
    whole = ARTICLE_RUN
    cases = {
        "whole": whole,
        "no epoch": replace(whole, epochs=0),
        "one sample": replace(whole, samples=1, epochs=0),
    }
    runs = [
        (contender, what, replace(case, method=method))
        for method in (METHODS[0], METHODS[-1])
        for what, case in cases.items()
        for contender in contenders
        if method in contender.methods
    ]
    with terminal.counting("parts of a run", len(runs) * (rounds + 1)) as advance:
        for number in range(rounds + 1):
            for contender, what, case in runs[::-1] if number % 2 else runs:
                process, output = attempt(contender, case, timeout_s=_TIMEOUT_S)
                if not output:
                    failed.append(f"{contender.name} {case}: {process.error}")
                elif number:
                    seconds = process.wall_s, output.training_s, output.compile_s or 0.0
                    yield contender.name, case.method, what, number, *seconds
                advance()
