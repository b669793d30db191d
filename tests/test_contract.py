"""Arguments in, losses out: the two formats, and output that cannot be true."""

import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.case import Case, Shape
from harness.codec import printable
from harness.measure.contract import arguments, parse_output
from tests import fakes

STDERR = "Training Time: 0.125000000 s\nPeak Memory: 10485760 B\n"


def output(*losses: str) -> str:
    """Return standard output with these losses, the first before training."""
    last = len(losses) - 1
    epochs = "".join(f"\r{epoch}/{last}: loss: {loss}" for epoch, loss in enumerate(losses) if epoch)
    return f"Initial Loss: {losses[0]}\n{epochs}\nFinal Loss: {losses[-1]}\n"


def test_the_arguments_of_a_case_read_back_exactly() -> None:
    case = Case(
        shape=Shape((10, 5, 1)),
        method="backprop",
        samples=3,
        epochs=4,
        step=1e-05,
        learning_rate=0.1 + 0.2,
        low=-1.0,
        high=1e300,
        seed=2**64 - 1,
    )
    assert arguments(case) == [
        "--method=backprop",
        "--samples=3",
        "--epochs=4",
        "--step=1e-05",
        "--learning-rate=0.30000000000000004",
        "--low=-1.0",
        "--high=1e+300",
        "--seed=18446744073709551615",
        *("10", "5", "1"),
    ]


def test_a_good_output() -> None:
    text = output("5.216697797126268", "1.4215051548472541", "1e-05")
    said = parse_output(fakes.case(epochs=2), text, STDERR, 2.0)
    assert said.losses == (5.216697797126268, 1.4215051548472541, 1e-05)
    assert said.training_s == 0.125
    assert said.peak_memory_bytes == 10485760


def test_nothing_trained() -> None:
    said = parse_output(
        fakes.case(epochs=0), "Initial Loss: 0.5\nFinal Loss: 0.5\n", "Training Time: 0 s\n", 2.0
    )
    assert said.losses == (0.5,)
    assert (said.training_s, said.peak_memory_bytes) == (0.0, None)


def test_the_lines_on_standard_error_may_stand_among_others() -> None:
    noise = f"Seed: 42\nwarning: the loss is inf at epoch 3\n{STDERR}goodbye\n"
    assert parse_output(fakes.case(epochs=1), output("1.0", "0.5"), noise, 2.0).training_s == 0.125


@settings(deadline=None)
@example([1e308, math.inf, math.nan, math.nan])
@given(st.lists(st.floats(), min_size=2, max_size=6))
def test_every_float_goes_through_exactly(losses: list[float]) -> None:
    text = output(*map(repr, losses))
    said = parse_output(fakes.case(epochs=len(losses) - 1), text, STDERR, 2.0)
    assert list(map(repr, said.losses)) == list(map(repr, losses))


GOOD = output("1.5", "0.5", "0.25")
BELONGS = "where a line 'Initial Loss: NUMBER' belongs"
DIGITS = "where the shortest digits of a number belong"


