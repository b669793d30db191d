"""Join the sweeps of several machines: a table, a picture, and a mean over machines."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.archive import ABOUT, MACHINES, WHOLE, Archive, folders_in
from harness.commands.arguments import add_results
from harness.errors import NothingMeasured, UsageError
from harness.machines.split import put_together
from harness.measure.sweep import Progress
from harness.records import SweepFolder, replace_file
from harness.terminal import Terminal

if TYPE_CHECKING:
    from harness.analysis.results import Results


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add its flags."""
    add_results(parser)
    parser.add_argument(
        "folders",
        nargs="+",
        metavar="FOLDER",
        help="the folder of a machine's sweep, a name that `sweeps` lists, or a folder in results/machines,"
        " which is joined again",
    )


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Join folders of sweeps; one folder of them all is joined where it is."""
    archive, into = Archive(arguments.results), Path(arguments.folders[0])
    if len(arguments.folders) == 1 and (found := folders_in(into)):
        return join(found, into, terminal)
    folders = [archive.find(word) for word in arguments.folders]
    paths = [folder.path.resolve() for folder in folders]
    if twice := next((path for path in paths if paths.count(path) > 1), None):
        raise UsageError(f"join: got {twice} twice, takes one folder a machine")
    with archive.locked():
        into = archive.path / MACHINES / archive.new_name()
        into.mkdir(parents=True)
    return join(folders, into, terminal)


def join(folders: Sequence[SweepFolder], into: Path, terminal: Terminal) -> int:
    """Write joined.csv, pooled.csv and machines.png into a folder, and show the tables."""
    with terminal.doing("joining the machines"):
        from harness.across import machines
        from harness.report import files, pictures_across, sentences, style, tables_across

        found: dict[str, Results] = {}
        for folder in folders:
            if results := _understood(folder, terminal):
                name = str(results.environment.get("host") or folder.name)
                if name in found:
                    terminal.note(f"{folder.path} is of {name} as well, and counts as a machine of its own")
                    name = f"{name} ({folder.path})"
                found[name] = results
                if folder.path.parent == into:
                    files.write_tables(folder, results)
        table = machines.joined(found)
        summed = machines.summary(table)
        about = f"{len(found)} machines" if len(found) > 1 else next(iter(found))
        picture = pictures_across.machines(table, summed, f"{about}; {into.name}")
        replace_file(into / "joined.csv", files.csv(table))
        replace_file(into / "pooled.csv", files.csv(summed))
        replace_file(into / "machines.png", style.png(picture))
    terminal.show(tables_across.machines(table), tables_across.pooled(summed))
    terminal.note(*sentences.remarks(found))
    if len(found) > 1 and (SweepFolder(into).read_json(ABOUT) or {}).get("split"):
        unlike = machines.unlike(table)
        terminal.show(sentences.alike(unlike))
        whole = SweepFolder(into / WHOLE)
        if not unlike and put_together(folders, whole):
            terminal.say(f"As one sweep, for make show and make plot: {whole.path}")
    terminal.show(*sentences.machines(summed))
    terminal.say(f"Table, summary and picture: {into}")
    return 0


def _understood(folder: SweepFolder, terminal: Terminal) -> "Results | None":
    """Return results without cases that were measured again elsewhere."""
    from harness.across.machines import planned
    from harness.analysis.results import understand

    progress = Progress.of(folder)
    if progress and not progress.is_finished:
        terminal.note(f"{folder.path}: unfinished: {len(progress.rows)} of {progress.plan.runs} runs")
    try:
        results = planned(understand(folder))
    except NothingMeasured as nothing:
        terminal.note(str(nothing))
        return None
    if results.medians.empty:
        terminal.note(f"{folder.path}: all of it was measured again elsewhere")
        return None
    return results
