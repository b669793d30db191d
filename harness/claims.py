"""What the article claims, as claims.toml has it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.case import ARTICLE_RUN, Case
from harness.codec import read_toml

SEEDS = 200
"""Runs of each of the article's settings, by seed."""
ROUNDS = 31
"""Processes of each program that times storages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A claim, and what decides it."""

    name: str
    """How results call it, short enough for a list."""
    says: str
    table: str
    """The table that has the figures."""
    where: Mapping[str, str]
    """The lines that count: texts by column."""
    holds: str = "above"
    """above, below or inside."""
    limit: float = 1.0
    """What the interval has to be above or below."""
    than: Mapping[str, str] = field(default_factory=dict)
    """In place of a limit: other texts, of the lines to compare with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A run whose losses the article prints; its seed is unknown."""

    name: str
    initial_loss: float
    """Printed before training."""
    final_loss: float
    """Printed after it."""
    differs: Mapping[str, float] = field(default_factory=dict)
    """Its other numbers than those of ARTICLE_RUN."""

    def case(self, seed: int) -> Case:
        """Return its arguments, with a seed of ours."""
        numbers: Mapping[str, Any] = self.differs
        return replace(ARTICLE_RUN, seed=seed, **numbers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """It times a forward pass with flat and nested weights; prints ``SHAPE FLAT NESTED``."""

    contender: str
    """Whose forward pass it is."""
    command: tuple[str, ...]
    """The program; {python} is the interpreter of the harness."""
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """All of claims.toml."""

    claim: tuple[Claim, ...]
    run: tuple[Published, ...]
    storage: tuple[Storage, ...]


def load() -> Article:
    """Return the claims."""
    return read_toml(Article, Path(__file__).with_name("claims.toml"))
