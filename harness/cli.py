"""The command line: the one place that knows all parts, and puts them together.

pandas, SciPy, matplotlib and rich are imported by the commands that need them, so that ``--help`` is
quick and no timed process is forked from a large parent.
"""

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from harness import __version__
from harness.contenders import MANIFEST, ROOT, Lineup, Manifest, load_manifest, probe, select
from harness.contract import METHODS, parse_layers
from harness.errors import FlatnetError, ResultsError, UsageError
from harness.plan import DEFAULT_SHAPES, Options, Plan, make_plan
from harness.records import ENVIRONMENT, PLAN, Folder
from harness.sweep import Sweep

if TYPE_CHECKING:
    import pandas as pd

    from harness.console import Terminal

RESULTS = ROOT / "results"
INTERRUPTED = 130


def main(words: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status; every failure is one line."""
    signal.signal(signal.SIGTERM, _terminated)
    try:
        arguments = _parse(words)
        from harness.console import Terminal

        terminal = Terminal()
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    try:
        return int(arguments.command(arguments, terminal))
    except FlatnetError as error:
        terminal.error(str(error))
        return error.exit_status
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _terminated(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)


class _Parser(argparse.ArgumentParser):
    """argparse, but an error is one line."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message.removeprefix('argument ')}; see {self.prog} --help")


def _parse(words: Sequence[str] | None) -> argparse.Namespace:
    parser = _Parser(
        prog="python -m harness",
        description="Run implementations of one neural network against each other, check that they compute"
        " the same losses, and show how their runtime grows with the number of neurons.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"flatnet harness {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)

    build = commands.add_parser("build", help="build the contenders", allow_abbrev=False)
    build.set_defaults(command=_build)
    bench = commands.add_parser("bench", help="measure, and write CSV files", allow_abbrev=False)
    bench.set_defaults(command=_bench)
    plot = commands.add_parser("plot", help="draw pictures from the CSV files", allow_abbrev=False)
    plot.set_defaults(command=_plot)
    verify = commands.add_parser(
        "verify", help="compare losses on random cases, without timing", allow_abbrev=False
    )
    verify.set_defaults(command=_verify)
    kernels = commands.add_parser(
        "kernels", help="gather what the in-process benchmarks measured", allow_abbrev=False
    )
    kernels.set_defaults(command=_kernels)

    for command in (build, bench, verify):
        command.add_argument(
            "--contenders", nargs="+", metavar="NAME", default=[], help="only these (default: all)"
        )
        command.add_argument(
            "--manifest", type=Path, default=MANIFEST, help="the contenders' TOML file (default: harness/contenders.toml)"
        )
    for command in (bench, plot, kernels):
        command.add_argument(
            "--results", type=Path, default=RESULTS, help="the folder to write to (default: results)"
        )
    _add_bench_options(bench)
    verify.add_argument("--cases", type=_whole(1), default=60, help="random cases (default: 60)")
    verify.add_argument("--seed", type=_whole(0), default=1, help="seed of the random cases (default: 1)")
    verify.add_argument("--timeout", type=_seconds, default=60.0, help="seconds for one run (default: 60)")
    kernels.add_argument(
        "--pytest-benchmark", type=Path, metavar="FILE", required=True, help="the file that --benchmark-json wrote"
    )
    kernels.add_argument("--criterion", type=Path, metavar="FOLDER", help="Criterion's folder")
    return parser.parse_args(words)


def _add_bench_options(bench: argparse.ArgumentParser) -> None:
    defaults = {field.name: field.default for field in fields(Options)}
    bench.add_argument(
        "--shapes",
        nargs="+",
        metavar="SHAPE",
        type=_shape,
        default=list(DEFAULT_SHAPES),
        help=f"layer sizes (default: {' '.join(DEFAULT_SHAPES)})",
    )
    bench.add_argument(
        "--methods", nargs="+", choices=METHODS, default=list(METHODS), help="(default: all three)"
    )
    for flag, kind, default, text in (
        ("--rounds", _whole(1), defaults["rounds"], "timed rounds, after one that warms up"),
        ("--seconds", _seconds, defaults["run_s"], "what the slowest contender's training should take in a run"),
        ("--timeout", _seconds, defaults["timeout_s"], "seconds after which a run is ended"),
        ("--budget", _seconds, defaults["budget_s"], "seconds for the whole sweep"),
        ("--seed", _whole(0), defaults["seed"], "seed of every run"),
    ):
        bench.add_argument(
            flag, metavar="N", type=kind, default=default, help=f"{text} (default: {default:g})"
        )
    again = bench.add_mutually_exclusive_group()
    again.add_argument("--fresh", action="store_true", help="start a new sweep even if one is unfinished")
    again.add_argument("--resume", action="store_true", help="finish the last sweep, whatever the other options say")


def _shape(text: str) -> str:
    try:
        parse_layers(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error).removeprefix("shape: ")) from error
    return text


