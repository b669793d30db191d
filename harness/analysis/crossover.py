"""From which size on the better method in the slower language wins, by the models of cost.py. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import permutations
from statistics import mode

import numpy as np
import pandas as pd

from harness.analysis.cost import Cost, Costs, Layers
from harness.case import METHODS, Job, Shape

COLUMNS = [
    *("kind", "contender", "method", "than_contender", "than_method"),
    *("neurons", "low", "high", "most_neurons"),
]
FARTHEST = 100.0
"""How far beyond the measured multiply-adds a model is asked, as a factor."""
_STEPS = 25
"""Points between two neighbouring shapes."""


def path(shapes: Iterable[str]) -> list[Layers]:
    """Return the shapes of the usual number of layers, and some between, with growing numbers of neurons."""
    known = sorted({Shape.parse(text) for text in shapes}, key=lambda shape: shape.size)
    depth = mode(len(shape.layers) for shape in known)
    first, *others = (shape for shape in known if len(shape.layers) == depth)
    points: list[Layers] = [tuple(map(float, first.layers))]
    for other in others:
        if other.neurons > sum(points[-1]):
            for sizes in np.geomspace(points[-1], other.layers, _STEPS + 1)[1:].tolist():
                if sum(sizes) > sum(points[-1]):
                    points.append(tuple(sizes))
    return points


def crossovers(costs: Costs, medians: pd.DataFrame, reference: str, job: Job) -> pd.DataFrame:
    """Return crossover.csv; one of the two contenders is the reference."""
    if not costs:
        return pd.DataFrame(columns=COLUMNS)
    points = path(medians["layers"])
    lines = []
    for slow, fast in _rivals(costs, medians, reference):
        who = slow.contender, slow.method, fast.contender, fast.method
        reach = [point for point in points if max(slow.beyond(point), fast.beyond(point)) <= FARTHEST]
        if not reach:
            continue
        neurons = [round(sum(point)) for point in reach]
        steps = [slow.step(point).over(fast.step(point)) for point in reach]
        jobs = [slow.job(point, job).over(fast.job(point, job)) for point in reach]
        for kind, ratios in (("training", steps), ("job", jobs)):
            ends = ([getattr(one, end) < 1.0 for one in ratios] for end in ("value", "low", "high"))
            lines.append((kind, *who, *(since(neurons, holds) for holds in ends), neurons[-1]))
    return pd.DataFrame(lines, columns=COLUMNS)


def _rivals(costs: Costs, medians: pd.DataFrame, reference: str) -> Iterator[tuple[Cost, Cost]]:
    """Yield the models of a slower contender with a better method, and of a faster one with a worse."""
    times = medians.pivot(index="layers", columns=["contender", "method"], values="median")
    for slow, fast in permutations(costs.values(), 2):
        is_asked = slow.contender != fast.contender and reference in (slow.contender, fast.contender)
        better = METHODS.index(slow.method) > METHODS.index(fast.method)
        if is_asked and better and (fast.contender, slow.method) in costs:
            ratios = (times[slow.contender, slow.method] / times[fast.contender, slow.method]).dropna()
            if len(ratios) and (ratios > 1.0).all():
                yield slow, fast


def since(neurons: Sequence[float], holds: Iterable[bool]) -> float:
    """Return from how many neurons on something is so, up to the largest size; nan if nowhere."""
    first = 1 + max((place for place, is_so in enumerate(holds) if not is_so), default=-1)
    return neurons[first] if first < len(neurons) else np.nan
