"""Two sweeps held against each other: changes, intervals and verdicts computed by hand; the gate."""

import json
import math
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest
from scipy import stats

from harness import cli
from harness.across.comparison import compare, holm, mean
from harness.analysis.results import Results
from harness.errors import UsageError
from harness.report.sentences import comparison as sentence
from tests import sweeps

SMALL, LARGE = sweeps.case("4-2-1"), sweeps.case("10-5-1")


def sweep(path: Path, small: float, large: float, spread: float = 0.01) -> Results:
    """Return thirty rounds in which python takes ten seconds and rust so many, but for a ``spread``."""
    rows = []
    for of, seconds in ((SMALL, small), (LARGE, large)):
        rounds = [(10.0, seconds * math.exp(spread * (number % 3 - 1))) for number in range(30)]
        rows += sweeps.pairs(rounds, of)
    return sweeps.understood(path, rows, sweeps.plan(("python", "rust"), (SMALL, LARGE), control=False))


def training(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["measure"] == "training"].set_index("layers")


def test_a_change_is_that_of_the_ratios_to_the_yardstick(tmp_path: Path) -> None:
    before, after = sweep(tmp_path / "a", 1.0, 2.0), sweep(tmp_path / "b", 0.5, 2.5)
    table = training(compare(before, after, 0.0))
    assert table["before"].to_list() == pytest.approx([10.0, 5.0])
    assert table["after"].to_list() == pytest.approx([20.0, 4.0])
    assert table["change"].to_list() == pytest.approx([2.0, 0.8])
    assert table["verdict"].to_list() == ["faster", "slower"]


def test_half_widths_are_added_as_squares(tmp_path: Path) -> None:
    before, after = sweep(tmp_path / "a", 1.0, 2.0), sweep(tmp_path / "b", 1.0, 2.0, spread=0.03)
    one = training(compare(before, after, 0.0)).to_dict("index")["4-2-1"]
    widths = [
        (math.log(one[f"{side}"] / one[f"{side}_low"]), math.log(one[f"{side}_high"] / one[f"{side}"]))
        for side in ("before", "after")
    ]
    assert min(map(min, widths)) > 0.0
    assert math.log(one["change"] / one["low"]) == pytest.approx(math.hypot(widths[1][0], widths[0][1]))
    assert math.log(one["high"] / one["change"]) == pytest.approx(math.hypot(widths[1][1], widths[0][0]))
    assert one["verdict"] == "cannot tell"


def test_within_the_floor_nobody_can_tell(tmp_path: Path) -> None:
    """A control that is off by a tenth forbids to speak of a twentieth."""
    controls = [
        sweeps.row("python", number, training_s=10.0 * (1.1 if number % 2 else 0.95), control=True)
        for number in range(1, 31)
    ]
    before, after = (
        sweeps.understood(tmp_path / name, [*sweeps.pairs([(10.0, rust_s)] * 30), *controls])
        for name, rust_s in (("a", 1.0), ("b", 0.95))
    )
    one = training(compare(before, after, 0.0)).to_dict("index")["4-2-1"]
    assert one["low"] > 1.0
    assert one["floor"] > one["change"] == pytest.approx(1.0 / 0.95)
    assert one["verdict"] == "cannot tell"


def test_holm_by_hand() -> None:
    # 0.01 * 4, 0.02 * 3 = 0.06, 0.03 * 2 = 0.06, and 0.04 * 1 is less than what came before.
    assert holm(pd.Series([0.04, 0.01, 0.03, 0.02])).to_list() == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm(pd.Series([0.9, 0.8])).to_list() == [1.0, 1.0]


def test_the_probability_of_so_slow_a_result(tmp_path: Path) -> None:
    before, after = sweep(tmp_path / "a", 1.0, 2.0), sweep(tmp_path / "b", 1.06, 2.0)
    table = training(compare(before, after, 0.05))
    one = table.to_dict("index")["4-2-1"]
    sigma = max(math.log(one["change"] / one["low"]), math.log(one["high"] / one["change"])) / stats.norm.ppf(
        0.975
    )
    p = stats.norm.sf((-math.log(1.05) + math.log(1.06)) / sigma)
    # The other case did not change at all: this is the least of two.
    assert one["slower_than_margin_p"] == pytest.approx(2 * p, rel=1e-4)


