"""Every command that people read works: each is run as it is typed, in a copy of the project.

What would take long has less to do there. What would take minutes all the same is only read, by make and by
the parser of its arguments. make says what it would run, and a process that has loaded the harness runs it.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest

from harness import cli
from harness.archive import Archive
from harness.paths import ROOT
from harness.records import ENVIRONMENT, SweepFolder
from tests.loaded import Loaded, loaded
from tests.programs import RUST_BINARY

DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "results/README.md", "peers/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
OURS = ("git", "make", "taskset", "python", "python3", ".venv/bin/python", "rust_impl/target/release/flatnet")
"""How commands begin that the project answers for."""


class Typed(NamedTuple):
    """What becomes of a command."""

    says: str
    """What it writes contains this expression; '': it is only read."""
    cut: str = ""
    """Words that are added, so that it has less to do."""
    statuses: tuple[int, ...] = (0,)
    """The exit statuses that it may have."""


READ = Typed("")
SHORT = "--seconds 0.02"
FEW = f"--shapes 4-2-1 10-5-1 --methods naive backprop --rounds 2 {SHORT}"
ONE = "--shapes 4-2-1 --methods backprop --rounds 2"
ALONE = f"{ONE} --contenders rust"
STEP = r"rust trains 4-2-1 \(backprop\) in 10.0 µs a step"
TWO_REVISIONS = "--shapes 4-2-1 --methods backprop --budget 3"
COMMANDS = {
    'make bench ARGS="--shapes 20-20-20-1 --methods backprop"': Typed(
        r"rust trains 4-2-1 \(backprop\)", f"{ONE} {SHORT}"
    ),
    "make bench": Typed(r"rust trains 10-5-1 \(naive\) 100 times as fast as python", FEW),
    # What is there to be looked at.
    "make show": Typed(r"rust trains 10-5-1 \(naive\) 100 times"),
    'make show ARGS="latest~1 --reference rust"': Typed(r"python trains 4-2-1 \(backprop\) 0\S+ times"),
    'make show ARGS="--reference rust --margin 5%"': Typed(r"python trains 10-5-1 \(naive\)"),
    "make show ARGS=docs/sweep": Typed(r"512-256-1"),
    "make show ARGS=results/machines/ID/NAME": Typed("rust trains 10-5-1"),
    'make show ARGS="latest --format hyperfine" > hyperfine.json': Typed(r'^\{\n +"results": \['),
    'make show ARGS="latest --format pytest-benchmark" > 0001_flatnet.json': Typed('"benchmarks": '),
    'make show ARGS="latest --format markdown" > sweep.md': Typed(r"\| 10-5-1 \|"),
    "make plot": Typed(r"report\.html\n$"),
    'make plot ARGS="latest~1 --reference rust"': Typed(r"report\.html\n$"),
    "make sweeps": Typed(r" 1 +9 +0 (.*\n)+.* 4 +36 +0 "),
    'make sweeps ARGS="--case naive 10-5-1"': Typed(r"results/history\.csv\n.*results/history\.png"),
    "make compare": Typed(r"Training .* with python as the yardstick: of 1 case"),
    'make compare ARGS="latest~1 latest"': Typed("of 1 case"),
    'make compare ARGS="docs/sweep latest --fail-slower 5% --format markdown"': Typed(
        r"\| naive +\| 10-5-1", statuses=(0, 1)
    ),
    'make join ARGS="latest laptop/2026-11-24T03-32-52.123Z server/2026-11-24T03-40-07.508Z"': Typed(
        "laptop(.*\n)*Table, summary and picture: "
    ),
    "make predict ARGS=200-100-1": Typed("Predicted for 200-100-1", "--sweep docs/sweep"),
    # Nothing is measured but losses.
    "make verify": Typed("3 random cases, python, rust: 3 identical", "--cases 3"),
    'make verify ARGS="--manifest my-contenders.toml"': Typed(
        "3 random cases, python, rust, python3.13: 3 identical", "--cases 3"
    ),
    # Other sweeps.
    'make bench ARGS="--shapes 10-5-1 20-20-20-1 --methods naive backprop --rounds 31 --seconds 0.2"': Typed(
        STEP, ALONE
    ),
    'make bench ARGS="--contenders python rust --seed 42 --budget 60 --fresh"': Typed(STEP, ALONE),
    'make bench ARGS="--job 20x1000"': Typed(STEP, ALONE),
    'make bench ARGS="--precision 2% --budget 1200"': Typed("100 times", "--shapes 4-2-1 --methods backprop"),
    'make bench ARGS="--layouts 8 --methods naive"': Typed(
        "layout: [1-8] links of rust", f"{ALONE} --rounds 8"
    ),
    'make bench ARGS="--manifest my-contenders.toml"': Typed(STEP, ALONE),
    'make bench ARGS="--manifest my-contenders.toml --contenders python python3.13"': Typed(
        r"python3.13 trains 4-2-1 \(backprop\)", f"{ONE} {SHORT}"
    ),
    'make bench PEERS=1 ARGS="--methods backprop --budget 600"': Typed(STEP, ALONE),
    "make bench ARGS=--help": Typed("usage: .*bench"),
    # The peers are not set up there.
    "make bench PEERS=1": READ,
    'make bench PEERS=1 ARGS="--contenders python rust c"': Typed("error: c cannot be run", statuses=(2,)),
    'make bench PEERS=1 ARGS="--contenders python rust numba"': Typed(
        "error: numba cannot be run", statuses=(2,)
    ),
    'make bench PEERS=1 ARGS="--contenders python rust numba --methods backprop"': READ,
    'make bench PEERS=1 ARGS="--contenders python NAME"': Typed("got 'NAME', takes c, cython", statuses=(2,)),
    # Revisions.
    "make compare BASE=HEAD~1": Typed("against HEAD~1: of 1 case", TWO_REVISIONS),
    'make compare BASE=HEAD~1 ARGS="--fail-slower 5%"': READ,
    'make compare BASE=HEAD~5 ARGS="--contenders rust --shapes 10-5-1 --fail-slower 5%"': READ,
    'make compare ARGS="--revisions HEAD~2 HEAD"': READ,
    "make compare BASE=...": READ,
    'make compare BASE=origin/main ARGS="--fail-slower 5%"': READ,
    ".venv/bin/python -m harness compare --revisions origin/main --fail-slower 5%": READ,
    # The programs by themselves.
    "python3 python_impl/main.py 10 5 1": Typed("^Seed: ", "--epochs 2"),
    "rust_impl/target/release/flatnet 10 5 1": Typed("^Seed: ", "--epochs 2"),
    "rust_impl/target/release/flatnet --method backprop --seed 7 --epochs 20 64 32 1": Typed("20/20: loss: "),
    "python3 python_impl/main.py --help": Typed("--learning-rate"),
    # What takes minutes, other machines, or this very test.
    "make PYTHON=/path/to/python3 bench": READ,
    "make build": Typed("rust: flatnet "),
    "make help": READ,
    **dict.fromkeys(
        (
            *("make test", "make test-all", "make check", "make peers", "make clean"),
            'make peers WITH="torch mojo"',
            *("make article", "make kernels", "make selfcheck", "make predict ARGS=--check"),
            *("make scheduler", "make worker SCHEDULER=tcp://first:8786"),
            'make scheduler ARGS="--host 127.0.0.1"',
            "taskset -c 0 env FLATNET_MACHINE=a make worker SCHEDULER=tcp://127.0.0.1:8786",
            "taskset -c 1 env FLATNET_MACHINE=b make worker SCHEDULER=tcp://127.0.0.1:8786",
            'make scheduler ARGS="--protocol tls --tls-ca-file ca.pem --tls-cert cert.pem --tls-key key.pem"',
            "make worker SCHEDULER=tls://first:8786"
            ' ARGS="--tls-ca-file ca.pem --tls-cert cert.pem --tls-key key.pem"',
            'make bench ARGS="--scheduler tcp://first:8786"',
            'make bench ARGS="--scheduler tcp://first:8786 --split --budget 3600"',
            'make bench ARGS="--scheduler tls://first:8786'
            ' --tls-ca-file ca.pem --tls-cert cert.pem --tls-key key.pem"',
            "python -m harness.machines.station",
            ".venv/bin/python -m tests.killing",
            ".venv/bin/python -m tests.scale",
            "git bisect start --no-checkout HEAD v1",
            "git bisect run .venv/bin/python -m harness compare --revisions v1 BISECT_HEAD --fail-slower 5%"
            " --contenders rust",
            "git bisect reset",
            ".venv/bin/python -m docs.figures docs/sweep",
            "make format",
            ".venv/bin/python -m pytest tests/test_case.py",
        ),
        READ,
    ),
}
"""All of them, in an order in which they can be typed."""
MENTIONED = ("make predict", "make worker", "git bisect")
"""What is only spoken of, and takes arguments."""


def commands() -> set[str]:
    """Return every command of the documents: in blocks, in tables and in sentences."""
    found: list[str] = []
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
        found += [line.partition(" #")[0] for block in blocks for line in block.splitlines()]
        found += re.findall(r"^    (.*)$|^- run: (.*)$", text, re.MULTILINE)
        found += re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    lines = {" ".join("".join(one).split()) for one in found}
    return {line for line in lines if line.split(" ")[0] in OURS and " " in line}


def test_every_command_is_run_or_read() -> None:
    assert commands() == {*COMMANDS, *MENTIONED}


def said_by_make(*words: str) -> "subprocess.CompletedProcess[str]":
    """Return what make does in the project itself."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(["make", *words], cwd=ROOT, env=kept, capture_output=True, text=True, check=False)


