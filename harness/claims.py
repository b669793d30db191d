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
    """A claim, and what decides it: claims.toml explains the keys."""

    name: str
    says: str
    table: str
    where: Mapping[str, str]
    """The lines that count: texts by column."""
    holds: str = "above"
    limit: float = 1.0
    than: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A run whose losses the article prints; its seed is unknown."""

    name: str
    initial_loss: float
    final_loss: float
    differs: Mapping[str, float] = field(default_factory=dict)
    """Its other numbers than those of ARTICLE_RUN."""

    def case(self, seed: int) -> Case:
        """Return its arguments, with a seed of ours."""
        numbers: Mapping[str, Any] = self.differs
        return replace(ARTICLE_RUN, seed=seed, **numbers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """What times a forward pass with flat and with nested weights; prints ``SHAPE FLAT NESTED``."""

    contender: str
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
