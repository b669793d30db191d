"""Predicts the times of a shape that was not measured; checks such predictions."""

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harness.archive import Archive
from harness.case import METHODS, Shape
from harness.commands.measuring import (
    INTERRUPTED,
    Here,
    begin,
    carry_out,
    look_around,
    measuring,
    unfinished,
)
from harness.commands.shared import (
    add_contenders,
    add_results,
    amount,
    archive_of,
    checked,
    manifest_of,
    whole,
)
from harness.errors import UsageError
from harness.measure.sweep import differs
from harness.plan import HELD_OUT_SHAPES, LEARNED_SHAPES, Options
from harness.records import SweepFolder, replace_file

if TYPE_CHECKING:
    import pandas as pd

    from harness.console import Terminal
    from harness.read.results import Results

HELP = "predict how long a shape takes that was not measured"
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
    parser.add_argument(
        "--methods",
        nargs="+",
        choices=METHODS,
        metavar="METHOD",
        default=METHODS,
        help=f"some of {', '.join(METHODS)} (default: all)",
    )
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
        default=150.0,
        help="seconds that each of the two sweeps of a check measures (default: 150)",
    )


def run(arguments: argparse.Namespace, terminal: "Terminal") -> int:
    """Show predictions, or check them."""
    if bool(arguments.shape) == arguments.check:
        raise UsageError("predict: takes a shape such as 200-100-1, or --check")
    from harness.read import predictions
    from harness.read.results import understand

    if arguments.check:
        return _check(arguments, terminal)
    record = predictions.read(arguments.results / RECORD)
    if arguments.sweep or record.empty:
        folder = archive_of(arguments).find(arguments.sweep or "latest")
    else:
        folder = _archive(arguments).find(record["sweep"].iloc[-1])
    results = understand(folder)
    table = _predicted(arguments, results, arguments.shape)
    for one in table.to_dict("records"):
        most = predictions.limit(record, one["contender"], one["method"])
        if one["beyond"] > most:
            terminal.note(
                f"{one['contender']} {one['method']}: {one['layers']} has {one['beyond']:.3g} times the"
                f" multiply-adds that were measured, predictions are supported up to {most:.3g} times;"
                " measure a larger shape"
            )
            table = table[(table["contender"] != one["contender"]) | (table["method"] != one["method"])]
    if table.empty:
        raise UsageError(f"predict: {arguments.shape} cannot be predicted from sweep {results.sweep}")
    terminal.predictions(table, predictions.sentence(record))
    return 0


def _predicted(arguments: argparse.Namespace, results: "Results", *shapes: Shape) -> "pd.DataFrame":
    import pandas as pd

    from harness.read import predictions
    from harness.read.cost import FEWEST_SIZES

    costs = [
        cost
        for (contender, method), cost in results.costs.items()
        if method in arguments.methods and (not arguments.contenders or contender in arguments.contenders)
    ]
    if not costs:
        raise UsageError(
            f"predict: sweep {results.sweep} has no contender and method of these in {FEWEST_SIZES} shapes"
            " or more; measure more --shapes"
        )
    now = datetime.now(UTC).isoformat(timespec="seconds")
    about = arguments.samples, arguments.epochs, now
    lines = [predictions.predicted(results, costs, shape, *about) for shape in shapes]
    return pd.concat(lines, ignore_index=True)


def _check(arguments: argparse.Namespace, terminal: "Terminal") -> int:
    """Measure shapes to learn from; write predictions of others down, measure these, say how many held."""
    archive, manifest, path = _archive(arguments), manifest_of(arguments), arguments.results / RECORD
    learning, testing = (_options(arguments, shapes) for shapes in (LEARNED_SHAPES, HELD_OUT_SHAPES))
    with archive.locked(), measuring(archive, manifest, terminal):
        here = look_around(manifest, terminal)
        learned = _written_down(archive, path, learning, here)
        if not learned:
            terminal.say(f"{len(LEARNED_SHAPES)} shapes to learn from")
            sweep = unfinished(archive, learning, here, terminal) or begin(archive, learning, here, terminal)
            if carry_out(sweep, terminal):
                return _interrupted(terminal)
            terminal.failures(sweep.failed, sweep.spared)
            learned = sweep.folder
        import pandas as pd

        from harness.read import predictions
        from harness.read.exports import csv
        from harness.read.results import understand

        record = predictions.read(path)
        if learned.name not in set(record["sweep"]):
            table = _predicted(arguments, understand(learned), *HELD_OUT_SHAPES)
            record = pd.concat([record, table], ignore_index=True) if len(record) else table
            replace_file(path, csv(record))
        own = record["sweep"] == learned.name
        terminal.say(f"{own.sum()} predictions are in {path}; now these shapes are measured")
        sweep = unfinished(archive, testing, here, terminal) or begin(archive, testing, here, terminal)
        if carry_out(sweep, terminal):
            return _interrupted(terminal)
    terminal.failures(sweep.failed, sweep.spared)
    table = predictions.checked(record[own], understand(sweep.folder))
    replace_file(path, csv(pd.concat([record[~own], table], ignore_index=True)))
    terminal.checks(table, predictions.hits(table), predictions.sentence(table))
    return int(bool(sweep.failed))


def _written_down(archive: Archive, path: Path, learning: Options, here: Here) -> SweepFolder | None:
    """Return the sweep behind predictions that an interrupted check has written down and not yet checked."""
    if not path.exists():
        return None
    from harness.read import predictions

    record = predictions.read(path)
    for folder in archive.sweeps()[-2:]:
        plan, own = folder.plan(), record[record["sweep"] == folder.name]
        if (
            plan
            and len(own)
            and (own["checked_by"] == "").all()
            and not differs(folder, plan, learning, here.lineup, here.reference, here.environment)
        ):
            return folder
    return None


def _interrupted(terminal: "Terminal") -> int:
    terminal.note("interrupted; the same command goes on from here")
    return INTERRUPTED


def _options(arguments: argparse.Namespace, shapes: tuple[Shape, ...]) -> Options:
    return Options(shapes=shapes, methods=tuple(dict.fromkeys(arguments.methods)), budget_s=arguments.budget)


def _archive(arguments: argparse.Namespace) -> Archive:
    return Archive(arguments.results / "predicted")
