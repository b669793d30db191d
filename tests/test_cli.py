"""The commands as people type them: exit statuses, one-line errors, Ctrl-C, kill, resume."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import PIPE
from typing import IO

import pytest

from harness import __version__, cli
from harness.archive import Archive
from harness.measure import runner
from harness.measure.sweep import Sweep
from harness.paths import ROOT
from harness.plan import Run
from harness.rows import Row
from tests import fakes, sweeps
from tests.gates import Gate
from tests.loaded import Loaded, loaded

# A test run in the background has SIGINT ignored, and its children would inherit that.
HARNESS = (
    "import signal, sys\n"
    "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    "from harness.cli import main\n"
    "sys.exit(main())\n"
)
METHODS = "naive, incremental, backprop"
BENCH_HELP = "see python -m harness bench --help"
ONE_CASE = ("--shapes", "4-2-1", "--methods", "naive", "--rounds", "2", "--seconds", "0.1")


Command = Callable[..., tuple[int, str, str]]
"""Takes the words of a command and returns its exit status and its two streams."""


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str]) -> Command:
    """Return what runs a command within this process."""

    def run(*words: str) -> tuple[int, str, str]:
        capfd.readouterr()
        status = cli.main(words)
        return (status, *capfd.readouterr())

    return run


def started(
    *words: str | bytes, code: str = HARNESS, stdout: int | IO[bytes] = PIPE
) -> "subprocess.CompletedProcess[str]":
    """Run a command in a process of its own to its end."""
    return subprocess.run(
        [sys.executable, "-c", code, *words], cwd=ROOT, stdout=stdout, stderr=PIPE, text=True, check=False
    )


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let fakes behave within this process."""
    monkeypatch.setattr(runner, "run", fakes.at_once)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("", "the following arguments are required: COMMAND; see python -m harness --help"),
        *(
            (f"bench {flag} {text}", f"{flag}: got '{text.split()[-1]}', takes {takes}; {BENCH_HELP}")
            for flag, takes, texts in (
                ("--rounds", "an integer from 1 to 100000", ("0", "many")),
                ("--seed", "an integer from 0 to 2^64 - 1", ("18446744073709551616",)),
                ("--budget", "a number of seconds above zero", ("0", "-1", "nan", "inf", "soon", "1e9")),
                ("--memory", "a number of GiB above zero", ("0", "4GB")),
                ("--shapes", "two or more positive sizes such as 10-5-1", ("4-2-1 10",)),
                ("--methods", METHODS, ("magic",)),
            )
            for text in texts
        ),
        ("bench --shapes", f"--shapes: expected at least one argument; {BENCH_HELP}"),
        ("bench --rounds 3 --precision 2%", f"--precision: not allowed with argument --rounds; {BENCH_HELP}"),
        (
            "bench --precision 100%",
            "--precision: got '100', takes a number of percent, such as 5%, below 100 and above zero;"
            f" {BENCH_HELP}",
        ),
        ("bench --round 3", f"unknown argument '--round'; {BENCH_HELP}"),
        ("plot --x=3", "unknown argument '--x=3'; see python -m harness plot --help"),
        (
            "bench --methods backprob",
            f"--methods: got 'backprob', takes {METHODS}; {BENCH_HELP}",
        ),
        (
            "pot",
            "COMMAND: got 'pot', takes build, bench, show, plot, sweeps, compare, join, predict, article,"
            " verify, selfcheck, kernels; see python -m harness --help",
        ),
        ("bench --contenders cobol", "contender: got 'cobol', takes python, rust"),
        ("bench --manifest /nowhere", "/nowhere: cannot be read: No such file or directory"),
        ("kernels x", "NAME=PATH: got 'x', takes NAME=PATH; see python -m harness kernels --help"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_status_2(
    tmp_path: Path, command: Command, words: str, line: str
) -> None:
    results = ("--results", str(tmp_path)) if words.startswith(("bench", "kernels")) else ()
    assert command(*words.split(), *results) == (2, "", f"error: {line}\n")


def test_a_command_is_named_as_the_user_types_it(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAKELEVEL", "1")
    error = "error: unknown argument '--round'; see make bench ARGS=--help\n"
    assert command("bench", "--round", "3") == (2, "", error)


def test_results_that_cannot_be_read_or_written(tmp_path: Path, command: Command) -> None:
    absent = tmp_path / "absent"
    error = f"error: {absent}: has no sweep; run make bench first\n"
    assert command("plot", "--results", str(absent)) == (1, "", error)
    assert not absent.exists()
    (tmp_path / "file").write_bytes(b"")
    path = tmp_path / "file" / "results"
    error = f"error: {path}: cannot be written: Not a directory; name another folder with --results\n"
    assert command("bench", "--results", str(path)) == (1, "", error)


@pytest.mark.usefixtures("at_once")
def test_results_edited_into_nonsense(tmp_path: Path, command: Command) -> None:
    manifest = fakes.write_manifest(tmp_path / "m.toml", {"a": "honest"})
    results = tmp_path / "results"
    words = bench(results, manifest)
    assert command(*words)[0] == 0
    path = Archive(results).find("latest").path
    whole = {name: (path / name).read_text(encoding="utf-8") for name in ("runs.csv", "plan.json")}
    lines = whole["runs.csv"].splitlines(keepends=True)
    for name, text, message in (
        ("runs.csv", whole["runs.csv"].replace("naive", "magic"), "method is 'magic', takes"),
        ("runs.csv", "".join([*lines, lines[-1]]), "repeats line"),
        ("runs.csv", "x" * 9000, "is not a table of flatnet's"),
        ("plan.json", "{}", "is not a plan: has no 'sweep'"),
        ("plan.json", "[" * 10**5, "maximum recursion depth exceeded"),
    ):
        (path / name).write_text(text, encoding="utf-8")
        for again in (["plot", "--results", str(results)], words):
            status, _, err = command(*again)
            (error,) = (line for line in err.splitlines() if line.startswith("error: "))
            assert (status, error.startswith(f"error: {path / name}")) == (1, True)
            assert message in error
        assert (path / name).read_text(encoding="utf-8") == text
        (path / name).write_text(whole[name], encoding="utf-8")
    assert command(*words)[0] == 0
    assert next(iter(Archive(results).sweeps())).path == path


def entry(name: str, rest: str = "") -> str:
    """Return a manifest's entry of one that is not there."""
    return f'[[contender]]\nname = "{name}"\ncommand = ["a"]\nversion = ["/a"]\nmethods = ["naive"]\n{rest}\n'


def test_nobody_is_there(tmp_path: Path, command: Command) -> None:
    (tmp_path / "m.toml").write_text(entry("a"), "utf-8")
    error = "error: no contender can be run (a: /a: cannot be started: No such file or directory)\n"
    assert command("verify", "--manifest", str(tmp_path / "m.toml")) == (2, "", error)


def test_build_goes_on_after_a_failure_and_ends_with_who_can_be_run(tmp_path: Path, command: Command) -> None:
    path = fakes.write_manifest(tmp_path / "m.toml", {"here": "honest", "away": "honest"})
    others = entry("a", 'build = ["/no/make"]') + entry("b", 'build = ["sh", "-c", "exit 3"]')
    others += entry("c", 'build = ["sh", "-c", "echo built"]') + entry("d", 'hint = "wish"')
    path.write_text(path.read_text("utf-8") + others, "utf-8")
    status, out, err = command("build", "--manifest", str(path))
    assert status == 1
    assert [line.partition(":")[0] for line in out.splitlines()] == ["built", "here", "away"]
    assert err.splitlines()[:3] == [
        "error: a cannot be built: /no/make: No such file or directory; install it and try again",
        "error: b cannot be built: exit status 3: sh -c exit 3",
        "note: a is skipped: /a: cannot be started: No such file or directory; to have it: /no/make",
    ]
    status, _, err = command("build", "--manifest", str(path), "--contenders", "c", "d")
    assert status == 1
    assert err.endswith("d is skipped: /a: cannot be started: No such file or directory; to have it: wish\n")


def test_help_and_version_load_nothing_heavy() -> None:
    program = (
        "import atexit, sys\n"
        "from harness.cli import main\n"
        "heavy = {'pandas', 'numpy', 'scipy', 'matplotlib', 'filelock'}\n"
        "atexit.register(lambda: print('loaded:', *sorted(heavy & sys.modules.keys())))\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    starts = {"--help": "usage: python -m harness", "--version": f"flatnet harness {__version__}"}
    for word, start in starts.items():
        done = started(word, code=program)
        assert done.stdout.startswith(start)
        assert done.stdout.endswith("\nloaded:\n")
        assert (done.returncode, done.stderr) == (0, "")


def keys(folder: Path) -> list[tuple[str, ...]]:
    """Return what tells the rows of runs.csv apart, in their order."""
    names = ("sweep", "contender", "method", "layers", "control", "round")
    with (folder / "runs.csv").open(encoding="utf-8", newline="") as file:
        return [tuple(row[name] for name in names) for row in csv.DictReader(file)]


def bench(folder: Path, manifest: Path, *words: str) -> list[str]:
    return ["bench", "--results", str(folder), "--manifest", str(manifest), *ONE_CASE, *words]


@pytest.mark.parametrize("words", [["show", "--help"], ["sweeps"], ["pot"]])
def test_a_command_puts_signals_back(words: list[str], tmp_path: Path) -> None:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    with suppress(SystemExit):
        cli.main([*words, "--results", str(tmp_path)])
    assert [signal.getsignal(number) for number in numbers] == before


@pytest.mark.usefixtures("at_once")
def test_a_sweep_keeps_the_words_that_would_measure_the_same_elsewhere(
    tmp_path: Path, command: Command
) -> None:
    manifest = fakes.write_manifest(tmp_path / "m.toml", {"a": "honest", "b": "honest"})
    flags = ["--contenders", "b", "a", "--rounds=1", "--seed", "7"]
    status, out, err = command(*bench(tmp_path / "results", manifest, "--fresh", *flags))
    assert status == 0
    assert "nan" not in out + err  # one round has no interval
    environment = Archive(tmp_path / "results").find("latest").environment()
    assert environment["command"] == [*ONE_CASE, *flags]
    assert str(tmp_path) not in json.dumps(environment["command"])


@pytest.mark.usefixtures("at_once")
def test_a_sweep_its_files_and_its_pictures(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = fakes.write_manifest(tmp_path / "m.toml", {"a": "honest:4e-5", "b": "honest:5e-6"})
    folder = tmp_path / "results"
    shapes = ("--shapes", "4-2-1", "10-5-1", "16-8-1", "20-10-1", "--methods", "naive", "backprop")
    status, out, _ = command(*bench(folder, manifest), *shapes)
    assert status == 0
    assert "8.00x" in out
    # 2 methods, 3 rounds with the warm-up: 4 shapes, 2 contenders, a control in each of two decades.
    assert len(keys(folder)) == 2 * 3 * (4 * 2 + 2)
    status, out, err = command("plot", "--results", str(folder))
    assert (status, err) == (0, "")
    pictures = sorted(folder.glob("*.png"))
    assert {picture.stem for picture in pictures} >= {"scaling", "speedup", "methods", "loss"}
    names = {path.name for path in pictures}
    assert {Path(line).name for line in out.splitlines()} == names | {"report.html"}
    assert all(picture.read_bytes().startswith(b"\x89PNG") for picture in pictures)
    assert sorted(path.name for path in folder.iterdir() if path.suffix != ".png") == [
        *(".lock", "alternatives.csv", "cost.csv", "crossover.csv", "environment.json", "latest"),
        *("losses.csv", "plan.json", "report.html", "runs.csv", "scaling.csv", "speedup.csv", "summary.csv"),
        "sweeps",
    ]
    status, out, err = command("show", "--results", str(folder), "--reference", "b")
    assert (status, err) == (0, "")
    assert "0.125x" in out
    assert Archive(folder).find("latest").name in command("sweeps", "--results", str(folder))[1]
    # A new sweep leaves the earlier one whole.
    first = Archive(folder).find("latest")
    before = {path.name: path.read_bytes() for path in first.path.iterdir()}
    assert command(*bench(folder, manifest, "--seed", "2"))[0] == 0
    assert len(Archive(folder).sweeps()) == 2
    assert {path.name: path.read_bytes() for path in first.path.iterdir()} == before
    assert not (folder / "scaling.png").exists()
    assert {key[0] for key in keys(folder)} == {Archive(folder).find("latest").name}
    monkeypatch.setattr("harness.report.pictures.draw", lambda _: iter(()))
    (first.path / "report.html").unlink()
    assert command("plot", "latest~1", "--results", str(folder))[0] == 0
    assert (first.path / "report.html").exists()
    assert not (folder / "report.html").exists()


@pytest.mark.usefixtures("at_once")
def test_a_failure_makes_exit_status_1(tmp_path: Path, command: Command) -> None:
    manifest = fakes.write_manifest(tmp_path / "m.toml", {"a": "honest", "b": "wrong-at-7", "c": "garbled"})
    status, out, err = command(*bench(tmp_path, manifest))
    assert status == 1
    # 50 ms hold 100,000 steps of 0.4 us: 1000 epochs of 100.
    assert "note: b naive 4-2-1, warm-up: mismatch: epoch 7: " in err
    assert "note: c naive 4-2-1, warm-up: garbled: printed 'Hello, world!\\n' where" in err
    assert "note: c naive was not run again at 4-2-1 and larger shapes" in err
    assert "Time of a training step" in out


PILOTS = 7
"""A step is said to take 0.4 us: 1, 1000, 30,000 and 86,100 show it, then those, half a second and one."""


@pytest.fixture(scope="module")
def harness() -> Iterator[Loaded]:
    """Return what runs commands in processes of their own, but for the interpreter's start and end."""
    with loaded(ROOT) as found:
        yield found


class Bench:
    """A bench of one contender in a process of its own, whose every run waits at a gate."""

    def __init__(self, harness: Loaded, tmp_path: Path, words: list[str]) -> None:
        self.harness, self.out, self.err = harness, tmp_path / "out", tmp_path / "err"
        self.pid = harness.start(words, self.out, self.err)
        self.status: int | None = None

    def end(self, number: int) -> int:
        """Send a signal, unless it has ended; return the exit status."""
        if self.status is None:
            os.kill(self.pid, number)
            self.status = self.harness.wait()
        return self.status

    def said(self) -> tuple[str, str]:
        """Return its two streams."""
        return self.out.read_text(encoding="utf-8"), self.err.read_text(encoding="utf-8")


@contextmanager
def gated(harness: Loaded, tmp_path: Path) -> Iterator[tuple[Bench, Gate, list[str]]]:
    """Start a bench, and let its pilots pass."""
    gate = Gate(tmp_path / "gate")
    manifest = fakes.write_manifest(tmp_path / "m.toml", {"a": f"gate:{gate.path}"})
    words = bench(tmp_path / "results", manifest)
    process = Bench(harness, tmp_path, words)
    try:
        for _ in range(PILOTS):
            gate.pass_one()
        yield process, gate, words
    finally:
        process.end(signal.SIGKILL)
        gate.release()


# One case with its control: each of three rounds has two runs.
PLANNED = [
    ("a", "naive", "4-2-1", control, str(number))
    for number, turns in enumerate((("no", "yes"), ("yes", "no"), ("no", "yes")))
    for control in turns
]


@pytest.mark.parametrize("passed", [0, 5])
def test_killed_and_resumed(harness: Loaded, tmp_path: Path, command: Command, passed: int) -> None:
    """SIGKILL while a run goes on; the same command finishes it, measuring only the cut round twice."""
    folder = tmp_path / "results"
    with gated(harness, tmp_path) as (process, gate, words):
        for _ in range(passed):
            gate.pass_one()
        with gate.hold():
            # The row of the run before was written before this one was started.
            before = (folder / "runs.csv").read_bytes() if passed else b""
            assert process.end(signal.SIGKILL) == -signal.SIGKILL
    status, _, err = command(*words)
    assert status == 0
    assert "note: resuming " in err
    # A row more than whole rounds of two: it is made again, and kept beside the others.
    cut = passed % 2
    lines = before.splitlines(keepends=True)
    assert (folder / "runs.csv").read_bytes().startswith(b"".join(lines[: len(lines) - cut]))
    aside = folder / "latest" / "runs.csv.half"
    assert (aside.read_bytes() if cut else b"") == b"".join(lines[len(lines) - cut :])
    found = keys(folder)
    assert len({key[0] for key in found}) == 1
    assert [key[1:] for key in found] == PLANNED


def test_ctrl_c_shows_the_tables_so_far(harness: Loaded, tmp_path: Path, command: Command) -> None:
    folder = tmp_path / "results"
    with gated(harness, tmp_path) as (process, gate, words):
        for _ in range(4):
            gate.pass_one()
        with gate.hold():
            assert process.end(signal.SIGINT) == 130
        out, err = process.said()
        assert "Time of a training step" in out
        assert "note: interrupted; the same command resumes it" in err
        assert "Traceback" not in err
    assert [key[1:] for key in keys(folder)] == PLANNED[:4]
    assert (folder / "summary.csv").exists()
    assert command(*words)[0] == 0
    assert [key[1:] for key in keys(folder)] == PLANNED


def test_a_second_bench_on_the_same_folder_and_ctrl_c_before_anything_was_timed(
    harness: Loaded, tmp_path: Path, command: Command
) -> None:
    with gated(harness, tmp_path) as (process, gate, words), gate.hold():
        error = f"error: {tmp_path / 'results'}: another command is writing there; wait, or use --results\n"
        assert command(*words) == (1, "", error)
        assert process.end(signal.SIGINT) == 130
        out, err = process.said()
        assert "no timed run has ended well yet, so there is nothing to show; run bench again" in err
        assert "Traceback" not in err
        assert "Time of a training step" not in out


def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    manifest = fakes.write_manifest(tmp_path / "m.toml", {"a": "honest"})
    read, write = os.pipe()
    os.close(read)
    done = started("verify", "--cases", "1", "--manifest", str(manifest), stdout=write)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.usefixtures("at_once")
def test_resume_asks_for_the_same_programs_on_the_same_machine(tmp_path: Path, command: Command) -> None:
    """And says why a sweep stays unfinished."""
    manifest = fakes.write_manifest(tmp_path / "m.toml", {"a": "honest:4e-5"})
    folder = tmp_path / "results"
    assert command(*bench(folder, manifest))[0] == 0
    sweep = Archive(folder).find("latest")
    runs = (sweep.path / "runs.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (sweep.path / "runs.csv").write_text("".join(runs[:-1]), encoding="utf-8")
    plan = (sweep.path / "plan.json").read_text(encoding="utf-8")
    environment = (sweep.path / "environment.json").read_text(encoding="utf-8")

    def refused_because(name: str, text: str | None) -> str:
        path = sweep.path / name
        whole = path.read_text(encoding="utf-8")
        path.unlink() if text is None else path.write_text(text, encoding="utf-8")
        status, _, err = command(*bench(folder, manifest))
        path.write_text(whole, encoding="utf-8")
        # It has begun another, which is to be the latest no more.
        assert status == 0
        assert Archive(folder).find("latest~1").path == sweep.path
        shutil.rmtree(Archive(folder).find("latest").path)
        start = f"note: sweep {sweep.name} stays unfinished: "
        (reason,) = [line.removeprefix(start) for line in err.splitlines() if line.startswith(start)]
        return reason

    for name in ("host", "commit"):
        text = json.dumps(json.loads(environment) | {name: "another"})
        reason = refused_because("environment.json", text)
        assert reason == f"its environment.json has another {name}"
    assert refused_because("plan.json", plan.replace("fake honest", "fake 2")) == (
        "it is of a (fake 2), compared with a; here are a (fake honest), compared with a"
    )
    assert refused_because("plan.json", None) == "its plan.json is gone"
    old_rows = "".join(runs[:-1]).replace("threads,", "thread_count,", 1)
    assert refused_because("runs.csv", old_rows) == "another version of the harness wrote its runs.csv"
    assert command(*bench(folder, manifest))[0] == 0
    assert len((sweep.path / "runs.csv").read_text(encoding="utf-8").splitlines()) == len(runs)
    # With other options it is another.
    (sweep.path / "runs.csv").write_text("".join(runs[:-1]), encoding="utf-8")
    status, _, err = command(*bench(folder, manifest, "--seed", "7"))
    assert status == 0
    assert (
        f"note: sweep {sweep.name} stays unfinished: it was started with other options, which are in its"
        " plan.json"
    ) in err.splitlines()
    assert len(Archive(folder).sweeps()) == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize(
    ("name", "status"),
    # Of a comparison 1 would say that something is slower.
    [("bench", 1), ("show", 1), ("verify", 1), ("compare", 125)],
)
def test_a_full_device_is_one_line(harness: Loaded, tmp_path: Path, name: str, status: int) -> None:
    sweep = str(sweeps.write(tmp_path, sweeps.pairs([(1.0, 0.5)] * 2)).path)
    manifest = fakes.write_manifest(tmp_path / "m.toml", {"a": "honest:4e-5", "b": "honest:1e-5"})
    words = {
        "bench": bench(tmp_path / "results", manifest),
        "show": ["show", sweep],
        "compare": ["compare", sweep, sweep],
        "verify": ["verify", "--cases", "1", "--manifest", str(manifest)],
    }[name]
    if name == "bench":
        # One from the start of its interpreter to its end, which would write what is buffered.
        with Path("/dev/full").open("wb") as full:
            done = started(*words, stdout=full)
        found, err = done.returncode, done.stderr
    else:
        harness.start(words, Path("/dev/full"), tmp_path / "err")
        found, err = harness.wait(), (tmp_path / "err").read_text(encoding="utf-8")
    errors = [line for line in err.splitlines() if line[:6] not in ("", "note: ")]
    assert (found, errors) == (status, ["error: cannot write: No space left on device"])


@pytest.mark.parametrize("word", ["\n", "x" * 100_000, "--", "-", "=", "[red]"])
def test_words_that_nobody_types(tmp_path: Path, command: Command, word: str) -> None:
    for words in ([word], ["plot", word], ["bench", "--shapes", word], ["bench", "--contenders", word]):
        status, out, err = command(*words, "--results", str(tmp_path / "results"))
        assert status in (1, 2)
        assert (out, err.count("\n")) == ("", 1)
        assert err.startswith("error: ")


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    done = started("plot", b"\xff", "--results", str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch("error: [^\n]+\n", done.stderr)


@pytest.mark.usefixtures("at_once")
def test_what_was_asked_for_and_is_missing_is_an_error(tmp_path: Path, command: Command) -> None:
    path = fakes.write_manifest(tmp_path / "m.toml", {"a": "honest"})
    whole = path.read_text("utf-8")
    path.write_text(whole + entry("b"), "utf-8")
    status, out, err = command(*bench(tmp_path / "results", path))
    assert (status, out) == (2, "")
    assert err.splitlines()[-1] == (
        "error: b cannot be run: /a: cannot be started: No such file or directory; without it: --contenders a"
    )
    assert command(*bench(tmp_path / "results", path), "--contenders", "a")[0] == 0
    # One that says how to get it is one more that a machine may have.
    path.write_text(whole + entry("b", 'hint = "make b"'), "utf-8")
    status, _, err = command(*bench(tmp_path / "other", path))
    assert status == 0
    assert "note: b is skipped: /a: cannot be started: No such file or directory; to have it: make b" in err
    # Whoever names it wants it.
    words = ["--manifest", str(path), "--contenders", "a", "b"]
    asked = [
        ["bench", "--results", str(tmp_path / "third"), *words],
        ["verify", *words],
        ["selfcheck", "--results", str(tmp_path / "third"), *words],
    ]
    for line in asked:
        status, _, err = command(*line)
        assert (status, err.splitlines()[-1][:42]) == (2, "error: b cannot be run: /a: cannot be star")


@pytest.mark.usefixtures("at_once")
def test_a_program_that_was_edited_is_another(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between a cut-off and the same command; and while it is measured."""
    path = fakes.write_manifest(tmp_path / "m.toml", {"a": "honest"})
    words = bench(tmp_path / "results", path)
    perform, made, content = Sweep.perform, [], ["1"]

    def interrupted(sweep: Sweep, run: Run) -> Row:
        made.append(run)
        if len(made) == 3:
            raise KeyboardInterrupt
        if len(made) == 8:
            content[0] = "3"
        return perform(sweep, run)

    monkeypatch.setattr(Sweep, "perform", interrupted)
    for module in ("environment", "sweep"):
        monkeypatch.setattr(f"harness.measure.{module}.fingerprint", lambda _: content[0])
    assert command(*words)[0] == 130
    content[0] = "2"
    status, _, err = command(*words)
    assert "stays unfinished: its environment.json has another contenders" in err
    assert status == 1
    assert (
        "error: a was changed while it was measured: its runs are of two programs; --fresh starts again"
        in err
    )
