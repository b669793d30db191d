"""The article: verdicts from intervals that are known, parts of its run from times that are known."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.patches import Rectangle

from harness import cli
from harness.analysis import article as claims
from harness.analysis.results import Results
from harness.claims import Article, Claim, Storage, load
from harness.commands import article
from harness.errors import NothingMeasured
from harness.paths import ROOT
from harness.report import pictures_across, style, tables_across
from harness.terminal import Terminal
from tests import fakes, sweeps
from tests.sweeps import pairs, understood

NO_ROUNDS = pd.DataFrame(columns=claims.STORAGE)
NO_SEEDS = pd.DataFrame(columns=claims.SEEDS)


def claim(**about: object) -> Claim:
    given: dict[str, object] = {
        "name": "x",
        "says": "It is so",
        "table": "speedup",
        "where": {"contender": "rust", "measure": "training"},
        "holds": "above",
        "limit": 1.0,
    }
    return Claim(**(given | about))  # type: ignore[arg-type]


def judged(results: Results, of: Claim) -> dict[str, str]:
    article = Article(claim=(of,), run=load().run, storage=())
    (line,) = claims.judged(article, results, NO_ROUNDS, NO_SEEDS).to_dict("records")
    return {str(name): str(text) for name, text in line.items()}


@pytest.fixture
def results(tmp_path: Path) -> Results:
    """Return a sweep in which Rust is faster at one shape, slower at another, and equal at a third."""
    rows = [
        *pairs([(4.0, 1.0 + 0.01 * (n % 3)) for n in range(30)]),
        *pairs([(1.0, 2.0 + 0.01 * (n % 3)) for n in range(30)], of=sweeps.case("10-5-1")),
        *pairs([(1.0, 1.0 + 0.1 * (n % 3 - 1)) for n in range(30)], of=sweeps.case("16-8-1")),
    ]
    return understood(tmp_path, rows)


@pytest.mark.parametrize(
    ("layers", "holds", "word"),
    [
        ("4-2-1", "above", "confirmed"),
        ("4-2-1", "below", "refuted"),
        ("10-5-1", "above", "refuted"),
        ("10-5-1", "below", "confirmed"),
        ("16-8-1", "above", "cannot tell"),
        ("16-8-1", "below", "cannot tell"),
        ("32-16-1", "above", "not measured"),
    ],
)
def test_a_verdict_is_that_of_the_interval(results: Results, layers: str, holds: str, word: str) -> None:
    where = {"contender": "rust", "measure": "training", "layers": layers}
    assert judged(results, claim(where=where, holds=holds))["verdict"] == word


def test_one_case_refutes_what_is_said_of_all(results: Results) -> None:
    line = judged(results, claim())
    assert (line["verdict"], line["basis"]) == ("refuted", "speedup.csv")
    assert line["figure"].startswith("times as fast: 3.96 (3.92 to 4.00) by naive at 4-2-1; ")


def test_nested_over_flat() -> None:
    rounds = pd.DataFrame(
        [
            ("a", layers, n, 1.0, ratio)
            for layers, ratio in (("9-9-1", 1.5), ("3-1", 0.5))
            for n in range(1, 32)
        ],
        columns=claims.STORAGE,
    )
    table = claims.stored(rounds)
    assert list(table["layers"]) == ["3-1", "9-9-1"]
    assert list(table["ratio"]) == [0.5, 1.5]
    assert list(table["rounds"]) == [31, 31]


@pytest.mark.parametrize(("first", "holds"), [(7.0, True), (9.0, False)])
def test_printed_losses_lie_within_those_of_other_seeds(results: Results, first: float, holds: bool) -> None:
    """The article prints 8.0 and 8.1e-08."""
    lines = [("its Python", seed, "a", first + 0.01 * seed, 1e-9 * seed) for seed in range(1, 201)]
    seeds = pd.DataFrame(lines, columns=claims.SEEDS)
    article = load()
    table = claims.judged(article, results, NO_ROUNDS, seeds).set_index("claim")
    assert table["verdict"]["its Python prints these losses"] == ("confirmed" if holds else "refuted")
    assert table["verdict"]["its Rust prints these losses"] == "not measured"
    # The 2.5% quantile of 1 to 200 is 5.975.
    one = claims.printed(article, seeds).iloc[0]
    assert (one["low"], one["high"]) == pytest.approx((first + 0.05975, first + 1.95025))


def test_the_claims_name_tables_and_columns_that_are_there(tmp_path: Path) -> None:
    everything = understood(tmp_path, pairs([(4.0, 1.0)] * 9))
    table = claims.judged(load(), everything, NO_ROUNDS, NO_SEEDS)
    assert len(table) == len(load().claim) == len(set(table["claim"]))
    assert set(table["verdict"]) <= {"confirmed", "refuted", "cannot tell", "not measured"}


def test_a_power_is_compared_with_that_of_the_same_method(tmp_path: Path) -> None:
    """Everybody's naive grows as it does in the other language; backprop grows less in Rust."""
    rows = []
    for method, powers in (("naive", (3.0, 3.0)), ("backprop", (2.0, 1.0))):
        for layers in ("10-5-1", "16-8-1", "32-16-1"):
            of = sweeps.case(layers, method)
            seconds = [of.shape.neurons**power * 1e-6 for power in powers]
            rounds = [tuple(s * (1.0 + 0.01 * (n % 3)) for s in seconds) for n in range(30)]
            rows += pairs(rounds, of)
    scaled = understood(tmp_path, rows)
    of_rust = claim(
        table="scaling",
        holds="below",
        where={"contender": "rust"},
        than={"contender": "python"},
    )
    assert judged(scaled, of_rust)["verdict"] == "cannot tell"
    alone = replace(of_rust, where={"contender": "rust", "method": "backprop"})
    assert judged(scaled, replace(alone, holds="above"))["verdict"] == "refuted"
    line = judged(scaled, alone)
    assert line["verdict"] == "confirmed"
    assert line["figure"].startswith("exponent: 1.00 (1.00 to 1.00), against 2.00 (2.00 to 2.00)")


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("harness.claims.SEEDS", 3)
    monkeypatch.setattr("harness.claims.ROUNDS", 7)
    said = ("-c", "print('4-2-1 1.0 0.5')"), ("-c", "print('4-2-1 1.0')")
    programs = tuple(
        Storage(contender=name, command=("{python}", *words))
        for name, words in zip(("python", "rust"), said, strict=True)
    )
    monkeypatch.setattr("harness.claims.load", lambda: replace(load(), storage=programs))
    # b's version command works, its runs don't.
    manifest = fakes.write_manifest(tmp_path / "m.toml", {"a": "honest", "b": "crash:3"})
    sweep = sweeps.write(tmp_path, pairs([(4.0, 1.0)] * 9))
    words = ["--results", str(tmp_path), "--manifest", str(manifest), "--rounds", "2"]
    assert cli.main(["article", str(sweep.path), *words]) == 1
    shown = capsys.readouterr()
    assert "not measured" in shown.out
    assert "Where the time of the article's run goes" in shown.out
    assert "note: flat and nested weights of rust cannot be timed: not enough values" in shown.err
    assert "b naive 10-5-1: exit status 3" in shown.err
    verdicts = claims.read(tmp_path / "claims.csv").set_index("claim")["verdict"]
    assert (
        verdicts["flat weights are faster in Python"],
        verdicts["flat weights are faster in Rust"],
    ) == ("refuted", "not measured")
    assert list(claims.read(tmp_path / "storage.csv")["round"]) == list(range(1, 8))
    seeds = claims.read(tmp_path / "seeds.csv")
    assert list(seeds["seed"]) == [1, 2, 3, 1, 2, 3]
    # A fake's first loss is (seed + neurons) / 7.
    assert list(seeds["initial_loss"][:3]) == [17 / 7, 18 / 7, 19 / 7]
    table = claims.read(tmp_path / "parts.csv")
    assert len(table) == 2 * 2 * 3
    # A fake says that a step takes 0.4 microseconds.
    (naive, _) = claims.parts(table).to_dict("records")
    assert (naive["contender"], naive["training_s"]) == ("a", pytest.approx(0.004))
    assert (tmp_path / "parts.png").read_bytes().startswith(b"\x89PNG")
    # What was measured is kept if nobody can judge by it.
    (tmp_path / "seeds.csv").unlink()
    assert cli.main(["article", str(sweep.path), *words, "--reference", "nobody"]) == 2
    assert (tmp_path / "seeds.csv").exists()


