"""The network in NumPy: a matrix product for each layer, which BLAS sums in an order of its own."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

import contract

Floats = NDArray[np.float64]

BLOCK = 1 << 18
"""How many values the networks that `naive` runs at once may have together: as many as a cache holds."""


class Network:
    """All parameters in one flat vector; ``weights`` and ``biases`` are views into it."""

    def __init__(self, layers: list[int], parameters: Floats) -> None:
        self.parameters = parameters
        self.shapes = list(zip(layers[1:], layers, strict=False))
        self.weights, self.biases = self.views(parameters)

    def views(self, parameters: Floats) -> tuple[list[Floats], Floats]:
        """Return the weights of each layer and the biases of one network, or of one in every row."""
        weights, offset = [], 0
        for rows, columns in self.shapes:
            flat = parameters[..., offset : offset + rows * columns]
            weights.append(flat.reshape(*flat.shape[:-1], rows, columns))
            offset += rows * columns
        return weights, parameters[..., offset:]

    def forward(self, x: Floats) -> list[Floats]:
        """Return the values of all layers, for one sample or for one in every row."""
        values = [x]
        for w, bias in zip(self.weights, self.biases, strict=True):
            values.append(values[-1] @ w.T + bias)
        return values

    def loss(self, inputs: Floats, targets: Floats) -> float:
        """Return the mean of the squared differences over all samples and outputs."""
        return float(np.mean(np.square(targets - self.forward(inputs)[-1])))

    def step_backprop(self, x: Floats, target: Floats, arguments: contract.Arguments) -> None:
        """Move every parameter against its exact slope."""
        values = self.forward(x)
        delta = 2.0 * (values[-1] - target) / target.size
        for k in range(len(self.weights) - 1, -1, -1):
            w, scaled = self.weights[k], arguments.learning_rate * delta
            delta = delta @ w
            w -= np.outer(scaled, values[k])
            self.biases[k] -= scaled.sum()

    def step_naive(self, x: Floats, target: Floats, arguments: contract.Arguments) -> None:
        """Move every parameter against its central difference; a block of networks is run at once."""
        count, h = self.parameters.size, arguments.step
        size = max(1, min(count, BLOCK // count))
        networks = np.tile(self.parameters, (size, 1))
        weights, biases = self.views(networks)
        diagonal = np.arange(size)
        slopes = np.empty(count)
        for first in range(0, count, size):
            which = np.arange(first, min(first + size, count))
            rows = diagonal[: which.size]
            losses = []
            for change in (h, -h):
                networks[rows, which] = self.parameters[which] + change
                values = x[:, None]
                for k, w in enumerate(weights):
                    values = w @ values + biases[:, k, None, None]
                losses.append(np.mean(np.square(target - values[:, :, 0]), axis=1)[: which.size])
            networks[rows, which] = self.parameters[which]
            slopes[which] = (losses[0] - losses[1]) / (2.0 * h)
        self.parameters -= arguments.learning_rate * slopes


def train(
    network: Network, inputs: Floats, targets: Floats, arguments: contract.Arguments
) -> Iterator[float]:
    """Train sample by sample and yield the overall loss after each epoch."""
    step = network.step_naive if arguments.method == "naive" else network.step_backprop
    for _ in range(arguments.epochs):
        for x, target in zip(inputs, targets, strict=True):
            step(x, target, arguments)
        yield network.loss(inputs, targets)


def main() -> None:
    """Run the program."""
    arguments = contract.read_arguments(lambda: f"in NumPy {np.__version__}", ("naive", "backprop"))
    layers, samples = arguments.layers, arguments.samples
    # The generator of Python, seeded as Python seeds it.
    rng = np.random.RandomState(contract.seed_words(arguments.seed))
    count = sum(columns * rows for columns, rows in pairwise(layers)) + len(layers) - 1

    def uniform(low: float, high: float, count: int) -> Floats:
        return low + (high - low) * rng.random_sample(count)

    inputs = uniform(arguments.low, arguments.high, samples * layers[0]).reshape(samples, layers[0])
    targets = Network(layers, uniform(-1.0, 1.0, count)).forward(inputs)[-1]
    network = Network(layers, uniform(-1.0, 1.0, count))
    losses = train(network, inputs, targets, arguments)
    contract.report(arguments.epochs, network.loss(inputs, targets), losses)


if __name__ == "__main__":
    # A loss that diverges is a loss like any other.
    with np.errstate(all="ignore"):
        main()
