"""How times and ratios are written: with three digits."""

import math
from decimal import Decimal

MARKS = {"cannot tell": "?", "equal": "=", "still warming up": "~"}
"""What follows a ratio that is no clear difference, by verdict."""
MEANINGS = {
    "cannot tell": "cannot be told from noise",
    "equal": "equal within the margin",
    "still warming up": "still warming up, so no verdict",
}
"""The same verdicts in words."""
_UNITS = ((3600, "h", 7200), (60, "min", 120), (1, "s", 1), (1e-3, "ms", 1e-3), (1e-6, "µs", 1e-6))
"""Seconds of a unit, its name, and the fewest seconds written so."""


def duration(seconds: float) -> str:
    """Write a time with three digits and its unit: 4.56 ms, 7.61 min."""
    for factor, unit, least in _UNITS:
        if seconds >= least * 0.9995:
            return f"{three_digits(seconds / factor)} {unit}"
    return f"{three_digits(seconds / 1e-9)} ns"


def times(ratio: float) -> str:
    """Write a ratio with three digits: 43.2x."""
    return f"{three_digits(ratio)}x"


def three_digits(value: float) -> str:
    """Write a number of at least 0 without an exponent: 0.0456, 4.56, 45.6, 4560."""
    if value >= 99.95:
        return f"{value:.0f}"
    return format(Decimal(f"{value:.2e}"), "f") if value > 0.0 else f"{value:.2f}"


def between(low: float, high: float) -> str:
    """Write an interval with three digits: 41.0 to 44.9."""
    return f"{three_digits(low)} to {three_digits(high)}"


def plus_minus(low: float, high: float) -> str:
    """Write half an interval's width on a logarithmic axis: ±4.5%, or from a quarter on x/÷1.30."""
    if not low > 0.0:
        return "±?"
    factor = math.sqrt(high / low)
    percent = (factor - 1.0) * 100.0
    if percent >= 24.5:
        return f"x/÷{three_digits(factor)}"
    return f"±{percent:.0f}%" if percent >= 9.95 else f"±{percent:.1f}%"
