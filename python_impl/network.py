"""The network: every parameter in one flat vector, one forward pass, two losses.

Letters used below: ``x`` a layer's inputs, ``w_ij`` the weight from input j to output i, ``d``
target minus output. Every sum runs left to right from 0.0, one rounded product and then one rounded
addition a term; the built-in ``sum``, which compensates from Python 3.12 on, is not used.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, islice
from random import Random


class Network:
    """Layers of linear neurons without activation function, one bias a layer.

    ``layers``      the sizes n0 .. nL, input first.
    ``shapes``      (rows, columns) of the weights of layers 1 .. L: (n1, n0) .. (nL, nL-1).
    ``parameters``  all weights, layer after layer and row-major within each, then the L biases.
    ``offsets``     where in ``parameters`` each layer's weights begin; the last is the first bias.
    """

    def __init__(self, layers: Sequence[int], rng: Random) -> None:
        """Draw every parameter from uniform(-1, 1) in the order in which it is stored."""
        self.shapes = list(zip(layers[1:], layers))
        self.offsets = list(accumulate((rows * columns for rows, columns in self.shapes), initial=0))
        self.parameters = [rng.uniform(-1.0, 1.0) for _ in range(self.offsets[-1] + len(self.shapes))]

    def biases(self) -> list[float]:
        """Return the L biases."""
        return self.parameters[self.offsets[-1] :]

    def forward(self, x: Sequence[float], first: int = 0, last: int | None = None) -> Sequence[float]:
        """Run the layers ``first`` to ``last`` - 1 on the inputs ``x`` of layer ``first``.

        By default that is the whole network: n0 inputs in, nL outputs back.
        """
        # One iterator serves every row: zip asks x first, and takes no weight once x has ended.
        parameters, offsets = self.parameters, self.offsets
        weights = islice(parameters, offsets[first], None) if first else iter(parameters)
        for (rows, _), bias in zip(self.shapes[first:last], parameters[offsets[-1] + first :]):
            outputs = []
            for _ in range(rows):
                total = 0.0
                for x_j, w_ij in zip(x, weights):
                    total += x_j * w_ij
                outputs.append(total + bias)
            x = outputs
        return x


def sample_loss(target: Sequence[float], output: Sequence[float]) -> float:
    """Return the mean of the squared differences over one sample's outputs."""
    total = 0.0
    for t, o in zip(target, output):
        d = t - o
        total += d * d
    return total / len(target)


def overall_loss(
    network: Network, inputs: Sequence[Sequence[float]], targets: Sequence[Sequence[float]]
) -> float:
    """Return the mean of the squared differences over all samples (rows) and outputs (columns)."""
    total = 0.0
    for x, target in zip(inputs, targets):
        for t, o in zip(target, network.forward(x)):
            d = t - o
            total += d * d
    return total / (len(targets) * len(targets[0]))
