"""The peers that are set up: each keeps the contract of the twins."""

import json
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from harness.case import Case, Shape
from harness.commands import verify
from harness.measure import runner
from harness.measure.contenders import Contender, attempt, load_manifest
from harness.measure.contract import arguments, parse_output
from harness.parity import compare
from harness.paths import ROOT

MANIFEST = load_manifest(ROOT / "peers" / "peers.toml")
PEERS = MANIFEST[2:]
PROGRAMS = [peer for peer in PEERS if "naive" in peer.methods]
"""Without those that are another's program with another option."""
GOLDEN = sorted((ROOT / "tests" / "golden").glob("*.out"))
CASES = list(verify.random_cases(200, 20_011))
SERVER = Path(__file__).with_name("many_cases.py")
LONG_S = 600.0


@cache
def reason_to_skip(version: tuple[str, ...]) -> str:
    return runner.ask(version)[1]


@pytest.fixture(params=PEERS, ids=lambda peer: peer.name)
def peer(request: pytest.FixtureRequest) -> Contender:
    one: Contender = request.param
    if reason := reason_to_skip(one.version):
        pytest.skip(f"{one.name}: {reason}; to have it: {one.hint}")
    return one


def test_the_twins_are_those_of_the_harness() -> None:
    assert MANIFEST[:2] == load_manifest()
    assert MANIFEST[0].name == "python"


def test_who_has_to_be_exact_is(peer: Contender) -> None:
    assert (peer.tolerance > 0.0) == (peer.name in ("jax", "numpy", "torch", "torch-by-hand"))


@pytest.mark.parametrize("peer", PROGRAMS, indirect=True, ids=lambda peer: peer.name)
@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_known_losses(peer: Contender, path: Path) -> None:
    words = path.stem.split()
    options = {"samples": 100, "epochs": 100, "step": 0.1, "learning_rate": 0.01, "low": 0.0, "high": 1.0}
    while words[0].startswith("--"):
        name, value = words.pop(0)[2:].replace("-", "_"), words.pop(0)
        options[name] = int(value) if name in ("samples", "epochs", "seed") else float(value)
    case = Case(shape=Shape(tuple(map(int, words))), method="naive", **options)  # type: ignore[arg-type]
    texts = path.read_bytes().replace(b"\r", b"\n").split()
    numbers = [float(text) for label, text in pairwise(texts) if label.endswith(b"oss:")]
    process, output = attempt(peer, case, timeout_s=LONG_S)
    assert output is not None, process.error
    verdict = compare(numbers[:-1], output.losses, peer.tolerance)
    assert verdict.holds, verdict.text


def test_losses_of_random_cases(peer: Contender) -> None:
    cases = [case for case in CASES if case.method in peer.methods]
    assert len(cases) > 60
    rust = MANIFEST[1]
    for case, losses in zip(cases, losses_of(peer, cases), strict=True):
        _, expected = attempt(rust, case, timeout_s=LONG_S)
        assert expected is not None
        verdict = compare(expected.losses, losses, peer.tolerance)
        assert verdict.holds, f"{case}: {verdict.text}: {peer.command_line(case)}"


def losses_of(peer: Contender, cases: Sequence[Case]) -> Iterator[tuple[float, ...]]:
    """Yield the losses of each case. A program in Python has all of them in one process: it starts slowly."""
    program = next((place for place, word in enumerate(peer.command) if word.endswith(".py")), None)
    if program is None:
        for case in cases:
            process, output = attempt(peer, case, timeout_s=LONG_S)
            assert output is not None, process.error
            yield output.losses
        return
    python, path, *words = peer.command
    ended = subprocess.run(
        [python, str(SERVER), path],
        input=json.dumps([[*words, *arguments(case)] for case in cases]),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    for case, (stdout, stderr) in zip(cases, json.loads(ended.stdout), strict=True):
        yield parse_output(case, stdout, stderr, LONG_S).losses


@pytest.mark.parametrize("peer", PROGRAMS, indirect=True, ids=lambda peer: peer.name)
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--method=guess", "2", "1"], "error: --method"),
        (["--method=naive", "--colour=red", "2", "1"], "error: "),
        (["--method=naive", "2"], "error: "),
        (["--method=naive", "2", "x"], "error: "),
        (["--method=naive", "--samples=0", "2", "1"], "error: "),
    ],
)
def test_bad_arguments_are_one_line(peer: Contender, words: list[str], message: str) -> None:
    ended = subprocess.run([*peer.command, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(message)
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("named", ["", "torch", "mojo", "torch mojo"])
def test_the_large_ones_are_set_up_if_they_are_named(named: str) -> None:
    said = make("--dry-run", "VENV=/nowhere", "TORCH=/nowhere", f"WITH={named}").stdout
    found = re.findall(r"for peer in (.*?);", said)[0].split()
    assert found == ["numpy", "numba", "jax", "c", "cython", "mypyc", "pyo3", *named.split()]


def test_a_large_one_that_there_is_not() -> None:
    ended = make("WITH=torch tensorflow")
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: WITH takes torch mojo; got torch tensorflow\n")


def make(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "-f", "peers/Makefile", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_a_wrong_order_of_sums_would_be_seen() -> None:
    rust = MANIFEST[1]
    case = replace(
        CASES[0], shape=Shape((12, 5, 1)), method="backprop", epochs=5, samples=5, learning_rate=0.01
    )
    _, output = attempt(rust, case, timeout_s=LONG_S)
    assert output is not None
    off = [loss * (1.0 + 1e-11) for loss in output.losses]
    assert not compare(output.losses, off, 1e-12).holds
    with pytest.raises(ValueError):
        parse_output(case, "", "", LONG_S)
