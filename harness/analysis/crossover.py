"""From which size on the better method in the slower language wins, and start-up no longer counts. Pure.

Between the shapes that were measured the models of cost.py interpolate, along shapes whose layer sizes lie
between those of two neighbours.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise, permutations
from typing import Any

import numpy as np
import pandas as pd

from harness.analysis.cost import Cost, Estimate, Layers
from harness.case import ARTICLE_RUN, METHODS, Shape

COLUMNS = [
    *("kind", "contender", "method", "than_contender", "than_method"),
    *("neurons", "low", "high", "most_neurons"),
]
FARTHEST = 100.0
"""Multiply-adds, in multiples of those measured, up to which a model is asked."""
SMALL_SHARE = 0.1
_STEPS = 25
"""Points between two neighbouring shapes."""


def path(shapes: Sequence[str]) -> list[Layers]:
    """Return shapes from the smallest to the largest, with others between those of equally many layers."""
    known = sorted({Shape.parse(text) for text in shapes}, key=lambda shape: shape.size)
    most = max(known, key=lambda shape: sum(len(other.layers) == len(shape.layers) for other in known))
    known = [shape for shape in known if len(shape.layers) == len(most.layers)]
    points: list[Layers] = [tuple(map(float, known[0].layers))]
    for one, other in pairwise(known):
        logs = np.log(one.layers), np.log(other.layers)
        for share in np.linspace(0.0, 1.0, _STEPS + 1)[1:]:
            points.append(tuple(np.exp(logs[0] + share * (logs[1] - logs[0]))))
    return points


def crossovers(costs: Mapping[tuple[str, str], Cost], medians: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Return a line for each size from which on something holds.

    ``kind`` is training or process: ``contender`` with ``method`` is faster than another with a worse method,
    one of the two being the reference; or start-up: that takes less than a tenth of the process. ``low`` and
    ``high`` bound the neurons from which on it holds; ``neurons`` is empty where it never does up to
    ``most_neurons``. What holds for all sizes begins with the smallest.
    """
    if not costs:
        return pd.DataFrame(columns=COLUMNS)
    points = path(list(medians["layers"]))
    lines = []
    for slow, fast in _rivals(costs, medians, reference):
        who = slow.contender, slow.method, fast.contender, fast.method
        reach = _within(points, slow, fast)
        lines.append(("training", *who, *_since(reach, slow.step(reach).over(fast.step(reach)), 1.0)))
        lines.append(
            ("process", *who, *_since(reach, _article(slow, reach).over(_article(fast, reach)), 1.0))
        )
    for cost in costs.values():
        reach = _within(points, cost)
        share = cost.process(reach, ARTICLE_RUN.samples, 0).over(_article(cost, reach))
        lines.append(("start-up", cost.contender, cost.method, "", "", *_since(reach, share, SMALL_SHARE)))
    return pd.DataFrame(lines, columns=COLUMNS)


def _within(points: Sequence[Layers], *costs: Cost) -> list[Layers]:
    """Return the points at which all of the models may be asked."""
    beyond = np.max([cost.beyond(list(points)) for cost in costs], axis=0)
    return [point for point, far in zip(points, beyond, strict=True) if far <= FARTHEST]


def _article(cost: Cost, points: list[Layers]) -> Estimate:
    """Return the seconds of processes that train as much as the article's."""
    return cost.process(points, ARTICLE_RUN.samples, ARTICLE_RUN.epochs)


def _rivals(
    costs: Mapping[tuple[str, str], Cost], medians: pd.DataFrame, reference: str
) -> Iterator[tuple[Cost, Cost]]:
    """Yield who is slower by the same method and has the better one, and who is faster and has the worse."""
    times = {
        (str(contender), str(method)): own.set_index("layers")["median"]
        for (contender, method), own in medians.groupby(["contender", "method"])
    }
    for slow, fast in permutations(costs.values(), 2):
        is_asked = slow.contender != fast.contender and reference in (slow.contender, fast.contender)
        better = METHODS.index(slow.method) > METHODS.index(fast.method)
        if is_asked and better and (fast.contender, slow.method) in costs:
            ratios = (times[slow.contender, slow.method] / times[fast.contender, slow.method]).dropna()
            if len(ratios) and (ratios > 1.0).all():
                yield slow, fast


def _since(points: list[Layers], found: Estimate, limit: float) -> tuple[float, float, float, int]:
    """Return from how many neurons on what was found is below a limit, with an interval, and the most."""
    neurons = [sum(point) for point in points]

    def since(values: Any) -> float:
        above = np.flatnonzero(values >= limit)
        place = int(above[-1]) + 1 if above.size else 0
        return round(neurons[place]) if place < len(neurons) else np.nan

    return since(found.value), since(found.low), since(found.high), round(neurons[-1])
