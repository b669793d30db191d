"""Identical bits, or the first epoch that differs and by how much."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.parity import compare, compare_all, distance

TINY = 5e-324
LARGEST = 1.7976931348623157e308
ABOVE_HALF = 0.5000000000000001
"""0.5 + 2^-53."""


@pytest.mark.parametrize(
    ("expected", "actual", "text"),
    [
        ([1.0, 0.5, math.inf, math.nan], [1.0, 0.5, math.inf, math.nan], "identical"),
        # 2^-53 / (0.5 + 1) = 1.11e-16 / 1.5 = 7.4e-17, rounded up to one digit.
        (
            [1.0, 0.5, 0.25],
            [1.0, ABOVE_HALF, 9.0],
            "epoch 1: 0.5000000000000001 instead of 0.5 (off by 8e-17 of the initial loss)",
        ),
        ([1.0, 0.5], [1.0], "1 losses instead of 2"),
    ],
)
def test_the_first_epoch_that_differs_is_told(expected: list[float], actual: list[float], text: str) -> None:
    verdict = compare(expected, actual)
    assert (verdict.holds, verdict.text) == (text == "identical", text)


@pytest.mark.parametrize(("wanted", "got"), [(math.nan, 1.0), (-math.inf, math.inf), (1.0, math.inf)])
def test_nothing_is_near_an_infinity_or_nan(wanted: float, got: float) -> None:
    assert compare([wanted], [got], 0.99).text == f"epoch 0: {got!r} instead of {wanted!r}"


def test_any_other_bits_are_different() -> None:
    assert not compare([1.0, 0.0], [1.0, -0.0]).holds
    assert compare([1.0, 0.0], [1.0, -0.0], 1e-12).holds
    assert not compare([0.0], [-0.0]).holds
    assert not compare([LARGEST, TINY], [LARGEST, 0.0]).holds
    # Without a tolerance all epochs count, those that diverge, too.
    assert not compare([1.0, 2e6], [1.0, 3e6]).holds


@pytest.mark.parametrize(
    ("expected", "actual", "holds", "text"),
    [
        # 2^-10 / (1 + 1) = 0.00048828125.
        ([1.0, 1.0], [1.0, 1.0 - 2**-10], True, "within 5e-4 of the initial loss"),
        # 2^-9 / (1 + 1) = 0.0009765625: one digit, rounded up, is the next power of ten.
        ([1.0, 1.0], [1.0, 1.0 - 2**-9], True, "within 1e-3 of the initial loss"),
        # A loss that fell to nothing may be anything that is little beside the initial one.
        ([2.0, 1e-20], [2.0, 1e-10], True, "within 5e-11 of the initial loss"),
        # 2^-8 / 2 = 0.00195 is more than is allowed.
        (
            [1.0, 1.0],
            [1.0, 1.0 - 2**-8],
            False,
            "epoch 1: 0.99609375 instead of 1.0 (off by 2e-3 of the initial loss)",
        ),
        # From the epoch on in which the loss is a million times the initial one nothing is compared.
        (
            [1.0, 1e6, 2e6],
            [1.0, 1e6, 9e9],
            True,
            "within 0e+0 of the initial loss until it diverges after epoch 1",
        ),
        (
            [1.0, math.nan],
            [1.0, math.inf],
            True,
            "within 0e+0 of the initial loss until it diverges after epoch 0",
        ),
        (
            [1.0, 9e5, 2e6],
            [1.0, 1e5, 2e6],
            False,
            "epoch 1: 100000.0 instead of 900000.0 (off by 9e-1 of the initial loss)",
        ),
    ],
)
def test_a_tolerance(expected: list[float], actual: list[float], holds: bool, text: str) -> None:
    verdict = compare(expected, actual, 0.001)
    assert (verdict.holds, verdict.text) == (holds, text)


@given(st.floats(), st.floats(), st.floats(allow_nan=False, allow_infinity=False))
def test_a_distance_is_the_same_both_ways_and_none_only_for_the_same_bits(
    a: float, b: float, initial: float
) -> None:
    assert distance(a, b, initial) == distance(b, a, initial) >= 0.0
    assert (distance(a, b, initial) == 0.0) == (repr(a) == repr(b))


@pytest.mark.parametrize(
    ("others", "actual", "holds", "text"),
    [
        ([], [1.0, 0.5], True, "reference"),
        ([[1.0, 0.5, 0.25]], [1.0, 0.5], True, "identical"),
        # What was not compared is not called identical.
        ([[1.0, 0.5]], [1.0, 0.5, 0.25], True, "identical up to epoch 1"),
        ([[1.0]], [1.0, 0.5, 0.25], True, "identical up to epoch 0"),
        # The second is the measure of what the first does not have; the third adds nothing.
        (
            [[1.0, 0.5], [1.0, 0.5, 0.25, 0.1], [9.0, 9.0]],
            [1.0, 0.5, 0.25, 0.1, 0.0],
            True,
            "identical up to epoch 3",
        ),
        ([[1.0, 0.5], [1.0, 0.5, 0.25]], [1.0, 0.5, 0.25], True, "identical"),
        (
            [[1.0], [1.0, 0.5]],
            [1.0, 0.75],
            False,
            "epoch 1: 0.75 instead of 0.5 (off by 2e-1 of the initial loss)",
        ),
    ],
)
def test_each_epoch_is_compared_with_the_first_that_has_it(
    others: list[list[float]], actual: list[float], holds: bool, text: str
) -> None:
    verdict = compare_all([(losses, 0.0) for losses in others], actual)
    assert (verdict.holds, verdict.text) == (holds, text)


def test_a_tolerance_is_for_the_one_that_declares_it() -> None:
    exact, near = [1.0, 1.0], [1.0, 1.0, 1.0 - 2**-10]
    assert compare_all([(exact, 0.0), (near, 0.001)], [1.0, 1.0, 1.0, 5.0]).text == (
        "within 5e-4 of the initial loss up to epoch 2"
    )
    assert not compare_all([(exact, 0.0), (near, 0.0)], [1.0, 1.0, 1.0]).holds
