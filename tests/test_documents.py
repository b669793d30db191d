"""What people read is true, short, said once, and every figure in it is that of a sweep."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import numpy as np
import pytest

from docs.figures import WIDTH, figures_of, filled, of_price, to_rust
from harness.across import machines, predictions, selfcheck
from harness.analysis import alternatives, cost, crossover, kernels, ratios, scaling
from harness.analysis import article as claims
from harness.paths import ROOT
from harness.records import LOSS_COLUMNS
from harness.rows import COLUMNS, STATUSES
from tests import comparisons, estimators, sweeps
from tests.programs import Program
from tests.sweeps import published

README = (ROOT / "README.md").read_text(encoding="utf-8")
EXPLAINED = (ROOT / "results" / "README.md").read_text(encoding="utf-8")
PEERS = ROOT / "peers" / "README.md"
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "results/README.md", "peers/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
LONG = 8
"""A sentence of more words says something that is said once."""


def plain(text: str) -> str:
    """Return a document without its comments and blocks of code."""
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    return re.sub(r"^```.*?^```$|^ {4,}\S.*?$", "", text, flags=re.DOTALL | re.MULTILINE)


def prose(text: str) -> list[str]:
    """Return the lines of a document that are not those of a table."""
    return [line for line in text.splitlines() if not line.startswith("|")]


def sentences(text: str) -> Iterator[str]:
    """Yield the long sentences of a document, and the rows of its tables."""
    # Each may say on which machine it was measured.
    text = plain(re.sub(r"<!-- (\w+-machine) -->.*?<!-- /\1 -->", "", text, flags=re.DOTALL))
    tables = re.sub(r"^\|.*\n\| ?-.*$", "", text, flags=re.MULTILINE)
    yield from (line for line in tables.splitlines() if line.startswith("|"))
    kept = [line for line in prose(text) if not line.startswith("#")]
    joined = re.sub(r"\n(?!\n|- |\d+\. |\|)", " ", "\n".join(kept))
    for sentence in re.split(r"(?<=[.:?!])\s+|\n", joined):
        words = re.findall(r"\w+", sentence.lower())
        if len(words) > LONG:
            yield " ".join(words)


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 140
    words = " ".join(prose(re.sub(r"<!--.*?-->", "", README, flags=re.DOTALL))).split()
    assert len(words) <= 900
    assert max(map(len, README.splitlines())) <= WIDTH
    asked = README[README.index("## How sure that is") : README.index("## Your own question")]
    assert asked.count("\n- ") == 9


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_lines_are_short(path: Path) -> None:
    """But for rows of tables, which cannot be wrapped, and commands."""
    text = path.read_text(encoding="utf-8")
    assert [line for line in prose(plain(text)) if len(line) > WIDTH] == []


def test_nothing_is_said_twice() -> None:
    said = Counter(one for path in DOCUMENTS for one in sentences(path.read_text(encoding="utf-8")))
    assert [one for one, count in said.items() if count > 1] == []


def anchors(path: Path) -> set[str]:
    """Return where a link into a document may lead, as GitHub names its headings."""
    heads = re.findall(r"^#+ (.*)$", plain(path.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_links(path: Path) -> None:
    for link, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", path.read_text(encoding="utf-8")):
        target = path.parent / link if link else path
        assert target.exists(), f"{path.name} links to {link}"
        assert not anchor or anchor in anchors(target), f"{path.name} links to {link}#{anchor}"


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
    # Two sweeps may still have to be measured.
    to_come = tuple(f"{name}-" for name in ("bits", "steps") if not (ROOT / "docs" / name).is_dir())
    assert [one for one in places if one not in figures and not one.startswith(to_come)] == []
    assert {"sweep-answer", "peers-instead-backprop", "bits-price", "selfcheck"} <= set(places)
    # A figure that is changed by hand is found.
    assert filled(texts[0].replace("(95% interval", "(99% interval"), figures) == texts[0]


def test_the_price_of_the_same_bits(tmp_path: Path) -> None:
    """Rust takes 1.5 times as long as with sums in any order at one shape, 4 times at another."""
    names, rows = ("rust", "any-order"), []
    for layers, seconds in (("4-2-1", (3.0, 2.0)), ("10-5-1", (4.0, 1.0))):
        rows += sweeps.pairs([seconds] * 9, sweeps.case(layers, "backprop"), names)
    figures = of_price(sweeps.understood(tmp_path, rows))
    assert figures["price"].splitlines()[2:] == [
        "| backprop | 4-2-1 | 1.50x (1.50 to 1.50) |",
        "| backprop | 10-5-1 | 4.00x (4.00 to 4.00) |",
    ]
    said = " ".join(figures["price-sentence"].split())
    assert "takes 1.50 (1.50 to 1.50; backprop 4-2-1) to 4.00 (4.00 to 4.00; backprop 10-5-1) times" in said


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
    peers = to_rust(published("peers")).set_index(["method", "layers", "contender"]).sort_index()
    times, verdict = peers["times_as_long"], peers["verdict"]
    shapes = ["10-5-1", "64-32-1", "256-128-1"]
    for shape in shapes:
        own = times["backprop", shape]
        assert own.drop(["rust", "mojo", "pyo3", "pyo3-epochs", "jax"]).min() > 2.0
        assert own["cython"] / own["c"] == pytest.approx(1.0, abs=0.15)
        assert times["naive", shape, "cython"] / times["naive", shape, "c"] == pytest.approx(1.0, abs=0.15)
        assert own["jax"] > 1.5
        assert verdict["naive", shape, "c"] == "slower"
        faster = set(own[verdict["backprop", shape] == "faster"].index)
        assert faster == ({"mojo"} if shape == "256-128-1" else set())
    for shape in shapes[1:]:
        assert verdict["backprop", shape, "pyo3"] == "cannot tell"
        assert times["naive", shape, "mojo"] == pytest.approx(1 / 5, abs=0.03)
        assert verdict["naive", shape, "numpy"] == "faster"
        assert times["backprop", shape, "numpy"] < times["backprop", shape, "mypyc"]
    assert times["backprop", "256-128-1", "mojo"] > 0.9
    assert {verdict[method, "10-5-1", "mojo"] for method in ("naive", "backprop")} == {"slower"}
    assert verdict["backprop", "64-32-1", "mojo"] == "slower"
    assert (times["backprop"].xs("jax", level="contender")[shapes].diff().dropna() < 0.0).all()
    assert times["backprop", "10-5-1", "jax"] > 10.0
    assert times["backprop", "10-5-1", "numpy"] > 0.95 * times["backprop", "10-5-1", "python"]
    assert times["naive", "256-128-1", "numpy"] == pytest.approx(0.5, abs=0.03)
    large = to_rust(published("large")).set_index("contender")
    assert large["verdict"]["mojo"] == "faster" and large["times_as_long"]["mojo"] > 0.9
    steps = published("sweep").medians.set_index(["method", "layers", "contender"])["median"]
    assert steps["naive", "64-32-1", "rust"] > 100.0 * steps["incremental", "64-32-1", "rust"]
    assert times["backprop", "10-5-1", "torch"] > 10.0 * times["backprop", "10-5-1", "python"]
    assert times["backprop", "64-32-1", "torch"] < times["backprop", "64-32-1", "python"]
    assert times["backprop", "64-32-1", "torch-by-hand"] == pytest.approx(
        times["backprop", "64-32-1", "numpy"], rel=0.2
    )
    assert times["backprop", "256-128-1", "torch-by-hand"] < times["backprop", "256-128-1", "numpy"]
    assert peers.xs("torch-by-hand", level="contender")["startup_s"].min() > 1.0
    ratios = (times.xs("python", level="contender") / times.xs("mypyc", level="contender")).dropna()
    assert 2.0 < ratios.min() < ratios.max() < 4.05
    article = peers["job_s"]["backprop", "10-5-1"]
    assert article[["numpy", "numba", "jax", "torch", "torch-by-hand"]].min() > article["python"]
    assert article["python"] > article["pypy"]
    parity = peers["parity"].groupby("contender").first()
    others = set(parity[~parity.str.startswith(("identical", "reference"))].index)
    assert others == {"jax", "numpy", "torch", "torch-by-hand"}
