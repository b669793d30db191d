"""What people read is true: every command works, every link leads somewhere, every figure is the sweep's.

Commands that take minutes have less to do here, and those that would repeat this very test are only planned.
"""

import os
import re
import shlex
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from random import Random

import numpy as np
import pytest

from docs.figures import figures_of, filled
from harness.across import machines, predictions, selfcheck
from harness.analysis import alternatives, cost, crossover, kernels, ratios, scaling
from harness.analysis import article as claims
from harness.cli import main
from harness.measure.contenders import load_manifest
from harness.paths import ROOT
from harness.records import LOSS_COLUMNS
from harness.rows import COLUMNS, STATUSES
from tests import comparisons, estimators
from tests.programs import Program
from tests.sweeps import published

README = (ROOT / "README.md").read_text(encoding="utf-8")
EXPLAINED = (ROOT / "results" / "README.md").read_text(encoding="utf-8")
PEERS = ROOT / "peers" / "README.md"
DOCUMENTS = [ROOT / "README.md", PEERS, *sorted((ROOT / "docs").glob("*.md"))]

SMALL_SWEEP = "--shapes 4-2-1 10-5-1 --methods naive backprop --rounds 2 --seconds 0.01"
IN_ORDER = {
    "make bench": ["make", "bench", f"ARGS={SMALL_SWEEP}"],
    "make plot": ["make", "plot"],
    "make show": ["make", "show"],
    "make sweeps": ["make", "sweeps"],
    "make compare": ["make", "compare", "ARGS=latest latest"],
    "make compare BASE=HEAD~1": ["make", "--dry-run", "compare", "BASE=HEAD~1"],
    "make verify": ["make", "verify", "ARGS=--cases 3"],
    "make help": ["make", "--dry-run", "help"],
    "make scheduler": ["make", "--dry-run", "scheduler"],
    "make worker SCHEDULER=tcp://first:8786": ["make", "--dry-run", "worker", "SCHEDULER=tcp://first:8786"],
    "make peers": ["make", "--dry-run", "peers"],
    # These run this very test, or take minutes: it is shown that make knows how.
    "make test": ["make", "--dry-run", "test"],
    "make test-all": ["make", "--dry-run", "test-all"],
    "make article": ["make", "--dry-run", "article"],
    "make kernels": ["make", "--dry-run", "kernels"],
    "make selfcheck": ["make", "--dry-run", "selfcheck"],
    "make check": ["make", "--dry-run", "check"],
}


def commands() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    lines = [line.partition(" #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line]


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))
    }
    return subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def test_make_targets_in_order(tmp_path: Path) -> None:
    targets = {line for line in commands() if line.startswith("make") and "ARGS" not in line}
    assert targets == set(IN_ORDER)
    for command in IN_ORDER.values():
        done = run([*command, f"RESULTS={tmp_path}"])
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    made = {path.name for path in tmp_path.iterdir() if not path.name.startswith(".")}
    assert {"runs.csv", "speedup.csv", "scaling.png", "report.html", "latest", "sweeps"} <= made
    for name in made:
        assert name in EXPLAINED, f"results/README.md does not explain {name}"


def test_help_lists_every_target_that_the_readme_names() -> None:
    said = run(["make", "help"]).stdout.splitlines()
    listed = re.findall(r"^  ([a-z-]+)  +\S", "\n".join(said), re.MULTILINE)
    assert {line.split()[1] for line in commands() if line.startswith("make")} <= set(listed)
    assert len(listed) == 20
    assert max(map(len, said)) <= 80


def test_bad_arguments_are_refused_before_anything_is_built() -> None:
    done = run(["make", "bench", "ARGS=--round 3"])
    error, *_ = done.stderr.splitlines()
    assert done.stdout == ""
    assert error == "error: unknown argument '--round'; did you mean --rounds?; see make bench ARGS=--help"


