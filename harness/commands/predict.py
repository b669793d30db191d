"""Predicts the times of a shape that was not measured; checks such predictions."""

import argparse
from csv import DictReader
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harness.archive import Archive
from harness.case import Shape
from harness.commands.arguments import (
    add_cases,
    add_contenders,
    add_results,
    amount,
    archive_of,
    checked,
    manifest_of,
    whole,
)
from harness.errors import UsageError
from harness.measure.machine import Here
from harness.measure.session import INTERRUPTED, begin, carry_out, look_around, measuring
from harness.measure.sweep import Sweep, differs
from harness.plan import Options, shapes
from harness.records import replace_file

if TYPE_CHECKING:
    import pandas as pd

    from harness.across.predictions import Learned
    from harness.terminal import Terminal

HELP = "predict how long a shape takes that was not measured"
LEARNED_SHAPES = shapes(
    "3-1 9-1 50-1 400-1 600-1 1-24-1 1-75-1 1-400-1 4-2-1 10-5-1 11-31-1 2-30-2 40-20-1 64-32-1 120-20-1"
    " 120-120-1 220-110-1 256-128-1 512-256-1 24-12-6 5-60-5 32-32-8 48-48-6 130-60-9"
    " 16-16-16-1 30-30-30-1 70-20-70-1 2-100-50-1 12-12-12-12-12-1 6-6-6-6-6-6-6-1"
)
"""Many kinds, to learn costs from: what is left out of such a fit is as odd as what people ask for."""
HELD_OUT_SHAPES = shapes(
    "6-1 150-1 1-40-1 1-200-1 14-22-1 60-15-4 33-17-9-3 20-20-20-20-1 9-9-9-9-9-1 40-40-10 90-30-60-1"
    " 100-75-5 160-90-1 300-30-3 700-60-1 1500-300-1 450-450-1 2000-1000-1"
)
"""None of these is learned from: deeper, wider, odd, larger."""
_LEARNING_RUN_S = 0.02
"""Shorter than a run that tests: a step that takes too long to be learned from may then still be tested."""
RECORD = "predictions.csv"
"""All predictions that were checked, in the results folder."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's flags."""
    add_results(parser)
    parser.add_argument(
        "shape", nargs="?", metavar="SHAPE", type=checked(Shape.parse), help="such as 200-100-1"
    )
    parser.add_argument(
        "--sweep", help="what to predict from (default: what the latest --check learned from, else latest)"
    )
    add_cases(parser, None)
    add_contenders(parser)
    for name in ("samples", "epochs"):
        parser.add_argument(
            f"--{name}", type=whole(1), default=100, metavar="N", help=f"{name} (default: 100)"
        )
    parser.add_argument(
        "--check",
        action="store_true",
        help="measure shapes of many kinds, predict others, and measure these, too",
    )
    parser.add_argument(
        "--budget",
        metavar="N",
        type=amount("seconds"),
        default=100.0,
        help="seconds of a sweep of a check, of which each contender has two for itself (default: 100)",
    )


def run(arguments: argparse.Namespace, terminal: "Terminal") -> int:
    """Show predictions, or check them."""
    if bool(arguments.shape) == arguments.check:
        raise UsageError("predict: takes a shape such as 200-100-1, or --check")
    from harness.across import predictions
    from harness.analysis.results import understand
    from harness.report import sentences

    if arguments.check:
        return _check(arguments, terminal)
    record = predictions.read(arguments.results / RECORD)
    if arguments.sweep or record.empty:
        folders, reference = [archive_of(arguments).find(arguments.sweep or "latest")], ""
    else:
        reference = str(record["reference"].iloc[-1])
        archive = _archive(arguments)
        folders = [archive.find(name) for name in record.groupby("contender")["sweep"].last().unique()]
    learned = predictions.learned([understand(folder) for folder in folders], reference)
    table = _predicted(arguments, learned, terminal, arguments.shape)
    for one in table.to_dict("records"):
        most = predictions.limit(record, one["contender"], one["method"])
        if one["beyond"] > most:
            terminal.note(
                f"{one['contender']} {one['method']}: {one['layers']} is {one['beyond']:.3g} times beyond the"
                f" measured shapes in multiply-adds, predictions are supported up to {most:.3g} times;"
                " measure a shape nearer to it"
            )
            table = table[(table["contender"] != one["contender"]) | (table["method"] != one["method"])]
    if table.empty:
        raise UsageError(f"predict: {arguments.shape} cannot be predicted, for the reasons above")
    terminal.predictions(table, sentences.record(record))
    return 0


