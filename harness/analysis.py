"""From the rows of a sweep to what they mean. Pure: frames in, frames out; nothing is read or written.

Statistics: medians with the median absolute deviation; intervals at 95%, by the percentile bootstrap over
rounds for ratios (Efron & Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13) and by Student's
t for the slope of a straight line fitted to logarithms.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from harness.contract import METHODS, multiply_adds, parse_layers
from harness.records import COLUMNS, Row

CONFIDENCE = 0.95
_RESAMPLES = 4999
_SEED = 20_011
_OUTLIER = 3.5
"""Modified z-score from which on a run is flagged (Iglewicz & Hoaglin, How to Handle Outliers, 1993)."""
_MAD_TO_SIGMA = 1.4826
FIT_FROM_NEURONS = 16
"""Fits begin at the article's 10-5-1: below it, the fixed cost of a step hides how the rest grows."""
FEWEST_POINTS = 3

MEASURES = {"training_s": "training", "wall_s": "process"}
"""What ratios are made of: a column of a frame of runs, and the word for it."""


def frame(rows: Iterable[Row]) -> pd.DataFrame:
    """Return the rows of the last sweep as a frame, with three columns that follow from the others.

    ``cpu_s``, ``startup_s`` (the whole process but for training) and ``step_s`` (training per training step).
    """
    runs = pd.DataFrame([asdict(row) for row in rows], columns=list(COLUMNS))
    if not runs.empty:
        runs = runs[runs["sweep"] == runs["sweep"].iloc[-1]].reset_index(drop=True)
    # Contenders in the order of the manifest, whoever began a round.
    places = {name: place for place, name in enumerate(dict.fromkeys(runs["contender"]))}
    runs = runs.sort_values(
        "contender", key=lambda names: names.map(places), kind="stable", ignore_index=True
    )
    for column in ("training_s", "peak_memory_bytes", "initial_loss", "final_loss"):
        runs[column] = runs[column].astype(float)
    runs["cpu_s"] = runs["user_s"] + runs["system_s"]
    runs["startup_s"] = runs["wall_s"] - runs["training_s"]
    runs["step_s"] = runs["training_s"] / (runs["samples"] * runs["epochs"])
    return runs


def timed(runs: pd.DataFrame, *, control: bool = False) -> pd.DataFrame:
    """Return the runs that count: after the warm-up, and with the right losses."""
    return runs[(runs["status"] == "ok") & ~runs["warm_up"] & (runs["control"] == control)]


CASE = ["method", "layers", "neurons", "parameters", "multiply_adds"]
_SUMMARISED = ("step_s", "training_s", "wall_s", "cpu_s", "startup_s", "peak_memory_bytes")


def summary(runs: pd.DataFrame) -> pd.DataFrame:
    """Return one line per case, contender and measure: n, median, MAD, minimum, quartiles, outliers."""
    lines = []
    for keys, group in timed(runs).groupby([*CASE, "contender"], sort=False):
        for measure in _SUMMARISED:
            values = group[measure].dropna().to_numpy()
            if values.size:
                lines.append(
                    {
                        **dict(zip([*CASE, "contender"], keys, strict=True)),
                        "measure": measure,
                        **spread(values),
                    }
                )
    columns = [*CASE, "contender", "measure", *spread(np.zeros(1))]
    return in_order(pd.DataFrame(lines, columns=columns))


def spread(values: "np.ndarray[Any, Any]") -> dict[str, float]:
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


