"""What a step costs: counts by enumeration, fits of times that are known, intervals that hold."""

from itertools import pairwise
from pathlib import Path
from random import Random

import numpy as np
import pytest
from scipy import stats

from harness.case import METHODS, Shape
from harness.plan import DEFAULT_SHAPES
from harness.read.cost import COLUMNS, FEWEST_SIZES, TERMS, Cost, Estimate, counted, table
from harness.read.results import Results
from tests.sweeps import case, row, understood

SHAPES = [(3, 2, 1), (2, 1), (1, 1), (4, 3, 2, 1), (2, 5, 3, 4, 2)]


def of(term: str, layers: tuple[int, ...], method: str) -> float:
    return float(counted(layers, method)[TERMS.index(term)])


@pytest.mark.parametrize("layers", SHAPES)
@pytest.mark.parametrize("method", METHODS)
def test_multiply_adds_are_those_of_the_shape(layers: tuple[int, ...], method: str) -> None:
    assert of("multiply_adds", layers, method) == Shape(layers).multiply_adds(method)
    assert of("parameters", layers, method) == Shape(layers).parameters


@pytest.mark.parametrize("layers", SHAPES)
def test_sums_of_naive_by_enumeration(layers: tuple[int, ...]) -> None:
    """Every row of every layer, twice for each parameter."""
    sums = passes = 0
    for _ in range(Shape(layers).parameters):
        for _up_or_down in range(2):
            for _columns, rows in pairwise(layers):
                passes += 1
                sums += rows
    assert (of("sums", layers, "naive"), of("layers", layers, "naive")) == (sums, passes)


@pytest.mark.parametrize("layers", SHAPES)
def test_sums_of_incremental_by_enumeration(layers: tuple[int, ...]) -> None:
    """The running sums and the outputs once; then for each perturbation what it touches."""
    sums = 2 * sum(layers[1:])
    for k, (columns, rows) in enumerate(pairwise(layers)):
        for _weight in range(columns * rows):
            for _up_or_down in range(2):
                sums += 1
                for later in layers[k + 2 :]:
                    sums += later
        for _up_or_down in range(2):
            sums += sum(layers[k + 2 :])
    assert of("sums", layers, "incremental") == sums


@pytest.mark.parametrize("layers", SHAPES)
def test_sums_of_backprop_by_enumeration(layers: tuple[int, ...]) -> None:
    """A row each forward; back, one for each hidden neuron."""
    assert of("sums", layers, "backprop") == sum(layers[1:]) + sum(layers[1:-1])
    assert of("layers", layers, "backprop") == (len(layers) - 1) + (len(layers) - 2)


def test_what_lies_beyond_a_cache() -> None:
    # 4096 parameters of 8 bytes are 32 KiB; this has 8194 of them.
    work = counted((4096, 2, 1), "backprop")
    assert work[TERMS.index("beyond_32_kib")] == pytest.approx(work[4] * (1 - 4096 / 8196))
    assert work[TERMS.index("beyond_256_kib")] == 0.0


def sweep(path: Path, seconds: dict[str, float], error: float = 0.0, seed: int = 1) -> Results:
    """Return a sweep of the default shapes in which a backprop step costs just that."""
    random = Random(seed)
    rows = []
    for shape in DEFAULT_SHAPES:
        work = counted(shape.layers, "backprop")
        true = sum(work[TERMS.index(term)] * value for term, value in seconds.items())
        off = true * np.exp(random.gauss(0.0, error))
        for number in range(1, 8):
            of_case = case(str(shape), "backprop", samples=10, epochs=10)
            noisy = off * np.exp(random.gauss(0.0, error / 10))
            start = 0.5 + 1e-6 * 10 * sum(shape.weights)
            training_s = float(100 * noisy)
            rows.append(row("a", number, of=of_case, training_s=training_s, wall_s=training_s + start))
    return understood(path, rows)


def cost_of(results: Results) -> Cost:
    (cost,) = results.costs.values()
    return cost


