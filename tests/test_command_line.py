"""The command line of the programs: what they take, refuse, print, and how they end."""

import ast
import math
import os
import pty
import re
import signal
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tests.programs import METHODS, Ended, Program, Run, ended, run_in_process

TINY = ("--seed", "1", "--epochs", "2", "--samples", "2", "3", "1")
ENDLESS = str(2**64 - 1)
INTEGER_0 = "takes an integer from 0 to 2^64 - 1"
INTEGER_1 = "takes an integer from 1 to 2^64 - 1"
FINITE = "takes a finite number"
ABOVE_ZERO = "takes a finite number above zero"
AT_LEAST_ZERO = "takes a finite number of at least zero"
VALUED = ["--method", "--epochs", "--samples", "--step", "--learning-rate", "--low", "--high", "--seed"]
FULL = Path("/dev/full")

needs_full_device = pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full here")
needs_address_limit = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux holds programs to RLIMIT_AS"
)
needs_matplotlib = pytest.mark.skipif(find_spec("matplotlib") is None, reason="needs matplotlib")


def assert_one_error(end: Ended, status: int) -> None:
    """Assert that the program said one `error: ` line and nothing else on standard error."""
    assert re.fullmatch(r"error: [^\n]+\n", end.err), end
    assert end.status == status


# What is taken.


def test_every_default_is_as_documented(run: Run) -> None:
    defaults = (
        *("--method", "naive", "--epochs", "100", "--samples", "100", "--step", "0.1"),
        *("--learning-rate", "0.01", "--low", "0.0", "--high", "1.0"),
    )
    given_none = run("--seed", "7", "2", "1")
    given_all = run("--seed", "7", *defaults, "2", "1")
    assert given_none.out.endswith(b"\nFinal Loss: " + given_none.out.split()[-1] + b"\n")
    assert len(given_none.losses) == 100
    assert given_none.out == given_all.out


@pytest.mark.parametrize(
    ("option", "value"),
    [*zip(VALUED, ("backprop", "99", "99", "0.2", "0.02", "0.1", "1.1", "8"), strict=True)],
)
def test_every_option_changes_the_losses_alike(rust: Program, option: str, value: str) -> None:
    """So that the test of the defaults shows something for each option."""
    words = ("--seed", "7", option, value, "2", "1")
    changed = rust.run(*words).out
    assert changed != rust.run("--seed", "7", "2", "1").out
    assert changed == run_in_process(*words).out


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        ("--low -1e-5 3 1", "--low -0.00001 3 1"),
        ("--low=-1e-5 3 1", "--low -0.00001 3 1"),
        ("--low -1E-05 --high -.5e-5 3 1", "--low=-0.00001 --high=-0.000005 3 1"),
        ("--low -1. 3 1", "--low -1.0 3 1"),
        ("--high +2 3 1", "--high 2.0 3 1"),
        ("--learning-rate -0.0 3 1", "--learning-rate 0 3 1"),
        ("--step 1e+0 3 1", "--step 1 3 1"),
        ("--samples +5 003 1", "--samples 5 3 1"),
        ("3 --samples 5 1", "--samples 5 3 1"),
        ("--samples 5 -- 3 1", "--samples 5 3 1"),
        ("3 1 --samples=5", "--samples 5 3 1"),
        ("--samples 9 --samples 5 3 1", "--samples 5 3 1"),
    ],
)
def test_an_argument_can_be_written_in_several_ways(run: Run, words: str, meaning: str) -> None:
    always = ("--seed", "1", "--epochs", "2")
    end = run(*always, *words.split())
    assert end.status == 0, end.err
    assert end.out == run(*always, *meaning.split()).out


def test_the_greatest_seed_is_taken_whole(run: Run) -> None:
    words = ["--epochs", "0", "3", "1", "--seed"]
    greatest, other = (run(*words, str(seed)) for seed in (2**64 - 1, 2**32 - 1))
    assert (greatest.status, other.status) == (0, 0)
    assert greatest.out != other.out


# What is printed.


def test_without_a_seed_one_is_drawn_and_reported_first(run: Run) -> None:
    first = run("--epochs", "2", "3", "1")
    seed = re.match(r"Seed: ([0-9]+)\n", first.err)
    assert seed is not None
    again = run("--seed", seed[1], "--epochs", "2", "3", "1")
    assert again.out == first.out
    assert "Seed" not in again.err
    assert run("--epochs", "2", "3", "1").out != first.out


