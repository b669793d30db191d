"""What the article claims, as claims.toml has it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.case import Case
from harness.codec import read_toml

CLAIMS = Path(__file__).with_name("claims.toml")
SEEDS = 200
"""Runs of each of the article's settings, each with another seed."""
ROUNDS = 31
"""Processes of each program that times the storages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A claim, and what decides it."""

    name: str
    """How results call it."""
    says: str
    """The claim, in our words."""
    table: str
    """The table that has the figures."""
    where: Mapping[str, str]
    """The lines that count: texts by column."""
    value: str
    """The column of the figure; low and high have its interval."""
    holds: str
    """above, below or inside."""
    unit: str
    """What the figure counts."""
    limit: float = 0.0
    """What the interval has to be above or below."""
    than: Mapping[str, str] = field(default_factory=dict)
    """In place of a limit: columns whose other texts name the lines to compare with, by method."""

    def __post_init__(self) -> None:
        """Raise ValueError if ``holds`` is another word."""
        if self.holds not in ("above", "below", "inside"):
            raise ValueError(f"holds is {self.holds!r}, takes above, below or inside")


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A run whose losses the article prints."""

    name: str
    """How results call it."""
    case: Case
    """Its arguments, with a seed of ours."""
    initial_loss: float
    """The loss that is printed before training."""
    final_loss: float
    """The loss that is printed after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """A program that times a forward pass with flat and with nested weights; prints ``SHAPE FLAT NESTED``."""

    contender: str
    """Whose forward pass it is."""
    command: tuple[str, ...]
    """The program; {python} stands for the interpreter of the harness."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Environment variables that it needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """All of claims.toml."""

    claim: tuple[Claim, ...]
    """The claims, in order."""
    run: tuple[Published, ...]
    """The runs whose losses are printed."""
    storage: tuple[Storage, ...]
    """What times the storages."""


def load(path: Path = CLAIMS) -> Article:
    """Read and check the claims; raise ManifestError with what is wrong."""
    return read_toml(Article, path)