def speedups(runs: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Return how many times as fast as the reference each contender is, per case and measure.

    The ratio is the median of the ratios within each round, reference over contender, with a bootstrap
    interval over the rounds. A control line holds the reference against itself. ``noise_floor`` is the
    factor within which its interval lies, by method; the verdict is ``none`` where the contender's
    interval reaches into that factor of 1.
    """
    lines = []
    for keys, case_runs in runs.groupby(CASE, sort=False):
        case = dict(zip(CASE, keys, strict=True))
        base = timed(case_runs)
        base = base[base["contender"] == reference].set_index("round")
        rivals = [(name, False) for name in case_runs["contender"].unique() if name != reference]
        if case_runs["control"].any():
            rivals.append((reference, True))
        for name, control in rivals:
            all_runs = case_runs[(case_runs["contender"] == name) & (case_runs["control"] == control)]
            rival = timed(all_runs, control=control).set_index("round")
            for measure, word in MEASURES.items():
                ratios = (base[measure] / rival[measure]).dropna().to_numpy()
                if not ratios.size:
                    continue
                low, high = median_interval(ratios)
                lines.append(
                    {
                        **case,
                        "contender": name,
                        "reference": reference,
                        "control": control,
                        "measure": word,
                        "rounds": int(ratios.size),
                        "ratio": float(np.median(ratios)),
                        "low": low,
                        "high": high,
                        "parity": parity_of(all_runs),
                    }
                )
    table = pd.DataFrame(lines, columns=SPEEDUP_COLUMNS)
    floors = noise_floors(table)
    table["noise_floor"] = [
        floors.get((m, w), np.nan) for m, w in zip(table["method"], table["measure"], strict=True)
    ]
    table["verdict"] = [
        verdict(low, high, floor)
        for low, high, floor in zip(table["low"], table["high"], table["noise_floor"], strict=True)
    ]
    return in_order(table)


def noise_floors(table: pd.DataFrame) -> dict[tuple[str, str], float]:
    """Return, by method and measure, the factor of 1 within which the control's interval lies."""
    controls = table[table["control"].astype(bool)]
    return {
        (method, measure): float(max(high, 1.0 / low))
        for method, measure, low, high in zip(
            controls["method"], controls["measure"], controls["low"], controls["high"], strict=True
        )
    }


def verdict(low: float, high: float, noise_floor: float) -> str:
    """Say in one word what an interval of a ratio means: faster, slower or none."""
    if np.isnan(low) or np.isnan(noise_floor):
        return "unknown"
    if low > noise_floor:
        return "faster"
    return "slower" if high < 1.0 / noise_floor else "none"


def parity_of(runs: pd.DataFrame) -> str:
    """Return the one word for the parity of several runs, or the first text that is not identity."""
    texts = [text for text in runs["parity"] if text and text not in ("identical", "reference")]
    if texts:
        return str(texts[0])
    return "identical" if runs["parity"].astype(bool).any() else ""


def median_interval(values: "np.ndarray[Any, Any]") -> tuple[float, float]:
    """Return the percentile-bootstrap interval of the median; nan where a single value gives none."""
    if values.size < 2:
        return float("nan"), float("nan")
    result = stats.bootstrap(
        (values,),
        np.median,
        n_resamples=_RESAMPLES,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(_SEED),
    )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)


SCALING_COLUMNS = [
    *("contender", "method", "exponent", "low", "high", "counted_exponent"),
    *("fewest_neurons", "most_neurons", "points", "r_squared"),
]


def scaling(runs: pd.DataFrame) -> pd.DataFrame:
    """Fit training time per step = a * neurons^exponent, per contender and method.

    A straight line through the logarithms of the medians, so that small sizes count as much as large
    ones. ``counted_exponent`` is the same fit to the number of multiply-adds: what the exponent would be
    if every multiply-add took the same time. The fit needs three sizes from 10-5-1 up.
    """
    lines = []
    medians = step_medians(runs)
    for (contender, method), group in medians.groupby(["contender", "method"], sort=False):
        points = group[group["neurons"] >= FIT_FROM_NEURONS]
        if len(points) < FEWEST_POINTS or points["neurons"].nunique() < FEWEST_POINTS:
            continue
        fit = power_law(points["neurons"].to_numpy(float), points["median"].to_numpy(float))
        counted = power_law(points["neurons"].to_numpy(float), points["multiply_adds"].to_numpy(float))
        lines.append(
            {
                "contender": contender,
                "method": method,
                "exponent": fit["exponent"],
                "low": fit["low"],
                "high": fit["high"],
                "counted_exponent": counted["exponent"],
                "fewest_neurons": int(points["neurons"].min()),
                "most_neurons": int(points["neurons"].max()),
                "points": len(points),
                "r_squared": fit["r_squared"],
            }
        )
    return in_order(pd.DataFrame(lines, columns=SCALING_COLUMNS))


