"""Times a forward pass with the weights in one flat vector and in nested rows, and prints seconds a pass.

One line a shape: ``LAYERS FLAT NESTED``. Each storage has the form that is the fastest in plain Python; the
sums are the same, bit for bit. The order is flat, nested, nested, flat, so that a machine that becomes slower
meanwhile is no advantage to either.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from time import perf_counter

from network import Network

SHAPES = ((10, 5, 1), (32, 16, 1), (64, 32, 1), (256, 128, 1))
BATCH_S = 0.01
"""Seconds that the passes between two readings of the clock take, at least."""


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


def seconds(call: Callable[[], object], times: int) -> float:
    """Return the seconds of one of so many calls."""
    start = perf_counter()
    for _ in range(times):
        call()
    return (perf_counter() - start) / times


def main() -> None:
    """Time every shape."""
    for layers in SHAPES:
        rng = Random(1)
        network = Network(layers, rng)
        nested, biases = nested_weights(network), network.biases()
        x = [rng.uniform(0.0, 1.0) for _ in range(layers[0])]
        flat_pass = partial(network.forward, x)
        nested_pass = partial(forward_nested, nested, biases, x)
        assert flat_pass() == nested_pass()
        times = 1
        while seconds(flat_pass, times) * times < BATCH_S:
            times *= 2
        first, second, third, fourth = (
            seconds(call, times) for call in (flat_pass, nested_pass, nested_pass, flat_pass)
        )
        print("-".join(map(str, layers)), (first + fourth) / 2.0, (second + third) / 2.0)


if __name__ == "__main__":
    main()
