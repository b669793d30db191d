"""Three ways to the gradient of one sample's loss, all with one signature.

Each takes the network, one sample's n0 inputs ``x``, its nL ``target`` values and the ``step`` h of the
central difference, and returns the slope for every parameter, in the order of ``Network.parameters``.

- ``naive`` runs the whole forward pass twice for each parameter. It is the reference for the others.
- ``incremental`` finds the same differences, bit for bit, and recomputes only what a parameter touches.
- ``backprop`` applies the chain rule. The loss is quadratic in every single parameter, so the central
  difference has no truncation error and the two gradients agree but for rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from itertools import accumulate, chain
from operator import add, mul

from network import Network, sample_loss

Gradient = Callable[[Network, Sequence[float], Sequence[float], float], list[float]]
LayerSums = tuple[Sequence[float], list[list[float]], list[list[float]]]


def naive(
    network: Network, x: Sequence[float], target: Sequence[float], step: float
) -> list[float]:
    """Central differences, (loss(p + h) - loss(p - h)) / 2h, each loss by a whole forward pass."""
    parameters = network.parameters
    slopes = []
    for p, value in enumerate(parameters):
        parameters[p] = value + step
        loss_up = sample_loss(target, network.forward(x))
        parameters[p] = value - step
        loss_down = sample_loss(target, network.forward(x))
        parameters[p] = value
        slopes.append((loss_up - loss_down) / (2.0 * step))
    return slopes


def incremental(
    network: Network, x: Sequence[float], target: Sequence[float], step: float
) -> list[float]:
    """Central differences as in ``naive``, from running sums that all perturbations of a row share.

    Weight (i, q) enters row i's sum at term q. The terms before it are summed once for the whole row,
    the terms after it are multiplied once for the whole row. In the next layer only input i differs, so
    the same holds there; from the layer after that on, everything differs.
    """
    weights, biases = network.parameters[: network.offsets[-1]], network.biases()
    layers = row_sums(network, x)
    weight_slopes, bias_slopes = [], []
    for k, (inputs, terms, prefixes) in enumerate(layers):
        bias, row_start = biases[k], network.offsets[k]
        for i, (row_terms, row_prefixes) in enumerate(zip(terms, prefixes)):
            row = weights[row_start : row_start + len(inputs)]
            row_start += len(inputs)
            for q, (x_q, w_iq) in enumerate(zip(inputs, row)):
                up = row_prefixes[q] + x_q * (w_iq + step)
                down = row_prefixes[q] + x_q * (w_iq - step)
                for term in row_terms[q + 1 :]:
                    up += term
                    down += term
                loss_up = loss_with_output(network, layers, target, k, i, up + bias)
                loss_down = loss_with_output(network, layers, target, k, i, down + bias)
                weight_slopes.append((loss_up - loss_down) / (2.0 * step))
        outputs_up = [sums[-1] + (bias + step) for sums in prefixes]
        outputs_down = [sums[-1] + (bias - step) for sums in prefixes]
        loss_up = sample_loss(target, network.forward(outputs_up, k + 1))
        loss_down = sample_loss(target, network.forward(outputs_down, k + 1))
        bias_slopes.append((loss_up - loss_down) / (2.0 * step))
    return weight_slopes + bias_slopes


def row_sums(network: Network, x: Sequence[float]) -> list[LayerSums]:
    """Return for each layer its inputs, each row's products x_j * w_ij, and the running sums of those."""
    layers = []
    weights = iter(network.parameters)
    for (rows, _), bias in zip(network.shapes, network.biases()):
        terms = [list(map(mul, x, weights)) for _ in range(rows)]
        prefixes = [list(accumulate(row, initial=0.0)) for row in terms]
        layers.append((x, terms, prefixes))
        x = [sums[-1] + bias for sums in prefixes]
    return layers


def loss_with_output(
    network: Network,
    layers: Sequence[LayerSums],
    target: Sequence[float],
    k: int,
    i: int,
    value: float,
) -> float:
    """Return the sample's loss if output ``i`` of layer ``k`` were ``value``."""
    if k + 1 == len(layers):
        _, _, prefixes = layers[k]
        bias = network.biases()[k]
        outputs = [sums[-1] + bias for sums in prefixes]
        outputs[i] = value
        return sample_loss(target, outputs)
    outputs = []
    inputs, terms, prefixes = layers[k + 1]
    bias = network.biases()[k + 1]
    column = network.parameters[network.offsets[k + 1] + i : network.offsets[k + 2] : len(inputs)]
    for w_oi, row_terms, row_prefixes in zip(column, terms, prefixes):
        total = row_prefixes[i] + value * w_oi
        for term in row_terms[i + 1 :]:
            total += term
        outputs.append(total + bias)
    return sample_loss(target, network.forward(outputs, k + 2))


def backprop(
    network: Network, x: Sequence[float], target: Sequence[float], step: float
) -> list[float]:
    """The exact gradient, from the last layer back; ``step`` is not used."""
    parameters, offsets = network.parameters, network.offsets
    values = [x]
    for k in range(len(network.shapes)):
        values.append(network.forward(values[k], k, k + 1))
    deltas = [2.0 * (o - t) / len(target) for o, t in zip(values[-1], target)]
    weight_slopes: list[list[float]] = []
    bias_slopes = []
    for k in reversed(range(len(network.shapes))):
        weight_slopes.append([delta * x_j for delta in deltas for x_j in values[k]])
        bias_slopes.append(reduce(add, deltas, 0.0))
        if k > 0:
            weights = iter(parameters[offsets[k] : offsets[k + 1]])
            previous = [0.0] * len(values[k])
            for delta in deltas:
                previous = [p + delta * w_ij for p, w_ij in zip(previous, weights)]
            deltas = previous
    return list(chain.from_iterable(reversed(weight_slopes))) + bias_slopes[::-1]


METHODS: dict[str, Gradient] = {
    "naive": naive,
    "incremental": incremental,
    "backprop": backprop,
}
