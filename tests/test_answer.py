"""The sentences at the end."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.plan import Options
from harness.report import sentences
from harness.rows import Row
from tests.sweeps import SMALL, SWEEP, bounds, case, failure, floor, mismatch, pairs, plan, row, understood

ARTICLE = case("10-5-1")
BOTH = ("python", "rust")
JOB = "a whole run of 1 epoch of 1 sample takes"


def answer(path: Path, rows: Sequence[Row], names: Sequence[str] = BOTH, **options: Any) -> tuple[str, ...]:
    """Return the sentences, the last one without the folder that it names."""
    results = understood(path, rows, plan(names, (ARTICLE,)), **options)
    *first, last = sentences.answer(results)
    ending = f" Tables: {path / SWEEP}; pictures: make plot ARGS={path / SWEEP}"
    assert last.endswith(ending)
    return *first, last.removesuffix(ending)


def controls(seconds: Sequence[float]) -> list[Row]:
    """Return the control's runs, a second longer each than they train."""
    return [
        row("python", number, of=ARTICLE, control=True, training_s=value, wall_s=value + 1.0)
        for number, value in enumerate(seconds, start=1)
    ]


def test_how_many_times_as_fast(tmp_path: Path) -> None:
    # Training 8/0.25 = 32 and 8/0.2 = 40; job 8.5/0.75 = 11.33 and 8.5/0.7 = 12.14.
    # The control: 8/8 and 8/10; 9/9 and 9/11.
    rows = [*pairs([(8.0, 0.25), (8.0, 0.2)], of=ARTICLE), *controls([8.0, 10.0])]
    # What is said of the noise is said of the same method.
    for number in (1, 2):
        backprop = case("10-5-1", "backprop")
        rows += [row("python", number, of=backprop), row("python", number, of=backprop, control=True)]
    training, job = floor(1.0, 0.8), floor(8.5 / 9.0, 8.5 / 11.0)
    assert answer(tmp_path, rows) == (
        f"rust trains 10-5-1 (naive) 36.0 times as fast as python (95% interval {bounds(32.0, 40.0)});"
        f" {JOB} 725 ms against 8.50 s, 11.7 times as fast ({bounds(8.5 / 0.75, 8.5 / 0.7)}).",
        "10 runs, all with identical losses. The machine was very noisy: python against itself is within a"
        f" factor of {training:.3f} ({job:.3f} for the job); close other programs,"
        " or raise --budget.",
    )


@pytest.mark.parametrize(
    ("seconds", "stolen_s", "text"),
    [
        (8.0, 0.0, "quiet: python against itself is within a factor of 1.000 (1.000 for the job)."),
        # 10% more in every round is no noise in the control: the floor is 1.1.
        (8.8, 0.0, "noisy: python against itself is within a factor of 1.100 (1.094 for the job); close"
         " other programs, or raise --budget."),
        # Everybody took 0.75 CPU seconds; half as much again was stolen: 0.375 of 1.125.
        (8.8, 0.375, "noisy: python against itself is within a factor of 1.100 (1.094 for the job); 33% of"
         " the CPU time that the programs asked for went to other machines; try a quieter hour, or a"
         " machine of its own."),
    ],
)  # fmt: skip
def test_how_quiet_the_machine_was(tmp_path: Path, seconds: float, stolen_s: float, text: str) -> None:
    rows = pairs([(8.0, 1.0)] * 3, of=ARTICLE)
    rows += [
        row("python", number, of=ARTICLE, control=True, training_s=seconds, wall_s=seconds + 0.5)
        for number in (1, 2, 3)
    ]
    rows = [replace(one, stolen_s=stolen_s) for one in rows]
    assert answer(tmp_path, rows)[-1] == f"9 runs, all with identical losses. The machine was {text}"


def test_only_the_article_shape_and_the_plainest_method_are_told(tmp_path: Path) -> None:
    rows = [
        *pairs([(9.0, 1.0)] * 2, of=case("10-5-1", "backprop")),
        *pairs([(8.0, 1.0)] * 2, of=ARTICLE),
        *pairs([(7.0, 1.0)] * 2, of=SMALL),
    ]
    (sentence, _) = answer(tmp_path / "a", rows)
    assert sentence.startswith("rust trains 10-5-1 (naive) 8.00 times as fast as python")
    results = understood(tmp_path / "b", rows[:4], plan(BOTH, (case("10-5-1", "backprop"),)))
    assert sentences.answer(results)[0].startswith(
        "rust trains 10-5-1 (backprop) 9.00 times as fast as python"
    )


