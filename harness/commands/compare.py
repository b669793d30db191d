"""Compare two sweeps, or two revisions: what became faster, what slower."""

import argparse
import re
from typing import TYPE_CHECKING

from harness.archive import COMPARED, Archive
from harness.case import ARTICLE, Shape
from harness.commands.arguments import (
    SWEEP,
    add_cases,
    add_contenders,
    add_numbers,
    add_results,
    archive_of,
    manifest_of,
    options_of,
    percent,
)
from harness.errors import INTERRUPTED, FlatnetError, UsageError
from harness.measure import revisions
from harness.measure.contenders import select
from harness.measure.session import alone, carry_out, measuring, take_up

if TYPE_CHECKING:
    import pandas as pd

    from harness.terminal import Terminal

_SHAPES = (ARTICLE, Shape((64, 32, 1)))
_FOR_REVISIONS = ("--contenders", "--shapes", "--methods", "--budget", "--layouts")
"""The flags that are for a comparison of revisions only."""
_LAYOUTS = 8
"""Where the linker puts the code is worth some percent, so that a single link says little about a change."""
_FEW = 3
_LONGEST_LABEL = 30
"""Characters of a revision in a contender's name."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's flags."""
    add_results(parser)
    for name, text in (("before", "the earlier sweep"), ("after", "the later one (default: latest)")):
        parser.add_argument(name, metavar=name.upper(), nargs="?", help=f"{text}: {SWEEP}")
    parser.add_argument(
        "--reference", metavar="NAME", help="the yardstick (default: the earlier sweep's reference)"
    )
    parser.add_argument(
        "--fail-slower",
        metavar="PERCENT",
        type=percent,
        help="end with status 1 if a training is surely slower by more than so many percent",
    )
    parser.add_argument(
        "--format", choices=("table", "markdown", "csv", "json"), default="table", help="default: table"
    )
    measured = parser.add_argument_group("to measure two revisions in one sweep")
    measured.add_argument(
        "--revisions",
        nargs="+",
        metavar="REVISION",
        help="the earlier one and the later one (default: what is here; HEAD+: with what is not committed)",
    )
    add_contenders(measured)
    add_cases(measured, _SHAPES)
    add_numbers(
        measured,
        budget_s=(100, "seconds for the whole sweep"),
        layouts=(_LAYOUTS, "links of each program that take turns, its code elsewhere in each"),
    )


def run(arguments: argparse.Namespace, terminal: "Terminal") -> int:
    """Show the comparison; return 1 if something is slower than allowed."""
    if arguments.revisions:
        if arguments.before:
            raise UsageError(f"compare: got {arguments.before!r} and --revisions, takes one of them")
        return _revisions(arguments, terminal)
    if not arguments.before:
        raise UsageError("compare: takes a sweep to compare with, such as latest~1, or --revisions BASE")
    for word in arguments.words:
        if (flag := word.partition("=")[0]) in _FOR_REVISIONS:
            raise UsageError(f"{flag}: is for two revisions, which are measured; takes --revisions as well")
    from harness.across import comparison, machines
    from harness.analysis.results import understand

    archive = archive_of(arguments)
    before = understand(archive.find(arguments.before), arguments.reference)
    after = understand(archive.find(arguments.after or "latest"), before.reference)
    table = comparison.compare(before, after, arguments.fail_slower or 0.0)
    losses = machines.other_losses({"before": before, "after": after})
    for line in (*comparison.differences(before, after), *losses.values()):
        terminal.note(line)
    what = f"{after.sweep} against {before.sweep}, with {before.reference} as the yardstick"
    status = _judged(arguments, terminal, table, what)
    # Last, so that nobody takes the sentence above for all there is to say.
    if gone := comparison.gone(before, after):
        more = f"; and {len(gone) - _FEW} more" if len(gone) > _FEW else ""
        terminal.error(f"not compared, though it was right before: {'; '.join(gone[:_FEW])}{more}")
    return 1 if gone and arguments.fail_slower is not None else status


def _revisions(arguments: argparse.Namespace, terminal: "Terminal") -> int:
    """Measure the programs of two revisions in one sweep and compare them."""
    if len(arguments.revisions) > 2:
        raise UsageError(f"--revisions: got {len(arguments.revisions)}, takes one or two")
    base, head = (*arguments.revisions, revisions.default())[:2]
    manifest = manifest_of(arguments)
    trees = [revisions.tree_of(base), revisions.tree_of(head)]
    if not arguments.contenders:
        manifest = select(manifest, revisions.affected(manifest, *trees))
    labels = [re.sub(r"[/\\]", "-", revision)[:_LONGEST_LABEL] for revision in (base, head)]
    if labels[0] == labels[1]:
        labels[1] += "'"
    archive = Archive(arguments.results / COMPARED)
    with alone(archive, terminal), revisions.unpacked(trees, archive.path.resolve() / ".copies") as copies:
        entered = revisions.entered(manifest, dict(zip(labels, copies, strict=True)))
        about = {"revisions": dict(zip(labels, trees, strict=True))}
        with measuring(archive, entered, None, terminal, layouts=arguments.layouts, **about) as here:
            if missing := here.environment["missing"]:
                raise FlatnetError(f"{next(iter(missing))} cannot be run; the note above says why")
            sweep = take_up(archive, options_of(arguments), here, terminal, fresh=True)
            for entry in sweep.plan.left_out:
                terminal.note(f"not measured: {entry}")
            measured = carry_out(sweep, terminal)
            if measured == INTERRUPTED:
                return measured
    from harness.across import comparison
    from harness.analysis.results import understand

    pairs = [(f"{one.name}@{labels[0]}", f"{one.name}@{labels[1]}") for one in manifest]
    found = [(understand(sweep.folder, before), after) for before, after in pairs]
    table = comparison.paired(found, arguments.fail_slower or 0.0)
    status = _judged(arguments, terminal, table, f"{labels[1]} against {labels[0]}")
    return measured or status


def _judged(arguments: argparse.Namespace, terminal: "Terminal", table: "pd.DataFrame", what: str) -> int:
    """Show a comparison and return the exit status that was asked for."""
    from harness.across import comparison
    from harness.report import files, sentences, tables_across

    training = table[table["measure"] == "training"]
    sentence = sentences.comparison(training, what)
    if arguments.format == "table":
        marks = sentences.marks(training["verdict"])
        terminal.show(sentence, tables_across.comparison(training, what), marks)
    else:
        shown = tables_across.comparison(table, what)
        terminal.say(files.comparison(table, shown, sentence, arguments.format))
    is_slower = (training["slower_than_margin_p"] < comparison.SURE).any()
    return int(arguments.fail_slower is not None and is_slower)
