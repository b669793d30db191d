"""What a training step costs: seconds for each thing that it does, times how often it does it. Pure.

The terms follow from the methods and from what processors do; those that measured sizes do not support are
dropped. Errors at sizes that are left out say how well others can be predicted.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd

from harness.analysis.frames import LANE, only
from harness.analysis.intervals import Numbers, student_t
from harness.analysis.job import relative_fit, startup
from harness.analysis.ratios import Rounds, steps_by_block
from harness.case import Job, Shape

FEWEST_SIZES = 5
"""The fewest sizes that show how wrong a model is."""
_MOST_CUTS = 6
"""At how many sizes the fit is cut off, to see how it does beyond."""
_LANES = 8
"""Numbers in the widest registers of today's processors."""
_LONG_SUMS = (32, 96)
"""Terms of a sum after which a processor can hardly begin the next one."""
_CACHES_KIB = (32, 256, 2048)
"""About the caches of one core."""
_BEYOND = tuple(f"beyond_{size}_kib" for size in _CACHES_KIB)
TERMS = (
    *("layers", "parameters", "later_parameters", "sums", "differences", "additions", "multiply_adds"),
    *("chain", "vectors", "vector_parameters", *(f"beyond_{terms}_terms" for terms in _LONG_SUMS), *_BEYOND),
)
_COARSE = ("layers", "parameters", "sums", "additions", "multiply_adds", "chain", *_BEYOND)
_FEW_SIZES = 12
"""With fewer only the coarse terms are fitted; others might fit by chance."""
COLUMNS = [
    *("contender", "method", *(f"{term}_ns" for term in TERMS), "dropped", "sizes", "error", "growth"),
    *("fewest_multiply_adds", "most_multiply_adds", "fixed_once_s", "once_per_sample_weight_ns"),
]
Layers = tuple[float, ...]
"""Sizes of layers, input first; they need not be whole."""


@lru_cache(maxsize=4096)
def counted(layers: Layers, method: str) -> Numbers:
    """Return how often a training step does what each of the TERMS stands for.

    results/README.md says of cost.csv what that is; Shape.multiply_adds, what the methods do.
    """
    columns, rows = np.array(layers[:-1], float), np.array(layers[1:], float)
    weights, depth, outputs = columns * rows, len(rows), rows[-1]
    parameters = weights.sum() + depth
    by_row, by_column = rows * _vectors(columns), columns * _vectors(rows)
    passes = 2.0 * parameters if method == "naive" else 1.0
    forward = {
        "layers": depth,
        "sums": rows.sum(),
        "differences": outputs,
        "multiply_adds": weights.sum(),
        "chain": columns.sum(),
        **{f"beyond_{most}_terms": (rows * np.maximum(columns - most, 0.0)).sum() for most in _LONG_SUMS},
    }
    more = {"parameters": parameters, "later_parameters": parameters - weights[0]}
    if method == "backprop":
        more |= {
            "layers": depth - 1,
            "sums": rows[:-1].sum(),
            "multiply_adds": weights[1:].sum(),
            "chain": rows[1:].sum(),
            "vectors": by_column.sum() + by_row[1:].sum(),
            "vector_parameters": by_row.sum(),
        }
    elif method == "incremental":
        layers_after, rows_after, weights_after = map(_after, (np.ones(depth), rows, weights))
        in_full = weights_after - np.append(weights[1:], 0.0)
        # The terms from a weight's own on, in its row and in every row of the next layer, twice the average.
        known = columns + 1.0 + np.append(rows[1:], 0.0) * (rows + 1.0)
        more |= {
            "layers": 2 * (weights * np.maximum(layers_after - 1.0, 0.0) + layers_after).sum(),
            "sums": (rows + 2 * (weights * (1.0 + rows_after) + rows_after)).sum(),
            "differences": (2 * parameters - 1.0) * outputs,
            "additions": (weights * known).sum(),
            "multiply_adds": 2 * (weights * in_full + weights_after).sum(),
            "chain": (rows * (columns + _after(columns))).sum(),
            "vectors": (by_column + by_row * (known + 2 * in_full)).sum(),
            "vector_parameters": by_row.sum(),
        }
    work = np.array([passes * forward.get(term, 0.0) + more.get(term, 0.0) for term in TERMS])
    # A parameter takes eight bytes.
    share_outside = np.maximum(1.0 - np.array(_CACHES_KIB) * 128.0 / parameters, 0.0)
    work[-len(_BEYOND) :] = share_outside * _products(work)
    work.setflags(write=False)  # All callers get the same array.
    return work


