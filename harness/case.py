"""The vocabulary that everything shares: shapes, methods, cases, jobs."""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from harness.codec import shown

METHODS = ("naive", "incremental", "backprop")
LARGEST_INTEGER = 2**64 - 1
_SIZES = "two or more positive sizes such as 10-5-1"
_LARGEST_JOB = 10**12
"""Training steps: eleven days at a microsecond each."""
_JOB = "EPOCHSxSAMPLES such as 100x100, each at least 1, and up to 10^12 steps"


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of a network's layers; as text, 10-5-1."""

    layers: tuple[int, ...]
    """Layer sizes, input first: two or more, each at least 1."""

    def __post_init__(self) -> None:
        """Raise ValueError if no network has these layers."""
        if len(self.layers) < 2 or not all(1 <= size <= LARGEST_INTEGER for size in self.layers):
            raise ValueError(f"got {shown(str(self))}, takes {_SIZES}")

    @classmethod
    def parse(cls, text: str) -> "Shape":
        """Return the shape that ``text`` names; raise ValueError if it names none."""
        if not re.fullmatch(r"[1-9][0-9]{0,18}(-[1-9][0-9]{0,18})+", text):
            raise ValueError(f"got {shown(text)}, takes {_SIZES}")
        return cls(tuple(map(int, text.split("-"))))

    def __str__(self) -> str:
        """Return the sizes as people write them."""
        return "-".join(map(str, self.layers))

    @property
    def neurons(self) -> int:
        """The sum of all layer sizes."""
        return sum(self.layers)

    @property
    def weights(self) -> tuple[int, ...]:
        """Weights of each layer after the input."""
        return tuple(columns * rows for columns, rows in pairwise(self.layers))

    @property
    def parameters(self) -> int:
        """Weights, and one bias a layer."""
        return sum(self.weights) + len(self.weights)

    def multiply_adds(self, method: str) -> int:
        """Count the multiply-adds of one training step: one for each term of a sum.

        A forward pass has one for each weight. ``naive`` makes two passes for each parameter. ``incremental``
        adds, for weight (i, q), the terms of its row from q on, of the next layer's rows from i on, and all
        later ones. ``backprop`` has a forward pass and, but for the first layer, one back.
        """
        weights = self.weights
        total = sum(weights)
        if method == "naive":
            return 2 * self.parameters * total
        if method == "backprop":
            return 2 * total - weights[0]
        count = total
        for k, (columns, rows) in enumerate(pairwise(self.layers)):
            in_row = rows * (columns * (columns + 1) // 2)
            next_rows = self.layers[k + 2] if k + 2 < len(self.layers) else 0
            in_next = columns * next_rows * (rows * (rows + 1) // 2)
            in_rest = columns * rows * sum(weights[k + 2 :])
            after_bias = sum(weights[k + 1 :])
            count += 2 * (in_row + in_next + in_rest + after_bias)
        return count

    @property
    def size(self) -> int:
        """What shapes are sorted by: multiply-adds of the plainest method."""
        return self.multiply_adds(METHODS[0])


ARTICLE = Shape((10, 5, 1))
"""The article's own network."""


def example(shapes: Iterable[str]) -> str:
    """Return the shape that stands for all: the article's, or else the first."""
    known = list(shapes)
    return str(ARTICLE) if str(ARTICLE) in known else known[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One command line without the program."""

    shape: Shape
    """Layer sizes."""
    method: str
    samples: int
    """Training samples, at least 1."""
    epochs: int
    """Passes over the samples; 0 trains nothing."""
    step: float
    """h of the central difference, above 0."""
    learning_rate: float
    """Factor on the gradient in every update, at least 0."""
    low: float
    """Least value of an input."""
    high: float
    """Greatest value of an input, at least ``low``."""
    seed: int
    """Seed of the random numbers, 0 to 2^64 - 1."""

    def __post_init__(self) -> None:
        """Raise ValueError if no program takes these arguments."""
        if self.method not in METHODS:
            raise ValueError(f"method is {self.method!r}, takes {', '.join(METHODS)}")
        for name, least in (("samples", 1), ("epochs", 0), ("seed", 0)):
            count = getattr(self, name)
            if not least <= count <= LARGEST_INTEGER:
                raise ValueError(f"{name} is {shown(count)}, takes an integer from {least} to 2^64 - 1")
        for name, holds, takes in (
            ("step", self.step > 0.0, "above 0"),
            ("learning_rate", self.learning_rate >= 0.0, "of at least 0"),
            ("low", True, "up to high"),
            ("high", self.high >= self.low, f"of at least {self.low!r}, which is low"),
        ):
            if not (holds and math.isfinite(getattr(self, name))):
                raise ValueError(f"{name} is {getattr(self, name)!r}, takes a finite number {takes}")

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of one training step with this case's method."""
        return self.shape.multiply_adds(self.method)

    @property
    def training_steps(self) -> int:
        """How many gradients and updates a run consists of."""
        return self.samples * self.epochs

    def __str__(self) -> str:
        """Return method and shape: unique within a sweep."""
        return f"{self.method} {self.shape}"


@dataclass(frozen=True, slots=True)
class Job:
    """What a whole process is asked for; as text, 100x100."""

    epochs: int
    samples: int

    def __post_init__(self) -> None:
        """Raise ValueError if nothing is trained, or too much."""
        if not (self.epochs >= 1 and self.samples >= 1 and self.training_steps <= _LARGEST_JOB):
            raise ValueError(f"got {shown(str(self))}, takes {_JOB}")

    @classmethod
    def parse(cls, text: str) -> "Job":
        """Return the job that ``text`` names; raise ValueError if it names none."""
        if not (match := re.fullmatch(r"([0-9]{1,12})x([0-9]{1,12})", text)):
            raise ValueError(f"got {shown(text)}, takes {_JOB}")
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        """Return epochs and samples as people write them."""
        return f"{self.epochs}x{self.samples}"

    @property
    def training_steps(self) -> int:
        """How many gradients and updates it consists of."""
        return self.epochs * self.samples

    @property
    def in_words(self) -> str:
        """Epochs and samples in a sentence."""
        counts = ((self.epochs, "epoch"), (self.samples, "sample"))
        return " of ".join(f"{count} {what}{'' if count == 1 else 's'}" for count, what in counts)


ARTICLE_RUN = Case(
    shape=ARTICLE,
    method=METHODS[0],
    samples=100,
    epochs=100,
    step=0.1,
    learning_rate=0.01,
    low=0.0,
    high=1.0,
    seed=1,
)
"""What the article trains."""
ARTICLE_JOB = Job(ARTICLE_RUN.epochs, ARTICLE_RUN.samples)
"""How long it trains: the job unless another is asked for."""
