"""The parts of a training run, timed in process: a forward pass, one training step by each method.

``forward-flat`` and ``forward-nested`` are the same sums with the weights in one flat vector and in
nested rows. Whatever was timed is then checked. Steps are timed at a learning rate of zero: the
arithmetic is that of any other rate, and the parameters stay what they are all the while.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from random import Random

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from gradients import METHODS, TrainingStep
from network import Network

STEP = 0.1

# The slowest kernel takes a good part of a second: with this the whole file takes under ten.
pytestmark = [
    pytest.mark.benchmark(min_rounds=5, max_time=0.25),
    pytest.mark.parametrize("sizes", [(10, 5, 1), (64, 32, 1)], ids=["10-5-1", "64-32-1"]),
]


def student(sizes: Sequence[int]) -> tuple[Network, list[float], list[float]]:
    """Return a network, one sample's inputs and its target: the same numbers at every call."""
    rng = Random(1)
    network = Network(sizes, rng)
    x = [rng.uniform(0.0, 1.0) for _ in range(sizes[0])]
    return network, x, [rng.uniform(0.0, 1.0) for _ in range(sizes[-1])]


def name(benchmark: BenchmarkFixture, kernel: str, sizes: Sequence[int]) -> None:
    """Label the numbers with what was timed."""
    benchmark.group = kernel.partition("-")[0]
    benchmark.extra_info["kernel"] = kernel
    benchmark.extra_info["layers"] = "-".join(map(str, sizes))


def bits(values: Sequence[float]) -> bytes:
    """Return the values' own bits: unlike ``==`` they tell -0.0 from 0.0."""
    return struct.pack(f"{len(values)}d", *values)


def nested_weights(network: Network) -> list[list[list[float]]]:
    """Return the weights as a list of layers, each a list of rows."""
    weights = iter(network.parameters)
    return [
        [[next(weights) for _ in range(columns)] for _ in range(rows)] for rows, columns in network.shapes
    ]


def forward_nested(
    layers: Sequence[Sequence[Sequence[float]]], biases: Sequence[float], x: Sequence[float]
) -> Sequence[float]:
    """Run the network whose weights are nested rows: n0 inputs in, nL outputs back."""
    for rows, bias in zip(layers, biases):
        outputs = []
        for row in rows:
            total = 0.0
            for x_j, w_ij in zip(x, row):
                total += x_j * w_ij
            outputs.append(total + bias)
        x = outputs
    return x


def test_forward_flat(benchmark: BenchmarkFixture, sizes: tuple[int, ...]) -> None:
    """Time the program's own forward pass."""
    network, x, _ = student(sizes)
    name(benchmark, "forward-flat", sizes)
    outputs = benchmark(network.forward, x)
    assert bits(outputs) == bits(forward_nested(nested_weights(network), network.biases(), x))


def test_forward_nested(benchmark: BenchmarkFixture, sizes: tuple[int, ...]) -> None:
    """Time the same pass over nested rows."""
    network, x, _ = student(sizes)
    name(benchmark, "forward-nested", sizes)
    outputs = benchmark(forward_nested, nested_weights(network), network.biases(), x)
    assert bits(outputs) == bits(network.forward(x))


@pytest.mark.parametrize("method", METHODS)
def test_step(benchmark: BenchmarkFixture, method: str, sizes: tuple[int, ...]) -> None:
    """Time a training step: gradient and update."""
    network, x, target = student(sizes)
    start = bits(network.parameters)
    name(benchmark, f"step-{method}", sizes)
    benchmark(METHODS[method], network, x, target, STEP, 0.0)
    assert bits(network.parameters) == start

    # Naive is the reference, so it is held against another method itself.
    reference = "incremental" if method == "naive" else "naive"
    after, expected = (
        after_one_step(METHODS[method], sizes),
        after_one_step(METHODS[reference], sizes),
    )
    if method == "backprop":
        assert all(math.isclose(p, q, rel_tol=1e-9) for p, q in zip(after, expected))
    else:
        assert bits(after) == bits(expected)


def after_one_step(training_step: TrainingStep, sizes: Sequence[int]) -> list[float]:
    """Return the parameters after a step that does move them."""
    network, x, target = student(sizes)
    training_step(network, x, target, STEP, 0.01)
    return network.parameters