@pytest.mark.parametrize("method", METHODS)
def test_standard_error_holds_the_time_and_the_memory(program: Program, method: str) -> None:
    end = program.run("--method", method, *TINY)
    memory = r"Peak Memory: [1-9][0-9]{5,} B\n" if Path("/proc/self/status").exists() else ""
    assert re.fullmatch(rf"Training Time: [0-9]+\.[0-9]{{9}} s\n{memory}", end.err)


@pytest.mark.parametrize(
    ("words", "warning"),
    [
        ("--learning-rate 1e155 --samples 1 --epochs 4 2 1", "inf in epoch 1"),
        ("--learning-rate 1e155 --samples 2 --epochs 4 2 1", "nan in epoch 1"),
        ("--method backprop --learning-rate 10 --samples 3 --epochs 9 3 2 1", "inf in epoch 2"),
        ("--high 1e300 --low 1e299 --epochs 3 2 1", "inf in epoch 0"),
    ],
)
def test_a_loss_that_diverges_is_one_warning_and_training_goes_on(run: Run, words: str, warning: str) -> None:
    end = run("--seed", "1", *words.split())
    assert end.status == 0
    line = f"warning: the loss became {warning}; try a smaller --learning-rate\n"
    assert end.err.startswith(f"{line}Training Time: ")
    assert end.err.count("warning") == 1
    assert re.search(rb"\r([0-9]+)/\1: loss: nan\nFinal Loss: nan\n$", end.out)


def test_of_two_equally_near_shortest_texts_the_even_is_printed(programs: tuple[Program, Program]) -> None:
    """The loss is 570267263178952.25 exactly."""
    words = "--epochs=0 --samples=1 --seed=26 --low=30000000.0 --high=30000000.0 1 1"
    for program in programs:
        assert b"Final Loss: 570267263178952.2\n" in program.run(*words.split()).out, program.name


def test_rust_writes_any_number_as_python_does(rust: Program) -> None:
    """One refusal shows two numbers: any bits, and values halfway between two shortest texts."""
    rng = Random(1)
    numbers = {value for value in struct.unpack("<300d", rng.randbytes(2400)) if math.isfinite(value)}
    for places in range(2, 27):
        halfway = (rng.getrandbits(55 - 2 * places) | 1) * 2.0**-places
        numbers |= {halfway, -halfway, halfway + 2.0 ** (54 - 3 * places)}
    ordered = sorted(numbers)
    for high, low in zip(ordered[::2], ordered[1::2], strict=False):
        end = rust.run(f"--low={low!r}", f"--high={high!r}", "1", "1")
        assert end.err == f"error: --low: got {low!r}, takes at most --high, which is {high!r}\n"


@pytest.mark.parametrize(
    ("words", "start"),
    [
        ("-h", b"Usage: flatnet "),
        ("3 --low 2 --help --version --seed=x 0", b"Usage: flatnet "),
        ("--version --help -x", b"flatnet 2.0.0"),
    ],
)
def test_the_first_of_help_and_version_wins_over_all_that_follows(
    program: Program, words: str, start: bytes
) -> None:
    end = program.run(*words.split())
    assert (end.status, end.err) == (0, "")
    assert end.out.startswith(start)
    assert end.out.endswith(b"\n")


def read_terminal(descriptor: int) -> Iterator[bytes]:
    """Yield what is written to a terminal until its last writer has gone."""
    with suppress(OSError):  # how Linux reports the end
        while chunk := os.read(descriptor, 65536):
            yield chunk


def test_the_rest_of_the_line_is_erased_on_a_terminal_only(program: Program) -> None:
    ours, theirs = pty.openpty()
    process = program.start(*TINY, stdout=theirs)
    os.close(theirs)
    shown = b"".join(read_terminal(ours))
    os.close(ours)
    assert ended(process).status == 0
    plain = program.run(*TINY).out
    assert b"\x1b" not in plain
    assert shown.count(b"\x1b[K") == 2
    assert re.findall(rb"/2: loss: [^\x1b]+\x1b\[K", shown)
    assert shown.replace(b"\x1b[K", b"").replace(b"\r\n", b"\n") == plain


# What is refused: each with the same line by both programs.

