"""The network of the Rust program, called from Python: seldom, once an epoch, or once a step.

How often is the first word, --calls=many-epochs, --calls=epoch or --calls=step.
"""

import sys
import time
from collections.abc import Iterator

from flatnet_pyo3 import Training

import contract


def train(training: Training, epochs: int, samples: int, calls: str) -> Iterator[float]:
    """Train and yield the overall loss after each epoch."""
    if calls == "step":
        for _ in range(epochs):
            for sample in range(samples):
                training.step(sample)
            yield training.loss()
        return
    # As many epochs at once as output may be held back for.
    count, done = 1, 0
    while done < epochs:
        start = time.perf_counter()
        losses = training.epochs(min(count, epochs - done))
        if calls == "many-epochs" and time.perf_counter() - start < contract.HELD_BACK_S / 2.0:
            count *= 2
        done += len(losses)
        yield from losses


def main() -> None:
    """Run the program."""
    calls = "many-epochs"
    if sys.argv[1:2] and sys.argv[1].startswith("--calls="):
        calls = sys.argv.pop(1).removeprefix("--calls=")
    arguments = contract.read_arguments(
        lambda: "in Rust, called by PyO3", ("naive", "incremental", "backprop")
    )
    training = Training(
        arguments.layers,
        arguments.method,
        samples=arguments.samples,
        step=arguments.step,
        learning_rate=arguments.learning_rate,
        low=arguments.low,
        high=arguments.high,
        seed=arguments.seed,
    )
    losses = train(training, arguments.epochs, arguments.samples, calls)
    contract.report(arguments.epochs, training.loss(), losses)


if __name__ == "__main__":
    main()
