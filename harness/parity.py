"""Whether two runs have the same losses, or the first epoch that differs, and by how much."""

import math
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_UP, Context

IDENTICAL = "identical"
REFERENCE, REPEATED = "reference", "identical to its first run"
"""Said of losses that no other contender has: of its first run, and others."""
UP_TO = " up to epoch "
"""Before the last epoch that was compared, if there are more."""
DIVERGED = 1e6
"""So many times the initial loss shows nothing: training multiplies roundings."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of a comparison."""

    holds: bool
    """Whether the losses are identical, or within the tolerance."""
    text: str


def compare(expected: Sequence[float], actual: Sequence[float], tolerance: float = 0.0) -> Verdict:
    """Compare the losses of two runs of one case; index 0 is the loss before training.

    No ``distance`` may exceed the ``tolerance`` of a contender that sums in another order. With one, losses
    are compared until the expected one is ``DIVERGED`` times the initial one.
    """
    if len(expected) != len(actual):
        return Verdict(False, f"{len(actual)} losses instead of {len(expected)}")
    if array("d", expected).tobytes() == array("d", actual).tobytes():
        return Verdict(True, IDENTICAL)
    initial, largest = expected[0], 0.0
    for epoch, (wanted, got) in enumerate(zip(expected, actual, strict=True)):
        if tolerance and epoch and not wanted <= DIVERGED * initial:
            return Verdict(True, f"within {_share(largest)} until it diverges after epoch {epoch - 1}")
        apart = distance(wanted, got, initial)
        if apart > tolerance:
            by = f" (off by {_share(apart)})" if apart < math.inf else ""
            return Verdict(False, f"epoch {epoch}: {got!r} instead of {wanted!r}{by}")
        largest = max(largest, apart)
    return Verdict(True, f"within {_share(largest)}" if largest else IDENTICAL)


def compare_all(others: Iterable[tuple[Sequence[float], float]], actual: Sequence[float]) -> Verdict:
    """Compare each epoch with the first of ``others`` that has it: the losses, and the tolerance.

    What no other has is not compared; the text then says where that begins.
    """
    texts, reached = [], 0
    for losses, tolerance in others:
        if (common := min(len(losses), len(actual))) > reached:
            verdict = compare(losses[:common], actual[:common], tolerance)
            if not verdict.holds:
                return verdict
            texts.append(verdict.text)
            reached = common
    if not texts:
        return Verdict(True, REFERENCE)
    text = next((text for text in texts if text != IDENTICAL), IDENTICAL)
    return Verdict(True, text if reached == len(actual) else f"{text}{UP_TO}{reached - 1}")


def distance(wanted: float, got: float, initial: float) -> float:
    """Return how far two losses are apart, relative to the larger of them plus the initial loss.

    Not to the loss alone: one near nothing is a sum of roundings. 0 for the same bits or two nans; inf if
    only one is finite.
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
