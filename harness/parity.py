"""Do two runs have the same losses? Bit for bit, or the first epoch that differs, and by how much."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_UP, Context

DIVERGED = 1e6
"""A loss so many times the initial one shows nothing: training multiplies every rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome of a comparison."""

    holds: bool
    """Whether the losses are identical, or within the tolerance."""
    text: str
    """The outcome in words."""


def compare(expected: Sequence[float], actual: Sequence[float], tolerance: float = 0.0) -> Verdict:
    """Compare the losses of two runs of one case; index 0 is the loss before training.

    No ``distance`` may exceed ``tolerance``, which a contender that sums in another order declares. With one,
    losses are compared only until the expected one is ``DIVERGED`` times the initial one.
    """
    if len(expected) != len(actual):
        return Verdict(holds=False, text=f"{len(actual)} losses instead of {len(expected)}")
    initial = expected[0]
    largest = 0.0
    for epoch, (wanted, got) in enumerate(zip(expected, actual, strict=True)):
        if tolerance and epoch and not wanted <= DIVERGED * initial:
            text = f"within {_share(largest)} up to epoch {epoch - 1}, then it diverges"
            return Verdict(holds=True, text=text)
        apart = distance(wanted, got, initial)
        if apart > tolerance:
            by = f" (off by {_share(apart)})" if apart < math.inf else ""
            return Verdict(holds=False, text=f"epoch {epoch}: {got!r} instead of {wanted!r}{by}")
        largest = max(largest, apart)
    return Verdict(holds=True, text=f"within {_share(largest)}" if largest else "identical")


def distance(wanted: float, got: float, initial: float) -> float:
    """Return how far two losses are apart, relative to the larger of them plus the initial loss.

    Not to the loss alone: one that has fallen to nothing is a sum of roundings. 0 for the same bits or two
    nans; inf if only one is finite.
    """
    if repr(wanted) == repr(got):
        return 0.0
    if not (math.isfinite(wanted) and math.isfinite(got)):
        return math.inf
    # Above 0 for different bits, as of the two zeros.
    scale = max(abs(wanted), abs(got)) + abs(initial)
    return max(abs(wanted - got) / scale if scale else 0.0, 5e-324)


def _share(apart: float) -> str:
    """Write a distance with one digit, rounded up."""
    rounded = Context(prec=1, rounding=ROUND_UP).create_decimal(apart)
    return f"{rounded:e} of the initial loss"
