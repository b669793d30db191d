"""The network in JAX: the gradient is derived, an epoch is one compiled scan over the samples."""

from collections.abc import Iterator
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.flatten_util import ravel_pytree

import contract

jax.config.update("jax_enable_x64", True)

Layers = list[tuple[Array, Array]]
"""The weights and the bias of each layer."""

BATCH = 64
"""How many perturbed networks `naive` runs at once."""


def forward(layers: Layers, x: Array) -> Array:
    """Return the outputs for one sample, or for one in every row."""
    for w, bias in layers:
        x = x @ w.T + bias
    return x


def loss(layers: Layers, x: Array, target: Array) -> Array:
    """Return the mean of the squared differences."""
    return jnp.mean(jnp.square(target - forward(layers, x)))


def differences(layers: Layers, x: Array, target: Array, h: float) -> Layers:
    """Return the slope of the loss in every parameter by central differences."""
    flat, restored = ravel_pytree(layers)

    def slope(i: Array) -> Array:
        up, down = (loss(restored(flat.at[i].add(change)), x, target) for change in (h, -h))
        return (up - down) / (2.0 * h)

    return restored(jax.lax.map(slope, jnp.arange(flat.size), batch_size=BATCH))


@partial(jax.jit, static_argnums=(3, 4, 5), donate_argnums=0)
def epoch(
    layers: Layers, inputs: Array, targets: Array, method: str, h: float, rate: float
) -> tuple[Layers, Array]:
    """Take a training step for each sample; return the network and its overall loss."""
    slopes = partial(differences, h=h) if method == "naive" else jax.grad(loss)

    def step(layers: Layers, sample: tuple[Array, Array]) -> tuple[Layers, None]:
        return jax.tree.map(lambda p, g: p - rate * g, layers, slopes(layers, *sample)), None

    layers, _ = jax.lax.scan(step, layers, (inputs, targets))
    return layers, loss(layers, inputs, targets)


def main() -> None:
    """Run the program."""
    arguments = contract.read_arguments(lambda: f"in JAX {jax.__version__}", ("naive", "backprop"))
    sizes, samples = arguments.layers, arguments.samples
    # The generator of Python, seeded as Python seeds it.
    rng = np.random.RandomState(contract.seed_words(arguments.seed))

    def uniform(low: float, high: float, *shape: int) -> Array:
        return jnp.asarray(low + (high - low) * rng.random_sample(shape))

    def network() -> Layers:
        weights = [uniform(-1.0, 1.0, *shape) for shape in zip(sizes[1:], sizes, strict=False)]
        return list(zip(weights, uniform(-1.0, 1.0, len(weights)), strict=True))

    inputs = uniform(arguments.low, arguments.high, samples, sizes[0])
    targets = forward(network(), inputs)
    layers = network()
    initial = float(loss(layers, inputs, targets))
    settings = arguments.method, arguments.step, arguments.learning_rate
    programs = []
    compile_s = contract.compiled(
        lambda: programs.append(epoch.lower(layers, inputs, targets, *settings).compile())
    )

    def train() -> Iterator[float]:
        trained = layers
        for _ in range(arguments.epochs):
            trained, after = programs[0](trained, inputs, targets)
            yield float(after)

    contract.report(arguments.epochs, initial, train(), compile_s)


if __name__ == "__main__":
    main()