def _whole(least: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if text.isascii() and text.isdigit() and least <= int(text) < 2**64:
            return int(text)
        raise argparse.ArgumentTypeError(f"got {text!r}, takes an integer from {least} to 2^64 - 1")

    return parse


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"got {text!r}, takes a number of seconds above zero")
    return value


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
    try:
        with FileLock(folder.path / ".lock", timeout=0):
            return _locked_bench(arguments, terminal, folder)
    except Timeout:
        raise ResultsError(
            f"{folder.path}: another bench is writing there; wait for it or name another folder with --results"
        ) from None
    except OSError as error:
        raise ResultsError(f"{folder.path}: cannot be written: {error.strerror}; mend this or name another folder with --results") from error


def _locked_bench(arguments: argparse.Namespace, terminal: "Terminal", folder: Folder) -> int:
    from harness import environment

    if folder.drop_half_row():
        terminal.note("the last row of runs.csv was only half written and is dropped")
    folder.read_rows()
    lineup, reference = _lineup(_manifest(arguments), terminal)
    described = environment.describe(lineup)
    for line in environment.warnings(described):
        terminal.note(line)
    sweep = _resumed(arguments, terminal, folder, lineup, reference)
    if sweep is None:
        with terminal.pilots() as on_pilot:
            plan = make_plan(
                _options(arguments),
                sweep=datetime.now(UTC).isoformat(timespec="seconds"),
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
    rows = []
    try:
        with terminal.progress(list(sweep.pending()), sweep.plan.options.rounds) as progress:
            for run in sweep.pending():
                progress.starting(run)
                rows.append(sweep.perform(run))
                progress.finished(run)
    except KeyboardInterrupt:
        interrupted = True
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
    arguments: argparse.Namespace, terminal: "Terminal", folder: Folder, lineup: Lineup, reference: str
) -> Sweep | None:
    """Return the unfinished sweep that this command line goes on with, if there is one."""
    if arguments.fresh:
        return None
    document = folder.read_json(PLAN)
    sweep = None
    if document is not None:
        try:
            plan = Plan.from_json(document)
        except (KeyError, TypeError, ValueError) as error:
            raise ResultsError(f"{folder.path / PLAN}: is not a plan: {error!r}; remove it to start anew") from error
        same = (
            plan.versions == lineup.versions
            and plan.reference == reference
            and (arguments.resume or plan.options == _options(arguments))
        )
        if same:
            sweep = Sweep(plan, lineup.present, folder, str(os.uname().nodename))
    if sweep is not None and any(True for _ in sweep.pending()):
        terminal.note(f"going on with sweep {sweep.plan.sweep}")
        return sweep
    if arguments.resume:
        raise UsageError("--resume: there is no unfinished sweep of these contenders; leave the option out")
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
    return table.to_csv(index=False, lineterminator="\n").encode()


def _plot(arguments: argparse.Namespace, terminal: "Terminal") -> int:
    from harness import analysis, charts

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
        folder.write_file(name, charts.png(figure))
        terminal.say(str(folder.path / name))
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
    terminal.say(f"{arguments.cases} random cases, {names}: {arguments.cases - differing} identical, {differing} different")
    return int(differing > 0)


def _kernels(arguments: argparse.Namespace, terminal: "Terminal") -> int:
    from harness import charts, kernels

    folder = Folder(arguments.results)
    folder.create()
    table = kernels.gather(arguments.pytest_benchmark, arguments.criterion)
    folder.write_file("kernels.csv", _csv(table))
    folder.write_file("kernels.png", charts.png(charts.kernels(table)))
    terminal.kernels(table)
    return 0