REFUSED = [
    ([], "LAYER: got 0 sizes, takes at least two"),
    (["--"], "LAYER: got 0 sizes, takes at least two"),
    (["3"], "LAYER: got 1 sizes, takes at least two"),
    (["--epochs", "3", "1"], "LAYER: got 1 sizes, takes at least two"),
    *(
        ([text, "1"], f"LAYER: got '{text}', {INTEGER_1}")
        for text in (
            *("0", "-1", "-0", "-1e5", "-.5", "-1x", "-1=2", "1.0", "1e2", "2.5", "x", "x=1", "", "-"),
            *("0x10", "inf", "nan", "1_000", " 3", "3 ", "\u0663", "\uff13", "\xb2"),
            *("18446744073709551616", "9" * 5000),
        )
    ),
    (["--", "-1", "1"], f"LAYER: got '-1', {INTEGER_1}"),
    (["--", "--low", "1"], f"LAYER: got '--low', {INTEGER_1}"),
    (["--", "--", "1"], f"LAYER: got '--', {INTEGER_1}"),
    (["3", "--", "1", "--help"], f"LAYER: got '--help', {INTEGER_1}"),
    (["3\n4", "1"], rf"LAYER: got '3\x0a4', {INTEGER_1}"),
    (["\x1b[2J", "1"], rf"LAYER: got '\x1b[2J', {INTEGER_1}"),
    (["it's", "1"], f"LAYER: got 'it's', {INTEGER_1}"),
    ([b"\xff", "1"], f"LAYER: got '\ufffd', {INTEGER_1}"),
    *(
        (["--method", text, "3", "1"], f"--method: got '{text}', takes {', '.join(METHODS)}")
        for text in ("Naive", "naiv", "-x", "naive ", "fast", "naive,backprop", "", "--", "--help")
    ),
    *(
        ([option, text, "3", "1"], f"{option}: got '{text}', {takes}")
        for option, takes in (("--epochs", INTEGER_0), ("--seed", INTEGER_0), ("--samples", INTEGER_1))
        for text in (
            *("-1", "-x", "1.0", "1e2", "", "x", "inf", "nan", "1_000", " 1", "1 ", "\u0663", "--low", "--"),
            "18446744073709551616",
        )
    ),
    (["--samples", "0", "3", "1"], f"--samples: got '0', {INTEGER_1}"),
    *(
        ([option, text, "3", "1"], f"{option}: got '{text}', {takes}")
        for option, takes in zip(VALUED[3:7], (ABOVE_ZERO, AT_LEAST_ZERO, FINITE, FINITE), strict=True)
        for text in (
            *("inf", "-inf", "Infinity", "nan", "-nan", "1e400", "-1e400", "x", "", ".", "e5"),
            *("1_000", "1_0.0", " 1", "1 ", "\u0663", "\uff11", "0x1p3", "1e", "1,5"),
            *("--seed", "--", "-", "1e5_0"),
        )
    ),
    *(
        (["--step", text, "3", "1"], f"--step: got '{text}', {ABOVE_ZERO}")
        for text in ("0", "-0.0", "1e-400", "-1e-5")
    ),
    (["--learning-rate", "-1e-5", "3", "1"], f"--learning-rate: got '-1e-5', {AT_LEAST_ZERO}"),
    (["--low", b"1\xff", "3", "1"], f"--low: got '1\ufffd', {FINITE}"),
    (["--low", "1e-5", "--high", "0", "3", "1"], "--low: got 1e-05, takes at most --high, which is 0.0"),
    (["--low", "2", "3", "1"], "--low: got 2.0, takes at most --high, which is 1.0"),
    (["--high", "-1", "3", "1"], "--low: got 0.0, takes at most --high, which is -1.0"),
    *((["3", "1", option], f"{option}: got no value, takes one") for option in VALUED),
    *(
        ([text, "3", "1"], f"unknown argument '{text.partition('=')[0]}'; see --help")
        for text in (
            *("--frobnicate", "--frobnicate=yes", "--epoch", "--Epochs"),
            *("-x", "-inf", "-h4", "-\u0663", "--=3", "-=3", "-V"),
        )
    ),
    (["--version=3"], "--version: got '3', takes no value"),
    (["--help=yes"], "--help: got 'yes', takes no value"),
    (["-h="], "-h: got '', takes no value"),
    (["--method=", "naive", "3", "1"], f"--method: got '', takes {', '.join(METHODS)}"),
    # The first fault from the left is reported, before what depends on several words.
    (["0", "1", "--seed=x"], f"LAYER: got '0', {INTEGER_1}"),
    (["--seed=x", "0"], f"--seed: got 'x', {INTEGER_0}"),
    (["--seed=x", "--help"], f"--seed: got 'x', {INTEGER_0}"),
    (["--samples=x", "--samples=5", "3", "1"], f"--samples: got 'x', {INTEGER_1}"),
    (["3", "--low=2", "-x"], "unknown argument '-x'; see --help"),
    (["--low=2", ENDLESS, ENDLESS], "--low: got 2.0, takes at most --high, which is 1.0"),
]