def test_help_lists_every_target_that_the_documents_name() -> None:
    said = said_by_make("help").stdout.splitlines()
    listed = re.findall(r"^  ([a-z-]+)  +\S", "\n".join(said), re.MULTILINE)
    assert set(re.findall(r"make ([a-z-]+)\b", " ".join(commands()))) - {"build"} <= set(listed)
    assert len(listed) == 20
    assert max(map(len, said)) <= 80


def test_bad_arguments_are_refused_before_anything_is_built() -> None:
    done = said_by_make("bench", "ARGS=--round 3")
    error, *_ = done.stderr.splitlines()
    assert done.stdout == ""
    assert error == "error: unknown argument '--round'; see make bench ARGS=--help"


CLOCKED = """
import re
from dataclasses import replace
from harness.measure import pilots, planner, runner

def clocked(command, run=runner.run, **options):
    process, steps = run(command, **options), 0
    if counts := re.findall(r"--(?:samples|epochs)=(\\d+)", " ".join(command)):
        steps = int(counts[0]) * int(counts[1])
    seconds = steps * (1e-3 if "main.py" in command[1] else 1e-5)
    told = re.sub(r"(Training Time:) \\S+", rf"\\1 {seconds:.9f}", process.stderr)
    return replace(process, stderr=told, wall_s=seconds + 0.01)

runner.run = clocked
pilots._LONG_S = 0.0
planner._FEWEST_ROUNDS = planner._MOST_ROUNDS = 2
"""
"""What a process that has loaded the harness does before it runs commands.

A training step takes 1 ms in Python and 10 us in other programs, by a clock that no other work disturbs; so
nothing warms up, nothing is run for long to see that, and two rounds tell as much as seven.
"""
CARGO = """#!/bin/sh
while [ "$1" != --target-dir ]; do shift; done
mkdir -p "$2/release" && cp '{binary}' "$2/release/flatnet"
"""
"""Builds in no time what is built already."""
DIRECTED = re.compile(r"^\.venv/bin/python -m harness (.*)$", re.MULTILINE)