def power_law(x: "np.ndarray[Any, Any]", y: "np.ndarray[Any, Any]") -> dict[str, float]:
    """Fit y = factor * x^exponent by least squares on the logarithms; an interval for the exponent."""
    fit = stats.linregress(np.log(x), np.log(y))
    half = float(stats.t.ppf(0.5 + CONFIDENCE / 2, x.size - 2)) * float(fit.stderr)
    return {
        "exponent": float(fit.slope),
        "low": float(fit.slope) - half,
        "high": float(fit.slope) + half,
        "factor": float(np.exp(fit.intercept)),
        "r_squared": float(fit.rvalue) ** 2,
    }


def step_medians(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the median seconds of a training step per case and contender, with a bootstrap interval."""
    lines = []
    for keys, group in timed(runs).groupby([*CASE, "contender"], sort=False):
        values = group["step_s"].to_numpy()
        low, high = median_interval(values)
        lines.append(
            {
                **dict(zip([*CASE, "contender"], keys, strict=True)),
                "median": float(np.median(values)),
                "low": low,
                "high": high,
            }
        )
    return in_order(pd.DataFrame(lines, columns=[*CASE, "contender", "median", "low", "high"]))


def cut_offs(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the first run of each case and contender that ended without losses, with its seconds per step.

    That is a lower bound for a timeout and no measurement at all for the others.
    """
    failed = runs[~runs["status"].isin(["ok", "mismatch"])].copy()
    failed["step_s"] = failed["wall_s"] / (failed["samples"] * failed["epochs"])
    return in_order(failed.drop_duplicates(["method", "layers", "contender"]))


def crossovers(runs: pd.DataFrame) -> list[str]:
    """Say from which size on a better method in a slower contender beats a worse method in a faster one.

    Compared are the medians of different cases of one sweep, so this is a statement about large factors.
    """
    curves = {
        lane: group.set_index(["neurons", "layers"])["median"].sort_index()
        for lane, group in step_medians(runs).groupby(["contender", "method"], sort=False)
    }
    lines = []
    for (slow, better), left in curves.items():
        for (fast, worse), right in curves.items():
            same = curves.get((fast, better))
            if METHODS.index(better) <= METHODS.index(worse) or same is None:
                continue
            shared = left.index.intersection(same.index)
            if shared.empty or not (left[shared] > same[shared]).all():
                continue
            ahead = (left < right.reindex(left.index)).reindex(left.index.intersection(right.index))
            if ahead.empty:
                continue
            sizes = ahead.index.get_level_values("neurons")
            since = next((size for size in sizes if ahead[sizes >= size].all()), None)
            than = f"faster than {fast} with {worse}"
            lines.append(
                f"{slow} with {better} is {than} from {since} neurons on"
                if since is not None
                else f"{slow} with {better} is not {than} up to {sizes[-1]} neurons"
            )
    return lines


def losses_frame(losses: Mapping[tuple[str, str, str, str], tuple[float, ...]], sweep: str) -> pd.DataFrame:
    """Return the losses of one sweep: contender, method, layers, epoch, loss."""
    lines = [
        (contender, method, layers, epoch, loss)
        for (owner, contender, method, layers), values in losses.items()
        if owner == sweep
        for epoch, loss in enumerate(values)
    ]
    return pd.DataFrame(lines, columns=["contender", "method", "layers", "epoch", "loss"])


def in_order(table: pd.DataFrame) -> pd.DataFrame:
    """Sort by method, then by size, and keep the order of everything else."""
    if "layers" in table:
        size = table["layers"].map(lambda text: multiply_adds(parse_layers(text), "naive"))
    else:
        size = pd.Series(0, index=table.index)
    rank = table["method"].map(METHODS.index)
    order = pd.DataFrame({"rank": rank, "size": size}).sort_values(["rank", "size"], kind="stable").index
    return table.loc[order].reset_index(drop=True)
