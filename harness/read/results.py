"""What a sweep showed: one value, computed once, from which every table and picture takes its numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from harness.case import ARTICLE
from harness.errors import NothingMeasured, UsageError
from harness.plan import LeftOut
from harness.read import scaling
from harness.read.frames import CASE, in_order, losses_frame, runs_frame, timed
from harness.read.intervals import Numbers, median_interval, verdict
from harness.records import WITH_LOSSES, SweepFolder

MEASURES = {"training_s": "training", "wall_s": "process"}
"""What ratios are made of: a column of a frame of runs, and the word for it."""
_SUMMARISED = ("step_s", "training_s", "wall_s", "cpu_s", "startup_s", "peak_memory_bytes")
_OUTLIER = 3.5
"""Modified z-score from which on a run is flagged (Iglewicz & Hoaglin, How to Handle Outliers, 1993)."""
_MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """A sweep, understood. Frames are sorted by method, then by size."""

    sweep: str
    """The sweep's id."""
    reference: str
    """The contender that the others are compared with."""
    contenders: tuple[str, ...]
    """All contenders, in the manifest's order."""
    environment: Mapping[str, Any]
    """The machine; empty if that is not known."""
    left_out: tuple[LeftOut, ...]
    """What was asked for and not measured."""
    runs: pd.DataFrame
    """One line a run."""
    losses: pd.DataFrame
    """One line an epoch, per contender and case."""
    medians: pd.DataFrame
    """Seconds of a training step per case and contender: median, low, high, and the runs' ``status``."""
    summary: pd.DataFrame
    """Every measure per case and contender."""
    speedups: pd.DataFrame
    """How many times as fast as the reference; without a ratio for who has other losses."""
    exponents: pd.DataFrame
    """How training time grows with the neurons."""
    cut_offs: pd.DataFrame
    """The first run of each case and contender that failed."""
    crossovers: tuple[str, ...]
    """Who overtakes whom, in sentences."""

    @property
    def shape(self) -> str:
        """The shape that sentences and single pictures speak of: the article's, or else the smallest."""
        shapes = list(dict.fromkeys(self.runs["layers"]))
        return str(ARTICLE) if str(ARTICLE) in shapes else shapes[0]


def understand(folder: SweepFolder, reference: str | None = None) -> Results:
    """Return what the sweep in ``folder`` showed, compared with ``reference`` instead of the plan's.

    Raises NothingMeasured if there is nothing to show, UsageError if nobody is called ``reference``.
    """
    rows, plan = folder.rows(), folder.plan()
    if not any(row.status in WITH_LOSSES and not row.run.warm_up for row in rows):
        raise NothingMeasured(f"{folder.path}: no timed run has ended well yet, so there is nothing to show")
    seen = tuple(dict.fromkeys(row.run.contender for row in rows))
    contenders = tuple(name for name in plan.versions if name in seen) if plan else seen
    planned = (
        plan.reference if plan else next((row.run.contender for row in rows if row.run.control), seen[0])
    )
    if reference is not None and reference not in contenders:
        raise UsageError(f"--reference: got {reference!r}, takes {', '.join(contenders)}")
    runs = runs_frame(rows, contenders)
    medians = step_medians(runs)
    right = medians[medians["status"] == "ok"]
    return Results(
        sweep=folder.name,
        reference=reference or planned,
        contenders=contenders,
        environment=folder.environment(),
        left_out=plan.left_out if plan else (),
        runs=runs,
        losses=losses_frame(folder.losses()),
        medians=medians,
        summary=summary(runs),
        speedups=speedups(runs, reference or planned, planned),
        exponents=scaling.exponents(right),
        cut_offs=cut_offs(runs),
        crossovers=scaling.crossovers(right),
    )


def summary(runs: pd.DataFrame) -> pd.DataFrame:
    """Return one line per case, contender and measure: status, n, median, MAD, minimum, quartiles, ..."""
    lines = []
    for keys, status, group in _counted(runs):
        for measure in _SUMMARISED:
            values = group[measure].dropna().to_numpy()
            if values.size:
                lines.append({**keys, "measure": measure, "status": status, **spread(values)})
    columns = [*CASE, "contender", "measure", "status", *spread(np.zeros(1))]
    return in_order(pd.DataFrame(lines, columns=columns))