def label(words: object) -> str:
    """Name a row of a table by its beginning, in ASCII."""
    return ascii(words)[:60]


@pytest.mark.parametrize(("words", "message"), REFUSED, ids=label)
def test_unusable_arguments_are_refused_by_both_with_the_same_line(
    rust: Program, words: list[str | bytes], message: str
) -> None:
    refusal = Ended(status=2, out=b"", err=f"error: {message}\n")
    assert run_in_process(*words) == refusal
    assert rust.run(*words) == refusal


@pytest.mark.parametrize("words", [["\x1b[2J", "1"], [b"\xff", "1"], ["--low=1\n2"]], ids=label)
def test_odd_characters_are_refused_alike_when_the_system_hands_them_over(
    programs: tuple[Program, Program], words: list[str | bytes]
) -> None:
    python, rust = (program.run(*words) for program in programs)
    assert_one_error(python, 2)
    assert python == rust


@pytest.mark.parametrize(
    ("run", "words", "message"),
    [
        *(
            ("rust", ["--threads", text, "3", "1"], f"--threads: got '{text}', {INTEGER_1}")
            for text in ("0", "-1", "1.5", "", "x", "1_0", "18446744073709551616")
        ),
        ("rust", ["3", "1", "--threads"], "--threads: got no value, takes one"),
        ("rust", ["--plot", "loss.png", "3", "1"], "unknown argument '--plot'; see --help"),
        ("python", ["--threads", "2", "3", "1"], "unknown argument '--threads'; see --help"),
        ("python", ["--threads=2", "3", "1"], "unknown argument '--threads'; see --help"),
        ("python", ["3", "1", "--plot"], "--plot: got no value, takes one"),
    ],
    ids=label,
    indirect=["run"],
)
def test_one_of_them_refuses(run: Run, words: list[str], message: str) -> None:
    assert run(*words) == Ended(status=2, out=b"", err=f"error: {message}\n")


LONG = 100_000
"""Characters: the system takes no word much longer."""


@pytest.mark.parametrize("option", ["", *(f"{name}=" for name in VALUED[1:])])
def test_a_long_word_is_refused_as_a_short_one_is(programs: tuple[Program, Program], option: str) -> None:
    """A time that grew with the square of the length would not end."""
    word = option + "1" * LONG
    processes = [program.start(word + "x", "1") for program in programs]
    python, rust = map(ended, processes)
    assert_one_error(python, 2)
    assert f"got '{word.removeprefix(option)}x', takes" in python.err
    assert python == rust


def test_a_long_number_is_read(programs: tuple[Program, Program]) -> None:
    words = [f"--low=0.{'3' * LONG}", "--high=1", f"--seed={'0' * LONG}7", "--epochs=1", "2", "1"]
    short = ["--low=0.3333333333333333", "--seed=7", "--epochs=1", "2", "1"]
    python, rust = (program.run(*words).out for program in programs)
    assert python == rust == programs[1].run(*short).out


WORDS: list[str | bytes] = [
    *("--help", "-h", "--version", "-hx", "-h=", "--help=1", "--version=x", "--", "--", "-", "-=", "--=x"),
    *("=", "", "x", "x=1", "-x", "-x=1", "--x", "-1", "-.5", "-inf", "-1x", "--epoch=1", "--Low", "1\n2"),
    *("0", "1", "2", "3", "1", "2", "+1", "+", "++1", "01", ENDLESS, "18446744073709551616", "1" * 40),
    *("0x10", " 1", "1 ", "1_0", "\u0663", "\xb2", "\x1b", "\x85", "\u2028", "\U0001f600"),
    *(b"\xff", b"1\xe2\x82"),
    *("0.5", ".5", "5.", ".", "e5", "1e", "1e5", "-1e-5", "1e400", "-0.0", "1e-400", "1E+2", "nan"),
    *("infinity", "naive", "backprop", "Naive", b"\xed\xa0\x80"),
]


