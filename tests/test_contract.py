"""Arguments in, losses out: the formats, and the arithmetic that follows from a case alone."""

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.contract import METHODS, Case, multiply_adds, parse_layers, parse_output
from harness.errors import ContractError, UsageError
from tests import fakes

STDERR = "Training Time: 0.125000000 s\nPeak Memory: 10485760 B\n"


def output(*losses: str) -> str:
    """Return standard output with these losses, the first before training."""
    last = len(losses) - 1
    epochs = "".join(f"\r{epoch}/{last}: loss: {loss}" for epoch, loss in enumerate(losses) if epoch)
    return f"Initial Loss: {losses[0]}\n{epochs}\nFinal Loss: {losses[-1]}\n"


def test_the_arguments_of_a_case_read_back_exactly() -> None:
    case = Case(
        layers=(10, 5, 1),
        method="backprop",
        samples=3,
        epochs=4,
        step=1e-05,
        learning_rate=0.1 + 0.2,
        low=-1.0,
        high=1e300,
        seed=2**64 - 1,
    )
    assert case.arguments() == [
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


def test_counts_of_the_article_shape() -> None:
    # 10 + 5 + 1 = 16 neurons; 10 * 5 weights and a bias, 5 * 1 weights and a bias: 51 + 6 = 57 parameters.
    case = fakes.case((10, 5, 1), samples=100, epochs=7)
    assert (case.shape, case.neurons, case.parameters, case.training_steps) == ("10-5-1", 16, 57, 700)


def test_multiply_adds_by_hand() -> None:
    # 2-1, one layer with W = 2 weights and P = 3 parameters.
    #   naive: two forward passes of 2 for each of 3 parameters: 2 * 2 * 3 = 12.
    #   backprop: one forward pass of 2, nothing to send back: 2.
    #   incremental: the forward pass, 2; weight 0 has 2 terms from it on, weight 1 has 1, twice each:
    #     2 * (2 + 1) = 6; the bias touches no product: 0. Together 8.
    assert [multiply_adds((2, 1), method) for method in METHODS] == [12, 8, 2]
    # 2-2-1: W = 4 + 2 = 6, P = 8.
    #   naive: 2 * 6 * 8 = 96. backprop: 6 forward, 2 back: 8.
    #   incremental: the forward pass, 6. In the first layer weight (i, q), twice each:
    #     its row from q on: (2 + 1) in each of two rows = 6;
    #     the next layer's one row from i on: i = 0 has 2 terms, i = 1 has 1, for two weights each = 6.
    #     the first bias changes both outputs, so all 2 terms of the next layer: 2.
    #     the second layer: row from q on 2 + 1 = 3; its bias 0.
    #   6 + 2 * (6 + 6 + 2 + 3) = 40.
    assert [multiply_adds((2, 2, 1), method) for method in METHODS] == [96, 40, 8]


def forward_terms(layers: tuple[int, ...]) -> int:
    return sum(1 for columns, rows in pairwise(layers) for _ in range(rows) for _ in range(columns))


def brute_force(layers: tuple[int, ...], method: str) -> int:
    """Count by walking through the sums, term by term."""
    if method == "naive":
        parameters = sum(columns * rows + 1 for columns, rows in pairwise(layers))
        return sum(2 * forward_terms(layers) for _ in range(parameters))
    if method == "backprop":
        back = sum(rows * columns for columns, rows in pairwise(layers[1:]))
        return forward_terms(layers) + back
    count = forward_terms(layers)
    for k, (columns, rows) in enumerate(pairwise(layers)):
        touched: list[tuple[int, int]] = [(i, q) for i in range(rows) for q in range(columns)]
        for row, first in touched:
            count += 2 * sum(1 for _ in range(first, columns))
            if k + 2 < len(layers):
                # Every row of the next layer is summed again from the input that changed.
                count += 2 * sum(1 for _ in range(layers[k + 2]) for _ in range(row, rows))
            count += 2 * (forward_terms(layers[k + 2 :]) if k + 3 < len(layers) else 0)
        count += 2 * (forward_terms(layers[k + 1 :]) if k + 2 < len(layers) else 0)
    return count


@pytest.mark.parametrize("method", METHODS)
@settings(deadline=None)
@given(layers=st.lists(st.integers(1, 6), min_size=2, max_size=5).map(tuple))
def test_multiply_adds_against_a_count_term_by_term(method: str, layers: tuple[int, ...]) -> None:
    assert multiply_adds(layers, method) == brute_force(layers, method)


@pytest.mark.parametrize(
    "text", ["", "10", "10-", "-10-5", "10-0-1", "10-05-1", "10-x-1", "10 5 1", "1e1-1", "\u0663-1", "1-1\n"]
)
def test_a_shape_that_names_no_layers_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_layers(text)
    assert str(caught.value) == f"shape: got {text!r}, takes two or more positive sizes such as 10-5-1"


def test_a_good_output() -> None:
    said = parse_output(
        fakes.case(epochs=2), output("5.216697797126268", "1.4215051548472541", "1e-05"), STDERR
    )
    assert said.losses == (5.216697797126268, 1.4215051548472541, 1e-05)
    assert said.training_s == 0.125
    assert said.peak_memory_bytes == 10485760


def test_nothing_trained() -> None:
    said = parse_output(fakes.case(epochs=0), "Initial Loss: 0.5\nFinal Loss: 0.5\n", "Training Time: 0 s\n")
    assert said.losses == (0.5,)
    assert (said.training_s, said.peak_memory_bytes) == (0.0, None)


def test_the_lines_on_standard_error_may_stand_among_others() -> None:
    noise = f"Seed: 42\nwarning: the loss is inf at epoch 3\n{STDERR}goodbye\n"
    assert parse_output(fakes.case(epochs=1), output("1.0", "0.5"), noise).training_s == 0.125


def test_infinite_losses_and_nan() -> None:
    said = parse_output(fakes.case(epochs=3), output("1e+308", "inf", "nan", "nan"), STDERR)
    assert said.losses[:2] == (1e308, math.inf)
    assert math.isnan(said.losses[2]) and math.isnan(said.losses[3])


@settings(deadline=None)
@given(st.lists(st.floats(), min_size=2, max_size=6))
def test_every_float_goes_through_exactly(losses: list[float]) -> None:
    text = output(*map(repr, losses))
    said = parse_output(fakes.case(epochs=len(losses) - 1), text, STDERR)
    assert list(map(repr, said.losses)) == list(map(repr, losses))


GOOD = output("1.5", "0.5", "0.25")


@pytest.mark.parametrize(
    ("stdout", "message"),
    [
        ("", "printed '' where a line 'Initial Loss: NUMBER' belongs"),
        (GOOD.upper(), "printed 'INITIAL LOSS: 1.5\\n' where a line 'Initial Loss: NUMBER' belongs"),
        (" " + GOOD, "printed ' Initial Loss: 1.5\\n' where a line 'Initial Loss: NUMBER' belongs"),
        ("Initial Loss: 1.5", "printed 'Initial Loss: 1.5' where a line 'Initial Loss: NUMBER' belongs"),
        ("Initial Loss: 1.5\n", "printed 0 epochs instead of 2"),
        (output("1.5", "0.5"), "printed 1 epochs instead of 2"),
        (output("1.5", "0.5", "0.25", "0.1"), "printed 3 epochs instead of 2"),
        (GOOD.replace("\r1", "1"), "printed 0 epochs instead of 2"),
        (GOOD.replace("\r", "\n"), "printed 0 epochs instead of 2"),
        (GOOD.replace("2/2", "1/2"), "printed '1/2: loss: 0.25' where the loss of epoch 2 belongs"),
        (GOOD.replace("2/2", "2/3"), "printed '2/3: loss: 0.25' where the loss of epoch 2 belongs"),
        (GOOD.replace("2/2", "02/2"), "printed '02/2: loss: 0.25' where the loss of epoch 2 belongs"),
        (
            GOOD.replace("1/2: loss: 0.5", "1/2: loss: 0.5  "),
            "printed '1/2: loss: 0.5  ' where the loss of epoch 1 belongs",
        ),
        (GOOD.replace(": 0.5", ": 0.50"), "printed '0.50' where the shortest digits of a number belong"),
        (GOOD.replace(": 0.5", ": .5"), "printed '.5' where the shortest digits of a number belong"),
        (GOOD.replace(": 0.5", ": 5e-1"), "printed '5e-1' where the shortest digits of a number belong"),
        (GOOD.replace(": 0.5", ": 1_0.5"), "printed '1_0.5' where the shortest digits of a number belong"),
        (
            GOOD.replace(": 0.5", ": +inf"),
            "printed '+inf' where the shortest digits of a number belong",
        ),
        (GOOD.replace(": 0.5", ": NaN"), "printed 'NaN' where the shortest digits of a number belong"),
        (GOOD.replace(": 1.5", ": 1"), "printed '1' where the shortest digits of a number belong"),
        (GOOD.replace("Loss: 0.25", "Loss: 0.125"), "printed the final loss 0.125, the last epoch's is 0.25"),
        (GOOD.removesuffix("\n"), "printed 'Final Loss: 0.25' where a line 'Final Loss: NUMBER' belongs"),
        (GOOD + "bye\n", "printed '0.25\\nbye' where the shortest digits of a number belong"),
        (
            GOOD.replace("Final Loss: 0.25\n", ""),
            "printed '' where a line 'Final Loss: NUMBER' belongs",
        ),
        (
            output("1.5", "0.0", "0.0").replace("Final Loss: 0.0", "Final Loss: -0.0"),
            "printed the final loss -0.0, the last epoch's is 0.0",
        ),
        ("\0" * 1000, f"printed {chr(0) * 60!r} where a line 'Initial Loss: NUMBER' belongs"),
    ],
)
def test_garbled_output_is_told_in_words(stdout: str, message: str) -> None:
    with pytest.raises(ContractError) as caught:
        parse_output(fakes.case(epochs=2), stdout, STDERR)
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
    with pytest.raises(
        ContractError, match=r"^printed no line 'Training Time: SECONDS s' to standard error$"
    ):
        parse_output(fakes.case(epochs=2), GOOD, stderr)


def test_training_takes_some_time() -> None:
    with pytest.raises(ContractError, match=r"^printed a training time of zero for 4 training steps$"):
        parse_output(fakes.case(samples=2, epochs=2), GOOD, "Training Time: 0.000 s\n")


@pytest.mark.parametrize("peak", ["", "Peak Memory: much\n", f"Peak Memory: {'9' * 5000} B\n"])
def test_an_unknown_peak_memory_is_left_open(peak: str) -> None:
    said = parse_output(fakes.case(epochs=2), GOOD, f"Training Time: 1.0 s\n{peak}")
    assert said.peak_memory_bytes is None
