"""The parts of a training run, timed in process: a forward pass, one training step by each method.

Whatever was timed is then checked. Steps are timed at a learning rate of zero: the arithmetic is that of
any other rate, and the parameters stay what they are all the while.
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


def test_forward(benchmark: BenchmarkFixture, sizes: tuple[int, ...]) -> None:
    """Time the forward pass."""
    network, x, _ = student(sizes)
    name(benchmark, "forward", sizes)
    outputs = benchmark(network.forward, x)
    assert bits(outputs) == bits(by_index(network, x))


def by_index(network: Network, x: Sequence[float]) -> Sequence[float]:
    """Run the network by definition: weight (i, j) of a layer stands at offset + i * columns + j."""
    for (rows, columns), offset, bias in zip(network.shapes, network.offsets, network.biases()):
        outputs = []
        for i in range(rows):
            total = 0.0
            for j in range(columns):
                total += x[j] * network.parameters[offset + i * columns + j]
            outputs.append(total + bias)
        x = outputs
    return x


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