def joined(option: str, value: str | bytes) -> bytes:
    """Return an option and its value as one word."""
    return os.fsencode(option) + b"=" + os.fsencode(value)


ANY_WORD = (
    st.sampled_from(WORDS)
    | st.sampled_from(VALUED)
    | st.builds(joined, st.sampled_from(VALUED), st.sampled_from(WORDS))
    | st.text("-=.+eEhx01 \n", max_size=4)
)


def without_measurements(end: Ended) -> Ended:
    """Return what does not differ from run to run, nor with the language."""
    out = re.sub(rb"(?s)^(Usage: |flatnet ).*", rb"\1", end.out)
    err = re.sub(r"[0-9.]+ (s|B|GB)\b", r"_ \1", end.err)
    return Ended(status=end.status, out=out, err=err)


@settings(
    max_examples=500,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(words=st.lists(ANY_WORD, max_size=3))
def test_any_words_are_judged_alike(rust: Program, words: list[str | bytes]) -> None:
    # What is taken then trains for no time, and on what both know.
    words = [*words, "--epochs=0", "--seed=1"]
    process = rust.start(*words)
    python = run_in_process(*words)
    event(re.sub(r"'.*'|[0-9]+|--[a-z-]+:|LAYER:", "_", python.err.partition("\n")[0])[:40])
    assert without_measurements(python) == without_measurements(ended(process))


def test_the_helps_name_all_options_and_differ_in_the_one_that_the_other_lacks(
    programs: tuple[Program, Program],
) -> None:
    python, rust = (program.run("--help").out.decode().splitlines() for program in programs)
    for option in ("LAYER", *VALUED, "--help", "--version", "--plot"):
        assert any(option in line for line in python)
    differing = [(one[:11], other[:11]) for one, other in zip(python, rust, strict=True) if one != other]
    assert differing == [("  --plot PA", "  --threads")]


@pytest.mark.parametrize(
    ("samples", "layers"),
    [
        ("1", [ENDLESS, ENDLESS, ENDLESS]),
        ("1", ["10000000000", "10000000000"]),
        ("1", ["1", "1000000000000", "1"]),
        (ENDLESS, ["3", "1"]),
        ("100000000000000", ["1", "1"]),
    ],
)
def test_what_cannot_be_held_in_memory_is_refused(run: Run, samples: str, layers: list[str]) -> None:
    end = run("--seed", "1", "--epochs", "0", "--samples", samples, *layers)
    assert (end.status, end.out) == (2, b"")
    number = r"[0-9]+\.[0-9] GB"
    assert re.fullmatch(
        rf"error: LAYER: got {'-'.join(layers)} with {samples} samples, which needs {number} of memory; "
        rf"takes what fits into this machine's {number}\n",
        end.err,
    )


# Other failures.


def within(kibibytes: int, program: Program) -> tuple[str, ...]:
    """Return the command of a program with so much address space, and without a core file.

    A shell sets the limits, because Python would copy its own large process to do so.
    """
    return ("sh", "-c", f'ulimit -c 0; ulimit -v {kibibytes}; exec "$0" "$@"', *program.command)


@cache
def starts(rust: Program, limit: int) -> bool:
    """Whether there is what the loader and the language's runtime need before the program's first line."""
    return rust.run("--version", command=within(limit, rust)).status in (0, 1)


OUT_OF_MEMORY = "error: out of memory; use smaller layers or fewer samples\n"


@needs_address_limit
@pytest.mark.parametrize("words", ["--samples 5000000 3 1", "1500 1500 1500"])
def test_a_lack_of_memory_is_one_line(program: Program, words: str) -> None:
    """Samples or parameters of 100 MB and more, as small as a program can hold them."""
    limit = {"python": 150, "rust": 50}[program.name]
    end = program.run("--seed", "1", *words.split(), command=within(limit << 10, program))
    assert end == Ended(status=1, out=b"", err=OUT_OF_MEMORY)


@needs_address_limit
@pytest.mark.parametrize(
    ("words", "limits"),
    [
        *(
            (f"--method {method} --epochs {epochs} {layers}", range(6 << 10, 48 << 10, 1 << 10))
            for method, epochs in (("naive", 0), ("incremental", 0), ("backprop", 1))
            for layers in ("600 600 1", "200000 1")
        ),
        # Anything small, and threads.
        *(
            (f"--method incremental --threads 2 --epochs 1 {layers}", range(3000, 9000, 50))
            for layers in ("300 200 100 1", "200 150 1")
        ),
    ],
)
def test_a_lack_of_memory_anywhere_in_rust_is_one_line(rust: Program, words: str, limits: range) -> None:
    """Whichever vector is the first that cannot be had: the inputs, the teacher, the slopes, ..."""
    arguments = ["--seed", "1", "--samples", "1", *words.split()]
    expected = rust.run(*arguments).out
    statuses = set()
    for limit in limits:
        if not starts(rust, limit):
            continue
        end = rust.run(*arguments, command=within(limit, rust))
        statuses.add(end.status)
        if end.status == 1:
            assert end == Ended(status=1, out=b"", err=OUT_OF_MEMORY), limit
        elif end.status == 0:
            assert end.out == expected
    assert statuses == {0, 1}


@pytest.mark.parametrize("words", [("--epochs", ENDLESS, "2", "1"), ("--help",)])
def test_a_reader_that_goes_away_ends_the_program_silently(program: Program, words: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    process = program.start("--seed", "1", *words, stdout=writer)
    os.close(writer)
    if words[0] == "--epochs":
        assert os.read(reader, 1) == b"I"
    os.close(reader)
    end = ended(process)
    assert end.err == ""
    assert end.status == 1 or (end.status == 0 and words == ("--help",))


@needs_full_device
@pytest.mark.parametrize("words", [TINY, ("--help",), ("--version",)], ids=label)
@pytest.mark.parametrize("variables", [{}, {"PYTHONUNBUFFERED": "1"}], ids=label)
def test_a_full_device_is_one_line(
    program: Program, words: tuple[str, ...], variables: dict[str, str]
) -> None:
    with FULL.open("wb") as full:
        end = program.run(*words, stdout=full, variables=variables)
    message = "error: cannot write: No space left on device (os error 28)\n"
    assert end == Ended(status=1, out=b"", err=message)


@needs_full_device
def test_what_cannot_be_written_to_standard_error(program: Program) -> None:
    """Measurements are then a failure; a refusal keeps its status."""
    with FULL.open("wb") as full:
        end = program.run(*TINY, stderr=full)
        assert program.run("0", "1", stderr=full) == Ended(status=2, out=b"", err="")
    assert (end.status, end.out) == (1, program.run(*TINY).out)


@pytest.mark.parametrize("descriptor", [1, 2])
def test_a_stream_that_was_closed_from_the_start_leads_nowhere(program: Program, descriptor: int) -> None:
    whole = program.run(*TINY)
    end = program.run(*TINY, before=lambda: os.close(descriptor))
    assert (end.status, end.out) == (0, b"" if descriptor == 1 else whole.out)
    assert end.err[:15] == ("Training Time: " if descriptor == 1 else "")


@pytest.mark.skipif(sys.platform != "linux", reason="needs sockets that keep messages apart")
def test_quick_epochs_are_held_back_from_a_pipe(program: Program) -> None:
    """On such a socket, what is read at once is what was written at once."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        process = program.start("--seed", "1", "--epochs", "50", "2", "1", stdout=theirs.fileno())
        theirs.close()
        pieces = list(iter(lambda: ours.recv(65536), b""))
    assert ended(process).status == 0
    assert b"".join(pieces) == program.run("--seed", "1", "--epochs", "50", "2", "1").out
    assert pieces[0].startswith(b"Initial Loss: ")
    # On a machine that is very busy there may be a flush or two between them.
    assert 1 <= sum(b": loss: " in piece for piece in pieces) < 25


@pytest.mark.skipif(sys.platform != "linux", reason="needs a terminal of its own")
def test_each_epoch_is_flushed_on_a_terminal(program: Program) -> None:
    """There are as many writes as epochs, which take microseconds; held back, many would share one."""
    ours, theirs = os.openpty()
    process = program.start("--seed", "1", "--samples", "1", "--epochs", ENDLESS, "2", "1", stdout=theirs)
    os.close(theirs)
    seen = b""
    while seen.count(b" loss: ") < 200:
        seen += os.read(ours, 65536)
    writes = re.search(r"syscw: (\d+)", Path(f"/proc/{process.pid}/io").read_text(encoding="ascii"))
    process.kill()
    process.communicate()
    os.close(ours)
    assert seen.startswith(b"Initial Loss: ")
    assert writes is not None
    assert int(writes[1]) >= seen.count(b" loss: ")


@pytest.mark.parametrize("method", METHODS)
def test_an_interrupt_keeps_what_was_flushed(program: Program, method: str) -> None:
    samples = {"python": 2, "rust": 20}[program.name]
    words = ["--seed", "1", "--samples", str(samples), "--method", method]
    process = program.start(
        *words,
        *("--epochs", ENDLESS, "8", "8", "1"),
        # A shell that runs the tests in the background has them ignore interrupts.
        before=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    seen = b""
    while b"\r2/" not in seen:
        chunk = os.read(process.stdout.fileno(), 65536)
        assert chunk, "the program ended before it was interrupted"
        seen += chunk
    process.send_signal(signal.SIGINT)
    end = ended(process)
    assert end.status == 130
    assert re.fullmatch(r"(error: interrupted\n)?", end.err)
    out = seen + end.out
    epochs = [int(number) for number in re.findall(rb"\r([0-9]+)/", out)]
    assert epochs == list(range(1, len(epochs) + 1))
    whole = program.run(*words, "--epochs", str(len(epochs)), "8", "8", "1").out
    flushed = whole[: whole.rindex(b"\nFinal Loss: ")]
    assert out.replace(f"/{ENDLESS}: ".encode(), f"/{len(epochs)}: ".encode()) == flushed


# The picture, which only the program in Python draws.

DIVERGING = ("--seed=1", "--samples=1", "--learning-rate=1e155", "--epochs=4", "2", "1")


@needs_matplotlib
@pytest.mark.parametrize(
    ("name", "words"), [("loss.png", TINY), ("loss", TINY), ("with space.PNG", DIVERGING)], ids=label
)
def test_plot_writes_a_picture_where_it_is_told_to(tmp_path: Path, name: str, words: tuple[str, ...]) -> None:
    path = tmp_path / name
    end = run_in_process(*words, "--plot", str(path))
    assert end.status == 0, end.err
    assert end.out == run_in_process(*words).out
    signature, width, height = struct.unpack(">16s2I", path.read_bytes()[:24])
    assert signature == b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
    assert min(width, height) > 200
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


@needs_matplotlib
@pytest.mark.parametrize(
    ("name", "status", "message"),
    [
        ("missing/loss.png", 1, "cannot write '{}': No such file or directory"),
        (".", 1, "cannot write '{}': Is a directory"),
        ("old.png/loss.png", 1, "cannot write '{}': Not a directory"),
        ("loss.xyz", 2, "got '{}', takes a name that ends in .eps, "),
        ("old.xyz", 2, "got '{}', takes a name that ends in .eps, "),
    ],
)
def test_a_picture_that_cannot_be_written_is_refused_before_the_training(
    tmp_path: Path, name: str, status: int, message: str
) -> None:
    old = [tmp_path / "old.png", tmp_path / "old.xyz"]
    for path in old:
        path.write_text("old")
    new = f"{tmp_path}/{name}"
    end = run_in_process(*TINY, "--plot", new)
    assert_one_error(end, status)
    assert end.err.startswith(f"error: --plot: {message.format(new)}")
    assert end.out == b""
    assert sorted(tmp_path.iterdir()) == old
    assert [path.read_text() for path in old] == ["old", "old"]


@needs_matplotlib
def test_a_picture_needs_a_folder_that_may_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tests may run as root, who may write everywhere."""
    monkeypatch.setattr(os, "access", lambda *_: False)
    path = f"{tmp_path}/loss.png"
    refusal = f"error: --plot: cannot write '{path}': Permission denied\n"
    assert run_in_process(*TINY, "--plot", path) == Ended(status=1, out=b"", err=refusal)


@needs_matplotlib
@pytest.mark.parametrize("there", [True, False])
def test_the_file_is_not_touched_until_the_picture_is_drawn(
    python: Program, tmp_path: Path, there: bool
) -> None:
    path = tmp_path / "loss.png"
    if there:
        path.write_text("old")
    process = python.start(
        *("--seed", "1", "--samples", "1", "--epochs", ENDLESS, "--plot", str(path), "1", "1"),
        before=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    assert os.read(process.stdout.fileno(), 1) == b"I"
    process.send_signal(signal.SIGINT)
    assert ended(process).status == 130
    assert [entry.read_text() for entry in tmp_path.iterdir()] == ["old"] * there


@needs_matplotlib
@pytest.mark.parametrize("epochs", [0, 1, 3])
def test_the_picture_names_the_run_and_counts_whole_epochs(tmp_path: Path, epochs: int) -> None:
    path = tmp_path / "loss.svg"
    words = ("--seed", "7", "--samples", "2", "--method", "backprop", "--epochs", str(epochs))
    assert run_in_process(*words, "--plot", str(path), "3", "2", "1").status == 0
    # Each text is drawn as curves, and told in a comment.
    texts = re.findall("<!-- (.+) -->", path.read_text())
    assert "Loss of 3-2-1, backprop, seed 7" in texts
    axis = texts[: texts.index("epoch")]
    assert axis == [str(epoch) for epoch in range(epochs + 1)]


@pytest.mark.parametrize("is_broken", [True, False])
def test_plot_without_matplotlib_says_what_to_install(
    python: Program, tmp_path: Path, is_broken: bool
) -> None:
    path = tmp_path / "loss.png"
    interpreter, script = python.command
    if is_broken:
        (tmp_path / "matplotlib.py").write_text("raise ImportError('no such library')")
    # -S leaves out all installed packages.
    without = (interpreter, "-S", script)
    end = python.run(*TINY, f"--plot={path}", command=without, variables={"PYTHONPATH": str(tmp_path)})
    assert_one_error(end, 1)
    why = "no such library" if is_broken else "No module named 'matplotlib'"
    assert end.err.startswith(f"error: --plot: cannot import matplotlib: {why}; to install it: ")
    assert end.err.endswith("python3 -m pip install matplotlib\n")
    assert end.out == b""
    assert not path.exists()


# The interpreter, which only the program in Python has.


INTERRUPTED_AT = """
import atexit, os, signal, sys

def interrupt():
    os.kill(os.getpid(), signal.SIGINT)

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "{0}":
            interrupt()

class Last:
    def __del__(self, interrupt=interrupt):
        interrupt()

sys.meta_path.insert(0, Finder())
if "{0}" == "exit":
    atexit.register(interrupt)
if "{0}" == "last":
    sys.modules["last"] = Last()
"""
"""A module that every interpreter imports as it starts; the signal comes when the word in it does."""


@pytest.mark.parametrize(
    ("moment", "status"),
    # At the end nothing is left to interrupt.
    [(name, 130) for name in ("command_line", "gradients", "network", "training")]
    + [("exit", 0), ("last", 0)],
)
def test_an_interrupt_at_any_moment_is_silent(
    python: Program, tmp_path: Path, moment: str, status: int
) -> None:
    (tmp_path / "sitecustomize.py").write_text(INTERRUPTED_AT.format(moment))
    end = python.run(
        *TINY,
        variables={"PYTHONPATH": str(tmp_path)},
        before=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert end.status == status
    assert end.err == "" or (status == 0 and end.err.startswith("Training Time"))
    assert "Traceback" not in end.err


@pytest.mark.parametrize("flags", [("-I",), ("-S", "-W", "error")])
def test_python_runs_isolated_and_without_any_installed_package(
    python: Program, flags: tuple[str, ...]
) -> None:
    interpreter, script = python.command
    end = python.run(*TINY, command=(interpreter, *flags, script))
    assert end.status == 0, end.err
    assert end.out == run_in_process(*TINY).out


OLD = "import runpy, sys; sys.version_info = (3, 8, 18); runpy.run_path(sys.argv[1], run_name='__main__')"


def test_a_python_that_is_too_old_is_told_so(python: Program) -> None:
    """From 3.9 on it can read all sources, from 3.6 on the one that says so: as far as this one can tell."""
    interpreter, script = python.command
    end = python.run(command=(interpreter, "-c", OLD, script))
    assert end == Ended(status=1, out=b"", err="error: needs Python 3.9 or later\n")
    for path in Path(script).parent.glob("*.py"):
        ast.parse(path.read_text(), feature_version=(3, 6) if path == Path(script) else (3, 9))
    assert "__future__" not in Path(script).read_text()
