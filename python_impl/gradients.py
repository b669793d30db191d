"""One training step by three methods, all with one signature: find the gradient, then descend it.

Each takes the network, one sample's n0 inputs ``x``, its nL ``target`` values, the ``step`` h of
the central difference and the ``learning_rate``. It replaces every parameter p of the network by
p - learning_rate * g, where g is the slope of the sample's loss in p.

- ``naive`` runs the whole forward pass twice for each parameter: the reference for the others.
- ``incremental`` finds the same differences, bit for bit, from what the perturbations share.
- ``backprop`` applies the chain rule. The loss is quadratic in every single parameter, so the
  central difference has no truncation error and the gradients agree but for rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import reduce
from itertools import accumulate
from operator import add, mul
from typing import NamedTuple

from network import Network, sample_loss

# From this many inputs on, adding sixteen terms at once outweighs what it takes to set that up.
LONG_ROW = 16

TrainingStep = Callable[[Network, Sequence[float], Sequence[float], float, float], None]


def naive(
    network: Network, x: Sequence[float], target: Sequence[float], step: float, learning_rate: float
) -> None:
    """Step by central differences, (loss(p + h) - loss(p - h)) / 2h, each loss a forward pass."""
    parameters = network.parameters
    gradient = []
    for p, value in enumerate(parameters):
        parameters[p] = value + step
        loss_up = sample_loss(target, network.forward(x))
        parameters[p] = value - step
        loss_down = sample_loss(target, network.forward(x))
        parameters[p] = value
        gradient.append((loss_up - loss_down) / (2.0 * step))
    descend(network, gradient, learning_rate)


def descend(network: Network, gradient: Iterable[float], learning_rate: float) -> None:
    """Move every parameter against its slope."""
    network.parameters = [p - learning_rate * g for p, g in zip(network.parameters, gradient)]


def incremental(
    network: Network, x: Sequence[float], target: Sequence[float], step: float, learning_rate: float
) -> None:
    """Step by the central differences of ``naive``, recomputing only what each parameter touches.

    Weight (i, q) enters the sum of row i as term q. The terms before it are summed once for the
    whole row, the terms after it are multiplied once for the whole row. In the next layer only
    input i differs, so the same holds there; from the layer after that on, everything differs.
    """
    layers = running_sums(network, x)
    width = 2.0 * step
    weight_slopes, bias_slopes = [], []
    for k, (inputs, bias, rows) in enumerate(layers):
        for i, row in enumerate(rows):
            sums = sums_by_weight(inputs, row, step)
            losses = losses_by_sum(network, layers, target, k=k, i=i, sums=sums)
            weight_slopes += [(up - down) / width for up, down in zip(losses, losses[len(inputs) :])]
        outputs_up = [row.prefixes[-1] + (bias + step) for row in rows]
        outputs_down = [row.prefixes[-1] + (bias - step) for row in rows]
        loss_up = sample_loss(target, network.forward(outputs_up, k + 1))
        loss_down = sample_loss(target, network.forward(outputs_down, k + 1))
        bias_slopes.append((loss_up - loss_down) / width)
    descend(network, weight_slopes + bias_slopes, learning_rate)


class RowSum(NamedTuple):
    """The sum behind one output of a layer, ready for any of its terms to be replaced.

    ``weights``  the row's weights w_ij, one for each input j.
    ``terms``    the products x_j * w_ij.
    ``prefixes`` the sums of the terms before j, one more than terms: the last is the whole sum.
    """

    weights: list[float]
    terms: list[float]
    prefixes: list[float]


class LayerSums(NamedTuple):
    """A layer's inputs, its bias and the sum behind each of its outputs."""

    inputs: Sequence[float]
    bias: float
    rows: list[RowSum]


def running_sums(network: Network, x: Sequence[float]) -> list[LayerSums]:
    """Run the network on the inputs ``x`` and keep every product and every running sum."""
    layers = []
    start = 0
    for (outputs, inputs), bias in zip(network.shapes, network.biases()):
        rows = []
        for _ in range(outputs):
            weights = network.parameters[start : start + inputs]
            terms = list(map(mul, x, weights))
            rows.append(RowSum(weights, terms, list(accumulate(terms, initial=0.0))))
            start += inputs
        layers.append(LayerSums(x, bias, rows))
        x = [row.prefixes[-1] + bias for row in rows]
    return layers


def groups(values: list[float], size: int) -> Iterator[tuple[float, ...]]:
    """Yield the values in groups of ``size``, zeros after the last.

    A sum that starts at +0.0 never becomes -0.0, and whatever else it is, inf and nan included, it
    remains when 0.0 is added: terms of zero change no bit.
    """
    padded = iter(values + [0.0] * (size - 1))
    return zip(*[padded] * size)


def sums_by_weight(inputs: Sequence[float], row: RowSum, step: float) -> list[float]:
    """Return the row's sum with each weight in turn raised by ``step``, then with each lowered.

    That is two values for each of the row's inputs. Each sum starts with the term that differs and
    takes the terms after it. A short row takes them in a loop, a long one sixteen by sixteen.
    """
    weights, terms, prefixes = row
    count = len(inputs)
    if count >= LONG_ROW:
        ups = [start + x_q * (w_iq + step) for start, x_q, w_iq in zip(prefixes, inputs, weights)]
        downs = [start + x_q * (w_iq - step) for start, x_q, w_iq in zip(prefixes, inputs, weights)]
        return add_later_terms(ups, terms)[:count] + add_later_terms(downs, terms)[:count]
    ups, downs = [], []
    for q, (start, x_q, w_iq) in enumerate(zip(prefixes, inputs, weights), 1):
        up = start + x_q * (w_iq + step)
        down = start + x_q * (w_iq - step)
        for term in terms[q:]:
            up += term
            down += term
        ups.append(up)
        downs.append(down)
    return ups + downs


