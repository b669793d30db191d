"""Draw the pictures of a sweep, and write its tables and its page."""

import argparse

from harness.archive import SWEEPS, Archive
from harness.commands.arguments import add_sweep
from harness.records import replace_file
from harness.terminal import Terminal

add_arguments = add_sweep


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Write every picture and table into the sweep's folder, and the page that has them all."""
    archive = Archive(arguments.results)
    folder = archive.find(arguments.sweep)
    with terminal.doing("loading"):
        from harness.analysis.results import understand
        from harness.report import files, page, pictures, pictures_across, style
    with terminal.doing("reading the sweep"):
        results = understand(folder, arguments.reference, arguments.margin)
        files.write_tables(folder, results)
        # What belongs to no sweep must be of the same machine: beside a sweep from elsewhere.
        is_ours = folder.path.parent == archive.path / SWEEPS
        found = page.beside(archive.path if is_ours else folder.path.parent, results)
    drawn = {}
    for name, figure in pictures.draw(results):
        path = folder.path / f"{name}.png"
        with terminal.doing(f"drawing {name}"):
            drawn[name] = style.png(figure)
            replace_file(path, drawn[name])
        terminal.say(str(path))
    if "parts" in found:
        drawn["parts"] = style.png(pictures_across.parts(found["parts"]))
    path = folder.path / page.FILE
    replace_file(path, page.page(results, found, drawn).encode())
    terminal.say(str(path))
    archive.publish()
    return 0
