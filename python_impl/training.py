"""What is learnt and how: random inputs, a teacher network that labels them, the epochs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from gradients import TrainingStep
from network import Network, overall_loss


def random_inputs(samples: int, features: int, low: float, high: float, rng: Random) -> list[list[float]]:
    """Return ``samples`` rows of ``features`` values, each drawn from uniform(low, high)."""
    return [[rng.uniform(low, high) for _ in range(features)] for _ in range(samples)]


def teacher_targets(
    layers: Sequence[int], inputs: Sequence[Sequence[float]], rng: Random
) -> list[Sequence[float]]:
    """Return the outputs of a random network of the same layers, so that they can be learnt."""
    teacher = Network(layers, rng)
    return [teacher.forward(x) for x in inputs]


def train(
    network: Network,
    inputs: Sequence[Sequence[float]],
    targets: Sequence[Sequence[float]],
    *,
    training_step: TrainingStep,
    epochs: int,
    step: float,
    learning_rate: float,
) -> Iterator[float]:
    """Train ``network`` sample by sample and yield the overall loss after each epoch."""
    for _ in range(epochs):
        for x, target in zip(inputs, targets):
            training_step(network, x, target, step, learning_rate)
        yield overall_loss(network, inputs, targets)