def test_a_verdict_stands_beside_its_ratio(tmp_path: Path) -> None:
    # Three rounds of 1.2, but the control has 1.25; job 1.7/1.5 = 1.133, the control 2.2/1.5.
    rows = [*pairs([(1.2, 1.0)] * 3, of=ARTICLE), *controls([1.5, 1.5, 1.5])]
    assert answer(tmp_path / "a", rows)[0] == (
        "rust trains 10-5-1 (naive) 1.20 times as fast as python (95% interval 1.20 to 1.20, cannot be told"
        f" from noise); {JOB} 1.50 s against 1.70 s, 1.13 times as fast (1.13 to 1.13, cannot be told from"
        " noise)."
    )
    # Beyond the control, but the interval holds 1.
    rows = [*pairs([(0.9, 1.0), (2.0, 1.0), (3.0, 1.0)], of=ARTICLE), *controls([0.9, 2.0, 3.0])]
    assert "2.00 times as fast as python (95% interval" in answer(tmp_path / "b", rows)[0]
    assert "cannot be told from noise" in answer(tmp_path / "b2", rows)[0]
    # Equal within a margin.
    rows = [*pairs([(1.02, 1.0)] * 3, of=ARTICLE), *controls([1.02] * 3)]
    assert answer(tmp_path / "e", rows, margin=0.05)[0] == (
        "rust trains 10-5-1 (naive) 1.02 times as fast as python (95% interval 1.02 to 1.02, equal within the"
        f" margin); {JOB} 1.50 s against 1.52 s, 1.01 times as fast (1.01 to 1.01, equal within the margin)."
    )
    # Without a control the interval decides.
    assert answer(tmp_path / "c", pairs([(2.0, 1.0)] * 2, of=ARTICLE)) == (
        "rust trains 10-5-1 (naive) 2.00 times as fast as python (95% interval 2.00 to 2.00);"
        f" {JOB} 1.50 s against 2.50 s, 1.67 times as fast (1.67 to 1.67).",
        f"4 runs, all with identical losses. {UNKNOWN}",
    )


UNKNOWN = "There is no control with two rounds, so how quiet the machine was is not known."


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
    assert last == (f"11 runs, of which 2 of wrong had other losses, 1 of broken failed. {UNKNOWN}")


def test_one_round_and_nobody_to_compare_with(tmp_path: Path) -> None:
    rows = [*pairs([(8.0, 1.0)], of=ARTICLE), *controls([8.0])]
    assert answer(tmp_path / "one", rows) == (
        "rust trains 10-5-1 (naive) 8.00 times as fast as python (one round, so no interval);"
        f" {JOB} 1.50 s against 8.50 s, 5.67 times as fast (one round, so no interval).",
        f"3 runs, all with identical losses. {UNKNOWN}",
    )
    assert answer(tmp_path / "alone", [row(of=ARTICLE, training_s=0.004)], ["python"]) == (
        "python trains 10-5-1 (naive) in 4.00 ms a step; there is nothing to compare it with.",
        f"1 run, all with identical losses. {UNKNOWN}",
    )
    failed = [failure("python", 1, of=ARTICLE), row("rust", 1, of=ARTICLE)]
    assert answer(tmp_path / "failed", failed)[0] == (
        "rust cannot be compared with python at 10-5-1 (naive): python: crash."
    )
    elsewhere = failure("python", 1, of=case("10-5-1", "backprop"))
    apart = [elsewhere, row("python", 1, of=ARTICLE), row("rust", 2, of=ARTICLE)]
    assert answer(tmp_path / "apart", apart)[0] == (
        "rust cannot be compared with python at 10-5-1 (naive):"
        " there is no round in which both have the right losses."
    )