@pytest.mark.parametrize("line", [line for line in commands() if "ARGS" in line])
def test_arguments(line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They are taken: what is missing afterwards is the manifest, or a sweep."""
    make, target, *others, words = shlex.split(line.partition(" > ")[0])
    assert (make, words.partition("=")[0]) == ("make", "ARGS")
    variables = dict(other.split("=") for other in others)
    assert variables.keys() <= {"PEERS", "BASE"}
    arguments = [target, *shlex.split(words.partition("=")[2]), "--results", str(tmp_path)]
    if "BASE" in variables:
        arguments += ["--revisions", variables["BASE"]]
    if target == "bench" or "BASE" in variables:
        arguments += ["--manifest", "/nowhere"]
    status = main(arguments)
    said = capsys.readouterr()
    if arguments[:2] == ["show", "docs/sweep"]:
        assert (status, said.err) == (0, "")
        assert "trains 10-5-1 (naive)" in said.out
    else:
        assert re.search(r"cannot be read: No such file|has no sweep|has only 0|no sweep has", said.err), (
            said.err
        )


def another_python() -> str:
    """Return an interpreter that is not the one of this test, or that one if there is no other."""
    for name in ("python3.14t", "python3.14", "python3.13", "pypy3", "python3.12", "python3.11", "python3"):
        command = [name, "-c", "import sys; print(sys.version_info >= (3, 9), sys.version)"]
        with suppress(OSError):
            done = run(command)
            if done.stdout.startswith("True") and sys.version not in done.stdout:
                return name
    return sys.executable


def test_the_manifest_of_the_recipe(tmp_path: Path) -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    path = tmp_path / "my-contenders.toml"
    shipped = (ROOT / "harness" / "contenders.toml").read_text(encoding="utf-8")
    python = another_python()
    path.write_text(shipped + block.replace('["python3.13"', f'["{python}"'), encoding="utf-8")
    contender = load_manifest(path)[-1]
    assert (contender.name, contender.command[0]) == ("python3.13", python)
    assert (
        main(["verify", "--manifest", str(path), "--cases", "2", "--contenders", "python", "python3.13"]) == 0
    )


@pytest.mark.parametrize(
    "line", [line for line in commands() if not line.startswith("make")], ids=lambda line: line[-40:]
)
def test_programs(line: str) -> None:
    words = [sys.executable if word == "python3" else word for word in shlex.split(line)]
    # The last of two counts: all the epochs would take seconds.
    done = run([*words, "--epochs", "2"])
    assert done.returncode == 0, done.stderr
    assert "Final Loss: " in done.stdout or "--learning-rate" in done.stdout


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links(path: Path) -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8")):
        assert (path.parent / link).exists(), f"{path.name} links to {link}"


def test_the_peers_have_as_many_lines_as_is_said() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| (.*?) \| (\d+) \| \d+ \|", PEERS.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert len(rows) == 10
    for name, what, count in rows:
        link = re.search(r"\]\(([^)]+)\)", what)
        said = len((PEERS.parent / link[1]).read_text(encoding="utf-8").splitlines()) if link else 0
        assert said == int(count), name


def test_every_figure_is_that_of_the_sweep() -> None:
    """If not: python -m docs.figures docs/sweep, and so for the other folders of sweeps there."""
    figures = {"estimators": estimators.table(), "comparisons": comparisons.table()}
    for plan in sorted((ROOT / "docs").glob("*/plan.json")):
        figures |= figures_of(published(plan.parent.name), ROOT / "docs")
    texts = [path.read_text(encoding="utf-8") for path in DOCUMENTS]
    assert [filled(text, figures) for text in texts] == texts
    places = re.findall(r"<!-- (\w[\w-]*) -->", "".join(texts))
    assert set(places) <= set(figures)
    assert {"sweep-answer", "peers-instead-backprop", "steps-instead-backprop", "selfcheck"} <= set(places)
    # A figure that is changed by hand is found.
    assert filled(texts[0].replace("(95% interval", "(99% interval"), figures) == texts[0]


def test_the_worked_example_of_a_contender(program: Program) -> None:
    text = (ROOT / "docs" / "contender.md").read_text(encoding="utf-8")
    example = text[text.index("## A worked example") :]
    command, *_ = re.findall(r"^    PROGRAM (.*)$", example, re.MULTILINE)
    lines = re.findall(r"^    ((?:Initial|Final|\\r).*)$", example, re.MULTILINE)
    expected = "".join(lines).replace("\\r", "\r").replace("\\n", "\n").encode()
    assert len(expected) == int(re.findall(r"these (\d+) bytes", example)[0])
    for method in ("naive", "incremental"):
        end = program.run(*command.replace("naive", method).split())
        assert end.out == expected


def test_the_random_numbers_that_are_named() -> None:
    text = (ROOT / "docs" / "contender.md").read_text(encoding="utf-8")
    rng = Random(1)
    assert f"the first numbers are {rng.random()!r} and {rng.random()!r}" in text


NAMED = {
    "runs": COLUMNS,
    "losses": LOSS_COLUMNS,
    "statuses": STATUSES,
    "summary": ["measure", "status", *ratios.spread(np.zeros(1))],
    "speedup": ratios.COLUMNS,
    "scaling": scaling.COLUMNS,
    "alternatives": alternatives.COLUMNS,
    "cost": cost.COLUMNS,
    "crossover": crossover.COLUMNS,
    "predictions": predictions.COLUMNS,
    "claims": claims.COLUMNS,
    "seeds": claims.SEEDS,
    "storage": claims.STORAGE,
    "parts": claims.PART_RUNS,
    "kernels": kernels.COLUMNS,
    "selfcheck": selfcheck.COLUMNS,
    "joined": machines.COLUMNS,
    "pooled": machines.POOLED_COLUMNS,
}


@pytest.mark.parametrize("name", NAMED)
def test_columns_are_explained(name: str) -> None:
    assert [column for column in NAMED[name] if f"`{column}`" not in EXPLAINED] == []


def test_what_is_learnt_from_the_peers_is_so() -> None:
    """The sentences of docs/peers.md, in their order, as far as they are about the sweep."""
    peers = published("peers").alternatives.set_index(["method", "layers", "contender"]).sort_index()
    times = peers["times_as_long"]
    shapes = ["10-5-1", "64-32-1", "256-128-1", "1000-1000-1"]
    for shape in shapes:
        # pyo3 is the same code.
        assert times["backprop", shape].drop(["jax", "numpy"]).min() > 0.99
        assert times["backprop", shape, "c"] > 1.5
        assert times["backprop", shape, "numba"] > 1.5
        assert times["backprop", shape, "pyo3"] < (1.2 if shape == "10-5-1" else 1.1)
        assert times["backprop", shape, "cython"] / times["backprop", shape, "c"] == pytest.approx(
            1.0, abs=0.1
        )
    assert times["backprop", "1000-1000-1", "jax"] < 0.8
    assert all(times["backprop", shape, "pyo3-steps"] > 2.0 for shape in shapes[:3])
    assert all(times["backprop", shape, "numpy"] < times["backprop", shape, "mypyc"] for shape in shapes[1:])
    assert times["naive", "10-5-1", "c"] > 1.05
    assert times["naive", "64-32-1", "c"] < 0.95
    assert (times["backprop"].xs("jax", level="contender")[shapes].diff().dropna() < 0.0).all()
    assert times["backprop", "10-5-1", "jax"] > 10.0
    assert times["backprop", "10-5-1", "numpy"] > times["backprop", "10-5-1", "python"]
    assert times["naive", "64-32-1", "numpy"] == pytest.approx(0.5, abs=0.02)
    steps = published("sweep").medians.set_index(["method", "layers", "contender"])["median"]
    assert steps["naive", "64-32-1", "rust"] / steps["incremental", "64-32-1", "rust"] == pytest.approx(
        400, abs=30
    )
    ratios = (times.xs("python", level="contender") / times.xs("mypyc", level="contender")).dropna()
    assert (ratios.min(), ratios.max()) == (pytest.approx(2.0, abs=0.1), pytest.approx(4.0, abs=0.1))
    article = peers["job_s"]["backprop", "10-5-1"]
    assert min(article["numba"], article["jax"]) > article["python"] > article["pypy"]
    assert set(
        peers["parity"].groupby("contender").first().loc[lambda text: ~text.str.startswith("identical")].index
    ) <= {
        "jax",
        "numpy",
    }
