"""From which size on the better method in the slower language wins, and start-up no longer counts. Pure.

The models of cost.py interpolate along shapes between measured neighbours.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import permutations
from statistics import mode

import numpy as np
import pandas as pd

from harness.analysis.cost import Cost, Costs, Estimate, Layers
from harness.case import METHODS, Job, Shape

COLUMNS = [
    *("kind", "contender", "method", "than_contender", "than_method"),
    *("neurons", "low", "high", "most_neurons"),
]
FARTHEST = 100.0
"""How far beyond the measured multiply-adds a model is asked, as a factor."""
_SMALL_SHARE = 0.1
_STEPS = 25
"""Points between two neighbouring shapes."""


def path(shapes: Iterable[str]) -> list[Layers]:
    """Return shapes from the smallest to the largest, with others between those of equally many layers.

    Neurons grow along it: what would have more work but no more neurons is left out.
    """
    known = sorted({Shape.parse(text) for text in shapes}, key=lambda shape: shape.size)
    depth = mode(len(shape.layers) for shape in known)
    first, *others = (shape for shape in known if len(shape.layers) == depth)
    points: list[Layers] = [tuple(map(float, first.layers))]
    for other in others:
        if other.neurons > sum(points[-1]):
            ends = np.log(points[-1]), np.log(other.layers)
            for share in np.linspace(0.0, 1.0, _STEPS + 1)[1:]:
                point = tuple(np.exp(ends[0] + share * (ends[1] - ends[0])))
                if sum(point) > sum(points[-1]):
                    points.append(point)
    return points


def crossovers(costs: Costs, medians: pd.DataFrame, reference: str, job: Job) -> pd.DataFrame:
    """Return a line for each size from which on something is so.

    ``kind`` is training or job: ``contender`` with ``method`` is faster than another with a worse method,
    one of the two being the reference. Or it is start-up: what is done once takes less than a tenth of a job.
    That is so from ``neurons`` on, between ``low`` and ``high``; these are empty if it never does up to
    ``most_neurons``, and the smallest size if it always does.
    """
    if not costs:
        return pd.DataFrame(columns=COLUMNS)
    points = path(medians["layers"])
    lines = []
    for slow, fast in _rivals(costs, medians, reference):
        who = slow.contender, slow.method, fast.contender, fast.method
        reach = _within(points, slow, fast)
        steps = [slow.step(point).over(fast.step(point)) for point in reach]
        jobs = [slow.job(point, job).over(fast.job(point, job)) for point in reach]
        for kind, ratios in (("training", steps), ("job", jobs)):
            lines.append((kind, *who, *_since(reach, ratios, 1.0)))
    for cost in costs.values():
        reach = _within(points, cost)
        shares = [cost.start(point, job).over(cost.job(point, job)) for point in reach]
        lines.append(("start-up", cost.contender, cost.method, "", "", *_since(reach, shares, _SMALL_SHARE)))
    return pd.DataFrame(lines, columns=COLUMNS)


def _within(points: Iterable[Layers], *costs: Cost) -> list[Layers]:
    """Return the points at which all of the models may be asked."""
    return [point for point in points if max(cost.beyond(point) for cost in costs) <= FARTHEST]


def _rivals(costs: Costs, medians: pd.DataFrame, reference: str) -> Iterator[tuple[Cost, Cost]]:
    """Yield the model of a slower contender with the better method, and of a faster one with the worse."""
    times = medians.pivot(index="layers", columns=["contender", "method"], values="median")
    for slow, fast in permutations(costs.values(), 2):
        is_asked = slow.contender != fast.contender and reference in (slow.contender, fast.contender)
        better = METHODS.index(slow.method) > METHODS.index(fast.method)
        if is_asked and better and (fast.contender, slow.method) in costs:
            ratios = (times[slow.contender, slow.method] / times[fast.contender, slow.method]).dropna()
            if len(ratios) and (ratios > 1.0).all():
                yield slow, fast


def _since(points: Sequence[Layers], found: Sequence[Estimate], limit: float) -> list[float]:
    """Return from how many neurons on what was found is below a limit, with an interval, and the most."""
    neurons = [round(sum(point)) for point in points]
    ends = ([getattr(one, end) < limit for one in found] for end in ("value", "low", "high"))
    return [*(since(neurons, holds) for holds in ends), neurons[-1]]


def since(neurons: Sequence[float], holds: Iterable[bool]) -> float:
    """Return from how many neurons on something is so, up to the largest size; nan if nowhere."""
    first = 1 + max((place for place, is_so in enumerate(holds) if not is_so), default=-1)
    return neurons[first] if first < len(neurons) else np.nan
