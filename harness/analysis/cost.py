"""What a training step costs: so many seconds for each thing that is done, which is counted. Pure.

The terms follow from the definition of the methods and from what processors do, not from the times. The
seconds of each are never negative, and a term without support in the sizes that were measured is dropped. So
a size that was not measured can be predicted, and the errors at sizes that are left out say how well.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import nnls
from scipy.special import stdtrit

from harness.analysis.intervals import BLOCKS_FOR_ONE, CONFIDENCE, Numbers, medians_by_block
from harness.case import Shape

FEWEST_SIZES = 5
"""Fewer do not show how wrong a model is."""
_MOST_CUTS = 6
"""At so many sizes at most the fit is cut off, to see how it does beyond them."""
_LANES = 8
"""Numbers in the widest registers of today's processors."""
_LONG_SUMS = (32, 96)
"""Terms of a sum after which a processor has no room to begin the next one meanwhile, more or less."""
_CACHES_KIB = (32, 256, 2048)
"""About the sizes of the caches of one core; eight bytes a parameter."""
_BEYOND = tuple(f"beyond_{size}_kib" for size in _CACHES_KIB)
TERMS = (
    *("layers", "parameters", "later_parameters", "sums", "differences", "additions", "multiply_adds"),
    *("chain", "vectors", "vector_parameters", *(f"beyond_{terms}_terms" for terms in _LONG_SUMS), *_BEYOND),
)
_COARSE = ("layers", "parameters", "sums", "additions", "multiply_adds", "chain", *_BEYOND)
_FEW_SIZES = 12
"""With fewer than these there are the coarse terms only: of more, some would fit by chance."""
COLUMNS = [
    *("contender", "method", *(f"{term}_ns" for term in TERMS), "dropped", "sizes", "error", "growth"),
    *("fewest_multiply_adds", "most_multiply_adds", "fixed_startup_s", "startup_per_sample_weight_ns"),
]


Layers = tuple[float, ...]
"""Sizes of layers, input first; they need not be whole."""
Real = float | Numbers
"""A number, or one for each of a list of shapes."""


@lru_cache(maxsize=4096)
def counted(layers: Layers, method: str) -> Numbers:
    """Return how often a training step does what each of the TERMS stands for.

    ``naive`` runs two forward passes for each parameter; ``backprop`` goes through the layers forward and,
    but for the first, back. ``incremental`` adds, for a weight, the later terms of its row and of every row
    of the next layer, whose products are known, and runs the layers after these in full; for a bias, all
    layers after its own.

    What is counted: ``layers`` passed, ``parameters``, those of them after the first layer, ``sums``, squared
    ``differences``, ``additions`` of known products, ``multiply_adds``; the ``chain`` of additions that
    remain one after the other if whatever may go side by side does; ``vectors`` of multiply-adds or
    additions, of rows or perturbed networks side by side, and those that the parameters fill, row by row; the
    terms of sums beyond a length; multiply-adds and additions for which the parameters are beyond a cache.
    """
    columns, rows = list(layers[:-1]), list(layers[1:])
    weights = [c * r for c, r in zip(columns, rows, strict=True)]
    depth, total, parameters = len(rows), sum(weights), sum(weights) + len(rows)
    additions = 0.0
    vectors = sum(c * _vectors(r) for c, r in zip(columns, rows, strict=True))
    vector_parameters = sum(r * _vectors(c) for c, r in zip(columns, rows, strict=True))
    if method == "naive":
        times = 2 * parameters
        passes, sums, differences, products = (times * n for n in (depth, sum(rows), rows[-1], total))
        chain, vectors, vector_parameters = times * sum(columns), 0.0, 0.0
    elif method == "backprop":
        times = 1
        passes, sums, differences = 2 * depth - 1, 2 * sum(rows) - rows[-1], rows[-1]
        products, chain = 2 * total - weights[0], sum(columns) + sum(rows[1:])
        vectors += sum(r * _vectors(c) for c, r in zip(columns[1:], rows[1:], strict=True))
    else:
        times = 1
        passes, sums, differences = depth, 2 * sum(rows), 2 * parameters * rows[-1]
        products, chain = total, sum(columns)
        for k, (c, r) in enumerate(zip(columns, rows, strict=True)):
            later, after = rows[k + 1] if k + 1 < depth else 0.0, sum(rows[k + 1 :])
            in_full = sum(weights[k + 2 :])
            passes += 2 * weights[k] * max(0, depth - k - 2) + 2 * (depth - k - 1)
            sums += 2 * (weights[k] * (1 + after) + after)
            additions += 2 * (r * c * (c + 1) / 2 + c * later * r * (r + 1) / 2)
            products += 2 * (weights[k] * in_full + sum(weights[k + 1 :]))
            chain += r * sum(layers[k:-1])
            vectors += 2 * _vectors(c) * (r * (c + 1) / 2 + later * r * (r + 1) / 2 + r * in_full)
    long_sums = (
        times * sum(r * max(0.0, c - most) for c, r in zip(columns, rows, strict=True)) for most in _LONG_SUMS
    )
    touched = products + additions
    outside = (max(0.0, 1.0 - size * 128.0 / parameters) * touched for size in _CACHES_KIB)
    later_parameters = parameters - weights[0]
    work = np.array(
        [
            *(passes, parameters, later_parameters, sums, differences, additions, products),
            *(chain, vectors, vector_parameters, *long_sums, *outside),
        ],
        float,
    )
    work.setflags(write=False)  # All who ask get the same array.
    return work


