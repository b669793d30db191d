"""The plan of a sweep: which cases, contenders and rounds, in which order.

It is made before the first timed run, and stays.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from harness.case import ARTICLE_JOB, METHODS, Case, Job, Shape


def shapes(text: str) -> tuple[Shape, ...]:
    """Return the shapes that a text lists between spaces."""
    return tuple(map(Shape.parse, text.split()))


DEFAULT_SHAPES = shapes("4-2-1 8-4-1 10-5-1 16-8-1 32-16-1 64-32-1 128-64-1 256-128-1 512-256-1")
MOST_ROUNDS = 100_000
MOST_LAYOUTS = 100

RunKey = tuple[str, str, str, bool, int]
"""Unique within a sweep: contender, method, shape, control, round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the user asked for by bench's flags; ``step``, ``low`` and ``high``, as in a Case, have none."""

    shapes: tuple[Shape, ...] = DEFAULT_SHAPES
    methods: tuple[str, ...] = METHODS
    rounds: int | None = None
    run_s: float = 0.05
    job: Job = ARTICLE_JOB
    precision: float | None = None
    """The half width that intervals should have, as a share."""
    layouts: int = 1
    timeout_s: float = 60.0
    budget_s: float = 140.0
    memory_bytes: int | None = None
    step: float = 0.1
    low: float = 0.0
    high: float = 1.0
    seed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCase:
    """A case and its contenders."""

    case: Case
    """With the epochs of all contenders that have none of their own."""
    run_s: Mapping[str, float]
    """The contenders in the order of an even round, with the estimated seconds of a run."""
    control: bool
    """Whether the first, the reference, runs twice in each round, to show the floor."""
    rounds: int
    """Timed rounds, after a warm-up."""
    epochs: Mapping[str, int] = field(default_factory=dict)
    """Epochs of contenders that train longer, because they are faster."""
    warm_up_s: Mapping[str, float] = field(default_factory=dict)
    """Contenders that become faster while they run, and for how many seconds."""

    def __post_init__(self) -> None:
        """Raise ValueError if no sweep can carry this out."""
        if not 1 <= self.rounds <= MOST_ROUNDS:
            raise ValueError(f"rounds is {self.rounds}, takes an integer from 1 to {MOST_ROUNDS}")
        if min([self.case.epochs, *self.epochs.values()]) < 1:
            raise ValueError("epochs takes at least 1 in a sweep")
        if not self.run_s:
            raise ValueError("run_s takes the seconds of one contender or more")

    def of(self, contender: str) -> Case:
        """Return the case with the epochs of a contender."""
        return replace(self.case, epochs=self.epochs.get(contender, self.case.epochs))

    @property
    def turns(self) -> list[tuple[str, bool]]:
        """The turns of an even round: the contender, and whether it is the control."""
        turns = [(name, False) for name in self.run_s]
        return [*turns, (turns[0][0], True)] if self.control else turns

    @property
    def round_s(self) -> float:
        """The estimated seconds of one round."""
        return sum(self.run_s[name] for name, _ in self.turns)

    @property
    def total_s(self) -> float:
        """The estimated seconds of all rounds."""
        return self.round_s * (self.rounds + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """What was asked for and is not in the plan."""

    method: str
    shape: Shape
    contender: str | None
    """The contender that does not run it; None: none does."""
    reason: str

    def __str__(self) -> str:
        """Return it as people read it."""
        name = f"{self.contender} " if self.contender else ""
        return f"{name}{self.method} {self.shape}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One process that a plan asks for."""

    case: Case
    contender: str
    control: bool
    """Whether it is the reference's second run in its round."""
    round: int
    """0 for the warm-up, which is in no statistic, then 1, 2, ..."""
    position: int
    """Its place in the round, from 1."""

    @property
    def key(self) -> RunKey:
        """Its unique key within the sweep."""
        return self.contender, self.case.method, str(self.case.shape), self.control, self.round

    @property
    def warm_up(self) -> bool:
        """Whether it is in the case's first round."""
        return self.round == 0

    def __str__(self) -> str:
        """Return it as people read it."""
        control = " (control)" if self.control else ""
        return f"{self.contender}{control} {self.case}, {f'round {self.round}' if self.round else 'warm-up'}"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All that a sweep will do."""

    sweep: str
    """The sweep's id: the UTC time of planning."""
    options: Options
    reference: str
    """The contender that the others are compared with."""
    versions: Mapping[str, str]
    """The version of each contender, in the manifest's order."""
    memory_bytes: int | None
    """Memory that a run may take; None: no limit."""
    cases: tuple[PlannedCase, ...]
    """By method, then by size."""
    left_out: tuple[LeftOut, ...]

    def __post_init__(self) -> None:
        """Raise ValueError if the parts do not belong together."""
        if not re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z.+-]{0,63}", self.sweep):
            raise ValueError("sweep takes a file name of letters, digits, '.', '+' and '-'")
        names = {self.reference}.union(*(planned.run_s for planned in self.cases))
        if strangers := sorted(names - self.versions.keys()):
            raise ValueError(f"versions has none for {strangers[0]!r}")
        if len(self.by_case) < len(self.cases):
            raise ValueError("cases has one shape twice for a method")
        for planned in self.cases:
            if planned.control and self.reference != next(iter(planned.run_s)):
                raise ValueError(f"{planned.case} has a control, but not the reference first")

    @property
    def estimate_s(self) -> float:
        """The estimated seconds of the whole sweep."""
        return sum(planned.total_s for planned in self.cases)

    @property
    def runs(self) -> int:
        """How many runs it has, warm-ups and controls included."""
        return sum(len(one.turns) * (one.rounds + 1) for one in self.cases)

    def only(self, method: str, shape: Shape) -> "Plan":
        """Return the plan with all other cases taken out."""
        cases = (one for one in self.cases if (one.case.method, one.case.shape) == (method, shape))
        left_out = (one for one in self.left_out if (one.method, one.shape) == (method, shape))
        return replace(self, cases=tuple(cases), left_out=tuple(left_out))

    def estimate_of(self, run: Run) -> float:
        """Return the estimated seconds of one run."""
        return self.by_case[str(run.case)].run_s[run.contender]

    @cached_property
    def by_case(self) -> dict[str, PlannedCase]:
        """The cases by method and shape."""
        return {str(planned.case): planned for planned in self.cases}

    def schedule(self) -> Iterator[Run]:
        """Yield all runs in their order.

        First every case warms up. Then the rounds of each are spread evenly, so that drift hits all alike.
        Contenders run in the plan's order in even rounds, reversed in odd ones.
        """
        places = [
            ((number - 0.5) / planned.rounds if number else 0.0, place, number)
            for place, planned in enumerate(self.cases)
            for number in range(planned.rounds + 1)
        ]
        turns = [[(one.of(name), name, control) for name, control in one.turns] for one in self.cases]
        for _, place, number in sorted(places):
            order = turns[place][::-1] if number % 2 else turns[place]
            for position, (case, name, control) in enumerate(order, start=1):
                yield Run(case=case, contender=name, control=control, round=number, position=position)