def test_known_costs_are_found_and_the_rest_is_dropped(tmp_path: Path) -> None:
    results = sweep(tmp_path, {"sums": 3e-7, "multiply_adds": 2e-8})
    cost = cost_of(results)
    found = {term: value for term, value in zip(TERMS, cost.seconds, strict=True) if value}
    assert found == pytest.approx({"sums": 3e-7, "multiply_adds": 2e-8}, rel=1e-6)
    assert cost.error < 1e-6
    line = table(results.costs).iloc[0]
    assert list(table(results.costs).columns) == COLUMNS
    assert line["multiply_adds_ns"] == pytest.approx(20.0)
    assert set(line["dropped"].split()) == set(TERMS) - set(found)
    deep = (20, 20, 20, 20, 1)
    expected = counted(deep, "backprop") @ cost.seconds
    assert cost.step(deep).value == pytest.approx(expected)


def test_a_start_up_is_fixed_and_per_sample_and_weight(tmp_path: Path) -> None:
    cost = cost_of(sweep(tmp_path, {"multiply_adds": 2e-8}))
    assert cost.startup == pytest.approx([0.5, 1e-6])
    whole = cost.process((10, 5, 1), samples=7, epochs=3)
    assert whole.value == pytest.approx(0.5 + 7 * 55 * 1e-6 + 21 * 60 * 2e-8)


def test_how_far_beyond(tmp_path: Path) -> None:
    cost = cost_of(sweep(tmp_path, {"multiply_adds": 2e-8}))
    most, least = (Shape.parse(text).multiply_adds("backprop") for text in ("512-256-1", "4-2-1"))
    assert (cost.most, cost.fewest) == (most, least)
    assert cost.beyond((33, 17, 1)) == 1.0
    assert cost.beyond((1024, 1024, 1)) == Shape((1024, 1024, 1)).multiply_adds("backprop") / most
    assert cost.beyond((1, 1)) == least


def test_the_interval_is_student_s() -> None:
    one = Estimate(value=2.0, sd=0.1, freedom=5)
    factor = np.exp(0.1 * stats.t.ppf(0.975, 5))
    assert (one.low, one.high) == pytest.approx((2.0 / factor, 2.0 * factor))


def test_ratios_and_sums_of_estimates() -> None:
    one, other = Estimate(value=6.0, sd=0.3, freedom=5), Estimate(value=2.0, sd=0.4, freedom=3)
    ratio = one.over(other)
    assert (ratio.value, ratio.sd, ratio.freedom) == pytest.approx((3.0, 0.5, 3))
    both = one.plus(other)
    assert (both.value, both.sd) == pytest.approx((8.0, np.hypot(1.8, 0.8) / 8.0))
    assert one.times(3.0).value == 18.0


def test_intervals_hold_when_every_size_is_off_by_a_tenth(tmp_path: Path) -> None:
    """Forty sweeps, of which each has its own errors, and five shapes that none has measured."""
    seconds = {"layers": 1e-6, "sums": 3e-7, "multiply_adds": 2e-8}
    random, hits = Random(1), []
    for number in range(40):
        cost = cost_of(sweep(tmp_path / str(number), seconds, error=0.1, seed=number))
        for layers in ((9, 9, 1), (33, 17, 1), (100, 40, 1), (300, 30, 1), (700, 300, 1)):
            true = (
                counted(layers, "backprop")[[0, 2, 4]] @ [1e-6, 3e-7, 2e-8] * np.exp(random.gauss(0.0, 0.1))
            )
            estimate = cost.step(layers)
            hits.append(estimate.low <= true <= estimate.high)
    assert 0.9 <= np.mean(hits) <= 0.995


def test_with_few_sizes_there_is_no_model(tmp_path: Path) -> None:
    shapes = DEFAULT_SHAPES[: FEWEST_SIZES - 1]
    rows = [row("a", number, of=case(str(shape))) for shape in shapes for number in (1, 2)]
    results = understood(tmp_path, rows)
    assert results.costs == {}
    assert list(table(results.costs).columns) == COLUMNS
    assert results.crossovers.empty
