"""A table is defined once: its cells, as a terminal, Markdown and a page take them."""

import math

import pytest

from harness.digits import times
from harness.table import Cell, Column, Table, above_one, estimate, number, percent, seconds, share, words

COLUMNS = {
    "who": words("name"),
    "step": seconds("step_s"),
    "95% interval": number("low", "high"),
    "ratio": estimate(times, "ratio", "low", "high", "verdict", none="-"),
}
RUST = {"name": "rust", "step_s": 2e-3, "ratio": 4.0, "low": 3.9, "high": 4.1, "verdict": "cannot tell"}
ALONE = {"name": "c | d", "step_s": 1.0, "ratio": 2.0, "low": math.nan, "high": math.nan, "verdict": ""}
NOTHING = {"name": "e", "step_s": None, "ratio": math.nan}


def test_cells_have_the_text_the_number_behind_it_and_what_a_narrow_terminal_shows() -> None:
    table = Table("t", "T", COLUMNS, [RUST, ALONE, NOTHING])
    assert table.rows == [
        (
            Cell("rust"),
            Cell("2.00 ms", 2e-3),
            Cell("3.90 to 4.10", 3.9),
            Cell("4.00x? (3.90 to 4.10)", 4.0, "4.00x? ±2.5%"),
        ),
        (Cell("c | d"), Cell("1.00 s", 1.0), Cell(""), Cell("2.00x", 2.0, "2.00x")),
        (Cell("e"), Cell(""), Cell(""), Cell("-")),
    ]
    assert table.numeric == [False, True, True, True]


@pytest.mark.parametrize(
    ("column", "line", "text"),
    [
        (percent("low", "high"), {"low": 0.861, "high": 1.0}, "86% to 100%"),
        (share("hits", "checks"), {"hits": 9, "checks": 10}, "9/10"),
        (above_one("beyond"), {"beyond": 1.0}, ""),
        (above_one("beyond"), {"beyond": 2.0}, "2.00x"),
        (words("reason", none="everybody"), {"reason": None}, "everybody"),
        (words("is"), {"is": True}, "True"),
        (words("cell"), {"cell": Cell("ready", 3.0)}, "ready"),
    ],
)
def test_writers(column: Column, line: dict[str, object], text: str) -> None:
    assert column.cell(line).text == text


def test_markdown_keeps_the_whole_intervals_and_no_bar_ends_a_cell() -> None:
    assert Table("t", "T", COLUMNS, [RUST, ALONE]).markdown.splitlines() == [
        "| who | step | 95% interval | ratio |",
        "| --- | --- | --- | --- |",
        "| rust | 2.00 ms | 3.90 to 4.10 | 4.00x? (3.90 to 4.10) |",
        "| c \\| d | 1.00 s |  | 2.00x |",
    ]


def test_a_table_that_is_wider_than_long_is_turned() -> None:
    heads = {head: number(head) for head in ("b", "c", "d")}
    lines = [{"shape": "1-1", "b": 1.0, "c": 2.0}, {"shape": "2-1", "b": 3.0}]
    table = Table("t", "T", {"shape": words("shape"), **heads}, lines)
    assert table.turned(most=4) is table
    turned = table.turned(most=3)
    assert turned.heads == ("shape", "1-1", "2-1")
    # d is known of neither.
    assert turned.rows == [
        (Cell("b"), Cell("1.00", 1.0), Cell("3.00", 3.0)),
        (Cell("c"), Cell("2.00", 2.0), Cell("")),
    ]
    assert Table("t", "T", {"shape": words("shape"), **heads}, []).turned(most=1).rows == []
