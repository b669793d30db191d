"""What a step costs: counts by enumeration, fits of times that are known, intervals that hold."""

from itertools import pairwise
from pathlib import Path
from random import Random

import numpy as np
import pytest
from scipy import stats

from harness.analysis.cost import COLUMNS, FEWEST_SIZES, TERMS, Cost, Estimate, counted, table
from harness.analysis.results import Results
from harness.case import METHODS, Job, Shape
from harness.commands.predict import LEARNED_SHAPES
from harness.plan import DEFAULT_SHAPES
from tests.sweeps import case, row, understood

SHAPES = [(3, 2, 1), (2, 1), (1, 1), (4, 3, 2, 1), (2, 5, 3, 4, 2), (40, 9, 3)]


def of(term: str, layers: tuple[int, ...], method: str) -> float:
    return float(counted(layers, method)[TERMS.index(term)])


@pytest.mark.parametrize("layers", SHAPES)
@pytest.mark.parametrize("method", METHODS)
def test_products_are_counted_as_for_a_shape(layers: tuple[int, ...], method: str) -> None:
    counts = {term: of(term, layers, method) for term in TERMS}
    assert counts["multiply_adds"] + counts["additions"] == Shape(layers).multiply_adds(method)
    assert counts["parameters"] == Shape(layers).parameters
    assert counts["later_parameters"] == counts["parameters"] - layers[0] * layers[1]
    assert (counts["additions"] > 0.0) == (method == "incremental")


@pytest.mark.parametrize("layers", SHAPES)
def test_naive_by_enumeration(layers: tuple[int, ...]) -> None:
    """Every row of every layer, twice for each parameter."""
    sums = passes = chain = long = 0
    for _ in range(Shape(layers).parameters):
        for _up_or_down in range(2):
            for columns, rows in pairwise(layers):
                passes += 1
                sums += rows
                chain += columns
                long += rows * max(0, columns - 32)
    expected = {"sums": sums, "layers": passes, "chain": chain, "beyond_32_terms": long}
    expected["differences"] = 2 * Shape(layers).parameters * layers[-1]
    assert {term: of(term, layers, "naive") for term in expected} == expected


@pytest.mark.parametrize("layers", SHAPES)
def test_incremental_by_enumeration(layers: tuple[int, ...]) -> None:
    """The running sums and the outputs once; then for each perturbation what it touches."""
    depth = len(layers) - 1
    sums, passes, additions, products = 2 * sum(layers[1:]), depth, 0, sum(Shape(layers).weights)
    for k, (columns, rows) in enumerate(pairwise(layers)):
        later = layers[k + 2 :]
        for q in range(columns):
            for i in range(rows):
                for _up_or_down in range(2):
                    sums += 1 + sum(later)
                    # From term q of the row on; from term i on in each row of the next layer.
                    additions += columns - q + (later[0] * (rows - i) if later else 0)
                    passes += max(0, depth - k - 2)
                    products += sum(c * r for c, r in pairwise(later))
        for _up_or_down in range(2):
            sums += sum(later)
            passes += depth - k - 1
            products += sum(c * r for c, r in pairwise(layers[k + 1 :]))
    expected = {"sums": sums, "layers": passes, "additions": additions, "multiply_adds": products}
    assert {term: of(term, layers, "incremental") for term in expected} == expected