def test_the_mean_is_geometric_and_no_surer_than_the_cases() -> None:
    table = pd.DataFrame({"change": [1.0, 4.0], "low": [0.5, 2.0], "high": [2.0, 8.0]})
    assert mean(table) == pytest.approx((2.0, 1.0, 4.0))


def test_sweeps_without_a_common_case(tmp_path: Path) -> None:
    before = sweeps.understood(tmp_path / "a", sweeps.pairs([(1.0, 1.0)] * 9, SMALL))
    after = sweeps.understood(tmp_path / "b", sweeps.pairs([(1.0, 1.0)] * 9, LARGE))
    with pytest.raises(UsageError, match="have no case in common that both compare with python"):
        compare(before, after, 0.0)


def test_the_sentence(tmp_path: Path) -> None:
    table = compare(sweep(tmp_path / "a", 1.0, 2.0), sweep(tmp_path / "b", 0.5, 2.0), 0.0)
    said = sentence(table[table["measure"] == "training"], "after against before")
    assert said.startswith(
        "Training after against before: of 2 cases 0 slower, 1 faster,"
        " 1 inconclusive; on average 1.41x as fast ("
    )
    assert "the slowest rust naive 10-5-1 with 1.00x (" in said


@pytest.mark.parametrize(
    ("small", "large", "words", "status"),
    [
        (1.0, 2.0, [], 0),
        (2.0, 2.0, [], 0),
        (1.0, 2.0, ["--fail-slower", "5%"], 0),
        (1.2, 2.0, ["--fail-slower", "5%"], 1),
        (1.2, 2.0, ["--fail-slower", "25%"], 0),
        # 20% and 100% as fast: the second interval, of about 1%, does not exclude a tenth of a percent.
        (0.8, 2.0, ["--fail-slower", "0.1"], 125),
        # Nobody can tell whether that is more.
        (1.05, 2.0, ["--fail-slower", "5%"], 125),
        # Another case is surely slower.
        (1.05, 2.4, ["--fail-slower", "5%"], 1),
    ],
)
def test_the_exit_status(tmp_path: Path, small: float, large: float, words: list[str], status: int) -> None:
    before, after = sweep(tmp_path / "a", 1.0, 2.0), sweep(tmp_path / "b", small, large)
    paths = [str(before.path), str(after.path)]
    assert cli.main(["compare", *paths, "--results", str(tmp_path), *words]) == status


