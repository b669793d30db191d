"""Rows and losses on their way from one machine to another, in types that JSON has."""

from collections.abc import Iterable, Mapping
from typing import Any

from harness.records import LossKey
from harness.rows import COLUMNS, Row, cells, read_row

Losses = Mapping[LossKey, tuple[float, ...]]


def packed(rows: Iterable[Row], losses: Losses) -> dict[str, Any]:
    """Return rows and losses as JSON has them; numbers read back exactly."""
    return {"rows": [cells(row) for row in rows], "losses": list(losses.items())}


def unpacked(parcel: Mapping[str, Any]) -> tuple[list[Row], Losses]:
    """Return what was packed; raise ValueError, TypeError or KeyError if it was something else."""
    rows = [read_row(dict(zip(COLUMNS, texts, strict=True))) for texts in parcel["rows"]]
    losses = {
        (contender, method, shape): tuple(map(float, values))
        for (contender, method, shape), values in parcel["losses"]
    }
    return rows, losses
