"""What one would use instead of the fastest: computed by hand."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from docs.figures import of_alternatives
from harness.analysis.results import Results
from harness.plan import Options
from tests import sweeps

NAMES = ("python", "rust", "c")
SMALL, LARGE = sweeps.case("4-2-1"), sweeps.case("10-5-1")
"""Of 7 and of 16 neurons."""


def results(path: Path, compile_s: float = 0.0) -> Results:
    """Return twenty equal rounds: c takes twice as long as rust at the small size, half as long at the other.

    Everybody starts in half a second, but c also compiles.
    """
    rows = [
        *sweeps.pairs([(8.0, 1.0, 2.0)] * 20, SMALL, NAMES),
        *sweeps.pairs([(16.0, 2.0, 1.0)] * 20, LARGE, NAMES),
    ]
    rows = [
        replace(row, wall_s=row.wall_s + compile_s, compile_s=compile_s) if row.run.contender == "c" else row
        for row in rows
    ]
    # The article's job: 10,000 steps.
    of = sweeps.plan(NAMES, (SMALL, LARGE), options=Options(rounds=20), control=False)
    return sweeps.understood(path, rows, of)


def test_all_are_held_against_the_fastest(tmp_path: Path) -> None:
    table = results(tmp_path).alternatives.set_index(["contender", "layers"])
    # Each of two is the fastest on one case: the first of them in the manifest it is.
    assert set(table["fastest"]) == {"rust"}
    found = {name: table["times_as_long"][name].to_list() for name in NAMES}
    assert found == {"python": [8.0, 8.0], "rust": [1.0, 1.0], "c": [2.0, 0.5]}
    assert [table[end].to_dict()["c", "10-5-1"] for end in ("low", "high")] == [0.5, 0.5]
    assert table["verdict"]["c"].tolist() == ["slower", "faster"]
    assert table["against_reference"]["c"].tolist() == ["faster", "faster"]
    assert math.isnan(table["low"]["rust"].iloc[0])


def test_the_job_is_ten_thousand_steps_and_the_start(tmp_path: Path) -> None:
    table = results(tmp_path, compile_s=7.0).alternatives.set_index(["contender", "layers"])
    assert table["startup_s"]["c"].tolist() == [0.5, 0.5]
    assert table["compile_s"]["c"].tolist() == [7.0, 7.0]
    assert table["job_s"]["c"].tolist() == [20_007.5, 10_007.5]
    assert table["job_s"]["rust"].tolist() == [10_000.5, 20_000.5]


@pytest.mark.parametrize(
    ("compile_s", "pays"),
    # Python needs 80,000.5 s at the small size and 160,000.5 s at the large one.
    [(0.0, 7.0), (60_001.0, 16.0), (150_001.0, math.nan)],
)
def test_from_which_size_on_it_is_worth_it(tmp_path: Path, compile_s: float, pays: float) -> None:
    since = results(tmp_path, compile_s).thresholds.set_index("contender")
    found = {name: since[["beats_from", "ties_from", "pays_from"]].T[name].to_list() for name in NAMES}
    assert found["c"] == pytest.approx([7.0, 16.0, pays], nan_ok=True)
    assert found["rust"] == [7.0, 7.0, 7.0]
    assert all(map(math.isnan, found["python"]))


def test_a_size_in_between_at_which_it_is_not_worth_it_counts(tmp_path: Path) -> None:
    rows, cases = [], (SMALL, sweeps.case("8-4-1"), LARGE)
    for of, c_s in zip(cases, (0.5, 9.0, 0.5), strict=True):
        rows += sweeps.pairs([(8.0, 1.0, c_s)] * 20, of, NAMES)
    since = sweeps.understood(tmp_path, rows, sweeps.plan(NAMES, cases, control=False)).thresholds
    (own,) = since[since["contender"] == "c"].to_dict("records")
    assert (own["beats_from"], own["pays_from"]) == (16.0, 16.0)


def test_a_size_that_is_too_large_for_the_reference_is_one_where_it_is_beaten(tmp_path: Path) -> None:
    rows = sweeps.pairs([(8.0, 1.0, 0.5)] * 20, SMALL, NAMES) + sweeps.pairs(
        [(1.0, 0.5)] * 20, LARGE, NAMES[1:]
    )
    made = sweeps.understood(tmp_path, rows, sweeps.plan(NAMES, (SMALL, LARGE), control=False))
    since = made.thresholds.set_index("contender")
    assert [since[name]["c"] for name in ("beats_from", "pays_from")] == [7.0, 7.0]
    assert math.isnan(since["beats_from"]["python"])


def test_with_two_there_is_nothing_to_choose_from(tmp_path: Path) -> None:
    made = sweeps.understood(tmp_path, sweeps.pairs([(8.0, 1.0)] * 20))
    assert made.thresholds.empty
    assert made.alternatives["times_as_long"].tolist() == [8.0, 1.0]
    # Other losses are no alternative.
    rows = [sweeps.row("python"), sweeps.row("python", 2), sweeps.mismatch("rust", 1)]
    alone = sweeps.understood(tmp_path / "alone", rows)
    assert alone.alternatives["contender"].tolist() == ["python"]


def test_the_tables_of_a_document(tmp_path: Path) -> None:
    figures = of_alternatives(results(tmp_path))
    *_, last, python = figures["instead-naive"].splitlines()
    head, _, first, *_ = figures["instead-naive"].splitlines()
    assert head == (
        "| times rust's step | 4-2-1 | 10-5-1 | start-up"
        " | beats python from | ties with rust from | pays from | losses |"
    )
    assert first == "| c | 2.00 | 0.500 | 500 ms | 7 | 16 | 7 | identical |"
    assert last == "| rust | 1.00 | 1.00 | 500 ms | 7 | 7 | 7 | identical |"
    assert python == "| python | 8.00 | 8.00 | 500 ms |  |  |  | identical |"
    assert figures["fastest"].splitlines()[2:] == [
        "| naive | 4-2-1 | rust, then c (2.00x) | rust, then c (2.00x) |",
        "| naive | 10-5-1 | c, then rust (2.00x) | c, then rust (2.00x) |",
    ]


def test_what_failed_at_a_larger_size_is_worth_nothing_there(tmp_path: Path) -> None:
    """And what has no ratio ties with nobody."""
    names = ("python", "rust", "c", "alone")
    rows = sweeps.pairs([(8.0, 1.0, 0.5)] * 20, SMALL, names[:3])
    rows += sweeps.pairs([(8.0, 1.0)] * 20, LARGE, names[:2])
    rows += [sweeps.failure("c", 0, of=LARGE), sweeps.row("alone", 99), sweeps.row("alone", 99, of=LARGE)]
    made = sweeps.understood(tmp_path, rows, sweeps.plan(names, (SMALL, LARGE), control=False))
    since = made.thresholds.set_index("contender")
    assert since.loc["c", ["beats_from", "ties_from", "pays_from"]].isna().all()
    assert math.isnan(since["ties_from"]["alone"])
    assert "nan" not in of_alternatives(made)["instead-naive"]


def test_other_losses_are_not_said_to_agree(tmp_path: Path) -> None:
    rows = sweeps.pairs([(8.0, 1.0, 2.0)] * 20, SMALL, NAMES)
    rows += [sweeps.mismatch("c", 21)]
    made = sweeps.understood(tmp_path, rows, sweeps.plan(NAMES, control=False))
    (line,) = [
        line for line in of_alternatives(made)["instead-naive"].splitlines() if line.startswith("| c ")
    ]
    assert line.endswith("| differ |")
