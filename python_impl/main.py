"""Train a small neural network whose parameters lie in one flat vector.

This is the output and the ends of the program; nothing here computes. Standard output holds the losses and
nothing else, so that it can be compared byte for byte with other implementations. What varies from
run to run goes to standard error.
"""

# No syntax here that is newer than Python 3.6: one that is too old must be able to say so.
import os
import signal
import sys

if __name__ == "__main__":
    # From here on an interrupt ends the program at once and silently, whatever it is at. Before, while the
    # interpreter starts and reads this file, an interrupt is the interpreter's affair.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    if sys.version_info < (3, 9):
        sys.exit("error: needs Python 3.9 or later")
    # An isolated interpreter (python3 -I) does not look into the folder of its script.
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import math
import time
from collections.abc import Sequence
from contextlib import suppress
from random import Random

from command_line import Arguments, Failure, parse_arguments
from gradients import METHODS
from network import Network, overall_loss
from training import random_inputs, teacher_targets, train

# For how long output is held back that does not go to a terminal.
HELD_BACK_S = 0.05


def peak_memory_bytes() -> "int | None":
    """Return this process's own high-water mark, None where the system does not tell it."""
    with suppress(OSError), open("/proc/self/status", encoding="ascii", errors="replace") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return None


def run(arguments: Arguments) -> None:
    """Train, and write the losses to standard output and the measurements to standard error."""
    if arguments.plot is not None:
        try:
            from plot import check_plot, save_plot
        except ImportError as error:
            advice = "to install it: python3 -m pip install matplotlib"
            raise Failure(f"--plot: cannot import matplotlib: {error}; {advice}", 1) from error
        check_plot(arguments.plot)
    seed = arguments.seed
    if seed is None:
        seed = int.from_bytes(os.urandom(8), "little")
        print(f"Seed: {seed}", file=sys.stderr, flush=True)
    rng = Random(seed)
    inputs = random_inputs(arguments.samples, arguments.layers[0], arguments.low, arguments.high, rng)
    targets = teacher_targets(arguments.layers, inputs, rng)
    network = Network(arguments.layers, rng)

    write, flush = sys.stdout.write, sys.stdout.flush
    is_terminal = sys.stdout.isatty()
    end_of_line = "\x1b[K" if is_terminal else ""
    losses = [overall_loss(network, inputs, targets)]
    write(f"Initial Loss: {losses[0]!r}\n")
    flush()
    epochs = arguments.epochs
    held = []
    start = flushed = time.perf_counter()
    for loss in train(
        network,
        inputs,
        targets,
        training_step=METHODS[arguments.method],
        epochs=epochs,
        step=arguments.step,
        learning_rate=arguments.learning_rate,
    ):
        losses.append(loss)
        held.append(f"\r{len(losses) - 1}/{epochs}: loss: {loss!r}{end_of_line}")
        # A flush wakes the reader of a pipe, which can take longer than an epoch.
        if is_terminal or time.perf_counter() - flushed >= HELD_BACK_S:
            write("".join(held))
            flush()
            held.clear()
            flushed = time.perf_counter()
    write("".join(held))
    training_s = time.perf_counter() - start
    write(f"\nFinal Loss: {losses[-1]!r}\n" if epochs else f"Final Loss: {losses[-1]!r}\n")
    flush()

    report(losses, training_s)
    if arguments.plot is not None:
        shape = "-".join(map(str, arguments.layers))
        save_plot(arguments.plot, losses, f"{shape}, {arguments.method}, seed {seed}")


def report(losses: Sequence[float], training_s: float) -> None:
    """Write to standard error what differs from run to run, and a warning if the loss diverged."""
    diverged = next((epoch for epoch, loss in enumerate(losses) if not math.isfinite(loss)), None)
    if diverged is not None:
        print(
            f"warning: the loss became {losses[diverged]!r} in epoch {diverged};"
            " try a smaller --learning-rate",
            file=sys.stderr,
        )
    print(f"Training Time: {training_s:.9f} s", file=sys.stderr)
    peak_bytes = peak_memory_bytes()
    if peak_bytes is not None:
        print(f"Peak Memory: {peak_bytes} B", file=sys.stderr)


def main(words: Sequence[str]) -> int:
    """Run the program and return its exit status; every failure is at most one line."""
    try:
        arguments = parse_arguments(words)
        if arguments is not None:
            run(arguments)
        return 0
    except Failure as failure:
        message, status = f"error: {failure}", failure.status
    except MemoryError:
        message, status = "error: out of memory; use smaller layers or fewer samples", 1
    except BrokenPipeError:
        message, status = "", 1
    except OSError as error:
        message, status = f"error: cannot write: {error.strerror} (os error {error.errno})", 1
    with suppress(OSError):
        if message:
            print(message, file=sys.stderr, flush=True)
    return status


if __name__ == "__main__":
    # A stream that was closed from the start leads nowhere, as it does in Rust.
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    status = main(sys.argv[1:])
    if status != 0:
        # What the streams still hold cannot be written; the interpreter must not try again at its end.
        for descriptor in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
    # All is written: nothing is left to interrupt while the interpreter shuts down.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(status)