def add_later_terms(starts: list[float], terms: list[float]) -> list[float]:
    """Return each ``starts[q]`` with the terms after q added; what follows the last is padding.

    An expression of sixteen additions is much cheaper than sixteen rounds of a loop. ``a0`` is the
    start that stands in place of term ``a``, and so on; i, l and o are left out as hard to read.
    """
    sums: list[float] = []
    for sixteen_terms, sixteen_starts in zip(groups(terms, 16), groups(starts, 16)):
        a, b, c, d, e, f, g, h, j, k, m, n, p, q, r, s = sixteen_terms
        a0, b0, c0, d0, e0, f0, g0, h0, j0, k0, m0, n0, p0, q0, r0, s0 = sixteen_starts
        sums = [total + a + b + c + d + e + f + g + h + j + k + m + n + p + q + r + s for total in sums]
        sums += (
            a0 + b + c + d + e + f + g + h + j + k + m + n + p + q + r + s,
            b0 + c + d + e + f + g + h + j + k + m + n + p + q + r + s,
            c0 + d + e + f + g + h + j + k + m + n + p + q + r + s,
            d0 + e + f + g + h + j + k + m + n + p + q + r + s,
            e0 + f + g + h + j + k + m + n + p + q + r + s,
            f0 + g + h + j + k + m + n + p + q + r + s,
            g0 + h + j + k + m + n + p + q + r + s,
            h0 + j + k + m + n + p + q + r + s,
            j0 + k + m + n + p + q + r + s,
            k0 + m + n + p + q + r + s,
            m0 + n + p + q + r + s,
            n0 + p + q + r + s,
            p0 + q + r + s,
            q0 + r + s,
            r0 + s,
            s0,
        )
    return sums


def losses_by_sum(
    network: Network,
    layers: Sequence[LayerSums],
    target: Sequence[float],
    *,
    k: int,
    i: int,
    sums: list[float],
) -> list[float]:
    """Return the sample's loss for each of the ``sums`` that row ``i`` of layer ``k`` may have."""
    bias = layers[k].bias
    if k + 1 == len(layers):
        outputs = [row.prefixes[-1] + bias for row in layers[k].rows]
        squares = [(d := t - o) * d for t, o in zip(target, outputs)]
        before, t = reduce(add, squares[:i], 0.0), target[i]
        totals = [before + (d := t - (total + bias)) * d for total in sums]
        totals = add_terms(totals, squares[i + 1 :])
    else:
        # One lane for each output of the next layer: that output's value for each of the sums.
        lanes: list[Sequence[float]] = []
        for row in layers[k + 1].rows:
            prefix, w_oi = row.prefixes[i], row.weights[i]
            starts = [prefix + (total + bias) * w_oi for total in sums]
            lanes.append(add_terms(starts, row.terms[i + 1 :]))
        bias = layers[k + 1].bias
        if k + 2 < len(layers):
            layer_outputs = ([total + bias for total in totals] for totals in zip(*lanes))
            lanes = list(zip(*(network.forward(outputs, k + 2) for outputs in layer_outputs)))
            bias = 0.0
        totals = [0.0] * len(sums)
        for t, lane in zip(target, lanes):
            totals = [total + (d := t - (o + bias)) * d for total, o in zip(totals, lane)]
    count = len(target)
    # Most networks here have one output, and dividing by 1 changes nothing.
    return totals if count == 1 else [total / count for total in totals]


def add_terms(sums: list[float], terms: list[float]) -> list[float]:
    """Return each of the sums with all of the terms added, one after the other."""
    for a, b, c, d, e, f, g, h in groups(terms, 8):
        sums = [total + a + b + c + d + e + f + g + h for total in sums]
    return sums


def backprop(
    network: Network, x: Sequence[float], target: Sequence[float], step: float, learning_rate: float
) -> None:
    """Step by the exact gradient, found from the last layer back; ``step`` is not used.

    With delta[i] the slope of the loss in output i of a layer, the slope in its weight (i, j) is
    delta[i] * x[j], in its bias the sum of delta, and in its input j the sum of delta[i] * w[i, j],
    which is delta[j] of the layer before (Rumelhart, Hinton and Williams, 1986).
    """
    parameters, offsets = network.parameters, network.offsets
    values = [x]
    for k in range(len(network.shapes)):
        values.append(network.forward(values[k], k, k + 1))

    deltas = [2.0 * (o - t) / len(target) for o, t in zip(values[-1], target)]
    layer_deltas = [deltas]
    for k in range(len(network.shapes) - 1, 0, -1):
        weights = iter(parameters[offsets[k] : offsets[k + 1]])
        previous = [0.0] * len(values[k])
        for delta in deltas:
            previous = [p + delta * w_ij for p, w_ij in zip(previous, weights)]
        deltas = previous
        layer_deltas.append(deltas)
    layer_deltas.reverse()

    weights = iter(parameters)
    network.parameters = [
        w_ij - learning_rate * (delta * x_j)
        for inputs, deltas in zip(values, layer_deltas)
        for delta in deltas
        for x_j, w_ij in zip(inputs, weights)
    ] + [
        bias - learning_rate * reduce(add, deltas, 0.0)
        for bias, deltas in zip(network.biases(), layer_deltas)
    ]


METHODS: dict[str, TrainingStep] = {
    "naive": naive,
    "incremental": incremental,
    "backprop": backprop,
}
