"""The harness checked against what is known beforehand: one sweep, whose rounds are later cut into parts.

The reference runs against copies of itself: one with the same work, the others with more and more epochs.
The other contenders run along, to see if the intervals of repeated sweeps contain their common median.
"""

from collections.abc import Sequence
from dataclasses import replace

from harness.measure.contenders import Contender
from harness.plan import Plan

_EXTRA = (0.0, 0.02, 0.05, 0.1, 0.2)
_EPOCHS = 100
"""Of every run: a hundredth of them can be told apart."""


def with_copies(contenders: Sequence[Contender]) -> list[Contender]:
    """Return the contenders and copies of the reference with more and more work."""
    one = contenders[0]
    copies = (replace(one, name=f"{one.name} +{more:.0%}", extra_epochs=more, build=()) for more in _EXTRA)
    return [*contenders, *copies]


def repeated(plan: Plan, times: int) -> Plan:
    """Return the plan with so many times the rounds, and 100 epochs a run."""
    cases = []
    for planned in plan.cases:
        samples = max(1, planned.case.training_steps // _EPOCHS)
        case = replace(planned.case, samples=samples, epochs=_EPOCHS)
        cases.append(replace(planned, case=case, rounds=times * planned.rounds))
    return replace(plan, cases=tuple(cases))