def step_medians(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the median seconds of a training step per case and contender, with an interval."""
    lines = []
    for keys, status, group in _counted(runs):
        values = group["step_s"].to_numpy()
        low, high = median_interval(values)
        lines.append({**keys, "median": float(np.median(values)), "low": low, "high": high, "status": status})
    return in_order(pd.DataFrame(lines, columns=[*CASE, "contender", "median", "low", "high", "status"]))


def _counted(runs: pd.DataFrame) -> list[tuple[dict[str, Any], str, pd.DataFrame]]:
    """Return for each case and contender the runs whose times count, and their status.

    Those of a contender that never had the right losses are the ones with wrong losses: it stays visible.
    """
    names = [*CASE, "contender"]
    counted = []
    for keys, group in runs.groupby(names, sort=False):
        for status in WITH_LOSSES:
            counting = timed(group, status=status)
            if not counting.empty:
                counted.append((dict(zip(names, keys, strict=True)), status, counting))
                break
    return counted


def spread(values: Numbers) -> dict[str, float]:
    """Describe a sample: n, median, MAD (unscaled), minimum, quartiles, and how many values are outliers."""
    median = float(np.median(values))
    distances = np.abs(values - median)
    mad = float(np.median(distances))
    far = distances > _OUTLIER * _MAD_TO_SIGMA * mad
    lower, upper = np.percentile(values, [25, 75])
    return {
        "n": int(values.size),
        "median": median,
        "mad": mad,
        "minimum": float(values.min()),
        "lower_quartile": float(lower),
        "upper_quartile": float(upper),
        "outliers": int(far.sum()) if mad > 0 else 0,
    }


SPEEDUP_COLUMNS = [
    *CASE,
    *("contender", "reference", "control", "measure", "rounds"),
    *("ratio", "low", "high", "noise_floor", "verdict", "parity"),
]


def speedups(runs: pd.DataFrame, reference: str, controlled: str) -> pd.DataFrame:
    """Return how many times as fast as the reference each contender is, per case and measure.

    The ratio is the median of the ratios within each round, reference over contender, with an interval over
    the rounds. A control line holds ``controlled``, who ran twice a round, against itself. ``noise_floor`` is
    the factor of 1 within which its interval lies, by method; the verdict is ``none`` if the contender's
    interval reaches into that. Who has no ratio because its losses are wrong has a line without one.
    """
    lines = []
    for keys, of_case in runs.groupby(CASE, sort=False):
        case = dict(zip(CASE, keys, strict=True))
        rivals = [(name, reference, False) for name in of_case["contender"].unique() if name != reference]
        if of_case["control"].any():
            rivals.append((controlled, controlled, True))
        right = timed(of_case)
        for name, against, control in rivals:
            base = right[right["contender"] == against].set_index("round")
            own = of_case[(of_case["contender"] == name) & (of_case["control"] == control)]
            rival = timed(own, control=control).set_index("round")
            parity = parity_of(own)
            for measure, word in MEASURES.items():
                ratios = (base[measure] / rival[measure]).dropna().to_numpy()
                if not ratios.size and parity in ("", "identical"):
                    continue
                low, high = median_interval(ratios)
                lines.append(
                    {
                        **case,
                        "contender": name,
                        "reference": against,
                        "control": control,
                        "measure": word,
                        "rounds": int(ratios.size),
                        "ratio": float(np.median(ratios)) if ratios.size else np.nan,
                        "low": low,
                        "high": high,
                        "parity": parity,
                    }
                )
    table = pd.DataFrame(lines, columns=SPEEDUP_COLUMNS)
    table["control"] = table["control"].astype(bool)
    floors = _noise_floors(table)
    table["noise_floor"] = [
        floors.get((m, w), np.nan) for m, w in zip(table["method"], table["measure"], strict=True)
    ]
    table["verdict"] = [
        verdict(low, high, floor) if rounds else "mismatch"
        for rounds, low, high, floor in zip(
            table["rounds"], table["low"], table["high"], table["noise_floor"], strict=True
        )
    ]
    return in_order(table)


def _noise_floors(table: pd.DataFrame) -> dict[tuple[str, str], float]:
    """Return, by method and measure, the factor of 1 within which the control's interval lies."""
    controls = table[table["control"]]
    return {
        (method, measure): float(max(high, 1.0 / low))
        for method, measure, low, high in zip(
            controls["method"], controls["measure"], controls["low"], controls["high"], strict=True
        )
    }


def parity_of(runs: pd.DataFrame) -> str:
    """Return the one word for the parity of several runs, or the first text that is not identity."""
    texts = [text for text in runs["parity"] if text and text not in ("identical", "reference")]
    if texts:
        return str(texts[0])
    return "identical" if runs["parity"].astype(bool).any() else ""


def cut_offs(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the first run of each case and contender that failed, with its seconds per step.

    These are a lower bound for a timeout, and no measurement at all for the others.
    """
    failed = runs[~runs["status"].isin([*WITH_LOSSES, "paused"])].copy()
    failed["step_s"] = failed["wall_s"] / (failed["samples"] * failed["epochs"])
    return in_order(failed.drop_duplicates(["method", "layers", "contender"]))
