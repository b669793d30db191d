"""Do two runs have the same losses? Bit for bit, or the first epoch that differs, and by how much."""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome of a comparison."""

    holds: bool
    """Whether the losses are identical, or differ by no more than the contender declares."""
    text: str
    """The outcome in words, for records and messages."""


def compare(expected: Sequence[float], actual: Sequence[float], tolerance_ulp: int = 0) -> Verdict:
    """Compare the losses of two runs of one case; index 0 is the loss before training.

    ``tolerance_ulp`` is the distance in units in the last place up to which parity is said to hold. The
    first epoch that differs by more is the one that is reported; inf and nan equal only themselves.
    """
    if len(expected) != len(actual):
        return Verdict(holds=False, text=f"{len(actual)} losses instead of {len(expected)}")
    largest = 0
    for epoch, (wanted, got) in enumerate(zip(expected, actual, strict=True)):
        distance = ulp_distance(wanted, got)
        if distance is None or distance > tolerance_ulp:
            by = "not comparable" if distance is None else f"{distance} ulp"
            return Verdict(holds=False, text=f"epoch {epoch}: {got!r} instead of {wanted!r} ({by})")
        largest = max(largest, distance)
    if largest:
        return Verdict(holds=True, text=f"within {largest} ulp")
    return Verdict(holds=True, text="identical")


def ulp_distance(a: float, b: float) -> int | None:
    """Return how many representable numbers lie between ``a`` and ``b``, counting one end.

    0 for identical bits, and for nan against nan, whose bits carry no meaning here. The two zeros are 1
    apart: they are different bits. None where exactly one is nan or their infinities differ.
    """
    if math.isnan(a) and math.isnan(b):
        return 0
    if math.isnan(a) or math.isnan(b) or (a != b and (math.isinf(a) or math.isinf(b))):
        return None
    return abs(_rank(a) - _rank(b))


def _rank(value: float) -> int:
    """Number the floats in ascending order, -0.0 right before 0.0."""
    (bits,) = struct.unpack("<q", struct.pack("<d", value))
    return int(bits) if bits >= 0 else -(bits & 0x7FFF_FFFF_FFFF_FFFF) - 1
