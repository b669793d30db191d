"""Predicts the times of a shape that was not measured; checks such predictions."""

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harness.archive import Archive
from harness.case import METHODS, Shape
from harness.commands.measuring import INTERRUPTED, begin, carry_out, look_around, measuring
from harness.commands.shared import (
    add_contenders,
    add_results,
    amount,
    archive_of,
    checked,
    manifest_of,
    whole,
)
from harness.errors import NothingMeasured, UsageError
from harness.plan import Options
from harness.records import replace_file

if TYPE_CHECKING:
    import pandas as pd

    from harness.console import Terminal
    from harness.read.results import Results

HELP = "predict how long a shape takes that was not measured"
PREDICTED = "predicted"
"""The folder within the results that has the sweeps of checks."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's flags."""
    add_results(parser)
    parser.add_argument(
        "shape", nargs="?", metavar="SHAPE", type=checked(Shape.parse), help="such as 200-100-1"
    )
    parser.add_argument("--sweep", default="latest", help="what it is predicted from (default: latest)")
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
        "--check", action="store_true", help="predict shapes unlike those measured, then measure them"
    )
    parser.add_argument(
        "--budget",
        metavar="N",
        type=amount("seconds"),
        default=300.0,
        help="seconds that a check measures (default: 300)",
    )


def run(arguments: argparse.Namespace, terminal: "Terminal") -> int:
    """Show predictions, or check them."""
    if bool(arguments.shape) == arguments.check:
        raise UsageError("predict: takes a shape such as 200-100-1, or --check")
    from harness.read import predictions
    from harness.read.results import understand

    archive = archive_of(arguments)
    results = understand(archive.find(arguments.sweep))
    path = arguments.results / "predictions.csv"
    record = predictions.read(path)
    if arguments.check:
        return _check(arguments, terminal, results, path)
    table = _predicted(arguments, results, arguments.shape)
    for one in table.to_dict("records"):
        most = predictions.limit(record, one["contender"], one["method"])
        if one["beyond"] > most:
            terminal.note(
                f"{one['contender']} {one['method']} {one['layers']} is {one['beyond']:.0f} times beyond what was"
                f" measured, and predictions are supported up to {most:.0f} times: measure a larger shape"
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
            f"predict: sweep {results.sweep} has no contender and method of these in {FEWEST_SIZES} shapes or more;"
            " measure more --shapes"
        )
    now = datetime.now(UTC).isoformat(timespec="seconds")
    about = arguments.samples, arguments.epochs, now
    return pd.concat([predictions.predicted(results, costs, shape, *about) for shape in shapes])


def _check(arguments: argparse.Namespace, terminal: "Terminal", results: "Results", path: Path) -> int:
    """Write predictions down, measure the same shapes, and say how many held."""
    import pandas as pd

    from harness.read import predictions
    from harness.read.exports import csv
    from harness.read.results import understand

    known = set(results.outcomes["layers"])
    shapes = [shape for shape in predictions.HELD_OUT if str(shape) not in known]
    table = _predicted(arguments, results, *shapes)
    record = predictions.read(path)
    replace_file(path, csv(pd.concat([record, table]) if len(record) else table))
    terminal.say(f"{len(table)} predictions are in {path}; now they are measured")
    archive, manifest = Archive(arguments.results / PREDICTED), manifest_of(arguments)
    with archive.locked(), measuring(archive, manifest, terminal):
        options = Options(
            shapes=tuple(shapes), methods=tuple(dict.fromkeys(arguments.methods)), budget_s=arguments.budget
        )
        sweep = begin(archive, options, look_around(manifest, terminal), terminal)
        terminal.plan(sweep.plan)
        interrupted = carry_out(sweep, terminal)
    terminal.failures(sweep.failed, sweep.spared)
    try:
        table = predictions.checked(table, understand(sweep.folder))
    except NothingMeasured as nothing:
        terminal.note(str(nothing))
    replace_file(path, csv(pd.concat([record, table]) if len(record) else table))
    terminal.checks(table, predictions.hits(table), predictions.sentence(table))
    return INTERRUPTED if interrupted else int(bool(sweep.failed))
