"""Compare two sweeps, or two revisions: what became faster, what slower."""

import argparse
import re
from typing import TYPE_CHECKING

from harness.archive import COMPARED, Archive
from harness.case import ARTICLE, Shape
from harness.commands import arguments as flags
from harness.errors import INTERRUPTED, FlatnetError, UsageError
from harness.measure import revisions
from harness.measure.contenders import select
from harness.measure.session import alone, carry_out, measuring, take_up
from harness.terminal import Terminal

if TYPE_CHECKING:
    import pandas as pd

_SHAPES = (ARTICLE, Shape((64, 32, 1)))
_FOR_REVISIONS = ("--contenders", "--manifest", "--shapes", "--methods", "--budget", "--layouts")
"""Flags for revisions only."""
_LAYOUTS = 8
"""Where code lies is worth some percent, so a single link says little about a change."""
_SLOWER, _OTHER_LOSSES, _CANNOT_TELL = 1, 3, 125
"""Exit statuses; `git bisect run` skips a commit for 125; any below is a bad one."""
_FEW = 3
_LONGEST_LABEL = 30
"""Characters of a revision in a contender's name."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add its flags."""
    parser.set_defaults(failed=_CANNOT_TELL)
    parser.epilog = (
        f"Exit status, the first that applies: {_OTHER_LOSSES} if losses differ, {_SLOWER} if a training is"
        f" surely slower than --fail-slower allows, {_CANNOT_TELL} if a program cannot be built or run or"
        " nobody can tell, otherwise 0; 2 for unusable arguments. `git bisect run` takes these."
    )
    flags.add_results(parser)
    parser.add_argument("before", metavar="BEFORE", nargs="?", help=f"the earlier sweep: {flags.SWEEP}")
    about = "the later one, likewise (default: latest)"
    parser.add_argument("after", metavar="AFTER", nargs="?", default="latest", help=about)
    parser.add_argument(
        "--reference", metavar="NAME", help="the yardstick (default: the earlier sweep's reference)"
    )
    parser.add_argument(
        "--fail-slower",
        metavar="PERCENT",
        type=flags.percent,
        default=0.0,
        help="let the exit status say if a training is slower by more than this many percent",
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
    flags.add_contenders(measured)
    flags.add_cases(measured, _SHAPES)
    flags.add_numbers(
        measured, budget_s=(100, "seconds for the whole sweep"), layouts=(_LAYOUTS, flags.LAYOUTS)
    )


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Show the comparison; return the exit status."""
    if arguments.revisions:
        if other := arguments.before or arguments.reference:
            raise UsageError(f"compare: got {other!r} and --revisions, takes one of them")
        return _revisions(arguments, terminal)
    if not arguments.before:
        raise UsageError("compare: takes a sweep to compare with, such as latest~1, or --revisions BASE")
    for word in arguments.words:
        if (flag := word.partition("=")[0]) in _FOR_REVISIONS:
            raise UsageError(f"{flag}: is for two revisions, which are measured; takes --revisions as well")
    from harness.across import comparison, machines
    from harness.analysis.results import understand

    archive = Archive(arguments.results)
    before = understand(archive.find(arguments.before), arguments.reference)
    after = understand(archive.find(arguments.after), before.reference)
    table = comparison.compare(before, after, arguments.fail_slower)
    losses = machines.other_losses({"before": before, "after": after})
    terminal.note(*comparison.differences(before, after), *losses.values())
    what = f"{after.sweep} against {before.sweep}, with {before.reference} as the yardstick"
    became = comparison.gone(before, after)
    became |= {f"{contender} of {sweep}": "mismatch" for sweep, contender in losses}
    status = _judged(arguments, terminal, table, what, became)
    # Without a limit there is none: sweeps may well be of other programs.
    return status if arguments.fail_slower else 0


def _revisions(arguments: argparse.Namespace, terminal: Terminal) -> int:
    if len(arguments.revisions) > 2:
        raise UsageError(f"--revisions: got {len(arguments.revisions)}, takes one or two")
    base, head = (*arguments.revisions, revisions.default())[:2]
    manifest = flags.manifest_of(arguments)
    trees = [*map(revisions.tree_of, (base, head))]
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
            sweep = take_up(archive, flags.options_of(arguments), here, terminal, fresh=True)
            terminal.note(*(f"not measured: {entry}" for entry in sweep.plan.left_out))
            if carry_out(sweep, terminal) == INTERRUPTED:
                # It begins anew each time.
                raise KeyboardInterrupt
            edited = sweep.edited()
    from harness.across import comparison
    from harness.analysis.results import understand

    before, after = labels
    found = [(understand(sweep.folder, f"{one.name}@{before}"), f"{one.name}@{after}") for one in manifest]
    table = comparison.paired(found, arguments.fail_slower)
    became = {f"{row.run.case} {row.run.contender}": row.status for row in sweep.failed}
    became |= dict.fromkeys(edited, "edited")
    if arguments.fail_slower:
        became |= comparison.unpaired(found)
    return _judged(arguments, terminal, table, f"{after} against {before}", became)


def _judged(
    arguments: argparse.Namespace,
    terminal: Terminal,
    table: "pd.DataFrame",
    what: str,
    became: dict[str, str],
) -> int:
    """Show a comparison, and what lacks a verdict and why; return the exit status."""
    from harness.across import comparison
    from harness.report import files, sentences, tables_across

    margin, training = arguments.fail_slower, table[table["measure"] == "training"]
    sentence = sentences.comparison(training, what)
    if arguments.format == "table":
        marks = sentences.marks(training["verdict"])
        terminal.show(sentence, tables_across.comparison(training, what), marks)
    else:
        shown = tables_across.comparison(table, what)
        terminal.say(files.comparison(table, shown, sentence, arguments.format))
    is_slower = bool(margin) and (training["slower_than_margin_p"] < comparison.SURE).any()
    if margin and not is_slower:
        became |= comparison.undecided(training, margin)
    # Last, as the sentence above is not everything.
    if became:
        first = [f"{name}: {why}" for name, why in became.items()][:_FEW]
        more = f"; and {len(became) - _FEW} more" if len(became) > _FEW else ""
        terminal.error(f"no verdict on {'; '.join(first)}{more}")
    if "mismatch" in became.values():
        return _OTHER_LOSSES
    return _SLOWER if is_slower else _CANNOT_TELL if became else 0