@pytest.mark.parametrize("name", ["python", "rust"])
def test_the_programs_that_time_the_storages(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """They print a shape and two times a line, and check themselves that both storages give the same bits."""
    program = next(one for one in load().storage if one.contender == name)
    if not (ROOT / program.command[0]).exists() and "{python}" not in program.command:
        pytest.skip(f"{program.command[0]} is not built; make article builds it")
    monkeypatch.setattr("harness.claims.ROUNDS", 1)
    lines = list(article.storages([program], Terminal(), []))
    assert [line[1] for line in lines[:4]] == ["10-5-1", "32-16-1", "64-32-1", "256-128-1"]
    assert all(1e-9 < seconds < 1.0 for line in lines for seconds in line[3:])


RUNS = [
    # Start-up 2, compiling 1, data 0.5, 100 epochs 8, and 0.25 to end.
    ("a", "naive", "one sample", 3.0, 0.0, 1.0),
    ("a", "naive", "no epoch", 3.5, 0.0, 1.0),
    ("a", "naive", "whole", 11.75, 8.0, 1.0),
]


def runs(*lines: tuple[str, str, str, float, float, float]) -> pd.DataFrame:
    """Return three rounds of each, the second being the median."""
    made = [
        (*line[:3], number, *(seconds + off for seconds in line[3:]))
        for line in lines
        for number, off in enumerate((-0.125, 0.0, 0.25), start=1)
    ]
    return pd.DataFrame(made, columns=claims.PART_RUNS)


def test_each_part_is_a_difference_of_two_runs() -> None:
    other = [("b", *line[1:]) for line in RUNS[:2]]
    # Who lacks a run is left out.
    (one,) = claims.parts(runs(*RUNS, *other)).to_dict("records")
    expected = {"start-up": 2.0, "data": 0.5, "compiling": 1.0, "training": 8.0, "end": 0.25}
    assert one["contender"] == "a"
    assert {name: one[f"{name}_s"] for name in claims.PARTS} == pytest.approx(expected)
    assert one["whole_s"] == pytest.approx(sum(expected.values()))
    # The end took 0.375, 0.25 and 0 s more than all else: no more than noise, by Student's t.
    assert one["noise"] == ["end"]
    assert "250 ms?" in tables_across.parts(claims.parts(runs(*RUNS))).markdown
    with pytest.raises(NothingMeasured, match="no contender has ended all three runs"):
        claims.parts(runs(*other))
    # Noise makes no part negative.
    quick = [RUNS[0], ("a", "naive", "no epoch", 2.5, 0.0, 1.0), RUNS[2]]
    (one,) = claims.parts(runs(*quick)).to_dict("records")
    assert (one["data_s"], one["end_s"]) == (0.0, pytest.approx(0.75))
    assert min(one[f"{name}_s"] for name in claims.PARTS) >= 0.0


def test_the_picture_shows_every_part_of_everybody() -> None:
    lines = [*RUNS, *[("b", "backprop", *line[2:]) for line in RUNS]]
    figure = pictures_across.parts(claims.parts(runs(*lines)))
    assert style.png(figure).startswith(b"\x89PNG")
    assert [axes.get_title() for axes in figure.axes] == ["naive", "backprop"]
    for axes in figure.axes:
        widths = [bar.get_width() for bar in axes.patches if isinstance(bar, Rectangle)]
        assert len(widths) == len(claims.PARTS)
        assert sum(widths) == pytest.approx(1.0)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == list(claims.PARTS)
