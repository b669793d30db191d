"""The sentences at the end."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.records import Row
from tests.sweeps import (
    SMALL,
    SWEEP,
    case,
    failure,
    mismatch,
    pairs,
    plan,
    row,
    understood,
)

ARTICLE = case("10-5-1")
BOTH = ("python", "rust")


def answer(path: Path, rows: Sequence[Row], names: Sequence[str] = BOTH, **options: str) -> tuple[str, ...]:
    """Return the sentences, the last one without the folder that it names."""
    results = understood(path, rows, plan(names, (ARTICLE,)), **options)
    *first, last = results.answer
    ending = f". Tables: {path / SWEEP}; pictures: make plot"
    assert last.endswith(ending)
    return *first, last.removesuffix(ending)


def controls(seconds: Sequence[float]) -> list[Row]:
    """Return the control's runs, a second longer each than they train."""
    return [
        row("python", number, of=ARTICLE, control=True, training_s=value, wall_s=value + 1.0)
        for number, value in enumerate(seconds, start=1)
    ]


def test_how_many_times_as_fast(tmp_path: Path) -> None:
    # Training 8/0.25 = 32 and 8/0.2 = 40; whole process 8.5/0.75 = 11.33 and 8.5/0.7 = 12.14.
    # The control: 8/8 and 8/10; 8.5/9 and 8.5/11, whose inverse is 1.2941.
    rows = [*pairs([(8.0, 0.25), (8.0, 0.2)], of=ARTICLE), *controls([8.0, 10.0])]
    # What is said of the noise is said of the same method.
    for number in (1, 2):
        backprop = case("10-5-1", "backprop")
        rows += [row("python", number, of=backprop), row("python", number, of=backprop, control=True)]
    assert answer(tmp_path, rows) == (
        "rust trains 10-5-1 (naive) 36.0 times as fast as python (95% interval 32.0 to 40.0),"
        " 11.7 times with start-up (11.3 to 12.1).",
        "10 runs, all with identical losses; python against itself is within a factor of 1.250"
        " (1.294 with start-up)",
    )


def test_only_the_article_shape_and_the_plainest_method_are_told(tmp_path: Path) -> None:
    rows = [
        *pairs([(9.0, 1.0)] * 2, of=case("10-5-1", "backprop")),
        *pairs([(8.0, 1.0)] * 2, of=ARTICLE),
        *pairs([(7.0, 1.0)] * 2, of=SMALL),
    ]
    (sentence, _) = answer(tmp_path / "a", rows)
    assert sentence.startswith("rust trains 10-5-1 (naive) 8.00 times as fast as python")
    results = understood(tmp_path / "b", rows[:4], plan(BOTH, (case("10-5-1", "backprop"),)))
    assert results.answer[0].startswith("rust trains 10-5-1 (backprop) 9.00 times as fast as python")


def test_a_difference_that_cannot_be_told_from_noise_is_said_to(tmp_path: Path) -> None:
    # Training 1.25 and 1.125, above 1, but the control is 1.25/2.5 and 1.125/2; and alike for the process.
    rows = [*pairs([(1.25, 1.0), (1.125, 1.0)], of=ARTICLE), *controls([2.5, 2.0])]
    assert answer(tmp_path / "a", rows)[0] == (
        "rust trains 10-5-1 (naive) 1.19 times as fast as python (95% interval 1.12 to 1.25, cannot be told"
        " from noise), 1.12 times with start-up (1.08 to 1.17, cannot be told from noise)."
    )
    # Without a control an interval around 1 says so all the same.
    rows = pairs([(0.5, 1.0), (2.0, 1.0)], of=ARTICLE)
    assert answer(tmp_path / "b", rows) == (
        "rust trains 10-5-1 (naive) 1.25 times as fast as python (95% interval 0.500 to 2.00, cannot be told"
        " from noise), 1.17 times with start-up (0.667 to 1.67, cannot be told from noise).",
        "4 runs, all with identical losses; without a control in two rounds the noise is unknown",
    )


def test_the_fastest_rival_comes_first_and_who_has_no_ratio_last(tmp_path: Path) -> None:
    rows = pairs([(8.0, 16.0, 1.0, 2.0)] * 2, of=ARTICLE, names=("python", "slow", "quick", "middle"))
    rows += [failure("broken", 0, of=ARTICLE), *(mismatch("wrong", number, of=ARTICLE) for number in (1, 2))]
    names = ("python", "slow", "broken", "absent", "wrong", "quick", "middle")
    *first, last = answer(tmp_path, rows, names)
    assert [sentence.partition(" as fast")[0] for sentence in first] == [
        "quick trains 10-5-1 (naive) 8.00 times",
        "middle trains 10-5-1 (naive) 4.00 times",
        "slow trains 10-5-1 (naive) 0.500 times",
        "broken cannot be compared with python at 10-5-1 (naive): crash.",
        "absent cannot be compared with python at 10-5-1 (naive): not run.",
        "wrong cannot be compared with python at 10-5-1 (naive): its losses differ.",
    ]
    assert last == (
        "11 runs, of which 2 of wrong had other losses, 1 of broken failed;"
        " without a control in two rounds the noise is unknown"
    )


def test_one_round(tmp_path: Path) -> None:
    rows = [*pairs([(8.0, 1.0)], of=ARTICLE), *controls([8.0])]
    assert answer(tmp_path, rows) == (
        "rust trains 10-5-1 (naive) 8.00 times as fast as python (one round, so no interval),"
        " 5.67 times with start-up (one round, so no interval).",
        "3 runs, all with identical losses; without a control in two rounds the noise is unknown",
    )


def test_nobody_to_compare_with(tmp_path: Path) -> None:
    assert answer(tmp_path, [row(of=ARTICLE, training_s=0.004)], ["python"]) == (
        "python trains 10-5-1 (naive) in 4.00 ms a step; there is nobody to compare it with.",
        "1 run, all with identical losses; without a control in two rounds the noise is unknown",
    )


def test_a_reference_without_a_right_run(tmp_path: Path) -> None:
    rows = [failure("python", 1, of=ARTICLE), row("rust", 1, of=ARTICLE)]
    assert answer(tmp_path, rows)[0] == (
        "rust cannot be compared with python at 10-5-1 (naive):"
        " there is no round in which both have the right losses."
    )


def test_another_reference(tmp_path: Path) -> None:
    rows = pairs([(8.0, 1.0, 2.0)] * 2, of=ARTICLE, names=("python", "rust", "c"))
    *first, _ = answer(tmp_path, rows, ("python", "rust", "c"), reference="rust")
    assert first == [
        "c trains 10-5-1 (naive) 0.500 times as fast as rust (95% interval 0.500 to 0.500),"
        " 0.600 times with start-up (0.600 to 0.600).",
        "python trains 10-5-1 (naive) 0.125 times as fast as rust (95% interval 0.125 to 0.125),"
        " 0.176 times with start-up (0.176 to 0.176).",
    ]


@pytest.mark.parametrize(
    ("parity", "text"),
    [
        ("reference", "2 runs, all with identical losses"),
        ("within 3 ulp", "2 runs, all with the same losses but for what is allowed"),
    ],
)
def test_losses_that_are_allowed_to_differ_are_not_called_identical(
    tmp_path: Path, parity: str, text: str
) -> None:
    rows = [
        *(row(of=ARTICLE), row("rust", of=ARTICLE, parity=parity)),
        row("rust", 2, of=ARTICLE, status="paused", parity=""),
    ]
    assert answer(tmp_path, rows)[-1].startswith(f"{text};")
