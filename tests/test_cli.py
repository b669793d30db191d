"""The commands as people type them: exit statuses, one-line errors, Ctrl-C, kill, resume."""

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness import __version__, cli
from harness.archive import Archive
from harness.paths import ROOT
from tests import fakes
from tests.gates import STUCK_S, Gate

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


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Put back the signal handlers that a command sets."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def harness(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", HARNESS, *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=STUCK_S,
    )


def refused(capfd: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """Return the exit status of a command and the one line that it writes."""
    status = cli.main(words)
    out, err = capfd.readouterr()
    assert out == ""
    assert err.endswith("\n") and err.count("\n") == 1
    return status, err.rstrip("\n")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([], "error: the following arguments are required: COMMAND; see python -m harness --help"),
        (
            ["bench", "--rounds", "0"],
            "error: --rounds: got '0', takes an integer from 1 to 100000; see python -m harness bench --help",
        ),
        (
            ["bench", "--rounds", "many"],
            "error: --rounds: got 'many', takes an integer from 1 to 100000;"
            " see python -m harness bench --help",
        ),
        (
            ["bench", "--seed", "18446744073709551616"],
            "error: --seed: got '18446744073709551616', takes an integer from 0 to 2^64 - 1;"
            " see python -m harness bench --help",
        ),
        *(
            (
                ["bench", "--budget", text],
                f"error: --budget: got {text!r}, takes a number of seconds above zero;"
                " see python -m harness bench --help",
            )
            for text in ("0", "-1", "nan", "inf", "soon", "1e9")
        ),
        (
            ["bench", "--shapes", "4-2-1", "10"],
            "error: --shapes: got '10', takes two or more positive sizes such as 10-5-1;"
            " see python -m harness bench --help",
        ),
        (
            ["bench", "--shapes"],
            "error: --shapes: expected at least one argument; see python -m harness bench --help",
        ),
        (
            ["bench", "--fresh", "--resume"],
            "error: --resume: not allowed with argument --fresh; see python -m harness bench --help",
        ),
        (
            ["bench", "--round", "3"],
            "error: unknown argument '--round'; did you mean --rounds?; see python -m harness bench --help",
        ),
        (["plot", "--x=3"], "error: unknown argument '--x=3'; see python -m harness plot --help"),
        (["bench", "--methods", "magic"], f"error: --methods: got 'magic', takes {METHODS}; {BENCH_HELP}"),
        (
            ["bench", "--methods", "backprob"],
            f"error: --methods: got 'backprob', takes {METHODS}; did you mean backprop?; {BENCH_HELP}",
        ),
        (
            ["pot"],
            "error: COMMAND: got 'pot', takes build, bench, show, plot, report, sweeps, compare, export,"
            " join, predict, article, verify, selfcheck, kernels; did you mean plot?;"
            " see python -m harness --help",
        ),
        *(
            (
                ["bench", "--memory", text],
                f"error: --memory: got {text!r}, takes a number of GiB above zero; {BENCH_HELP}",
            )
            for text in ("0", "4GB")
        ),
        (["bench", "--contenders", "cobol"], "error: contender: got 'cobol', takes python, rust"),
        (["bench", "--manifest", "/nowhere"], "error: /nowhere: cannot be read: No such file or directory"),
        (
            ["kernels"],
            "error: kernels: takes --pytest-benchmark NAME=FILE, --criterion NAME=FOLDER or both",
        ),
        (
            ["kernels", "--criterion", "rust"],
            "error: --criterion: got 'rust', takes NAME=PATH; see python -m harness kernels --help",
        ),
    ],
)
def test_a_wrong_command_line_is_one_line_and_status_2(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], words: list[str], line: str
) -> None:
    if words[:1] in (["bench"], ["kernels"]):
        words = [*words, "--results", str(tmp_path)]
    assert refused(capfd, *words) == (2, line)


