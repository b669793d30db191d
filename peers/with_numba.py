"""The network in Python loops that Numba compiles when the program starts, or takes from its cache."""

from collections.abc import Iterator
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

import contract

Floats = NDArray[np.float64]
Sizes = NDArray[np.int64]

# Without fastmath every sum keeps its order, and with it every bit.
compiled: Any = numba.njit(cache=True, error_model="numpy", boundscheck=False)


@compiled
def forward(layers: Sizes, p: Floats, values: Floats) -> None:
    """Run the network on the inputs that stand first in ``values``; each layer's values follow."""
    bias = p.size - (layers.size - 1)
    w, start = 0, 0
    for k in range(1, layers.size):
        columns, rows = layers[k - 1], layers[k]
        x = values[start : start + columns]
        start += columns
        for i in range(rows):
            row = p[w : w + columns]
            total = 0.0
            for j in range(columns):
                total += x[j] * row[j]
            values[start + i] = total + p[bias + k - 1]
            w += columns


@compiled
def squares(total: float, target: Floats, values: Floats) -> float:
    """Add the squared differences of one sample to ``total``."""
    outputs = values[values.size - target.size :]
    for i in range(target.size):
        d = target[i] - outputs[i]
        total += d * d
    return total


@compiled
def overall_loss(layers: Sizes, p: Floats, inputs: Floats, targets: Floats, values: Floats) -> float:
    """Return the mean of the squared differences over all samples and outputs."""
    total = 0.0
    for s in range(len(inputs)):
        values[: layers[0]] = inputs[s]
        forward(layers, p, values)
        total = squares(total, targets[s], values)
    return total / targets.size


@compiled
def step_naive(
    layers: Sizes, p: Floats, target: Floats, h: float, rate: float, values: Floats, slopes: Floats
) -> None:
    """Move every parameter against its central difference."""
    for i in range(p.size):
        value = p[i]
        p[i] = value + h
        forward(layers, p, values)
        up = squares(0.0, target, values) / target.size
        p[i] = value - h
        forward(layers, p, values)
        down = squares(0.0, target, values) / target.size
        p[i] = value
        slopes[i] = (up - down) / (2.0 * h)
    for i in range(p.size):
        p[i] -= rate * slopes[i]


@compiled
def step_backprop(
    layers: Sizes, p: Floats, target: Floats, rate: float, values: Floats, deltas: Floats
) -> None:
    """Move every parameter against its exact slope."""
    forward(layers, p, values)
    end = values.size
    for i in range(target.size):
        o = end - target.size + i
        deltas[o] = 2.0 * (values[o] - target[i]) / target.size
    w = p.size - (layers.size - 1)
    bias = w
    for k in range(layers.size - 1, 0, -1):
        columns, rows = layers[k - 1], layers[k]
        w -= rows * columns
        delta = deltas[end - rows : end]
        end -= rows
        x, previous = values[end - columns : end], deltas[end - columns : end]
        previous[:] = 0.0
        slope = 0.0
        for i in range(rows):
            d = delta[i]
            slope += d
            row = p[w + i * columns : w + (i + 1) * columns]
            for j in range(columns):
                previous[j] += d * row[j]
                row[j] -= rate * (d * x[j])
        p[bias + k - 1] -= rate * slope


@compiled
def epoch(
    layers: Sizes,
    p: Floats,
    inputs: Floats,
    targets: Floats,
    is_naive: bool,
    h: float,
    rate: float,
    values: Floats,
    work: Floats,
) -> float:
    """Take a training step for each sample and return the overall loss."""
    for s in range(len(inputs)):
        values[: layers[0]] = inputs[s]
        if is_naive:
            step_naive(layers, p, targets[s], h, rate, values, work)
        else:
            step_backprop(layers, p, targets[s], rate, values, work)
    return overall_loss(layers, p, inputs, targets, values)


def main() -> None:
    """Run the program."""
    arguments = contract.read_arguments(lambda: f"in Numba {numba.__version__}", ("naive", "backprop"))
    layers, samples = np.array(arguments.layers), arguments.samples
    # The generator of Python, seeded as Python seeds it.
    rng = np.random.RandomState(contract.seed_words(arguments.seed))
    count = int((layers[1:] * layers[:-1]).sum()) + layers.size - 1

    def uniform(low: float, high: float, count: int) -> Floats:
        return low + (high - low) * rng.random_sample(count)

    inputs = uniform(arguments.low, arguments.high, samples * layers[0]).reshape(samples, layers[0])
    teacher, p = uniform(-1.0, 1.0, count), uniform(-1.0, 1.0, count)
    values, work = np.empty(layers.sum()), np.empty(max(count, layers.sum()))
    settings = arguments.method == "naive", arguments.step, arguments.learning_rate, values, work
    # A call with no samples compiles, and does nothing.
    compile_s = contract.compiled(lambda: epoch(layers, p, inputs[:0], np.empty((0, layers[-1])), *settings))
    targets = np.empty((samples, layers[-1]))
    for x, target in zip(inputs, targets, strict=True):
        values[: layers[0]] = x
        forward(layers, teacher, values)
        target[:] = values[-layers[-1] :]

    def train() -> Iterator[float]:
        for _ in range(arguments.epochs):
            yield epoch(layers, p, inputs, targets, *settings)

    contract.report(arguments.epochs, overall_loss(layers, p, inputs, targets, values), train(), compile_s)


if __name__ == "__main__":
    main()
