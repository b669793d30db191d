"""What goes from one machine to another."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.records import LossKey
from harness.rows import COLUMNS, Row, cells, read_row


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """Rows and losses on their way from one machine to another."""

    rows: tuple[Row, ...]
    """Processes that have ended."""
    losses: Mapping[LossKey, tuple[float, ...]]
    """Losses of contenders on cases."""

    def packed(self) -> dict[str, Any]:
        """Return it in types that JSON has; numbers read back exactly."""
        return {"rows": [cells(row) for row in self.rows], "losses": list(self.losses.items())}

    @classmethod
    def unpacked(cls, packed: Mapping[str, Any]) -> "Parcel":
        """Return what was packed; raise ValueError, TypeError or KeyError if it was something else."""
        rows = (read_row(dict(zip(COLUMNS, texts, strict=True))) for texts in packed["rows"])
        losses = {
            (contender, method, shape): tuple(map(float, values))
            for (contender, method, shape), values in packed["losses"]
        }
        return cls(rows=tuple(rows), losses=losses)
