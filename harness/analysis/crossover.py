"""From which size on the better method in the slower language wins, and start-up no longer counts. Pure.

Between the shapes that were measured the models of cost.py interpolate, along shapes whose layer sizes lie
between those of two neighbours.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from harness.analysis.cost import Cost, Estimate
from harness.analysis.intervals import Numbers
from harness.case import METHODS, Shape

COLUMNS = [
    "kind",
    "contender",
    "method",
    "than_contender",
    "than_method",
    "neurons",
    "low",
    "high",
    "most_neurons",
]
FARTHEST = 100.0
"""Multiply-adds, in multiples of those measured, up to which a model is asked."""
SAMPLES, EPOCHS = 100, 100
"""The training of the article, for whole processes."""
SMALL_SHARE = 0.1
_STEPS = 25
"""Points between two neighbouring shapes."""

Layers = tuple[float, ...]


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
        for kind in ("training", "process"):
            reach = [point for point in points if max(slow.beyond(point), fast.beyond(point)) <= FARTHEST]
            ratios = [_seconds(slow, kind, point).over(_seconds(fast, kind, point)) for point in reach]
            who = (kind, slow.contender, slow.method, fast.contender, fast.method)
            lines.append((*who, *_since(reach, ratios, 1.0)))
    for cost in costs.values():
        reach = [point for point in points if cost.beyond(point) <= FARTHEST]
        shares = [
            cost.process(point, SAMPLES, 0).over(cost.process(point, SAMPLES, EPOCHS)) for point in reach
        ]
        lines.append(("start-up", cost.contender, cost.method, "", "", *_since(reach, shares, SMALL_SHARE)))
    return pd.DataFrame(lines, columns=COLUMNS)


def _rivals(
    costs: Mapping[tuple[str, str], Cost], medians: pd.DataFrame, reference: str
) -> Iterator[tuple[Cost, Cost]]:
    """Yield who is slower by the same method and has the better one, and who is faster and has the worse."""
    times = {
        (str(contender), str(method)): own.set_index("layers")["median"]
        for (contender, method), own in medians.groupby(["contender", "method"])
    }
    for slow in costs.values():
        for fast in costs.values():
            names = {slow.contender, fast.contender}
            better = METHODS.index(slow.method) > METHODS.index(fast.method)
            if not better or len(names) < 2 or reference not in names:
                continue
            if (fast.contender, slow.method) not in costs:
                continue
            ratios = (times[slow.contender, slow.method] / times[fast.contender, slow.method]).dropna()
            if len(ratios) and (ratios > 1.0).all():
                yield slow, fast


def _seconds(cost: Cost, kind: str, layers: Layers) -> Estimate:
    return cost.step(layers) if kind == "training" else cost.process(layers, SAMPLES, EPOCHS)


def _since(
    points: Sequence[Layers], found: Sequence[Estimate], limit: float
) -> tuple[float, float, float, float]:
    """Return from how many neurons on all that was found is below a limit, with an interval, and the most."""
    neurons = [sum(point) for point in points]

    def since(values: Numbers) -> float:
        above = np.flatnonzero(values >= limit)
        place = int(above[-1]) + 1 if above.size else 0
        return round(neurons[place]) if place < len(neurons) else np.nan

    ends = (since(np.array([getattr(one, end) for one in found])) for end in ("value", "low", "high"))
    return (*ends, round(neurons[-1]))  # type: ignore[return-value]
