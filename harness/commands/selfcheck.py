"""Measure how often intervals and verdicts are right on this machine."""

import argparse
import os
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

from harness.archive import ABOUT_CHECK, SELFCHECK, Archive
from harness.case import ARTICLE, METHODS
from harness.commands import arguments as flags
from harness.measure import storm
from harness.measure.contenders import Contender
from harness.measure.runner import detached, usable_cores
from harness.measure.session import alone, carry_out, measuring, take_up
from harness.plan import Plan
from harness.records import SweepFolder, replace_file
from harness.terminal import Terminal

_SWEEP_S = 30.0
"""Of one of the sweeps into which a long one is cut."""
_EXTRA = (0.0, 0.02, 0.05)
"""By how much longer the reference's copies train."""
_EPOCHS = 100
"""Of every run, so that a hundredth more can be trained."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add its flags."""
    flags.add_contenders(parser)
    flags.add_results(parser)
    flags.add_numbers(
        parser,
        budget_s=(600, f"seconds for all of it, which is cut into sweeps of {_SWEEP_S:g}"),
        rounds=(None, "timed rounds of each sweep (default: as many as fit)"),
        layouts=(1, flags.LAYOUTS),
    )
    parser.add_argument(
        "--storm", action="store_true", help="let other work disturb the machine, in random bursts"
    )
    parser.add_argument("--fresh", action="store_true", help="start a new one even if one is unfinished")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Make or resume a sweep; write selfcheck.csv and selfcheck.png, or storm.csv and storm.png."""
    name = "storm" if arguments.storm else SELFCHECK
    archive = Archive(arguments.results / name)
    manifest = _with_copies(flags.manifest_of(arguments))
    method = next(method for method in METHODS if method in manifest[0].methods)
    sweeps = max(2, int(arguments.budget_s / _SWEEP_S))
    options = flags.options_of(
        arguments, shapes=(ARTICLE,), methods=(method,), budget_s=arguments.budget_s / sweeps
    )
    cores = usable_cores() or range(os.cpu_count() or 1)
    other_work = detached(storm.__file__, *map(str, cores)) if arguments.storm else nullcontext()
    about = {ABOUT_CHECK: {"sweeps": sweeps, "storm": arguments.storm}}
    with (
        alone(archive, terminal),
        other_work,
        measuring(
            archive, manifest, arguments.contenders, terminal, layouts=options.layouts, **about
        ) as here,
    ):
        repeated = partial(_repeated, sweeps=sweeps)
        sweep = take_up(archive, options, here, terminal, fresh=arguments.fresh, adapted=repeated)
        terminal.plan(sweep.plan)
        terminal.say(f"The rounds are cut into {sweeps} sweeps.")
        status = carry_out(sweep, terminal)
        _report(arguments.results / f"{name}.csv", sweep.folder, terminal)
    return status


def _with_copies(contenders: Sequence[Contender]) -> list[Contender]:
    """Add a copy of each contender, and copies of the reference that train longer."""
    copies = [(contenders[0], more) for more in _EXTRA] + [(one, 0.0) for one in contenders[1:]]
    return [
        *contenders,
        *(replace(one, name=f"{one.name} +{more:.0%}", extra_epochs=more, build=()) for one, more in copies),
    ]


def _repeated(plan: Plan, sweeps: int) -> Plan:
    """Return the plan with the rounds of ``sweeps`` sweeps, and _EPOCHS."""
    cases = []
    for planned in plan.cases:
        case = planned.case
        samples = max(1, case.training_steps // _EPOCHS)
        epochs = {name: max(_EPOCHS, case.samples * more // samples) for name, more in planned.epochs.items()}
        case = replace(case, samples=samples, epochs=_EPOCHS)
        cases.append(replace(planned, case=case, epochs=epochs, rounds=sweeps * planned.rounds))
    return replace(plan, cases=tuple(cases))


def _report(path: Path, folder: SweepFolder, terminal: Terminal) -> None:
    with terminal.doing("computing the results"):
        from harness.across.selfcheck import intervals, shares
        from harness.report import files, pictures_across, sentences, style, tables_across

        table = intervals(folder)
        if table.empty:
            terminal.note("no sweep has two timed rounds yet, so there is nothing to show")
            return
        replace_file(path, files.csv(table))
        replace_file(path.with_suffix(".png"), style.png(pictures_across.selfcheck(table)))
    terminal.show(tables_across.selfcheck(shares(table)), sentences.selfcheck(table))
