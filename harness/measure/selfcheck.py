"""The harness checked against what is known beforehand: one sweep, whose rounds are later cut into parts.

The reference runs against copies of itself: one that does the same, and some that train so many more epochs.
Whoever else is there runs along, to see whether the intervals of repeated sweeps hold their common median.
"""

from dataclasses import replace

from harness.measure.contenders import Manifest
from harness.plan import Plan

_EXTRA = (0.0, 0.02, 0.05, 0.1, 0.2)
_EPOCHS = 100
"""Of every run: a hundredth of them can be told apart."""


def with_copies(manifest: Manifest) -> Manifest:
    """Return the manifest with copies of its reference that have more and more work."""
    reference = next(one for one in manifest.contenders if one.name == manifest.reference)
    copies = tuple(
        replace(reference, name=f"{reference.name} +{extra:.0%}", extra_epochs=extra, build=())
        for extra in _EXTRA
    )
    return Manifest(reference=manifest.reference, contenders=(*manifest.contenders, *copies))


def repeated(plan: Plan, times: int) -> Plan:
    """Return a plan with so many times the rounds, and with epochs of which a hundredth can be told apart."""
    cases = []
    for planned in plan.cases:
        samples = max(1, planned.case.training_steps // _EPOCHS)
        case = replace(planned.case, samples=samples, epochs=_EPOCHS)
        cases.append(replace(planned, case=case, rounds=times * planned.rounds))
    return replace(plan, cases=tuple(cases))
