"""What other commands left beside a sweep."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from harness.across import predictions, selfcheck
from harness.analysis import article as claims
from harness.errors import NothingMeasured, ResultsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """The tables of a results folder that belong to no sweep; None if there is no such file."""

    selfcheck: pd.DataFrame | None = None
    """The intervals of repeated sweeps."""
    claims: pd.DataFrame | None = None
    """The article's claims with their verdicts."""
    predictions: pd.DataFrame | None = None
    """Predictions, and what became of those that were checked."""
    parts: pd.DataFrame | None = None
    """Seconds of each part of the article's run."""


def read(folder: Path) -> Beside:
    """Return what ``folder`` has; raise ResultsError if a file cannot be understood."""
    return Beside(
        selfcheck=_read(folder / "selfcheck.csv", selfcheck.read),
        claims=_read(folder / "claims.csv", claims.read),
        predictions=_read(folder / "predictions.csv", predictions.read),
        parts=_read(folder / "parts.csv", lambda path: claims.parts(claims.read(path))),
    )


def _read(path: Path, reader: Callable[[Path], pd.DataFrame]) -> pd.DataFrame | None:
    if not path.exists():
        return None
    try:
        table = reader(path)
    except NothingMeasured:
        return None
    except (OSError, ValueError, KeyError) as error:
        raise ResultsError(f"{path}: cannot be read: {error}; move it away") from error
    return None if table.empty else table