def _after(values: Numbers) -> Numbers:
    """Sum what comes after each."""
    return np.append(values[:0:-1].cumsum()[::-1], 0.0)


def _vectors(numbers: Numbers) -> Numbers:
    """Return how many registers so many numbers fill."""
    return np.ceil(np.round(numbers / _LANES, 9))


def _products(work: Numbers) -> Numbers:
    """Return a step's multiply-adds as a shape counts them: with the additions of known products."""
    return np.asarray(work[..., [TERMS.index("additions"), TERMS.index("multiply_adds")]].sum(axis=-1))


class Estimate(NamedTuple):
    """Seconds, or a ratio of seconds, and how sure they are."""

    value: float
    sd: float
    """Standard deviation of its logarithm, with ``freedom`` degrees of freedom."""
    freedom: float

    @property
    def low(self) -> float:
        """The lower end of the 95% prediction interval."""
        return self.value / self._factor

    @property
    def high(self) -> float:
        """Its upper end."""
        return self.value * self._factor

    @property
    def _factor(self) -> float:
        return math.exp(student_t(self.freedom) * self.sd)

    def over(self, other: "Estimate") -> "Estimate":
        """Return the ratio to another one, errors being independent."""
        sd = math.hypot(self.sd, other.sd)
        return Estimate(self.value / other.value, sd, min(self.freedom, other.freedom))

    def plus(self, other: "Estimate") -> "Estimate":
        """Return the sum with another one, errors being independent."""
        value = self.value + other.value
        sd = math.hypot(self.value * self.sd, other.value * other.sd) / value
        return Estimate(value, sd, min(self.freedom, other.freedom))

    def times(self, count: float) -> "Estimate":
        """Return ``count`` times this."""
        return self._replace(value=self.value * count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The model of one contender and method; what is not said here is as in cost.csv."""

    contender: str
    method: str
    seconds: Numbers
    """Per unit of each of the TERMS; 0 for those that were dropped."""
    by_block: Numbers
    """The same, fitted to each block of the sweep: a row a block."""
    sizes: int
    error: float
    growth: float
    fewest: float
    """Multiply-adds of the smallest measured size."""
    most: float
    """Multiply-adds of the largest."""
    once: Numbers
    """Seconds of start-up, data and compiling: fixed, and per sample and weight."""
    once_error: float
    """The ``error`` of these."""

    def beyond(self, layers: Layers) -> float:
        """Return how far outside the measured multiply-adds it is, as a factor; 1 within."""
        products = float(_products(counted(layers, self.method)))
        return max(products / self.most, self.fewest / products, 1.0)

    def step(self, layers: Layers) -> Estimate:
        """Return the seconds of a training step."""
        work = counted(layers, self.method)
        noise = 0.0
        if len(self.by_block) > 1:
            blocks = np.log(self.by_block @ work)
            noise = float(blocks.std(ddof=1)) / math.sqrt(len(blocks))
        sd = math.hypot(self.error, noise, self.growth * math.log(self.beyond(layers)))
        return Estimate(float(work @ self.seconds), sd, max(1, self.sizes - int((self.seconds > 0.0).sum())))

    def job(self, layers: Layers, job: Job) -> Estimate:
        """Return the seconds of a job, start to end."""
        weights = sum(columns * rows for columns, rows in pairwise(layers))
        once_s = float(self.once[0] + self.once[1] * job.samples * weights)
        once = Estimate(once_s, self.once_error, max(1, self.sizes - 2))
        return once.plus(self.step(layers).times(job.training_steps))


Costs = Mapping[tuple[str, str], Cost]
"""Models by contender and method."""


def costs(summary: pd.DataFrame, rounds: Rounds, job: Job) -> Costs:
    """Return the models of those that have FEWEST_SIZES or more in the ``summary``."""
    found = {}
    right = only(summary, status="ok")
    measured = only(right, measure="step_s")
    steps_s = job.training_steps * measured.set_index(LANE)["median"].rename("steps_s")
    jobs = only(right, measure="job_s").join(steps_s, on=LANE)
    for (contender, method), own in measured.groupby(["contender", "method"], sort=False):
        if len(own) < FEWEST_SIZES:
            continue
        lane = str(contender), str(method)
        sizes = own.sort_values("multiply_adds", kind="stable")
        work = np.array([counted(Shape.parse(text).layers, lane[1]) for text in sizes["layers"]])
        times = sizes["median"].to_numpy(float)
        terms = _supported(work, times)
        once, once_error = _once(only(jobs, contender=contender), job)
        error, growth = _errors(work, times, terms)
        seconds = _fit(work, times, terms)
        # No interval may exclude what was measured.
        freedom = max(1, len(sizes) - len(terms))
        error = max(error, float(np.abs(_log_ratio(work @ seconds, times)).max()) / student_t(freedom))
        found[lane] = Cost(
            contender=lane[0],
            method=lane[1],
            seconds=seconds,
            by_block=np.array([_fit(work, block, terms) for block in steps_by_block(rounds, sizes)]),
            sizes=len(sizes),
            error=error,
            growth=growth,
            fewest=float(own["multiply_adds"].min()),
            most=float(own["multiply_adds"].max()),
            once=once,
            once_error=once_error,
        )
    return found


def _fit(work: Numbers, times: Numbers, terms: list[int]) -> Numbers:
    """Return the seconds of all TERMS, 0 except for ``terms``."""
    seconds = np.zeros(work.shape[1])
    seconds[terms] = relative_fit(work[:, terms], times)
    return seconds


def _left_out(work: Numbers, times: Numbers, terms: list[int]) -> Numbers:
    """Return the logarithm of prediction over truth at each size, from a fit to the others."""
    fits = np.array([_fit(work[kept], times[kept], terms) for kept in ~np.eye(len(times), dtype=bool)])
    return _log_ratio((work * fits).sum(axis=1), times)


def _supported(work: Numbers, times: Numbers) -> list[int]:
    """Return the terms without which predictions of left-out sizes are worse."""
    # A cache shows in two or more sizes that are mostly beyond it.
    share = work / _products(work)[:, None]
    terms = [
        place
        for place, name in enumerate(TERMS)
        if (len(times) >= _FEW_SIZES or name in _COARSE)
        and (name not in _BEYOND or (share[:, place] >= 0.5).sum() > 1)
    ]

    def squares(kept: list[int]) -> float:
        return float(np.square(_left_out(work, times, kept)).sum())

    least = squares(terms)
    while len(terms) > 1:
        scores = {place: squares([other for other in terms if other != place]) for place in terms}
        worst = min(terms, key=scores.__getitem__)
        if scores[worst] > least:
            break
        terms.remove(worst)
        least = scores[worst]
    return [place for place in terms if _fit(work, times, terms)[place] > 0.0]


def _errors(work: Numbers, times: Numbers, terms: list[int]) -> tuple[float, float]:
    """Return the error at left-out sizes within, and its growth for each factor e beyond."""
    within = float(np.sqrt(np.square(_left_out(work, times, terms)[1:-1]).mean()))
    products = np.log(_products(work))
    squares = distances = 0.0
    counts = np.linspace(FEWEST_SIZES - 1, len(times) - 1, _MOST_CUTS).astype(int)
    for count in np.unique(counts):
        smaller = work[:count], times[:count]
        errors = _log_ratio(work[count:] @ _fit(*smaller, _supported(*smaller)), times[count:])
        squares += float(np.maximum(np.square(errors) - within**2, 0.0).sum())
        distances += float(np.square(products[count:] - products[count - 1]).sum())
    return within, float(np.sqrt(squares / distances)) if distances else 0.0


def _log_ratio(predicted: Numbers, times: Numbers) -> Numbers:
    return np.log(np.maximum(predicted, 1e-300) / times)


def _once(jobs: pd.DataFrame, job: Job) -> tuple[Numbers, float]:
    """Return the ``once`` of a model and its error."""
    jobs = jobs.assign(once_s=jobs["median"] - jobs["steps_s"])
    # Of a long job nothing is left but roundings.
    jobs = jobs[jobs["once_s"] > 1e-9 * jobs["median"]]
    if jobs.empty:
        return np.zeros(2), 0.0
    weights = job.samples * jobs["layers"].map(lambda text: sum(Shape.parse(text).weights))
    seconds = startup(weights, jobs["once_s"])
    errors = np.log((seconds[0] + seconds[1] * weights) / jobs["once_s"])
    return seconds, float(np.sqrt(np.square(errors).mean()))


def table(found: Costs) -> pd.DataFrame:
    """Return a line for each model."""
    lines = []
    for one in found.values():
        dropped = " ".join(term for term, value in zip(TERMS, one.seconds, strict=True) if not value)
        fit = (*(one.seconds * 1e9), dropped, one.sizes, one.error, one.growth, one.fewest, one.most)
        lines.append((one.contender, one.method, *fit, one.once[0], one.once[1] * 1e9))
    return pd.DataFrame(lines, columns=COLUMNS)
