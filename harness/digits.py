"""How times and ratios are written: with three digits."""

import math
from collections.abc import Mapping
from typing import Any

MARKS = {"cannot tell": "?", "equal": "="}
"""What stands behind a ratio that is no clear difference, by its verdict."""


def duration(seconds: float) -> str:
    """Write a time with three digits and its unit: 4.56 ms."""
    for factor, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= factor * 0.9995:
            return f"{three_digits(seconds / factor)} {unit}"
    return f"{three_digits(seconds / 1e-9)} ns"


def times(ratio: float) -> str:
    """Write a ratio with three digits: 43.2x."""
    return f"{three_digits(ratio)}x"


def three_digits(value: float) -> str:
    """Write a number: 0.0456, 0.456, 4.56, 45.6, 456, 4560."""
    # The limits are those from which on rounding gives one more digit.
    if value >= 99.95:
        return f"{value:.0f}"
    if value >= 9.995:
        return f"{value:.1f}"
    return f"{value:.2f}" if value >= 0.9995 else f"{value:#.3g}"


def ratio(line: Mapping[Any, Any], *, with_interval: bool = True) -> str:
    """Write the ratio of a line of speedup.csv: 43.2x (41.0 to 44.9), marked if it is no clear difference."""
    text = times(line["ratio"]) + MARKS.get(line["verdict"], "")
    if not with_interval or math.isnan(line["low"]):
        return text
    return f"{text} ({three_digits(line['low'])} to {three_digits(line['high'])})"
