"""Shapes and cases: what is refused, and the arithmetic that follows from a case alone."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.case import METHODS, Shape
from tests import fakes


def test_counts_of_the_article_shape() -> None:
    # 10 + 5 + 1 = 16 neurons; 10 * 5 weights and a bias, 5 * 1 weights and a bias: 51 + 6 = 57 parameters.
    case = fakes.case("10-5-1", samples=100, epochs=7)
    assert (str(case.shape), case.shape.neurons, case.shape.parameters, case.training_steps) == (
        *("10-5-1", 16, 57),
        700,
    )


def test_multiply_adds_by_hand() -> None:
    # 2-1, one layer with W = 2 weights and P = 3 parameters.
    #   naive: two forward passes of 2 for each of 3 parameters: 2 * 2 * 3 = 12.
    #   backprop: one forward pass of 2, nothing to send back: 2.
    #   incremental: the forward pass, 2; weight 0 has 2 terms from it on, weight 1 has 1, twice each:
    #     2 * (2 + 1) = 6; the bias touches no product: 0. Together 8.
    assert [Shape((2, 1)).multiply_adds(method) for method in METHODS] == [12, 8, 2]
    # 2-2-1: W = 4 + 2 = 6, P = 8.
    #   naive: 2 * 6 * 8 = 96. backprop: 6 forward, 2 back: 8.
    #   incremental: the forward pass, 6. In the first layer weight (i, q), twice each:
    #     its row from q on: (2 + 1) in each of two rows = 6;
    #     the next layer's one row from i on: i = 0 has 2 terms, i = 1 has 1, for two weights each = 6.
    #     the first bias changes both outputs, so all 2 terms of the next layer: 2.
    #     the second layer: row from q on 2 + 1 = 3; its bias 0.
    #   6 + 2 * (6 + 6 + 2 + 3) = 40.
    assert [Shape((2, 2, 1)).multiply_adds(method) for method in METHODS] == [96, 40, 8]


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
    assert Shape(layers).multiply_adds(method) == brute_force(layers, method)


@pytest.mark.parametrize(
    "text", ["", "10", "10-", "-10-5", "10-0-1", "10-05-1", "10-x-1", "10 5 1", "1e1-1", "\u0663-1", "1-1\n"]
)
def test_a_shape_that_names_no_layers_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="takes two or more") as caught:
        Shape.parse(text)
    assert str(caught.value) == f"got {text!a}, takes two or more positive sizes such as 10-5-1"
