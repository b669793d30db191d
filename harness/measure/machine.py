"""What a machine says of itself: a sweep is resumed only if that is unchanged."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.measure import environment
from harness.measure.contenders import Contender, Manifest, lineup


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a machine says of itself."""

    environment: Mapping[str, Any]
    """What it is, as environment.json has it."""
    versions: Mapping[str, str]
    """The versions of its contenders, by name."""
    reference: str
    """The contender that the others are compared with."""
    memory_bytes: int | None
    """The memory that a run may take there; None: unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Here(Machine):
    """This machine, and who can be run on it."""

    contenders: tuple[Contender, ...]
    """Those whose version command worked, in the manifest's order."""
    missing: Mapping[str, str]
    """Why each of the others is skipped, by name."""

    @property
    def host(self) -> str:
        """The machine's name."""
        return str(self.environment["host"])


def look_around(manifest: Manifest) -> Here:
    """Return this machine and the contenders that it has; raise UsageError if it has none."""
    found = lineup(manifest)
    return Here(
        environment=environment.describe(found),
        versions=found.versions,
        reference=manifest.reference if manifest.reference in found.versions else found.present[0].name,
        memory_bytes=environment.memory_limit(),
        contenders=found.present,
        missing=found.missing,
    )