def _products(work: Numbers) -> Numbers:
    """Return the multiply-adds of a step as a shape counts them, with the additions of known products."""
    places = [TERMS.index(term) for term in ("additions", "multiply_adds")]
    return np.asarray(work[..., places].sum(axis=-1))


def _vectors(numbers: float) -> float:
    """Return how many registers so many numbers fill."""
    return math.ceil(round(numbers / _LANES, 9))


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Seconds, or a ratio of seconds, and how sure they are; each an array if it is one of several shapes."""

    value: Real
    """The most likely one."""
    sd: Real
    """Standard deviation of its logarithm."""
    freedom: float
    """Degrees of freedom of that."""

    @property
    def low(self) -> Real:
        """The lower end of the 95% prediction interval."""
        return self.value / self._factor

    @property
    def high(self) -> Real:
        """Its upper end."""
        return self.value * self._factor

    @property
    def _factor(self) -> Real:
        factor: Real = np.exp(stdtrit(self.freedom, 0.5 + CONFIDENCE / 2.0) * self.sd)
        return factor

    def over(self, other: "Estimate") -> "Estimate":
        """Return the ratio to another one, errors being independent."""
        sd = np.hypot(self.sd, other.sd)
        return Estimate(value=self.value / other.value, sd=sd, freedom=min(self.freedom, other.freedom))

    def plus(self, other: "Estimate") -> "Estimate":
        """Return the sum with another one, errors being independent."""
        value = self.value + other.value
        sd = np.hypot(self.value * self.sd, other.value * other.sd) / value
        return Estimate(value=value, sd=sd, freedom=min(self.freedom, other.freedom))

    def times(self, count: float) -> "Estimate":
        """Return so many of it."""
        return Estimate(value=self.value * count, sd=self.sd, freedom=self.freedom)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The model of one contender and method."""

    contender: str
    """Whose it is."""
    method: str
    """Of which method."""
    seconds: Numbers
    """Per unit of each of the TERMS; 0 for those that were dropped."""
    by_block: Numbers
    """The same fit to each block of the sweep: a row a block."""
    sizes: int
    """How many sizes were measured."""
    error: float
    """Standard deviation of the logarithm of prediction over truth, at sizes that were left out."""
    growth: float
    """By how much that is more for each factor e in multiply-adds beyond the largest size."""
    fewest: float
    """Multiply-adds of the smallest size that was measured."""
    most: float
    """Multiply-adds of the largest."""
    startup: Numbers
    """Seconds of a start-up: fixed, and per sample and weight."""
    startup_error: float
    """Standard deviation of the logarithm of its predictions over the truth."""

    def beyond(self, layers: Layers | list[Layers]) -> Any:
        """Return how many times the multiply-adds of the largest measured size a step takes; 1 within."""
        products = _products(self._counted(layers))
        return np.maximum(np.maximum(products / self.most, self.fewest / products), 1.0)

    def step(self, layers: Layers | list[Layers]) -> Estimate:
        """Return the seconds of a training step."""
        work = self._counted(layers)
        noise: Real = 0.0
        if len(self.by_block) > 1:
            blocks = np.log(self.by_block @ work.T)
            noise = blocks.std(axis=0, ddof=1) / np.sqrt(len(blocks) / BLOCKS_FOR_ONE)
        spread = np.hypot(np.hypot(self.error, noise), self.growth * np.log(self.beyond(layers)))
        freedom = max(1, self.sizes - int((self.seconds > 0.0).sum()))
        return Estimate(value=work @ self.seconds, sd=spread, freedom=freedom)

    def process(self, layers: Layers | list[Layers], samples: int, epochs: int) -> Estimate:
        """Return the seconds of a whole process that trains so much."""
        shapes = layers if isinstance(layers, list) else [layers]
        weights = np.array([sum(columns * rows for columns, rows in pairwise(shape)) for shape in shapes])
        start = self.startup[0] + self.startup[1] * samples * (weights if shapes is layers else weights[0])
        sure = Estimate(value=start, sd=self.startup_error, freedom=max(1, self.sizes - 2))
        return sure.plus(self.step(layers).times(samples * epochs))

    def _counted(self, layers: Layers | list[Layers]) -> Numbers:
        """Return what is counted for a shape, or a row of that for each of a list."""
        if isinstance(layers, list):
            return np.array([counted(shape, self.method) for shape in layers])
        return counted(layers, self.method)


