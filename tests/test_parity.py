"""Identical bits, or the first epoch that differs and by how much."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.measure.parity import compare, ulp_distance

TINY = 5e-324
LARGEST = 1.7976931348623157e308


def test_identical() -> None:
    verdict = compare([1.0, 0.5, math.inf, math.nan], [1.0, 0.5, math.inf, math.nan])
    assert (verdict.holds, verdict.text) == (True, "identical")


def test_the_first_epoch_that_differs_is_told() -> None:
    # The neighbour above 0.5 is 0.5 + 2^-53 = 0.5000000000000001.
    verdict = compare([1.0, 0.5, 0.25], [1.0, 0.5000000000000001, 9.0])
    assert (verdict.holds, verdict.text) == (False, "epoch 1: 0.5000000000000001 instead of 0.5 (1 ulp)")


def test_other_numbers_of_losses() -> None:
    verdict = compare([1.0, 0.5], [1.0])
    assert (verdict.holds, verdict.text) == (False, "1 losses instead of 2")


def test_nothing_is_near_an_infinity_or_nan() -> None:
    assert compare([math.inf], [LARGEST], 10**30).text == (
        "epoch 0: 1.7976931348623157e+308 instead of inf (not comparable)"
    )
    assert compare([math.nan], [1.0], 10**30).text == "epoch 0: 1.0 instead of nan (not comparable)"
    assert compare([-math.inf], [math.inf], 10**30).text == "epoch 0: inf instead of -inf (not comparable)"


def test_tolerance_is_the_largest_distance_that_holds() -> None:
    expected = [1.0, 2.0, 3.0]
    one, three = np.nextafter(2.0, 9.0), 3.0
    for _ in range(3):
        three = float(np.nextafter(three, 9.0))
    actual = [1.0, float(one), three]
    assert compare(expected, actual, 3).text == "within 3 ulp"
    assert compare(expected, actual, 3).holds
    assert compare(expected, actual, 2).text == f"epoch 2: {three!r} instead of 3.0 (3 ulp)"
    assert compare(expected, actual, 0).text == f"epoch 1: {float(one)!r} instead of 2.0 (1 ulp)"
    assert not compare(expected, actual, 2).holds


@pytest.mark.parametrize(
    ("a", "b", "distance"),
    [
        (1.0, 1.0, 0),
        (0.0, 0.0, 0),
        (-0.0, 0.0, 1),
        (0.0, TINY, 1),
        (-0.0, TINY, 2),
        (-TINY, TINY, 3),  # -5e-324, -0.0, 0.0, 5e-324
        (-TINY, -0.0, 1),
        # 2^52 - 1 denormals lie between 0 and the least normal number, which is the 2^52nd after 0.
        (0.0, 2.2250738585072014e-308, 2**52),
        # From 1 to 2 all 52 bits of the fraction are counted through.
        (1.0, 2.0, 2**52),
        (2.0, 1.0, 2**52),
        (-2.0, -1.0, 2**52),
        (math.inf, math.inf, 0),
        (-math.inf, -math.inf, 0),
        (math.nan, -math.nan, 0),
        (math.inf, -math.inf, None),
        (math.inf, LARGEST, None),
        (math.nan, math.inf, None),
        (math.nan, 0.0, None),
        (0.0, math.nan, None),
    ],
)
def test_distances_by_hand(a: float, b: float, distance: int | None) -> None:
    assert ulp_distance(a, b) == distance
    assert ulp_distance(b, a) == distance


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(1, 12), st.sampled_from((-1, 1)))
def test_distances_against_numpy_nextafter(start: float, count: int, direction: int) -> None:
    value = start
    zeros = 0
    for _ in range(count):
        with np.errstate(over="ignore", under="ignore"):
            after = float(np.nextafter(value, direction * math.inf))
        if math.isinf(after):
            return
        # nextafter does not tell the two zeros apart: a step onto or over zero may pass both.
        zeros += after == 0.0 or value == 0.0
        value = after
    distance = ulp_distance(start, value)
    assert distance is not None
    if zeros:
        assert count <= distance <= count + 1
    else:
        assert distance == count
