"""Predict the time of a shape that was not measured."""

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import product
from typing import TYPE_CHECKING

from harness.archive import PREDICTED, Archive
from harness.case import Shape
from harness.commands import arguments as flags
from harness.errors import INTERRUPTED, FlatnetError, UsageError
from harness.measure.session import alone, carry_out, measuring, take_up
from harness.plan import shapes
from harness.records import SweepFolder, replace_file
from harness.terminal import Terminal

if TYPE_CHECKING:
    import pandas as pd

    from harness.analysis.results import Results

LEARNED_SHAPES = shapes(
    "3-1 9-1 50-1 400-1 600-1 1-24-1 1-75-1 1-400-1 4-2-1 10-5-1 11-31-1 2-30-2 40-20-1 64-32-1 120-20-1"
    " 120-120-1 220-110-1 256-128-1 512-256-1 24-12-6 5-60-5 32-32-8 48-48-6 130-60-9"
    " 16-16-16-1 30-30-30-1 70-20-70-1 2-100-50-1 12-12-12-12-12-1 6-6-6-6-6-6-6-1"
)
"""Of many kinds, to learn costs from."""
HELD_OUT_SHAPES = shapes(
    "6-1 150-1 1-40-1 1-200-1 14-22-1 60-15-4 33-17-9-3 20-20-20-20-1 9-9-9-9-9-1 40-40-10 90-30-60-1"
    " 100-75-5 160-90-1 300-30-3 700-60-1 1500-300-1 450-450-1 2000-1000-1"
)
"""To predict: deeper, wider, odd, larger."""
_LEARNING_RUN_S = 0.025
"""Shorter than a test's, so that steps too long to learn from are tested."""
RECORD = "predictions.csv"
"""In the results folder: the predictions that were checked."""
_THROUGH = "checked.json"
"""Beside the sweeps of checks: the last sweep of a finished check."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add its flags."""
    flags.add_results(parser)
    parser.add_argument("shape", nargs="?", metavar="SHAPE", type=Shape.parse, help="such as 200-100-1")
    parser.add_argument(
        "--sweep",
        help="what to predict from (default: what the latest --check learned from, otherwise latest)",
    )
    flags.add_cases(parser, None)
    flags.add_contenders(parser)
    flags.add_job(parser)
    what = "measure shapes of many kinds, predict others, and measure these, too"
    parser.add_argument("--check", action="store_true", help=what)
    flags.add_numbers(
        parser,
        budget_s=(200, "seconds of each of the two sweeps of a check"),
        rounds=(None, "timed rounds of every case of a check (default: as many as fit)"),
    )


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Show predictions, or check them."""
    if bool(arguments.shape) == arguments.check:
        raise UsageError("predict: takes a shape such as 200-100-1, or --check")
    if arguments.check:
        return _check(arguments, terminal)
    from harness.across import predictions
    from harness.analysis.results import understand
    from harness.report import sentences, tables_across

    record = predictions.read(arguments.results / RECORD)
    if arguments.sweep or record.empty:
        folder = Archive(arguments.results).find(arguments.sweep or "latest")
    else:
        gone = str(record["sweep"].iloc[-1])
        try:
            folder = Archive(arguments.results / PREDICTED).find(gone)
        except FlatnetError as error:
            raise UsageError(f"predict: {gone} is gone; name a --sweep, or run --check again") from error
    table = _predicted(arguments, understand(folder), [arguments.shape], terminal)
    for place, one in table.iterrows():
        most = predictions.limit(record, one["contender"], one["method"])
        if one["beyond"] > most:
            terminal.note(
                f"{one['contender']} {one['method']}: {one['layers']} is {one['beyond']:.3g} times beyond"
                f" measured shapes, predictions are supported up to {most:.3g} times; measure nearer ones"
            )
            table = table.drop(index=place)
    if table.empty:
        raise UsageError(f"predict: {arguments.shape} cannot be predicted, for the reasons above")
    terminal.show(tables_across.predictions(table), sentences.beyond(table), sentences.record(record))
    return 0


def _predicted(
    arguments: argparse.Namespace, results: "Results", shapes: Sequence[Shape], terminal: Terminal
) -> "pd.DataFrame":
    import pandas as pd

    from harness.across import predictions
    from harness.analysis.cost import FEWEST_SIZES

    names = [name for name in results.contenders if name in (arguments.contenders or results.contenders)]
    costs = []
    for lane in product(names, dict.fromkeys(arguments.methods)):
        if lane in results.costs:
            costs.append(results.costs[lane])
        else:
            terminal.note(f"{' '.join(lane)}: has fewer than {FEWEST_SIZES} measured shapes")
    if not costs:
        raise UsageError(
            f"predict: no contender and method of these has {FEWEST_SIZES} measured shapes; measure more"
        )
    now = datetime.now(UTC).isoformat(timespec="seconds")
    tables = [predictions.predicted(results, costs, shape, arguments.job, now) for shape in shapes]
    return pd.concat(tables, ignore_index=True)


def _check(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Measure shapes to learn from, predict others, measure these; say what came true."""
    archive, manifest = Archive(arguments.results / PREDICTED), flags.manifest_of(arguments)
    path, through = arguments.results / RECORD, SweepFolder(archive.path)
    with alone(archive, terminal), measuring(archive, manifest, arguments.contenders, terminal) as here:
        terminal.say(f"{len(LEARNED_SHAPES)} shapes to learn from")
        learning = flags.options_of(arguments, shapes=LEARNED_SHAPES, run_s=_LEARNING_RUN_S)
        since = (through.read_json(_THROUGH) or {}).get("sweep", "")
        sweep = take_up(archive, learning, here, terminal, since=since)
        status, source = carry_out(sweep, terminal), sweep.folder
        if status == INTERRUPTED:
            return status
        import pandas as pd

        from harness.across import predictions
        from harness.analysis.results import understand
        from harness.report import files, sentences, tables_across

        record = predictions.read(path)
        if source.name not in set(record["sweep"]):
            table = _predicted(arguments, understand(source), HELD_OUT_SHAPES, terminal)
            record = pd.concat([record, table], ignore_index=True) if len(record) else table
            replace_file(path, files.csv(record))
        own = record["sweep"] == source.name
        terminal.say(f"{own.sum()} predictions are in {path}; now these shapes are measured")
        testing = flags.options_of(arguments, shapes=HELD_OUT_SHAPES)
        sweep = take_up(archive, testing, here, terminal, since=source.name)
        status = max(status, carry_out(sweep, terminal))
        if status == INTERRUPTED:
            return status
    table = predictions.checked(record[own], understand(sweep.folder))
    replace_file(path, files.csv(pd.concat([record[~own], table], ignore_index=True)))
    through.write_json(_THROUGH, {"sweep": sweep.folder.name})
    terminal.show(tables_across.checks(table), tables_across.hits(table), sentences.record(table))
    if unchecked := int((table["hit"] == "").sum()):
        terminal.note(f"{unchecked} could not be checked: a step takes too long, or --budget is too small")
    return status
