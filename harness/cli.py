"""The command line: the one place that knows all parts, and puts them together.

pandas, SciPy, matplotlib and rich are imported by the commands that need them, so that ``--help`` is
quick and no timed process is forked from a large parent.
"""

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from harness.arguments import parse
from harness.contenders import ROOT, Lineup, Manifest, load_manifest, probe, select
from harness.errors import FlatnetError, ResultsError, UsageError
from harness.plan import Options, Plan, make_plan
from harness.records import ENVIRONMENT, PLAN, Folder
from harness.sweep import Sweep

if TYPE_CHECKING:
    import pandas as pd

    from harness.console import Terminal

INTERRUPTED = 130
KERNELS = "kernels.csv"


def main(words: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status; every failure is one line."""
    signal.signal(signal.SIGTERM, _terminated)
    try:
        arguments = parse(words)
        from harness.console import Terminal

        terminal = Terminal()
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    try:
        return _COMMANDS[arguments.command](arguments, terminal)
    except FlatnetError as error:
        terminal.error(str(error))
        return error.exit_status
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _terminated(number: int, _: FrameType | None) -> NoReturn:
    sys.exit(128 + number)


def _build(arguments: argparse.Namespace, terminal: "Terminal") -> int:
    """Run every contender's build command; go on after a failure, and report it at the end."""
    failed = False
    for contender in _manifest(arguments).contenders:
        if not contender.build:
            continue
        try:
            status = subprocess.run(contender.build, cwd=ROOT, check=False).returncode
        except OSError as error:
            reason = f"{contender.build[0]}: {error.strerror}; install {contender.build[0]} and try again"
        else:
            reason = f"exit status {status}: {' '.join(contender.build)}" if status else ""
        if reason:
            failed = True
            terminal.error(f"{contender.name} cannot be built: {reason}")
    return int(failed)


def _manifest(arguments: argparse.Namespace) -> Manifest:
    return select(load_manifest(arguments.manifest), arguments.contenders)


def _lineup(manifest: Manifest, terminal: "Terminal") -> tuple[Lineup, str]:
    """Return who is present and who of them is the reference."""
    lineup = probe(manifest)
    terminal.missing(lineup.missing)
    if not lineup.present:
        raise UsageError("no contender can be run; build them with: make build")
    names = [contender.name for contender in lineup.present]
    return lineup, manifest.reference if manifest.reference in names else names[0]


def _bench(arguments: argparse.Namespace, terminal: "Terminal") -> int:
    from filelock import FileLock, Timeout

    folder = Folder(arguments.results)
    folder.create()
    lock = FileLock(folder.path / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ResultsError(f"{folder.path}: another bench is writing there; wait, or use --results") from None
    except OSError as error:
        raise ResultsError(f"{folder.path}: cannot be written: {error.strerror}; use --results") from error
    with lock:
        return _locked_bench(arguments, terminal, folder)


def _locked_bench(arguments: argparse.Namespace, terminal: "Terminal", folder: Folder) -> int:
    from harness import environment

    if folder.drop_half_row():
        terminal.note("the last row of runs.csv was only half written and is dropped")
    folder.read_rows()
    lineup, reference = _lineup(_manifest(arguments), terminal)
    described = environment.describe(lineup)
    for line in environment.warnings(described):
        terminal.note(line)
    sweep = _resumed(arguments, terminal, folder, lineup, reference, described)
    if sweep is None:
        with terminal.pilots() as on_pilot:
            plan = make_plan(
                _options(arguments),
                sweep=datetime.now(UTC).isoformat(timespec="milliseconds"),
                reference=reference,
                contenders=lineup.present,
                versions=lineup.versions,
                on_pilot=on_pilot,
            )
        folder.write_json(PLAN, plan.to_json())
        folder.write_json(ENVIRONMENT, {"sweep": plan.sweep, **described})
        sweep = Sweep(plan, lineup.present, folder, str(described["host"]))
    terminal.plan(sweep.plan)
    interrupted = False
    try:
        with terminal.progress(list(sweep.pending()), sweep.plan.options.rounds) as progress:
            for run in sweep.pending():
                progress.starting(run)
                sweep.perform(run)
                progress.finished(run)
    except KeyboardInterrupt:
        interrupted = True
    rows = [row for row in folder.read_rows() if row.sweep == sweep.plan.sweep]
    terminal.failures(rows, sweep.spared)
    _report(terminal, folder, sweep.plan.reference)
    if interrupted:
        terminal.note("interrupted; the same command goes on from here")
        return INTERRUPTED
    return int(any(row.status != "ok" for row in rows))


def _options(arguments: argparse.Namespace) -> Options:
    return Options(
        shapes=tuple(dict.fromkeys(arguments.shapes)),
        methods=tuple(dict.fromkeys(arguments.methods)),
        rounds=arguments.rounds,
        run_s=arguments.seconds,
        timeout_s=arguments.timeout,
        budget_s=arguments.budget,
        seed=arguments.seed,
    )


def _resumed(
    arguments: argparse.Namespace,
    terminal: "Terminal",
    folder: Folder,
    lineup: Lineup,
    reference: str,
    described: Mapping[str, object],
) -> Sweep | None:
    """Return the unfinished sweep that this command line goes on with, if there is one.

    It must have been asked for in the same words, of the same programs on the same machine.
    """
    if arguments.fresh:
        return None
    document = folder.read_json(PLAN)
    sweep = None
    if document is not None:
        try:
            plan = Plan.from_json(document)
        except (KeyError, TypeError, ValueError) as error:
            raise ResultsError(
                f"{folder.path / PLAN}: is not a plan: {error!r}; remove it to start anew"
            ) from error
        before = folder.read_json(ENVIRONMENT) or {}
        same = (
            plan.versions == lineup.versions
            and plan.reference == reference
            and all(before.get(name) == described[name] for name in ("host", "commit", "contenders"))
            and (arguments.resume or plan.options == _options(arguments))
        )
        if same:
            sweep = Sweep(plan, lineup.present, folder, str(described["host"]))
    if sweep is not None and any(True for _ in sweep.pending()):
        terminal.note(f"going on with sweep {sweep.plan.sweep}")
        return sweep
    if arguments.resume:
        raise UsageError(
            "--resume: no unfinished sweep of these programs on this machine; leave the option out"
        )
    return None


def _report(terminal: "Terminal", folder: Folder, reference: str) -> None:
    """Write the summaries of the last sweep and show them."""
    from harness import analysis

    runs = analysis.frame(folder.read_rows())
    if analysis.timed(runs).empty:
        terminal.note("no timed run has ended well yet, so there is nothing to summarise")
        return
    speedups = analysis.speedups(runs, reference)
    scaling = analysis.scaling(runs)
    folder.write_file("summary.csv", _csv(analysis.summary(runs)))
    folder.write_file("speedup.csv", _csv(speedups))
    folder.write_file("scaling.csv", _csv(scaling))
    terminal.results(analysis.step_medians(runs), speedups, reference)
    terminal.scaling(scaling)
    for line in analysis.crossovers(runs):
        terminal.say(line)
    terminal.say(f"rows and summaries: {folder.path}; pictures: make plot")


def _csv(table: "pd.DataFrame") -> bytes:
    """Return a table as the bytes of a CSV file, with yes and no as in runs.csv."""
    if "control" in table:
        table = table.assign(control=table["control"].map({True: "yes", False: "no"}))
    return table.to_csv(index=False, lineterminator="\n").encode()


def _plot(arguments: argparse.Namespace, terminal: "Terminal") -> int:
    from harness import analysis, charts, kernels, style

    folder = Folder(arguments.results)
    rows = folder.read_rows()
    runs = analysis.frame(rows)
    if analysis.timed(runs).empty:
        raise ResultsError(f"{folder.path}: has no timed runs to draw; run make bench first")
    environment = folder.read_json(ENVIRONMENT) or {}
    plan = folder.read_json(PLAN) or {}
    reference = str(plan.get("reference", runs["contender"].iloc[0]))
    losses = analysis.losses_frame(folder.read_losses(), str(runs["sweep"].iloc[-1]))
    for name, figure in charts.draw(runs, losses, reference, environment).items():
        folder.write_file(name, style.png(figure))
        terminal.say(str(folder.path / name))
    # Last, so that a broken table of kernels leaves the pictures of the sweep.
    if (folder.path / KERNELS).exists():
        figure = charts.kernels(kernels.read(folder.path / KERNELS))
        folder.write_file("kernels.png", style.png(figure))
        terminal.say(str(folder.path / "kernels.png"))
    return 0


def _verify(arguments: argparse.Namespace, terminal: "Terminal") -> int:
    from harness import verify

    lineup, _ = _lineup(_manifest(arguments), terminal)
    differing = 0
    for case in verify.random_cases(arguments.cases, arguments.seed):
        differences = verify.check(case, lineup.present, arguments.timeout)
        differing += bool(differences)
        for difference in differences:
            terminal.say(f"{difference.contender}: {difference.text}")
            for command in difference.commands:
                terminal.say(f"    {command}")
    names = ", ".join(contender.name for contender in lineup.present)
    terminal.say(
        f"{arguments.cases} random cases, {names}:"
        f" {arguments.cases - differing} identical, {differing} different"
    )
    return int(differing > 0)


def _kernels(arguments: argparse.Namespace, terminal: "Terminal") -> int:
    from harness import charts, kernels, style

    folder = Folder(arguments.results)
    folder.create()
    if not arguments.pytest_benchmark and not arguments.criterion:
        raise UsageError("kernels: takes --pytest-benchmark NAME=FILE, --criterion NAME=FOLDER or both")
    table = kernels.gather(dict(arguments.pytest_benchmark), dict(arguments.criterion))
    table = kernels.renewed(folder.path / KERNELS, table)
    folder.write_file(KERNELS, _csv(table))
    folder.write_file("kernels.png", style.png(charts.kernels(table)))
    terminal.kernels(table)
    return 0


_COMMANDS: dict[str, "Callable[[argparse.Namespace, Terminal], int]"] = {
    "build": _build,
    "bench": _bench,
    "plot": _plot,
    "verify": _verify,
    "kernels": _kernels,
}