def _predicted(
    arguments: argparse.Namespace, learned: "Learned", terminal: "Terminal", *shapes: Shape
) -> "pd.DataFrame":
    import pandas as pd

    from harness.across import predictions
    from harness.analysis.cost import FEWEST_SIZES

    names = [name for name in learned.sweeps if not arguments.contenders or name in arguments.contenders]
    lanes = [(name, method) for name in names for method in dict.fromkeys(arguments.methods)]
    asked = [learned.costs[lane] for lane in lanes if lane in learned.costs]
    if not asked:
        raise UsageError(
            f"predict: no contender and method of these has {FEWEST_SIZES} measured shapes; measure more"
        )
    for contender, method in lanes:
        if (contender, method) not in learned.costs:
            terminal.note(
                f"{contender} {method}: fewer than {FEWEST_SIZES} shapes were measured, so no prediction"
            )
    now = datetime.now(UTC).isoformat(timespec="seconds")
    about = arguments.samples, arguments.epochs, now
    lines = [predictions.predicted(learned, asked, shape, *about) for shape in shapes]
    return pd.concat(lines, ignore_index=True)


def _check(arguments: argparse.Namespace, terminal: "Terminal") -> int:
    """Measure shapes to learn from; write predictions of others down, measure these, say how many held.

    Each contender has sweeps for itself: beside a slower one its runs would be too short to show a step.
    """
    archive, manifest, path = _archive(arguments), manifest_of(arguments), arguments.results / RECORD
    learning = _options(arguments, LEARNED_SHAPES, _LEARNING_RUN_S)
    testing = _options(arguments, HELD_OUT_SHAPES, Options().run_s)
    with archive.locked(), measuring(archive, manifest, terminal):
        here = look_around(manifest, terminal)
        terminal.say(f"{len(LEARNED_SHAPES)} shapes to learn from")
        sources = _measured(archive, learning, here, _checked_until(path), terminal)
        if not sources:
            return INTERRUPTED
        import pandas as pd

        from harness.across import predictions
        from harness.analysis.results import understand
        from harness.report import sentences
        from harness.report.files import csv

        record = predictions.read(path)
        names = [sweep.folder.name for sweep in sources]
        if not set(names) <= set(record["sweep"]):
            found = [understand(sweep.folder) for sweep in sources]
            learned = predictions.learned(found, here.reference)
            table = _predicted(arguments, learned, terminal, *HELD_OUT_SHAPES)
            record = pd.concat([record, table], ignore_index=True) if len(record) else table
            replace_file(path, csv(record))
        own = record["sweep"].isin(names)
        terminal.say(f"{own.sum()} predictions are in {path}; now these shapes are measured")
        tested = _measured(archive, testing, here, max(names), terminal)
        if not tested:
            return INTERRUPTED
    table = record[own]
    for sweep in tested:
        table = predictions.checked(table, understand(sweep.folder))
    replace_file(path, csv(pd.concat([record[~own], table], ignore_index=True)))
    terminal.checks(table, predictions.hits(table), sentences.record(table))
    if unchecked := int((table["hit"] == "").sum()):
        terminal.note(
            f"{unchecked} could not be checked: a step takes too long, or it did not fit into --budget"
        )
    return int(any(sweep.failed for sweep in (*sources, *tested)))


def _measured(
    archive: Archive, options: Options, here: Here, after: str, terminal: "Terminal"
) -> list[Sweep]:
    """Measure each contender in a sweep of its own, all in turn; return nothing if somebody interrupts that.

    Sweeps that an earlier call has begun are gone on with, if they are later than sweep ``after``.
    """
    sweeps = []
    for contender in here.contenders:
        name, described = contender.name, here.environment["contenders"]
        alone = replace(
            here,
            contenders=(contender,),
            versions={name: here.versions[name]},
            reference=name,
            environment={**here.environment, "contenders": {name: described[name]}},
        )
        sweeps.append(_begun(archive, options, alone, after) or begin(archive, options, alone, terminal))
    if carry_out(terminal, *sweeps):
        terminal.note("interrupted; the same command goes on from here")
        return []
    for sweep in sweeps:
        terminal.failures(sweep.failed, sweep.spared)
    return sweeps


def _begun(archive: Archive, options: Options, here: Here, after: str) -> Sweep | None:
    """Return the latest sweep that was asked for like this, of the same programs on the same machine."""
    for folder in reversed(archive.sweeps()):
        plan = folder.plan() if folder.name > after else None
        if plan and not differs(folder, plan, options, here):
            folder.set_half_lines_aside()
            return Sweep(plan, here.contenders, folder, here.host)
    return None


def _checked_until(path: Path) -> str:
    """Return the latest sweep that a check was through with, or ''."""
    if not path.exists():
        return ""
    # pandas would make the parent of the programs large.
    with path.open(encoding="utf-8", newline="") as file:
        return max((line.get("checked_by") or "" for line in DictReader(file)), default="")


def _options(arguments: argparse.Namespace, shapes: tuple[Shape, ...], run_s: float) -> Options:
    methods = tuple(dict.fromkeys(arguments.methods))
    return Options(shapes=shapes, methods=methods, budget_s=arguments.budget, run_s=run_s)


def _archive(arguments: argparse.Namespace) -> Archive:
    return Archive(arguments.results / "predicted")