@pytest.mark.parametrize(
    ("stdout", "message"),
    [
        *(
            (
                text,
                f"printed {''.join(text.splitlines(keepends=True)[:1])!r} {BELONGS}",
            )
            for text in ("", GOOD.upper(), " " + GOOD, "Initial Loss: 1.5")
        ),
        ("\0" * 1000, f"printed {chr(0) * 60!r} {BELONGS}"),
        ("Initial Loss: 1.5\n", "printed 0 epochs instead of 2"),
        (output("1.5", "0.5"), "printed 1 epochs instead of 2"),
        (output("1.5", "0.5", "0.25", "0.1"), "printed 3 epochs instead of 2"),
        (GOOD.replace("\r1", "1"), "printed 0 epochs instead of 2"),
        (GOOD.replace("\r", "\n"), "printed 0 epochs instead of 2"),
        *(
            (
                GOOD.replace(f"{epoch}/2: loss: {loss}", text),
                f"printed '{text}' where the loss of epoch {epoch} belongs",
            )
            for epoch, loss, text in (
                (2, 0.25, "1/2: loss: 0.25"),
                (2, 0.25, "2/3: loss: 0.25"),
                (2, 0.25, "02/2: loss: 0.25"),
                (1, 0.5, "1/2: loss: 0.5  "),
            )
        ),
        *(
            (
                GOOD.replace(": 0.5", f": {text}"),
                f"printed '{text}' {DIGITS}",
            )
            for text in ("0.50", ".5", "5e-1", "1_0.5", "+inf", "NaN", "1")
        ),
        (GOOD + "bye\n", f"printed '0.25\\nbye' {DIGITS}"),
        (GOOD.removesuffix("\n"), "printed 'Final Loss: 0.25' where a line 'Final Loss: NUMBER' belongs"),
        (GOOD.replace("Final Loss: 0.25\n", ""), "printed '' where a line 'Final Loss: NUMBER' belongs"),
        (GOOD.replace("Loss: 0.25", "Loss: 0.125"), "printed the final loss 0.125, the last epoch's is 0.25"),
        (
            output("1.5", "0.0", "0.0").replace("Final Loss: 0.0", "Final Loss: -0.0"),
            "printed the final loss -0.0, the last epoch's is 0.0",
        ),
    ],
)
def test_garbled_output_is_told_in_words(stdout: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_output(fakes.case(epochs=2), stdout, STDERR, 2.0)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "stderr",
    [
        "",
        "Training Time: fast\n",
        "Training Time: -1.0 s\n",
        "Training Time: 1.0 ms\n",
        "training time: 1.0 s\n",
        " Training Time: 1.0 s\n",
        "Training Time: \u0661.\u0660 s\n",
        f"Training Time: {'9' * 400} s\n",
    ],
)
def test_a_training_time_that_is_no_number_of_seconds(stderr: str) -> None:
    with pytest.raises(ValueError, match=r"^printed no line 'Training Time: SECONDS s' to standard error$"):
        parse_output(fakes.case(epochs=2), GOOD, stderr, 2.0)


def test_training_takes_some_time() -> None:
    """A nanosecond a step is less than any can take."""
    case = fakes.case(samples=2, epochs=2)
    for text in ("0.000", "0.000000000000000001", "0.000000003"):
        with pytest.raises(ValueError) as caught:
            parse_output(case, GOOD, f"Training Time: {text} s\n", 1.0)
        assert str(caught.value) == f"printed a training time of {text} s, too short for 4 training steps"
    assert parse_output(case, GOOD, "Training Time: 0.000000004 s\n", 1.0).training_s == 4e-9


def test_what_was_compiled_at_run_time_is_no_training_and_nobody_does_more_than_it_lives() -> None:
    stderr = f"{STDERR}Compile Time: 0.375 s\n"
    assert parse_output(fakes.case(epochs=2), GOOD, stderr, 0.5).compile_s == 0.375
    assert parse_output(fakes.case(epochs=2), GOOD, STDERR, 0.5).compile_s is None
    for said, wall_s, claim in (
        (STDERR, 0.121, "0.125000000 s, but ended after 0.121000000 s"),
        (stderr, 0.49, "0.125000000 s and a compile time of 0.375 s, but ended after 0.490000000 s"),
    ):
        with pytest.raises(ValueError) as caught:
            parse_output(fakes.case(epochs=2), GOOD, said, wall_s)
        assert str(caught.value) == f"printed a training time of {claim}"


@pytest.mark.parametrize("name", ["Training Time", "Peak Memory", "Compile Time"])
def test_a_line_that_stands_twice(name: str) -> None:
    stderr = f"{STDERR}Compile Time: 0.1 s\n"
    line = next(line for line in stderr.splitlines() if line.startswith(name))
    with pytest.raises(ValueError) as caught:
        parse_output(fakes.case(epochs=2), GOOD, f"{stderr}{line}\n", 1.0)
    assert str(caught.value) == f"printed 2 lines '{name}: ...' to standard error"


def test_control_characters_are_shown_and_never_sent() -> None:
    raw = "".join(map(chr, (*range(0x20), *range(0x7F, 0xA0), 0x202E, 0x2066, 0x2028, 0xD800))) + "ü\u2713"
    shown = printable(raw)
    assert shown.isprintable()
    assert shown.endswith("ü\u2713")
    assert printable("\x1b[2J\n\x9b") == r"\x1b[2J\n\x9b"


@pytest.mark.parametrize("peak", ["", "Peak Memory: much\n", f"Peak Memory: {'9' * 5000} B\n"])
def test_an_unknown_peak_memory_is_left_open(peak: str) -> None:
    said = parse_output(fakes.case(epochs=2), GOOD, f"Training Time: 1.0 s\n{peak}", 2.0)
    assert said.peak_memory_bytes is None
