"""Parity on random cases: a wrong bit is found, and can be reproduced."""

import shlex
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from harness import cli
from harness.case import METHODS
from harness.commands import verify
from harness.measure.contract import arguments
from tests import fakes


def test_random_cases_are_the_same_for_a_seed_and_go_round_the_methods() -> None:
    cases = list(verify.random_cases(30, 5))
    assert cases == list(verify.random_cases(30, 5))
    assert list(islice(verify.random_cases(60, 5), 30)) == cases
    assert cases != list(verify.random_cases(30, 6))
    assert [case.method for case in cases] == list(METHODS) * 10
    for case in cases:
        assert 2 <= len(case.shape.layers) <= 5
        assert all(1 <= size <= 12 for size in case.shape.layers)
        assert case.low <= case.high
        assert case.step > 0.0
        assert 0 <= case.seed < 2**64
    assert {case.learning_rate for case in cases} > {0.0}
    assert any(case.learning_rate > 1.0 for case in cases)


def test_everybody_agrees() -> None:
    assert verify.check(fakes.case(), [fakes.contender("a"), fakes.contender("b")], 60.0)[1] == []


def test_one_wrong_bit_is_found_with_the_command_lines() -> None:
    good, wrong = fakes.contender("a"), fakes.contender("b", "wrong-at-7")
    _, (difference,) = verify.check(fakes.case(), [good, wrong], 60.0)
    text, *commands = difference.splitlines()
    assert text == (
        "b: naive 4-2-1: epoch 7: 0.28571428571428575 instead of 0.2857142857142857"
        " (off by 4e-17 of the initial loss)"
    )
    assert [shlex.split(command) for command in commands] == [
        good.command_line(fakes.case()),
        wrong.command_line(fakes.case()),
    ]


@pytest.mark.parametrize(
    ("behaviour", "text"),
    [
        ("crash:3", "bad: naive 4-2-1: exit status 3: error: the 7th gear is missing"),
        (
            "garbled",
            "bad: naive 4-2-1: printed 'Hello, world!\\n' where a line 'Initial Loss: NUMBER' belongs",
        ),
    ],
)
def test_a_failure_counts_as_a_difference(behaviour: str, text: str) -> None:
    bad = fakes.contender("bad", behaviour)
    compared, (difference,) = verify.check(fakes.case(), [fakes.contender("a"), bad], 60.0)
    assert (compared, difference.splitlines()[0]) == (1, text)
    # Where the reference itself fails, the others are compared with the next one.
    others = [bad, fakes.contender("a"), fakes.contender("b", "wrong-at-7")]
    _, differences = verify.check(fakes.case(), others, 60.0)
    assert [difference.partition(":")[0] for difference in differences] == ["bad", "b"]


def test_a_timeout_counts_as_a_difference() -> None:
    _, (difference,) = verify.check(fakes.case(), [fakes.contender("a", "slow")], 0.2)
    assert difference.startswith("a: naive 4-2-1: ended after 0.2 s")


def test_only_who_has_the_method_is_asked() -> None:
    other = fakes.contender("b", "wrong-at-7", methods=("backprop",))
    assert verify.check(fakes.case(), [fakes.contender("a"), other], 60.0)[1] == []


def test_a_declared_tolerance() -> None:
    lax = replace(fakes.contender("b", "wrong-at-7"), tolerance=1e-15)
    assert verify.check(fakes.case(), [fakes.contender("a"), lax], 60.0)[1] == []


def test_the_command(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = fakes.write_manifest(tmp_path / "m.toml", {"a": "honest", "b": "wrong-at-7"})
    wrong, right = fakes.case("6-3-1"), fakes.case("6-3-1", epochs=3)
    monkeypatch.setattr(verify, "random_cases", lambda count, seed: [right, wrong][: count + 0 * seed])
    assert cli.main(["verify", "--manifest", str(manifest), "--cases", "2"]) == 1
    out = capfd.readouterr().out.splitlines()
    commands = [shlex.join([*fakes.command(word), *arguments(wrong)]) for word in ("honest", "wrong-at-7")]
    assert out == [
        "b: naive 6-3-1: epoch 7: 0.3928571428571429 instead of 0.39285714285714285"
        " (off by 3e-17 of the initial loss)",
        *(f"    {command}" for command in commands),
        "2 random cases, a, b: 1 identical, 1 different",
    ]
    assert cli.main(["verify", "--manifest", str(manifest), "--cases", "1"]) == 0
    assert capfd.readouterr().out == "1 random cases, a, b: 1 identical, 0 different\n"


def test_who_is_only_held_to_a_tolerance_is_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    manifest = fakes.write_manifest(tmp_path / "m.toml", {"a": "honest", "b": "honest"})
    manifest.write_text(manifest.read_text("utf-8") + "tolerance = 1e-12\n", "utf-8")
    assert cli.main(["verify", "--manifest", str(manifest), "--cases", "1"]) == 0
    assert capfd.readouterr().out == (
        "1 random cases, a, b (within its tolerance): 1 identical, 0 different\n"
    )