@pytest.mark.parametrize("layers", SHAPES)
def test_backprop_by_enumeration(layers: tuple[int, ...]) -> None:
    """A row each forward; back, one for each hidden neuron. Eight rows, or inputs, fill a register."""
    forward = sum(columns * -(-rows // 8) for columns, rows in pairwise(layers))
    by_row = [rows * -(-columns // 8) for columns, rows in pairwise(layers)]
    expected = {
        "sums": sum(layers[1:]) + sum(layers[1:-1]),
        "layers": (len(layers) - 1) + (len(layers) - 2),
        "vectors": forward + sum(by_row[1:]),
        "vector_parameters": sum(by_row),
        "chain": sum(layers[:-1]) + sum(layers[2:]),
        "differences": layers[-1],
    }
    assert {term: of(term, layers, "backprop") for term in expected} == expected


def test_what_lies_beyond_a_cache() -> None:
    # 4096 parameters of 8 bytes are 32 KiB; this has 8194 of them.
    work = counted((4096, 2, 1), "backprop")
    products = work[TERMS.index("multiply_adds")]
    assert work[TERMS.index("beyond_32_kib")] == pytest.approx(products * (1 - 4096 / 8196))
    assert work[TERMS.index("beyond_256_kib")] == 0.0


def sweep(
    path: Path,
    seconds: dict[str, float],
    error: float = 0.0,
    seed: int = 1,
    shapes: tuple[Shape, ...] = DEFAULT_SHAPES,
) -> Results:
    """Return a sweep in which a backprop step costs just that, but for the ``error`` of each size."""
    random = Random(seed)
    rows = []
    for shape in shapes:
        work = counted(shape.layers, "backprop")
        true = sum(work[TERMS.index(term)] * value for term, value in seconds.items())
        off = true * np.exp(random.gauss(0.0, error))
        for number in (1, 2, 3):
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
    results = sweep(tmp_path, {"sums": 3e-7, "multiply_adds": 2e-8}, shapes=LEARNED_SHAPES)
    cost = cost_of(results)
    assert cost.error < 1e-6
    line = table(results.costs).iloc[0]
    # Rounding may leave a trace of a term; what has none is named.
    found = {term for term, value in zip(TERMS, cost.seconds, strict=True) if value}
    assert set(line["dropped"].split()) == set(TERMS) - found
    assert line["multiply_adds_ns"] == pytest.approx(20.0, rel=1e-3)
    assert line["sums_ns"] == pytest.approx(300.0, rel=1e-2)
    for layers in ((20, 20, 20, 20, 1), (700, 300, 1), (9, 9, 9)):
        expected = of("sums", layers, "backprop") * 3e-7 + of("multiply_adds", layers, "backprop") * 2e-8
        assert cost.step(layers).value == pytest.approx(expected, rel=1e-6)


def test_a_start_up_is_fixed_and_what_lies_beyond_is_counted(tmp_path: Path) -> None:
    cost = cost_of(sweep(tmp_path, {"multiply_adds": 2e-8}))
    assert cost.once == pytest.approx([0.5, 1e-6])
    whole = cost.job((10, 5, 1), Job(epochs=3, samples=7))
    assert whole.value == pytest.approx(0.5 + 7 * 55 * 1e-6 + 21 * 60 * 2e-8)
    most, least = (Shape.parse(text).multiply_adds("backprop") for text in ("512-256-1", "4-2-1"))
    assert (cost.most, cost.fewest) == (most, least)
    assert cost.beyond((33, 17, 1)) == 1.0
    assert cost.beyond((1024, 1024, 1)) == Shape((1024, 1024, 1)).multiply_adds("backprop") / most
    assert cost.beyond((1, 1)) == least


def test_estimates() -> None:
    one, other = Estimate(value=6.0, sd=0.3, freedom=5), Estimate(value=2.0, sd=0.4, freedom=3)
    # The interval is Student's.
    factor = np.exp(0.3 * stats.t.ppf(0.975, 5))
    assert (one.low, one.high) == pytest.approx((6.0 / factor, 6.0 * factor))
    ratio, both = one.over(other), one.plus(other)
    assert (ratio.value, ratio.sd, ratio.freedom) == pytest.approx((3.0, 0.5, 3))
    assert (both.value, both.sd) == pytest.approx((8.0, np.hypot(1.8, 0.8) / 8.0))
    assert one.times(3.0).value == 18.0


def test_intervals_hold_when_every_size_is_off_by_a_tenth(tmp_path: Path) -> None:
    """Twenty-five sweeps, of which each has its own errors, and five shapes that none has measured."""
    seconds = {"layers": 1e-6, "sums": 3e-7, "multiply_adds": 2e-8}
    random, hits = Random(1), []
    for number in range(25):
        cost = cost_of(sweep(tmp_path / str(number), seconds, error=0.1, seed=number))
        for layers in ((9, 9, 1), (33, 17, 1), (100, 40, 1), (300, 30, 1), (700, 300, 1)):
            true = sum(of(term, layers, "backprop") * value for term, value in seconds.items()) * np.exp(
                random.gauss(0.0, 0.1)
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


def test_no_interval_excludes_what_was_measured(tmp_path: Path) -> None:
    """Steps triple above 700 neurons, which no term explains: the largest size is off any smooth curve."""
    rows = []
    for shape in DEFAULT_SHAPES:
        products = shape.multiply_adds("backprop")
        seconds = 1e-9 * products * (3.0 if shape.neurons > 700 else 1.0)
        rows += [
            row("a", n, of=case(str(shape), "backprop"), training_s=seconds * n**0.001) for n in (1, 2, 3)
        ]
    results = understood(tmp_path, rows)
    cost = cost_of(results)
    for one in results.medians.to_dict("records"):
        estimate = cost.step(Shape.parse(one["layers"]).layers)
        assert estimate.low <= one["median"] <= estimate.high, one["layers"]
