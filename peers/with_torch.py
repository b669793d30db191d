"""The network in PyTorch: with modules, a derived gradient and an optimiser, or with tensors by hand.

By hand if the first word is --by-hand.
"""

import sys
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

import contract

BLOCK = 1 << 18
"""How many values the networks that `naive` runs at once may have together: as many as a cache holds."""


class Linear(torch.nn.Module):
    """What torch.nn.Linear is, but with one bias for all neurons of the layer."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(weight)
        self.bias = torch.nn.Parameter(bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs for one sample, or for one in every row."""
        return torch.nn.functional.linear(x, self.weight) + self.bias


def train(
    network: torch.nn.Module, inputs: Tensor, targets: Tensor, arguments: contract.Arguments
) -> Iterator[float]:
    """Train sample by sample as PyTorch's users do; yield the overall loss before, and after each epoch."""
    loss = torch.nn.MSELoss()
    optimizer = torch.optim.SGD(network.parameters(), lr=arguments.learning_rate)
    for epoch in range(arguments.epochs + 1):
        for x, target in zip(inputs, targets, strict=True) if epoch else ():
            optimizer.zero_grad()
            loss(network(x), target).backward()
            optimizer.step()
        with torch.no_grad():
            yield loss(network(inputs), targets).item()


class ByHand:
    """The same network with all parameters in one flat vector, and with as few calls as a step can have."""

    def __init__(self, weights: list[Tensor], biases: Tensor) -> None:
        self.shapes = [w.shape for w in weights]
        self.parameters = torch.cat([*(w.ravel() for w in weights), biases])
        views, biases = self.views(self.parameters)
        # Making a view takes as long as a small product. The last one lets a product add the bias.
        self.layers = [(w, w.T, bias, bias.expand(len(w))) for w, bias in zip(views, biases, strict=True)]

    def views(self, parameters: Tensor) -> tuple[list[Tensor], Tensor]:
        """Return the weights of each layer and the biases of one network, or of one in every row."""
        sizes = [rows * columns for rows, columns in self.shapes]
        *weights, biases = parameters.split([*sizes, len(sizes)], dim=-1)
        return [w.unflatten(-1, shape) for w, shape in zip(weights, self.shapes, strict=True)], biases

    def loss(self, inputs: Tensor, targets: Tensor) -> float:
        """Return the mean of the squared differences over all samples and outputs."""
        for _, transposed, _, spread in self.layers:
            inputs = torch.addmm(spread, inputs, transposed)
        return torch.nn.functional.mse_loss(inputs, targets).item()

    def step_backprop(self, x: Tensor, target: Tensor, arguments: contract.Arguments) -> None:
        """Move every parameter against its exact slope."""
        values = [x]
        for w, _, _, spread in self.layers:
            values.append(torch.addmv(spread, w, values[-1]))
        delta = (values.pop() - target).mul_(2.0 * -arguments.learning_rate / len(target))
        for w, transposed, bias, _ in reversed(self.layers):
            scaled, inputs = delta, values.pop()
            if values:
                delta = torch.mv(transposed, scaled)
            w.addr_(scaled, inputs)
            bias.add_(scaled.sum())

    def step_naive(self, x: Tensor, target: Tensor, arguments: contract.Arguments) -> None:
        """Move every parameter against its central difference; a block of networks is run at once."""
        count, h = len(self.parameters), arguments.step
        slopes = []
        for which in torch.arange(count).split(max(1, BLOCK // count)):
            networks = self.parameters.repeat(len(which), 1)
            weights, biases = self.views(networks)
            losses = []
            for change in (h, -h):
                networks[torch.arange(len(which)), which] = self.parameters[which] + change
                values = x[:, None]
                for w, bias in zip(weights, biases.T, strict=True):
                    values = w @ values + bias[:, None, None]
                losses.append((target - values[:, :, 0]).square_().mean(1))
            slopes.append((losses[0] - losses[1]) / (2.0 * h))
        self.parameters.sub_(torch.cat(slopes), alpha=arguments.learning_rate)

    def train(self, inputs: Tensor, targets: Tensor, arguments: contract.Arguments) -> Iterator[float]:
        """Train sample by sample and yield the overall loss before, and after each epoch."""
        step = self.step_naive if arguments.method == "naive" else self.step_backprop
        samples = list(zip(inputs, targets, strict=True))
        for epoch in range(arguments.epochs + 1):
            for x, target in samples if epoch else ():
                step(x, target, arguments)
            yield self.loss(inputs, targets)


def main() -> None:
    """Run the program."""
    by_hand = sys.argv[1:2] == ["--by-hand"]
    if by_hand:
        sys.argv.pop(1)
    arguments = contract.read_arguments(
        lambda: f"in PyTorch {torch.__version__}", ("naive", "backprop") if by_hand else ("backprop",)
    )
    layers, samples = arguments.layers, arguments.samples
    # The generator of Python, seeded as Python seeds it.
    rng = np.random.RandomState(contract.seed_words(arguments.seed))

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return torch.from_numpy(low + (high - low) * rng.random_sample(shape))

    def parameters() -> tuple[list[Tensor], Tensor]:
        weights = [uniform(-1.0, 1.0, rows, columns) for columns, rows in pairwise(layers)]
        return weights, uniform(-1.0, 1.0, len(weights))

    inputs = uniform(arguments.low, arguments.high, samples, layers[0])
    targets = inputs
    for w, bias in zip(*parameters(), strict=True):
        targets = torch.nn.functional.linear(targets, w) + bias
    if by_hand:
        losses = ByHand(*parameters()).train(inputs, targets, arguments)
    else:
        network = torch.nn.Sequential(*map(Linear, *parameters()))
        losses = train(network, inputs, targets, arguments)
    with torch.inference_mode(by_hand):
        contract.report(arguments.epochs, next(losses), losses)


if __name__ == "__main__":
    main()
