"""What a machine says of itself: a sweep is resumed only if that is unchanged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.measure import environment
from harness.measure.contenders import Contender, lineup


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a machine says of itself."""

    environment: Mapping[str, Any]
    """What environment.json says of it."""
    versions: Mapping[str, str]
    """The versions of its contenders, by name."""
    reference: str
    """The contender that the others are compared with."""
    memory_bytes: int | None
    """The memory that a run may take there; None: unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Here(Machine):
    """This machine, and its contenders."""

    contenders: tuple[Contender, ...]
    """Those that can be run, the reference first."""
    missing: Mapping[str, str]
    """Why each of the others is skipped, by name."""

    @property
    def host(self) -> str:
        """The machine's name."""
        return str(self.environment["host"])


def look_around(contenders: Sequence[Contender]) -> Here:
    """Return this machine and which contenders it has; raise UsageError if it has none."""
    found = lineup(contenders)
    return Here(
        environment=environment.describe(found),
        versions=found.versions,
        reference=found.present[0].name,
        memory_bytes=environment.memory_limit(),
        contenders=found.present,
        missing=found.missing,
    )