def costs(
    summary: pd.DataFrame, runs: pd.DataFrame, steps: Mapping[tuple[str, str, str], Numbers]
) -> dict[tuple[str, str], Cost]:
    """Return the model of each contender and method that has FEWEST_SIZES or more.

    ``summary`` has the medians, ``steps`` the seconds of a step in each round by method, shape and contender,
    and ``runs`` the samples of each case.
    """
    found = {}
    samples = runs.groupby(["method", "layers"])["samples"].first()
    right = summary[summary["status"] == "ok"]
    starts = {
        str(contender): _startup(own, samples)
        for contender, own in right[right["measure"] == "startup_s"].groupby("contender", sort=False)
    }
    measured = right[right["measure"] == "step_s"]
    for (contender, method), own in measured.groupby(["contender", "method"], sort=False):
        if own["layers"].nunique() < FEWEST_SIZES or str(contender) not in starts:
            continue
        own = own.sort_values("multiply_adds", kind="stable")  # noqa: PLW2901
        work = np.array([counted(Shape.parse(text).layers, str(method)) for text in own["layers"]])
        times = own["median"].to_numpy(float)
        terms = _supported(work, times)
        by_block = medians_by_block([steps[str(method), text, str(contender)] for text in own["layers"]])
        startup, startup_error = starts[str(contender)]
        error, growth = _errors(work, times, terms)
        found[str(contender), str(method)] = Cost(
            contender=str(contender),
            method=str(method),
            seconds=_fit(work, times, terms),
            by_block=np.array([_fit(work, block, terms) for block in by_block]),
            sizes=len(own),
            error=error,
            growth=growth,
            fewest=float(own["multiply_adds"].min()),
            most=float(own["multiply_adds"].max()),
            startup=startup,
            startup_error=startup_error,
        )
    return found


def _fit(work: Numbers, times: Numbers, terms: Sequence[int]) -> Numbers:
    """Return non-negative seconds for each term, of least squared relative errors (Lawson & Hanson, 1974)."""
    seconds = np.zeros(work.shape[1])
    # Columns of like size keep the problem well conditioned.
    relative = work[:, list(terms)] / times[:, None]
    scale = np.where(relative.any(axis=0), relative.max(axis=0), 1.0)
    seconds[list(terms)] = nnls(relative / scale, np.ones(len(times)))[0] / scale
    return seconds


def _left_out(work: Numbers, times: Numbers, terms: Sequence[int]) -> Numbers:
    """Return the logarithm of prediction over truth at each size, from a fit to all others."""
    places = np.arange(len(times))
    others = (places != place for place in places)
    fits = np.array([_fit(work[kept], times[kept], terms) for kept in others])
    return _log_ratio((work * fits).sum(axis=1), times)


def _supported(work: Numbers, times: Numbers) -> list[int]:
    """Return the terms that make predictions of left-out sizes better, or at least no worse."""
    # What lies beyond a cache shows in no less than two sizes that are mostly beyond it.
    share = work / _products(work)[:, None]
    terms = [
        place
        for place, name in enumerate(TERMS)
        if (len(times) >= _FEW_SIZES or name in _COARSE)
        and (name not in _BEYOND or (share[:, place] >= 0.5).sum() > 1)
    ]
    score = float(np.square(_left_out(work, times, terms)).sum())
    while len(terms) > 1:
        less = {place: [other for other in terms if other != place] for place in terms}
        scores = {place: float(np.square(_left_out(work, times, kept)).sum()) for place, kept in less.items()}
        worst = min(scores, key=lambda place: scores[place])
        if scores[worst] > score:
            break
        terms, score = less[worst], scores[worst]
    return [place for place in terms if _fit(work, times, terms)[place] > 0.0]


def _errors(work: Numbers, times: Numbers, terms: Sequence[int]) -> tuple[float, float]:
    """Return the error at sizes left out from within, and by how much it grows for each factor e beyond."""
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


def _startup(medians: pd.DataFrame, samples: "pd.Series[int]") -> tuple[Numbers, float]:
    """Return the fixed seconds of a start-up, and those per sample and weight; and the error."""
    medians = medians[medians["median"] > 0.0]
    if medians.empty:
        return np.zeros(2), 0.0
    keys = list(zip(medians["method"], medians["layers"], strict=True))
    weights = np.array([sum(Shape.parse(text).weights) * samples[method, text] for method, text in keys])
    times = medians["median"].to_numpy(float)
    work = np.column_stack([np.ones(len(times)), weights])
    seconds = _fit(work, times, (0, 1))
    return seconds, float(np.sqrt(np.square(np.log(work @ seconds / times)).mean()))


def table(found: Mapping[tuple[str, str], Cost]) -> pd.DataFrame:
    """Return the models: nanoseconds of each term, the terms that were dropped, errors, range."""
    lines = []
    for cost in found.values():
        dropped = " ".join(term for term, value in zip(TERMS, cost.seconds, strict=True) if not value)
        fit = (*(cost.seconds * 1e9), dropped, cost.sizes, cost.error, cost.growth, cost.fewest, cost.most)
        fixed_s, weight_s = cost.startup
        lines.append((cost.contender, cost.method, *fit, fixed_s, weight_s * 1e9))
    return pd.DataFrame(lines, columns=COLUMNS)
