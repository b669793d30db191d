"""The two programs print the same bytes for any arguments, and the three methods agree."""

import math
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, event, example, given, settings
from hypothesis import strategies as st

from harness.case import Case, Shape
from harness.measure.contract import arguments as words_of
from tests import sweeps
from tests.programs import METHODS, Ended, Program, ended, run_in_process

LARGEST_SEED = 2**64 - 1

SAME_ON_EVERY_MACHINE = settings(
    deadline=None,
    derandomize=True,
    database=None,
    # The fixture is a program, which no example changes.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


ANY_RANGE = (
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=2)
    | st.sampled_from([[0.0, 1.0], [-1.0, 1.0], [-1e-05, 1e-05], [-1e308, 1e308], [0.0, 0.0]])
    | st.lists(st.floats(-4.0, 4.0), min_size=2, max_size=2)
).map(sorted)
SEEDS = st.integers(0, LARGEST_SEED) | st.sampled_from(
    [0, 1, 2**31, 2**32 - 1, 2**32, 2**53 + 1, LARGEST_SEED]
)
SHAPES = st.lists(st.integers(1, 12), min_size=2, max_size=5).map(lambda layers: Shape(tuple(layers)))
CASE = partial(Case, method="naive")
"""Every method is run: it makes no difference which one a case names."""


@st.composite
def any_arguments(draw: st.DrawFn) -> Case:
    """Draw from all that the programs take, as far as it is computed in little time."""
    low, high = draw(ANY_RANGE)
    positive = st.floats(min_value=0.0, exclude_min=True, allow_infinity=False)
    return CASE(
        shape=draw(SHAPES),
        seed=draw(SEEDS),
        samples=draw(st.integers(1, 4)),
        epochs=draw(st.integers(0, 3)),
        step=draw(positive | st.sampled_from([0.1, 1e-05]) | st.floats(1e-6, 10.0)),
        learning_rate=draw(positive | st.sampled_from([0.01, 0.001]) | st.floats(0.0, 2.0)),
        low=low,
        high=high,
    )


@st.composite
def moderate_arguments(draw: st.DrawFn) -> Case:
    """Draw what a careful user would: nothing here is near the limits of a float."""
    low, high = sorted(draw(st.lists(st.floats(-2.0, 2.0), min_size=2, max_size=2)))
    return CASE(
        shape=draw(SHAPES),
        seed=draw(SEEDS),
        samples=draw(st.integers(1, 5)),
        epochs=draw(st.integers(1, 3)),
        step=draw(st.floats(1e-3, 1.0)),
        learning_rate=draw(st.floats(0.0, 0.01)),
        low=low,
        high=high,
    )


def run_all(rust: Program, arguments: Case, threads: int = 1) -> dict[tuple[str, str], Ended]:
    """Run every method of both programs, Rust's with ``threads``."""
    words = {method: words_of(replace(arguments, method=method)) for method in METHODS}
    processes = {method: rust.start("--threads", str(threads), *words[method]) for method in METHODS}
    ends = {("python", method): run_in_process(*words[method]) for method in METHODS}
    ends |= {("rust", method): ended(process) for method, process in processes.items()}
    for key, end in ends.items():
        assert end.status == 0, (key, end.err)
    return ends


def assert_same_bytes(ends: dict[tuple[str, str], Ended]) -> None:
    """Assert that the programs agree on every method, and the central differences on each other."""
    for method in METHODS:
        assert ends["rust", method].out == ends["python", method].out, method
    assert ends["python", "incremental"].out == ends["python", "naive"].out


def given_case(layers: str, *, samples: int = 1, epochs: int = 2, seed: int = 1, **others: Any) -> Case:
    return replace(sweeps.case(layers, samples=samples, epochs=epochs, seed=seed), **others)


DIVERGES = given_case("2-1", learning_rate=1e155, epochs=4)
"""One update makes the loss infinite, later ones make it nan."""
DIVERGES_BY_EXACT_GRADIENT = given_case("3-2-1", samples=3, learning_rate=10.0, epochs=10)
INFINITE_FROM_THE_START = given_case("3-2", low=1e300, high=1e301)
INFINITE_RANGE = given_case("2-3-1", low=-1e308, high=1e308)


@settings(SAME_ON_EVERY_MACHINE, max_examples=60)
@given(arguments=any_arguments(), threads=st.integers(1, 4))
@example(arguments=DIVERGES, threads=1)
@example(arguments=DIVERGES_BY_EXACT_GRADIENT, threads=2)
@example(arguments=INFINITE_FROM_THE_START, threads=3)
@example(arguments=INFINITE_RANGE, threads=4)
@example(arguments=given_case("12-12-12-12-12", seed=LARGEST_SEED, low=-1e-05), threads=4)
@example(arguments=given_case("1-1", step=5e-324), threads=1)
@example(arguments=given_case("1-1", step=1.7976931348623157e308), threads=1)
def test_both_programs_print_the_same_bytes(rust: Program, arguments: Case, threads: int) -> None:
    ends = run_all(rust, arguments, threads)
    for end in ends.values():
        event(f"finite: {all(map(math.isfinite, [end.initial_loss, *end.losses]))}")
    assert_same_bytes(ends)


@pytest.mark.parametrize("method", METHODS)
def test_a_run_that_reaches_inf_and_then_nan_is_the_same_in_both_programs(rust: Program, method: str) -> None:
    ends = run_all(rust, DIVERGES)
    losses = ends["python", method].losses
    assert losses[0] == math.inf
    assert math.isnan(losses[-1])
    assert ends["python", method].out.endswith(b"\r4/4: loss: nan\nFinal Loss: nan\n")
    assert_same_bytes(ends)


@settings(SAME_ON_EVERY_MACHINE, max_examples=40)
@given(arguments=moderate_arguments())
def test_backprop_agrees_with_the_central_difference(rust: Program, arguments: Case) -> None:
    """The difference has no truncation error, so that only rounding separates the two.

    A slope's error is some units in the last place of the two losses, divided by 2h. Where the loss
    does not grow, training does not amplify it by much. Over 3000 random runs the largest deviation
    was a hundredth of what is allowed here.
    """
    ends = run_all(rust, arguments)
    assert_same_bytes(ends)
    naive, backprop = ends["python", "naive"], ends["python", "backprop"]
    assume(max(naive.losses) <= naive.initial_loss)
    assert backprop.initial_loss == naive.initial_loss
    assert backprop.losses == pytest.approx(naive.losses, rel=1e-8, abs=1e-10 * naive.initial_loss)


def test_any_number_of_threads_gives_the_same_bytes(rust: Program) -> None:
    for method in METHODS:
        words = words_of(sweeps.case("12-7-3", method, samples=5, epochs=4))
        expected = rust.run(*words)
        assert expected.status == 0
        for threads in (2, 3, 4, 7, 64, LARGEST_SEED):
            end = rust.run("--threads", str(threads), *words)
            assert (end.status, end.out) == (0, expected.out), (method, threads)
