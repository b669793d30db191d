"""The network in typed Cython: this program starts and prints, cython/network.pyx computes."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from itertools import pairwise
from random import Random

from flatnet_cython import Network

import contract


def main() -> None:
    """Run the program."""
    arguments = contract.read_arguments(lambda: "in typed Cython", ("naive", "backprop"))
    layers, samples = arguments.layers, arguments.samples
    random = Random(arguments.seed).random
    count = sum(columns * rows for columns, rows in pairwise(layers)) + len(layers) - 1

    def uniform(low: float, high: float, count: int) -> array[float]:
        width = high - low
        return array("d", [low + width * random() for _ in range(count)])

    def network() -> Network:
        values = array("d", bytes(8 * sum(layers[1:])))
        parameters = uniform(-1.0, 1.0, count)
        return Network(array("q", layers), parameters, values, values[:], parameters[:])

    def matrix(values: array[float], columns: int) -> memoryview[float]:
        return memoryview(values).cast("B").cast("d", (samples, columns))

    drawn = uniform(arguments.low, arguments.high, samples * layers[0])
    teacher = network()
    rows = (drawn[s * layers[0] : (s + 1) * layers[0]] for s in range(samples))
    targets = matrix(array("d", [output for x in rows for output in teacher.outputs(x)]), layers[-1])
    inputs = matrix(drawn, layers[0])
    student = network()
    settings = arguments.method == "naive", arguments.step, arguments.learning_rate

    def train() -> Iterator[float]:
        for _ in range(arguments.epochs):
            student.epoch(inputs, targets, *settings)
            yield student.loss(inputs, targets)

    contract.report(arguments.epochs, student.loss(inputs, targets), train())


if __name__ == "__main__":
    main()
