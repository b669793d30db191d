"""Joins the sweeps of several machines: one table, one picture, and what they say together."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.archive import MACHINES
from harness.commands.arguments import add_results, archive_of
from harness.errors import NothingMeasured, UsageError
from harness.machines.split import put_together
from harness.records import RUNS, SweepFolder, replace_file

if TYPE_CHECKING:
    from harness.analysis.results import Results
    from harness.terminal import Terminal

HELP = "join the sweeps of several machines: one table, one picture, and what they say together"
ABOUT = "machines.json"
"""What was asked of them all."""
WHOLE = "whole/sweep"
"""The sweep that machines shared, put together."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's flags."""
    add_results(parser)
    parser.add_argument(
        "folders",
        nargs="+",
        metavar="FOLDER",
        help="the folder of a machine's sweep, copied from wherever it was made, a name that `sweeps` lists,"
        " or a folder in results/machines, which is joined again",
    )


def run(arguments: argparse.Namespace, terminal: "Terminal") -> int:
    """Join folders of sweeps; one folder of them all is joined where it is."""
    archive = archive_of(arguments)
    if len(arguments.folders) == 1 and (found := folders_in(Path(arguments.folders[0]))):
        return join(found, Path(arguments.folders[0]), terminal)
    folders = [archive.find(word) for word in arguments.folders]
    with archive.locked():
        into = archive.path / MACHINES / archive.new_name()
        into.mkdir(parents=True)
    return join(folders, into, terminal)


def folders_in(path: Path) -> list[SweepFolder]:
    """Return the folders of sweeps that stand directly in ``path``."""
    return [SweepFolder(one.parent) for one in sorted(path.glob(f"*/{RUNS}"))]


def join(folders: Sequence[SweepFolder], into: Path, terminal: "Terminal") -> int:
    """Write joined.csv, pooled.csv and machines.png into a folder, and show the tables."""
    with terminal.doing("joining the machines"):
        from harness.across import machines as read
        from harness.report import pictures_across, sentences
        from harness.report.files import csv, write_tables
        from harness.report.style import png

        found: dict[str, Results] = {}
        for folder in folders:
            results = _understood(folder, terminal)
            if results is not None:
                found[_name(results, folder, found)] = results
                if folder.path.parent == into:
                    write_tables(folder, results)
        table = read.joined(found)
        summed = read.summary(table)
        about = f"{len(found)} machines" if len(found) > 1 else next(iter(found))
        replace_file(into / "joined.csv", csv(table))
        replace_file(into / "pooled.csv", csv(summed))
        replace_file(
            into / "machines.png", png(pictures_across.machines(table, summed, f"{about}; {into.name}"))
        )
    terminal.joined(table, summed)
    for line in sentences.remarks(found):
        terminal.note(line)
    if len(found) > 1 and (SweepFolder(into).read_json(ABOUT) or {}).get("split"):
        differences = read.unlike(found)
        _judge(differences, terminal)
        whole = SweepFolder(into / WHOLE)
        if not differences and put_together(folders, whole):
            terminal.say(f"As one sweep, for make show and make plot: {whole.path}")
    terminal.sentences(sentences.machines(summed))
    terminal.say(f"Table, summary and picture: {into}")
    return 0


def _understood(folder: SweepFolder, terminal: "Terminal") -> "Results | None":
    """Return what a machine's sweep shows, without the cases that were measured anew elsewhere."""
    from harness.across.machines import planned
    from harness.analysis.results import understand

    try:
        results = planned(understand(folder), folder.plan())
    except NothingMeasured as nothing:
        terminal.note(str(nothing))
        return None
    if results.medians.empty:
        terminal.note(f"{folder.path}: what was measured there was measured anew elsewhere, and counts there")
        return None
    return results


def _name(results: "Results", folder: SweepFolder, taken: "dict[str, Results]") -> str:
    """Return what a machine is called; its folder is named as well if that is not enough."""
    name = str(results.environment.get("host") or folder.name)
    if name in taken:
        name = f"{name} ({folder.name})"
    if name in taken:
        raise UsageError(f"join: got {folder.path} twice, takes one folder a machine")
    return name


def _judge(differences: Sequence[str], terminal: "Terminal") -> None:
    """Say whether machines that shared a sweep may be called equal."""
    if not differences:
        terminal.sentences(
            [
                "The machines may be called equal: on the cases that all have measured, neither ratios nor"
                " steps differ by more than intervals and floors."
            ]
        )
        return
    more = f", and {len(differences) - 1} more" if len(differences) > 1 else ""
    terminal.sentences(
        [f"The machines may not be called equal: {differences[0]}{more}. Compare within a machine only."]
    )