def test_a_command_is_named_as_the_user_types_it(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAKELEVEL", "1")
    assert refused(capfd, "bench", "--round", "3") == (
        2,
        "error: unknown argument '--round'; did you mean --rounds?; see make bench ARGS=--help",
    )


def test_missing_results(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    absent = tmp_path / "absent"
    assert refused(capfd, "plot", "--results", str(absent)) == (
        1,
        f"error: {absent}: has no sweep; run make bench first",
    )
    assert not absent.exists()


def test_results_that_cannot_be_written(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_bytes(b"")
    path = tmp_path / "file" / "results"
    assert refused(capfd, "bench", "--results", str(path)) == (
        1,
        f"error: {path}: cannot be created: Not a directory; name another folder with --results",
    )


def test_results_edited_into_nonsense(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    manifest = fakes.write_manifest(tmp_path / "m.toml", {"a": "honest"})
    results = tmp_path / "results"
    words = bench(results, manifest)
    assert cli.main(words) == 0
    capfd.readouterr()
    path = Archive(results).find("latest").path
    whole = {name: (path / name).read_text(encoding="utf-8") for name in ("runs.csv", "plan.json")}
    lines = whole["runs.csv"].splitlines(keepends=True)
    for name, text, message in (
        ("runs.csv", whole["runs.csv"].replace("naive", "magic"), "method is 'magic', takes"),
        ("runs.csv", "".join([*lines, lines[-1]]), "repeats line"),
        ("runs.csv", "x" * 9000, "is not a table of flatnet's"),
        ("plan.json", "{}", "is not a plan: has no 'sweep'"),
        ("plan.json", "[" * 10**5, "is nested too deeply"),
    ):
        (path / name).write_text(text, encoding="utf-8")
        for command in (["plot", "--results", str(results)], words):
            assert cli.main(command) == 1
            errors = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error: ")]
            assert len(errors) == 1
            assert errors[0].startswith(f"error: {path / name}")
            assert message in errors[0]
        assert (path / name).read_text(encoding="utf-8") == text
        (path / name).write_text(whole[name], encoding="utf-8")
    assert cli.main(words) == 0
    assert next(iter(Archive(results).sweeps())).path == path


def test_nobody_is_there(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "m.toml"
    path.write_text(
        '[[contender]]\nname = "a"\ncommand = ["a"]\nversion = ["/no/a"]\nmethods = ["naive"]\n', "utf-8"
    )
    assert cli.main(["verify", "--manifest", str(path)]) == 2
    assert capfd.readouterr().err.splitlines() == [
        "error: no contender can be run (a: /no/a: cannot be started: No such file or directory)",
    ]


def test_build_goes_on_after_a_failure(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "m.toml"
    path.write_text(
        "".join(
            f'[[contender]]\nname = "{name}"\ncommand = ["a"]\nversion = ["a"]\nmethods = ["naive"]\n'
            f"{build}\n"
            for name, build in (
                ("a", 'build = ["/no/make"]'),
                ("b", 'build = ["sh", "-c", "exit 3"]'),
                ("c", 'build = ["sh", "-c", "echo built"]'),
                ("d", ""),
            )
        ),
        "utf-8",
    )
    assert cli.main(["build", "--manifest", str(path)]) == 1
    out, err = capfd.readouterr()
    assert out == "built\n"
    assert err.splitlines()[:3] == [
        "error: a cannot be built: /no/make: No such file or directory; install /no/make and try again",
        "error: b cannot be built: exit status 3: sh -c exit 3",
        "note: a is skipped: a: cannot be started: No such file or directory; to have it: /no/make",
    ]
    assert cli.main(["build", "--manifest", str(path), "--contenders", "c", "d"]) == 0


def test_build_ends_with_who_can_be_run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    manifest = fakes.write_manifest(tmp_path / "m.toml", {"here": "honest", "away": "honest"})
    text = manifest.read_text("utf-8")
    missing = '[[contender]]\nname = "c"\ncommand = ["a"]\nversion = ["no-such"]\nmethods = ["naive"]\n'
    missing += 'hint = "wish"\n'
    manifest.write_text(text + missing, "utf-8")
    assert cli.main(["build", "--manifest", str(manifest)]) == 0
    out, err = capfd.readouterr()
    assert [line.partition(":")[0] for line in out.splitlines()] == ["here", "away"]
    assert (
        err == "note: c is skipped: no-such: cannot be started: No such file or directory; to have it: wish\n"
    )


def test_help_and_version_load_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "from harness.cli import main\n"
        "try:\n"
        "    main([sys.argv[1]])\n"
        "except SystemExit as end:\n"
        "    assert end.code == 0\n"
        "heavy = {'pandas', 'numpy', 'scipy', 'matplotlib', 'rich', 'filelock'}\n"
        "print('loaded:', *sorted(heavy & sys.modules.keys()))\n"
    )
    for word, start in (
        ("--help", "usage: python -m harness"),
        ("--version", f"flatnet harness {__version__}"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", program, word], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert done.stdout.startswith(start)
        assert done.stdout.endswith("\nloaded:\n")
        assert done.stderr == ""


def keys(folder: Path) -> list[tuple[str, ...]]:
    """Return what tells the rows of runs.csv apart, in their order."""
    names = ("sweep", "contender", "method", "layers", "control", "round")
    with (folder / "runs.csv").open(encoding="utf-8", newline="") as file:
        return [tuple(row[name] for name in names) for row in csv.DictReader(file)]


def bench(folder: Path, manifest: Path, *words: str) -> list[str]:
    return ["bench", "--results", str(folder), "--manifest", str(manifest), *ONE_CASE, *words]


def test_a_sweep_its_files_and_its_pictures(tmp_path: Path) -> None:
    manifest = fakes.write_manifest(tmp_path / "m.toml", {"a": "honest:4e-7", "b": "honest:5e-8"})
    folder = tmp_path / "results"
    shapes = ("--shapes", "4-2-1", "10-5-1", "16-8-1", "20-10-1", "--methods", "naive", "backprop")
    done = harness(*bench(folder, manifest), *shapes)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert "8.00x" in done.stdout
    # 2 methods, 3 rounds with the warm-up: 4 shapes, 2 contenders, a control in each of two decades.
    assert len(keys(folder)) == 2 * 3 * (4 * 2 + 2)
    plotted = harness("plot", "--results", str(folder))
    assert (plotted.returncode, plotted.stderr) == (0, "")
    pictures = sorted(folder.glob("*.png"))
    assert {picture.stem for picture in pictures} >= {"scaling", "speedup", "methods", "loss"}
    names = {path.name for path in pictures}
    assert {Path(line).name for line in plotted.stdout.splitlines()} == names | {"report.html"}
    assert all(picture.read_bytes().startswith(b"\x89PNG") for picture in pictures)
    assert sorted(path.name for path in folder.iterdir() if path.suffix != ".png") == [
        *(".lock", "alternatives.csv", "cost.csv", "crossover.csv", "environment.json", "latest"),
        *("losses.csv", "plan.json", "report.html", "runs.csv", "scaling.csv", "speedup.csv", "summary.csv"),
        "sweeps",
    ]
    shown = harness("show", "--results", str(folder), "--reference", "b")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "0.125x" in shown.stdout
    listed = harness("sweeps", "--results", str(folder))
    assert Archive(folder).find("latest").name in listed.stdout
    # Another sweep with --resume: there is nothing to finish.
    again = harness(*bench(folder, manifest), *shapes, "--resume")
    assert again.returncode == 2
    assert again.stderr.splitlines()[-1] == (
        "error: --resume: there is no sweep to go on with; leave the option out"
    )


def test_a_new_sweep_leaves_the_earlier_one_whole(tmp_path: Path) -> None:
    manifest = fakes.write_manifest(tmp_path / "m.toml", {"a": "honest:4e-7", "b": "honest:5e-8"})
    folder = tmp_path / "results"
    assert cli.main(bench(folder, manifest)) == 0
    assert cli.main(["plot", "--results", str(folder)]) == 0
    first = Archive(folder).find("latest")
    before = {path.name: path.read_bytes() for path in first.path.iterdir()}
    assert "scaling.png" in before
    assert cli.main(bench(folder, manifest, "--seed", "2")) == 0
    assert len(Archive(folder).sweeps()) == 2
    assert {path.name: path.read_bytes() for path in first.path.iterdir()} == before
    assert not (folder / "scaling.png").exists()
    assert {key[0] for key in keys(folder)} == {Archive(folder).find("latest").name}
    assert cli.main(["plot", "latest~1", "--results", str(folder)]) == 0
    assert not (folder / "scaling.png").exists()


def test_a_failure_makes_exit_status_1(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    manifest = fakes.write_manifest(tmp_path / "m.toml", {"a": "honest", "b": "wrong-at-7", "c": "garbled"})
    assert cli.main([*bench(tmp_path, manifest), "--seconds", "1.1"]) == 1
    out, err = capfd.readouterr()
    # 4 ms of 0.4 us hold 10,000 steps: 100 epochs of 100.
    assert "note: b naive 4-2-1, warm-up: mismatch: epoch 7: " in err
    assert "note: c naive 4-2-1, warm-up: garbled: printed 'Hello, world!\\n' where" in err
    assert "note: c naive was not run again at 4-2-1 and larger shapes" in err
    assert "Time of a training step" in out


def test_nothing_fits(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    manifest = fakes.write_manifest(tmp_path / "m.toml", {"a": "honest"})
    assert cli.main([*bench(tmp_path, manifest), "--budget", "1e-6"]) == 2
    assert capfd.readouterr().err.splitlines()[-1] == (
        "error: --budget: nothing fits into 1e-06 s with 2 rounds; raise it, or ask for smaller shapes"
    )


PILOTS = 3
"""A step is said to take 0.4 us: one step shows it, then come as many as a run may have."""


@contextmanager
def gated(tmp_path: Path) -> Iterator[tuple["subprocess.Popen[str]", Gate, list[str]]]:
    """Start a bench of one contender, whose every run waits at a gate."""
    gate = Gate(tmp_path / "gate")
    manifest = fakes.write_manifest(tmp_path / "m.toml", {"a": f"gate:{gate.path}"})
    words = bench(tmp_path / "results", manifest)
    with subprocess.Popen(
        [sys.executable, "-c", HARNESS, *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            for _ in range(PILOTS):
                gate.pass_one()
            yield process, gate, words
        finally:
            process.kill()
            gate.release()


# One case with its control: each of three rounds has two runs.
PLANNED = [
    ("a", "naive", "4-2-1", control, str(number))
    for number, turns in enumerate((("no", "yes"), ("yes", "no"), ("no", "yes")))
    for control in turns
]


@pytest.mark.parametrize("passed", [0, 1, 5])
def test_killed_and_resumed(tmp_path: Path, passed: int) -> None:
    """SIGKILL while a run goes on; the same command finishes the sweep, and nothing is measured twice."""
    folder = tmp_path / "results"
    with gated(tmp_path) as (process, gate, words):
        for _ in range(passed):
            gate.pass_one()
        with gate.hold():
            # The row of the run before was written before this one was started.
            before = (folder / "runs.csv").read_bytes() if passed else b""
            process.kill()
            process.wait()
    done = harness(*words)
    assert done.returncode == 0
    assert "note: going on with sweep " in done.stderr
    assert (folder / "runs.csv").read_bytes().startswith(before)
    found = keys(folder)
    assert len({key[0] for key in found}) == 1
    assert [key[1:] for key in found] == PLANNED


def test_ctrl_c_shows_the_tables_so_far(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    with gated(tmp_path) as (process, gate, words):
        for _ in range(4):
            gate.pass_one()
        with gate.hold():
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=STUCK_S)
        assert process.returncode == 130
        assert "Time of a training step" in out
        assert "note: interrupted; the same command goes on from here" in err
        assert "Traceback" not in err
    assert [key[1:] for key in keys(folder)] == PLANNED[:4]
    assert (folder / "summary.csv").exists()
    done = harness(*words)
    assert done.returncode == 0
    assert [key[1:] for key in keys(folder)] == PLANNED


def test_ctrl_c_before_anything_was_timed(tmp_path: Path) -> None:
    with gated(tmp_path) as (process, gate, _), gate.hold():
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=STUCK_S)
        assert process.returncode == 130
        assert "no timed run has ended well yet, so there is nothing to show" in err
        assert "Traceback" not in err
        assert "Time of a training step" not in out


def test_a_second_bench_on_the_same_folder(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    with gated(tmp_path) as (process, gate, words):
        with gate.hold():
            second = harness(*words)
            assert (second.returncode, second.stdout) == (1, "")
            assert (
                second.stderr == f"error: {folder}: another bench is writing there; wait, or use --results\n"
            )
        process.communicate(timeout=STUCK_S)
        assert process.returncode == 0
    assert [key[1:] for key in keys(folder)] == PLANNED


def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    manifest = fakes.write_manifest(tmp_path / "m.toml", {"a": "honest"})
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-c", HARNESS, "verify", "--cases", "1", "--manifest", str(manifest)],
        cwd=ROOT,
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (1, "")


def test_resume_asks_for_the_same_programs_on_the_same_machine(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """And says why a sweep stays unfinished."""
    manifest = fakes.write_manifest(tmp_path / "m.toml", {"a": "honest:4e-7"})
    folder = tmp_path / "results"
    assert cli.main(bench(folder, manifest)) == 0
    sweep = Archive(folder).find("latest")
    runs = (sweep.path / "runs.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (sweep.path / "runs.csv").write_text("".join(runs[:-1]), encoding="utf-8")
    plan = (sweep.path / "plan.json").read_text(encoding="utf-8")
    environment = (sweep.path / "environment.json").read_text(encoding="utf-8")

    def refused_because(name: str, text: str | None) -> str:
        path = sweep.path / name
        whole = path.read_text(encoding="utf-8")
        path.unlink() if text is None else path.write_text(text, encoding="utf-8")
        capfd.readouterr()
        assert cli.main(bench(folder, manifest, "--resume")) == 2
        path.write_text(whole, encoding="utf-8")
        *_, note, error = capfd.readouterr().err.splitlines()
        assert error == "error: --resume: there is no sweep to go on with; leave the option out"
        start = f"note: sweep {sweep.name} stays unfinished: "
        assert note.startswith(start)
        return note.removeprefix(start)

    for name in ("host", "commit"):
        text = json.dumps(json.loads(environment) | {name: "another"})
        reason = refused_because("environment.json", text)
        assert reason.startswith(f"its {name} differs from what is here now")
    assert refused_because("plan.json", plan.replace("fake honest", "fake 2")) == (
        "it is of a (fake 2), compared with a; here are a (fake honest), compared with a"
    )
    assert refused_because("plan.json", None) == "its plan.json is gone"
    old_rows = "".join(runs[:-1]).replace("threads,", "thread_count,", 1)
    assert refused_because("runs.csv", old_rows) == "another version of the harness wrote its runs.csv"
    assert cli.main(bench(folder, manifest, "--resume", "--rounds", "9")) == 0
    assert len((sweep.path / "runs.csv").read_text(encoding="utf-8").splitlines()) == len(runs)
    # With other options the same command would begin another; it says so.
    (sweep.path / "runs.csv").write_text("".join(runs[:-1]), encoding="utf-8")
    capfd.readouterr()
    assert cli.main(bench(folder, manifest, "--seed", "7")) == 0
    assert (
        f"note: sweep {sweep.name} stays unfinished: it was started with other options;"
        " --resume finishes it with those"
    ) in capfd.readouterr().err.splitlines()
    assert len(Archive(folder).sweeps()) == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("command", ["bench", "show", "verify"])
def test_a_full_device_is_one_line(tmp_path: Path, command: str) -> None:
    manifest = fakes.write_manifest(tmp_path / "m.toml", {"a": "honest:4e-7", "b": "honest:1e-7"})
    folder = tmp_path / "results"
    words = bench(folder, manifest)
    if command == "show":
        assert harness(*words).returncode == 0
        words = ["show", "--results", str(folder)]
    elif command == "verify":
        words = ["verify", "--cases", "1", "--manifest", str(manifest)]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", HARNESS, *words],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    errors = [line for line in done.stderr.decode().splitlines() if line[:6] not in ("", "note: ")]
    assert (done.returncode, errors) == (1, ["error: cannot write: No space left on device"])


def test_one_round_has_no_interval(tmp_path: Path) -> None:
    manifest = fakes.write_manifest(tmp_path / "m.toml", {"a": "honest:4e-7", "b": "honest:1e-7"})
    done = harness(*bench(tmp_path / "results", manifest), "--rounds", "1")
    assert done.returncode == 0
    assert "nan" not in done.stdout + done.stderr


@pytest.mark.parametrize("word", ["\0", "\n", "x" * 100_000, "\udcff", "--", "-", "=", "[red]"])
def test_words_that_nobody_types(tmp_path: Path, word: str) -> None:
    for words in ([word], ["plot", word], ["bench", "--shapes", word], ["bench", "--contenders", word]):
        if "\0" in word:
            continue
        done = harness(*words, "--results", str(tmp_path / "results"))
        assert done.returncode in (1, 2)
        assert done.stderr.count("\n") == 1
        assert done.stderr.startswith("error: ")