class Copy:
    """A copy of the project, with a history, into which commands are typed."""

    def __init__(self, path: Path) -> None:
        apart = shutil.ignore_patterns(
            ".git", ".venv*", "target", "build", "sweeps", "__pycache__", ".*_cache"
        )
        shutil.copytree(ROOT, path, ignore=apart)
        shutil.rmtree(path / "results")
        (path / "results").mkdir()
        (path / ".venv").symlink_to(ROOT / ".venv")
        (path / "peers" / "c" / "flatnet").unlink(missing_ok=True)
        cargo = path / "bin" / "cargo"
        cargo.parent.mkdir()
        cargo.write_text(CARGO.format(binary=RUST_BINARY), encoding="utf-8")
        cargo.chmod(0o755)
        (path / "rust_impl" / "target" / "release").mkdir(parents=True)
        shutil.copy(RUST_BINARY, path / "rust_impl" / "target" / "release")
        names = ("MAKE", "MFLAGS", "GIT_")
        kept = {name: text for name, text in os.environ.items() if not name.startswith(names)}
        self.path = path
        self.environment = kept | {"PATH": f"{cargo.parent}{os.pathsep}{kept['PATH']}"}

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run anything else than the harness."""
        return subprocess.run(
            words,
            cwd=self.path,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def run_harness(self, harness: Loaded, words: list[str], file: str) -> tuple[int, str]:
        """Run the harness, its output going to ``file``; return its status, and all that it wrote."""
        out, err = (self.path / name for name in (file or "out", "err"))
        harness.start(words, out, err, self.environment)
        return harness.wait(), out.read_text(encoding="utf-8") + err.read_text(encoding="utf-8")

    def commit(self, count: int) -> None:
        """Make a history of so many revisions, each with another Python program."""
        git = ("git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main")
        self.run(*git, "init", "-q")
        for number in range(count):
            with (self.path / "python_impl" / "main.py").open("a", encoding="utf-8") as program:
                program.write(f"# {number}\n")
            self.run(*git, "add", "-A")
            self.run(*git, "commit", "-q", "-m", str(number))
        self.run(*git, "update-ref", "refs/remotes/origin/main", "HEAD~1")

    def lay_out(self) -> None:
        """Put the latest sweep where commands expect those of other machines."""
        latest = Archive(self.path / "results").find("latest").path
        for host, name in (
            ("laptop", "laptop/2026-11-24T03-32-52.123Z"),
            ("server", "server/2026-11-24T03-40-07.508Z"),
            ("ID", "results/machines/ID/NAME"),
        ):
            shutil.copytree(latest, self.path / name)
            folder = SweepFolder(self.path / name)
            folder.write_json(ENVIRONMENT, {**folder.environment(), "host": host})


def another_python() -> str:
    """Return an interpreter that is not the one of this test, or that one if there is no other."""
    for name in ("python3.14t", "python3.14", "python3.13", "pypy3", "python3.12", "python3.11", "python3"):
        ask = [name, "-c", "import sys; print(sys.version_info >= (3, 9), sys.version)"]
        with suppress(OSError):
            said = subprocess.run(ask, capture_output=True, text=True, check=False).stdout
            if said.startswith("True") and sys.version not in said:
                return name
    return sys.executable


def my_contenders() -> str:
    """Return the shipped manifest with the entry of the recipe, of an interpreter that is here."""
    recipes = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    _, entry, *_ = re.split(r"```(?:toml\n)?", recipes[recipes.index("```toml") :])
    shipped = (ROOT / "harness" / "contenders.toml").read_text(encoding="utf-8")
    return shipped + entry.replace('["python3.13"', f'["{another_python()}"')


@pytest.mark.usefixtures("programs")
def test_every_command(tmp_path: Path, subtests: pytest.Subtests, monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, as they depend on what those before have measured."""
    copy = Copy(tmp_path / "copy")
    monkeypatch.chdir(copy.path)
    copy.commit(6)
    for name in ("ca.pem", "cert.pem", "key.pem"):
        Path(name).touch()
    (copy.path / "my-contenders.toml").write_text(my_contenders(), encoding="utf-8")
    with loaded(copy.path, CLOCKED) as harness:
        for command, typed in COMMANDS.items():
            if command == "make show":
                copy.lay_out()
            with subtests.test(command):
                status, said = answer(copy, harness, command, typed)
                assert status in typed.statuses, said
                assert re.search(typed.says, said), said


def answer(copy: Copy, harness: Loaded, command: str, typed: Typed) -> tuple[int, str]:
    """Return the exit status of a command, and what it said."""
    line, _, file = command.partition(" > ")
    words = shlex.split(line)
    if "python" in words[0] and "-m" in words and "harness" not in words:
        assert find_spec(words[2])
        return 0, ""
    if words[0] in ("python3", "rust_impl/target/release/flatnet"):
        words[0] = sys.executable if words[0] == "python3" else words[0]
        done = copy.run(*words, *typed.cut.split())
        return done.returncode, done.stdout
    if "make" in words:
        words[words.index("make") :] = ["make", "--dry-run", *words[words.index("make") + 1 :]]
        words = [sys.executable.join(word.split("/path/to/python3")) for word in words]
        done = copy.run(*words)
        directed = DIRECTED.findall(done.stdout)
        if done.returncode or not directed:
            return done.returncode, done.stdout
        words = shlex.split(directed[-1])
    elif "harness" in words:
        words = words[words.index("harness") + 1 :]
    else:
        return 0, ""
    if not typed.says:
        cli._parse(words)
        return 0, ""
    return copy.run_harness(harness, [*words, *typed.cut.split()], file)
