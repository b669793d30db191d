"""The peers: each keeps the contract of the twins."""

import shutil
from itertools import pairwise
from pathlib import Path

import pytest

from harness.case import Case, Shape
from harness.measure import verify
from harness.measure.attempt import attempt
from harness.measure.contenders import ROOT, Contender, build, load_manifest, select

PEERS = ROOT / "peers" / "peers.toml"
GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.out"))


@pytest.fixture(scope="module")
def c() -> Contender:
    if not shutil.which("cc"):
        pytest.skip("no C compiler")
    manifest = select(load_manifest(PEERS), ["c"])
    assert build(manifest) == []
    return manifest.contenders[0]


def test_the_twins_are_those_of_the_harness() -> None:
    twins = load_manifest().contenders
    assert load_manifest(PEERS).contenders[: len(twins)] == twins


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_c_has_the_known_losses(c: Contender, path: Path) -> None:
    words = path.stem.split()
    options = {"samples": 100, "epochs": 100, "step": 0.1, "learning_rate": 0.01, "low": 0.0, "high": 1.0}
    while words[0].startswith("--"):
        name, value = words.pop(0)[2:].replace("-", "_"), words.pop(0)
        options[name] = int(value) if name in ("samples", "epochs", "seed") else float(value)
    case = Case(shape=Shape(tuple(map(int, words))), method="naive", **options)  # type: ignore[arg-type]
    output = attempt(c, case, timeout_s=60.0, memory_bytes=None).output
    assert output is not None
    texts = path.read_bytes().replace(b"\r", b"\n").split()
    numbers = [float(text) for label, text in pairwise(texts) if label.endswith(b"oss:")]
    assert list(output.losses) == numbers[:-1]


def test_c_has_the_losses_of_the_twins_on_random_cases(c: Contender) -> None:
    rust = load_manifest().contenders[1]
    for case in verify.random_cases(60, 20_011):
        if case.method in c.methods:
            assert verify.check(case, [rust, c], 60.0).differences == (), case