def test_the_formats(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, after = sweep(tmp_path / "a", 1.0, 2.0), sweep(tmp_path / "b", 0.5, 2.0)
    name = "2026-01-02T00-00-00.000Z"
    runs = after.path / "runs.csv"
    runs.write_text(runs.read_text().replace(sweeps.SWEEP, name))
    compare_them = ["compare", str(before.path), str(after.path), "--results", str(tmp_path), "--format"]
    assert cli.main([*compare_them, "csv"]) == 0
    table = pd.read_csv(StringIO(capsys.readouterr().out))
    assert training(table)["change"].to_dict() == pytest.approx({"4-2-1": 2.0, "10-5-1": 1.0})
    assert cli.main([*compare_them, "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["answer"].startswith(
        f"Training {name} against {sweeps.SWEEP}, with python as the yardstick: of 2"
    )
    assert len(document["cases"]) == len(table)
    assert cli.main([*compare_them, "markdown"]) == 0
    answer, _, head, rule, first, *_ = capsys.readouterr().out.splitlines()
    assert answer == document["answer"]
    assert head == "| method | shape | contender | measure | before | after | change | verdict |"
    assert rule.count("---") == 8
    assert first.startswith("| naive | 4-2-1 | rust | training | 10.0x (")
    assert first.endswith("| faster |")
    assert cli.main([*compare_them, "table"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert document["answer"] in lines
    assert any(line.split()[:6:2] == ["naive", "rust", "±1.0%"] for line in lines), lines


def test_what_else_differs_is_noted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, after = sweep(tmp_path / "a", 1.0, 2.0), sweep(tmp_path / "b", 1.0, 2.0)
    environment = after.path / "environment.json"
    about = json.loads(environment.read_text("utf-8"))
    environment.write_text(json.dumps(about | {"host": "another"}), "utf-8")
    plan = after.path / "plan.json"
    plan.write_text(plan.read_text("utf-8").replace('"job": "1x1"', '"job": "20x1000"'), "utf-8")
    runs = after.path / "runs.csv"
    runs.write_text(runs.read_text("utf-8").replace("python 1.0", "python 2.0"), "utf-8")
    assert cli.main(["compare", str(before.path), str(after.path), "--results", str(tmp_path)]) == 0
    assert capsys.readouterr().err.splitlines() == [
        "note: another job: 1x1 before, 20x1000 after",
        "note: another machine: box before, another after",
        "note: python, the yardstick, is another: python 1.0 before, python 2.0 after",
    ]


@pytest.mark.parametrize(
    "words",
    # Also if it is what is taken by default.
    [["--budget", "3"], ["--shapes", "10-5-1", "64-32-1"], ["--manifest", "m.toml"]],
)
def test_what_would_have_no_effect_is_refused(
    tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(sweep(tmp_path / "a", 1.0, 2.0).path)
    assert cli.main(["compare", path, path, "--results", str(tmp_path), *words]) == 2
    said = f"{words[0]}: is for two revisions, which are measured; takes --revisions as well"
    assert said in capsys.readouterr().err


def test_what_is_gone_or_wrong_now_is_said_last_and_has_a_status_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sweep(tmp_path / "a", 1.0, 2.0)
    rows = sweeps.pairs([(10.0, 1.0)] * 9, SMALL)
    rows += [sweeps.row("python", number, of=LARGE, training_s=10.0) for number in range(9)]
    rows += [sweeps.mismatch("rust", number, of=LARGE) for number in range(9)]
    cases = sweeps.plan(("python", "rust"), (SMALL, LARGE), control=False)
    after = sweeps.understood(tmp_path / "b", rows, cases)
    words = ["compare", str(before.path), str(after.path), "--results", str(tmp_path)]
    assert cli.main(words) == 0
    assert cli.main([*words, "--fail-slower", "5%"]) == 3
    said = "error: no verdict on naive 10-5-1 rust: mismatch"
    assert capsys.readouterr().err.splitlines()[-1] == said
    # A single round has no interval: that is no comparison either.
    rows = [*sweeps.pairs([(10.0, 1.0)] * 9, SMALL), *sweeps.pairs([(10.0, 1.0)], LARGE)]
    thin = sweeps.understood(tmp_path / "thin", rows, cases)
    words = ["compare", str(before.path), str(thin.path), "--results", str(tmp_path), "--fail-slower", "5%"]
    assert cli.main(words) == 125
    assert "naive 10-5-1 rust: no interval" in capsys.readouterr().err
    # Other work and other losses of the same arguments are told.
    losses = {("rust", "naive", "4-2-1"): (0.5, 0.25)}
    folders = [
        sweeps.write(tmp_path / name, sweeps.pairs([(10.0, 1.0)] * 9, SMALL), None, {**losses, **other})
        for name, other in (("c", {}), ("d", {("rust", "naive", "4-2-1"): (0.5, 0.125)}))
    ]
    words = ["compare", *(str(one.path) for one in folders), "--results", str(tmp_path)]
    assert cli.main([*words, "--fail-slower", "5%"]) == 3
    assert cli.main(words) == 0
    assert (
        "rust has other losses than on before (naive 4-2-1: epoch 1: 0.125 instead of"
        in capsys.readouterr().err
    )