def test_another_reference(tmp_path: Path) -> None:
    rows = pairs([(8.0, 1.0, 2.0)] * 2, of=ARTICLE, names=("python", "rust", "c"))
    rows += controls([8.0, 8.0])
    *first, _ = answer(tmp_path, rows, ("python", "rust", "c"), reference="rust")
    # The control's job took 8.5 s, then 9 s: within a factor of 1.06.
    assert first == [
        "c trains 10-5-1 (naive) 0.500 times as fast as rust (95% interval 0.500 to 0.500);"
        f" {JOB} 2.50 s against 1.50 s, 0.600 times as fast (0.600 to 0.600).",
        "python trains 10-5-1 (naive) 0.125 times as fast as rust (95% interval 0.125 to 0.125);"
        f" {JOB} 8.50 s against 1.50 s, 0.176 times as fast (0.176 to 0.176).",
    ]


@pytest.mark.parametrize(
    ("parity", "text"),
    [
        ("reference", "2 runs, all with identical losses"),
        ("within 3e-16 of the initial loss", "2 runs, all with the same losses within their tolerance"),
        (
            "identical up to epoch 5",
            "2 runs, all with identical losses in all epochs that two contenders ran",
        ),
    ],
)
def test_losses_that_are_allowed_to_differ_are_not_called_identical(
    tmp_path: Path, parity: str, text: str
) -> None:
    rows = [
        *(row(of=ARTICLE), row("rust", of=ARTICLE, parity=parity)),
        row("rust", 2, of=ARTICLE, status="paused", parity=""),
    ]
    assert answer(tmp_path, rows)[-1].startswith(f"{text}.")


def test_the_job_of_the_article_is_called_its_whole_run(tmp_path: Path) -> None:
    about = plan(BOTH, (ARTICLE,), options=Options(rounds=3))
    said = sentences.answer(understood(tmp_path, pairs([(0.002, 0.001)] * 3, of=ARTICLE), about))[0]
    # Half a second, and 10,000 steps of 2 and of 1 ms: 20.5 s and 10.5 s.
    assert said.endswith(
        "; the article's whole run takes 10.5 s against 20.5 s, 1.95 times as fast (1.95 to 1.95)."
    )


def test_the_budget_that_would_do(tmp_path: Path) -> None:
    rows = [*pairs([(8.0, 1.0), (8.8, 1.0)], of=ARTICLE), *controls([8.0, 8.8])]
    rows = [replace(one, wall_s=(one.training_s or 0.0) + 0.5) for one in rows]
    last = answer(tmp_path, rows)[-1]
    # Student's t of one degree of freedom over two rounds: half a width of 12.7 * log(1.1) / 2.
    half = 12.706 * math.log(1.1) / 2.0
    budget = 4 * 3 * 0.25 * (half / math.log(1.02)) ** 2
    assert (
        f"--precision 2% --budget {float(f'{budget:.2g}'):.0f} would narrow the widest ratio, that of rust at"
        " 10-5-1 (naive), from x/÷1.83" in last
    )


def test_what_layout_is_worth(tmp_path: Path) -> None:
    rows = pairs([(8.0, 1.0), (8.0, 1.5), (8.0, 1.2), (8.0, 1.6)], of=ARTICLE)
    rows = [
        replace(one, layout=1 + one.run.round % 2) if one.run.contender == "rust" else one for one in rows
    ]
    results = understood(tmp_path, rows, plan(BOTH, (ARTICLE,), control=False))
    # The even rounds have 1.5 and 1.6, the odd ones 1.0 and 1.2: medians 1.55 and 1.1.
    assert list(sentences.layouts(results)) == [
        "layout: 2 links of rust, each with its code in another order, differ in a training step by a factor"
        " of 1.409 (naive 10-5-1) to 1.409 (naive 10-5-1), noise included"
    ]
    (one,) = results.speedups[results.speedups["measure"] == "training"].to_dict("records")
    # Two layouts are two values: 8 / 1.1 and 8 / 1.55 (of ratios, medians of 5 and 5.33, and of 8 and 6.67).
    logs = [math.log((8.0 + 8.0 / 1.2) / 2), math.log((8.0 / 1.5 + 8.0 / 1.6) / 2)]
    half = 12.706 * abs(logs[0] - logs[1]) / 2.0
    assert math.log(one["high"] / one["ratio"]) == pytest.approx(half, rel=1e-3)
