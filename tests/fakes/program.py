"""A program that keeps the contract, or breaks it in one way: program.py BEHAVIOUR [ARGUMENTS OF A CASE].

It computes nothing: the loss after epoch e is (seed + neurons) / (3 * e + 7), and a training step is
said to take 0.4 us, or what a behaviour such as honest:1e-7 names in seconds. As a process it lives as long,
for more would be a lie. It is started so often that only those behaviours import modules that need them.
"""

import sys
import time

LONGEST_S = 10.0
"""Who says more is meant to lie."""


class Request:
    """The arguments of a case, as far as they matter here."""

    def __init__(self, words: list[str]) -> None:
        options = dict(word[2:].split("=", 1) for word in words if word.startswith("--"))
        self.layers = [int(word) for word in words if not word.startswith("--")]
        self.samples = int(options["samples"])
        self.epochs = int(options["epochs"])
        self.seed = int(options["seed"])
        self.method = options["method"]


def losses(request: Request) -> list[float]:
    """Return the losses that every honest fake has."""
    return [(request.seed + sum(request.layers)) / (3 * epoch + 7) for epoch in range(request.epochs + 1)]


def write(request: Request, values: list[float], step_s: float) -> None:
    """Write what the contract asks for."""
    training_s = request.samples * request.epochs * step_s
    if __name__ == "__main__" and training_s < LONGEST_S:
        time.sleep(training_s)
    epochs = "".join(
        f"\r{epoch}/{request.epochs}: loss: {value!r}" for epoch, value in enumerate(values) if epoch
    )
    middle = f"{epochs}\n" if epochs else ""
    sys.stdout.write(f"Initial Loss: {values[0]!r}\n{middle}")
    sys.stdout.write(f"Final Loss: {values[-1]!r}\n")
    sys.stdout.flush()
    sys.stderr.write(f"Training Time: {request.samples * request.epochs * step_s:.9f} s\n")
    sys.stderr.write("Peak Memory: 4096 B\n")


def write_file(path: str, text: str) -> None:
    """Write a file."""
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def honest(request: Request, value: str) -> None:
    """Keep the contract."""
    write(request, losses(request), float(value or "4e-7"))


def only_small(request: Request, value: str) -> None:
    """Crash on shapes with more neurons than ``value``."""
    if sum(request.layers) > int(value):
        crash(request, "3")
    honest(request, "")


def crash(_: Request, value: str) -> None:
    """End with exit status ``value`` and a complaint."""
    sys.stderr.write("first line\nerror: the 7th gear is missing\n")
    sys.exit(int(value))


def killed(_: Request, value: str) -> None:
    """End by signal ``value``."""
    import os

    os.kill(os.getpid(), int(value))


def loud_crash(_: Request, value: str) -> None:
    """End with exit status 1 after a line of ``value`` characters on standard error."""
    sys.stderr.write("x" * int(value) + "\n")
    sys.exit(1)


def slow(_: Request, __: str) -> None:
    """Never end, but heed signals."""
    import signal

    sys.stderr.write("still at it\n")
    sys.stderr.flush()
    signal.pause()


def deaf(_: Request, __: str) -> None:
    """Never end, and ignore polite requests to do so."""
    import signal

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    sys.stderr.write("deaf\n")
    sys.stderr.flush()
    while True:
        signal.pause()


def garbled(_: Request, __: str) -> None:
    """Write something else."""
    sys.stdout.write("Hello, world!\n")


def wrong_at_7(request: Request, _: str) -> None:
    """Have one wrong bit in the loss of epoch 7, and so in the last loss where that is it."""
    import math

    values = losses(request)
    if len(values) > 7:
        values[7] = math.nextafter(values[7], math.inf)
    write(request, values, 4e-7)


def flood(_: Request, value: str) -> None:
    """Write without end to descriptor ``value``."""
    import os

    block = b"0" * 65536
    while True:
        os.write(int(value), block)


def orphan(request: Request, value: str) -> None:
    """Keep the contract, but leave a child behind; its process id goes to the file ``value``."""
    import os
    import signal

    child = os.fork()
    if not child:
        os.close(1)
        os.close(2)
        signal.pause()
        os._exit(0)
    write_file(value, str(child))
    honest(request, "")
    sys.stdout.flush()
    os._exit(0)


def orphan_deaf(request: Request, value: str) -> None:
    """Do as ``orphan``, with a child that ignores polite requests."""
    import signal

    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    orphan(request, value)


def slow_with_child(_: Request, value: str) -> None:
    """Never end, and have a child that never ends, deaf as this process; its id goes to ``value``."""
    import os
    import signal

    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = os.fork()
    if child:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        write_file(value, str(child))
    while True:
        signal.pause()


def daemon(request: Request, value: str) -> None:
    """Keep the contract, but leave a process that holds the output, outside the group; its id: ``value``."""
    import os
    import signal

    read, write = os.pipe()
    if not os.fork():
        os.setsid()
        child = os.fork()
        if not child:
            os.write(write, b"%d" % os.getpid())
            signal.pause()
        os._exit(0)
    write_file(value, os.read(read, 100).decode())
    honest(request, "")


def slow_with_daemon(request: Request, value: str) -> None:
    """Never end, and have a process that has left the group."""
    import signal

    daemon(request, value)
    signal.pause()


def escapes(_: Request, __: str) -> None:
    """End with a complaint that would clear a terminal."""
    sys.stderr.write("\x1b[2J\x9b2J\u202egone\n")
    sys.exit(1)


def closed_output(_: Request, __: str) -> None:
    """Close both outputs and live on."""
    import os
    import signal

    os.close(1)
    os.close(2)
    signal.pause()


def hungry(request: Request, value: str) -> None:
    """Take ``value`` MiB of memory, touch it, and keep the contract."""
    memory = bytearray(int(value) * 1024 * 1024)
    memory[::4096] = b"1" * len(memory[::4096])
    honest(request, "")


def without_memory(request: Request, _: str) -> None:
    """Keep the contract without telling the peak memory, which is allowed."""
    import os

    os.close(2)
    os.open(os.devnull, os.O_WRONLY)
    honest(request, "")


def gate(request: Request, value: str) -> None:
    """Keep the contract once let through: tell the pipe ``value``.in, wait for the end of ``value``.out."""
    import os

    if os.path.exists(f"{value}.in"):
        write_file(f"{value}.in", "here I am")
        with open(f"{value}.out", "rb") as out:
            out.read()
    honest(request, "")


BEHAVIOURS = {
    function.__name__.replace("_", "-"): function
    for function in (
        *(honest, only_small, crash, killed, loud_crash, slow, deaf, garbled, wrong_at_7, flood),
        *(orphan, orphan_deaf, slow_with_child, daemon, slow_with_daemon, escapes),
        *(closed_output, hungry, without_memory, gate),
    )
}


def main(words: list[str]) -> None:
    """Behave."""
    name, _, value = words[0].partition(":")
    if words[1:] == ["--version"]:
        sys.stdout.write(f"fake {name}\n")
    else:
        BEHAVIOURS[name](Request(words[1:]), value)


if __name__ == "__main__":
    main(sys.argv[1:])
