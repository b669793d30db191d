"""The commands as people type them: exit statuses, one-line errors, Ctrl-C, kill, resume."""

import csv
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from harness import __version__, cli
from harness.contenders import ROOT
from harness.records import Folder
from tests import fakes

# A test run in the background has SIGINT ignored, and its children would inherit that.
HARNESS = (
    "import signal, sys\n"
    "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    "from harness.cli import main\n"
    "sys.exit(main())\n"
)
STUCK_S = 60.0
"""After this a command is said to hang; none takes nearly as long."""
ONE_CASE = ("--shapes", "4-2-1", "--methods", "naive", "--rounds", "2", "--seconds", "0.1")


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Put back the signal handler that a command sets."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


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
            "error: --rounds: got '0', takes an integer from 1 to 2^64 - 1;"
            " see python -m harness bench --help",
        ),
        (
            ["bench", "--rounds", "many"],
            "error: --rounds: got 'many', takes an integer from 1 to 2^64 - 1;"
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
        (["plot", "--round", "3"], "error: unrecognized arguments: --round 3; see python -m harness --help"),
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


def test_an_unknown_command_and_method(capfd: pytest.CaptureFixture[str]) -> None:
    # The list of choices is argparse's, which quotes it in its own way in each version.
    status, line = refused(capfd, "dance")
    assert status == 2 and line.startswith("error: COMMAND: invalid choice: 'dance'")
    status, line = refused(capfd, "bench", "--methods", "magic")
    assert status == 2 and line.startswith("error: --methods: invalid choice: 'magic'")


def test_missing_results(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    absent = tmp_path / "absent"
    assert refused(capfd, "plot", "--results", str(absent)) == (
        1,
        f"error: {absent}: has no timed runs to draw; run make bench first",
    )


def test_results_that_cannot_be_written(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_bytes(b"")
    path = tmp_path / "file" / "results"
    assert refused(capfd, "bench", "--results", str(path)) == (
        1,
        f"error: {path}: cannot be created: Not a directory; what was measured before is kept,"
        " mend this and run the same command again",
    )


def test_results_edited_into_nonsense(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    manifest = fakes.write_manifest(tmp_path / "m.toml", {"a": "honest"})
    folder = Folder(tmp_path)
    folder.append_row(fakes.row())
    path = tmp_path / "runs.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("naive", "magic"), encoding="utf-8")
    line = (
        f"error: {path}, line 2: method is 'magic', takes naive, incremental, backprop;"
        " restore or remove the line"
    )
    for words in (["plot"], ["bench", "--manifest", str(manifest)]):
        assert refused(capfd, *words, "--results", str(tmp_path)) == (1, line)
    path.unlink()
    (tmp_path / "plan.json").write_text("{}", encoding="utf-8")
    status = cli.main(["bench", "--manifest", str(manifest), "--results", str(tmp_path)])
    errors = [line for line in capfd.readouterr().err.splitlines() if not line.startswith("note: ")]
    assert (status, errors) == (
        1,
        [f"error: {tmp_path / 'plan.json'}: is not a plan: KeyError('cases'); remove it to start anew"],
    )


def test_nobody_is_there(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "m.toml"
    path.write_text(
        '[[contender]]\nname = "a"\ncommand = ["a"]\nversion = ["/no/a"]\nmethods = ["naive"]\n', "utf-8"
    )
    assert cli.main(["verify", "--manifest", str(path)]) == 2
    assert capfd.readouterr().err.splitlines() == [
        "note: a is skipped: /no/a: No such file or directory",
        "error: no contender can be run; build them with: make build",
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
    assert err.splitlines() == [
        "error: a cannot be built: /no/make: No such file or directory; install /no/make and try again",
        "error: b cannot be built: exit status 3: sh -c exit 3",
    ]
    assert cli.main(["build", "--manifest", str(path), "--contenders", "c", "d"]) == 0


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
    manifest = fakes.write_manifest(tmp_path / "m.toml", {"a": "honest:0.004", "b": "honest:0.0005"})
    folder = tmp_path / "results"
    shapes = ("--shapes", "4-2-1", "10-5-1", "16-8-1", "20-10-1", "--methods", "naive", "backprop")
    done = harness(*bench(folder, manifest), *shapes)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert "8.00x (8.00 to 8.00)" in done.stdout
    assert f"rows and summaries: {folder}; pictures: make plot" in done.stdout
    # 2 methods, 3 rounds with the warm-up: 4 shapes, 2 contenders and a control.
    assert len(keys(folder)) == 2 * 3 * (4 * 2 + 1)
    plotted = harness("plot", "--results", str(folder))
    assert (plotted.returncode, plotted.stderr) == (0, "")
    pictures = [folder / f"{name}.png" for name in ("scaling", "speedup", "methods", "loss")]
    assert plotted.stdout.splitlines() == list(map(str, pictures))
    assert all(picture.read_bytes().startswith(b"\x89PNG") for picture in pictures)
    assert sorted(path.name for path in folder.iterdir() if path.suffix != ".png") == [
        *(".lock", "environment.json", "losses.csv", "plan.json"),
        *("runs.csv", "scaling.csv", "speedup.csv", "summary.csv"),
    ]
    # Another sweep with --resume: there is nothing to finish.
    again = harness(*bench(folder, manifest), *shapes, "--resume")
    assert again.returncode == 2
    assert again.stderr.splitlines()[-1] == (
        "error: --resume: no unfinished sweep of these programs on this machine; leave the option out"
    )


def test_a_failure_makes_exit_status_1(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    manifest = fakes.write_manifest(tmp_path / "m.toml", {"a": "honest", "b": "wrong-at-7", "c": "garbled"})
    assert cli.main([*bench(tmp_path, manifest), "--seconds", "1.1"]) == 1
    out, err = capfd.readouterr()
    # 1.1 s of 1 ms hold 1100 steps: 11 epochs of 100.
    assert "note: b naive 4-2-1, round 0: mismatch: epoch 7: " in err
    assert "note: c naive 4-2-1, round 0: garbled: printed 'Hello, world!\\n' where" in err
    assert "note: c naive was not run again at 4-2-1 and larger shapes" in err
    assert "Time per training step" in out


def test_nothing_fits(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    manifest = fakes.write_manifest(tmp_path / "m.toml", {"a": "honest"})
    assert cli.main([*bench(tmp_path, manifest), "--budget", "1e-6"]) == 2
    assert capfd.readouterr().err.splitlines()[-1] == (
        "error: --budget: nothing fits into 1e-06 s with 2 rounds;"
        " raise it, or ask for fewer rounds or smaller shapes"
    )


class Gate:
    """Two named pipes at which every run of a fake waits: it tells the one, and is let on by the other."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._in, self._out = path.with_name(f"{path.name}.in"), path.with_name(f"{path.name}.out")
        os.mkfifo(self._in)
        os.mkfifo(self._out)

    def pass_one(self) -> None:
        """Wait for a run to arrive and let it go on."""
        self._wait()
        with self._out.open("wb"):
            pass

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Wait for a run to arrive, and let it go on at the end; the next ones find no gate."""
        self._wait()
        with self._out.open("wb"):
            yield
            self._in.unlink()

    def _wait(self) -> None:
        """Wait for a run to arrive; fail where none does, because the bench has ended for some reason."""
        pipe = os.open(self._in, os.O_RDONLY | os.O_NONBLOCK)
        try:
            assert select.select([pipe], [], [], STUCK_S)[0]
            os.set_blocking(pipe, True)
            while os.read(pipe, 100):
                pass
        finally:
            os.close(pipe)

    def release(self) -> None:
        """Let go whoever still waits, as after a test that failed."""
        for path, mode in ((self._in, os.O_RDONLY), (self._out, os.O_WRONLY)):
            with suppress(OSError):
                os.close(os.open(path, mode | os.O_NONBLOCK))


PILOTS = 2
"""A step is said to take 1 ms: one step shows it, then 50 are 0.05 s."""


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
        assert "Time per training step" in out
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
        assert "note: no timed run has ended well yet, so there is nothing to summarise" in err
        assert "Traceback" not in err
        assert "Time per training step" not in out


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


def test_resume_asks_for_the_same_machine_and_commit(tmp_path: Path) -> None:
    manifest = fakes.write_manifest(tmp_path / "m.toml", {"a": "honest:0.004"})
    folder = tmp_path / "results"
    assert harness(*bench(folder, manifest)).returncode == 0
    runs = (folder / "runs.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "runs.csv").write_text("".join(runs[:-1]), encoding="utf-8")
    environment = json.loads((folder / "environment.json").read_text(encoding="utf-8"))
    for changed in ("host", "commit"):
        (folder / "environment.json").write_text(
            json.dumps(environment | {changed: "another"}), encoding="utf-8"
        )
        refused = harness(*bench(folder, manifest), "--resume")
        assert refused.returncode == 2
        assert "no unfinished sweep of these programs on this machine" in refused.stderr
    (folder / "environment.json").write_text(json.dumps(environment), encoding="utf-8")
    assert harness(*bench(folder, manifest), "--resume").returncode == 0
    assert len((folder / "runs.csv").read_text(encoding="utf-8").splitlines()) == len(runs)


def test_a_broken_table_of_kernels_leaves_the_pictures_of_the_sweep(tmp_path: Path) -> None:
    manifest = fakes.write_manifest(tmp_path / "m.toml", {"a": "honest:0.004"})
    folder = tmp_path / "results"
    assert harness(*bench(folder, manifest)).returncode == 0
    (folder / "kernels.csv").write_text("nonsense\n", encoding="utf-8")
    plotted = harness("plot", "--results", str(folder))
    assert plotted.returncode == 1
    assert plotted.stderr.count("\n") == 1
    assert plotted.stderr.startswith(f"error: {folder / 'kernels.csv'}: ")
    assert (folder / "scaling.png").exists()
