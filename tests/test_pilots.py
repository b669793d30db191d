"""The plan: learning rates that do not diverge, runs of the asked-for length, a total within the budget."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from harness.case import METHODS, Case, Job, Shape
from harness.errors import UsageError
from harness.measure import pilots, runner
from harness.measure.contenders import Contender
from harness.measure.contract import arguments, parse_output
from harness.measure.environment import Machine
from harness.measure.planner import make_plan, stable_learning_rate
from harness.measure.runner import Process
from harness.paths import ROOT
from harness.plan import DEFAULT_SHAPES, Options, Plan
from tests import fakes


def test_learning_rates_by_hand() -> None:
    # Inputs in (0, 1): mean square 1/3, so the ten have a squared length of 10/3.
    # Hidden outputs: 5 * (10/3 + 1) / 3 = 65/9. Sent back to the output: 1, to the hidden layer: 5 * 1/3.
    # Curvature 2/1 * (5/3 * (10/3 + 1) + 1 * (65/9 + 1)) = 2 * (65/9 + 74/9) = 278/9.
    # A quarter of 2 / curvature is 0.5 * 9 / 278 = 0.0162: the article's 0.01 is less.
    assert stable_learning_rate(Shape((10, 5, 1)), 0.0, 1.0) == 0.01
    # Inputs in (-1, 1) have the same mean square 1/3.
    assert stable_learning_rate(Shape((10, 5, 1)), -1.0, 1.0) == 0.01
    # Inputs in (2, 2): mean square 4, so 40; hidden 5 * 41 / 3 = 205/3.
    # Curvature 2 * (5/3 * 41 + 205/3 + 1) = 2 * 413/3; 0.5 * 3 / 826 = 0.001815980...
    assert stable_learning_rate(Shape((10, 5, 1)), 2.0, 2.0) == 0.0018
    # 6-9-12-3, inputs in (0, 3): mean square (0 + 0 + 9) / 3 = 3, squared length 18.
    # Forward: 9 * 19 / 3 = 57, then 12 * 58 / 3 = 232. Back: 3, then 12 * 3 / 3 = 12, then 9 * 12 / 3 = 36.
    # Curvature 2/3 * (36 * 19 + 12 * 58 + 3 * 233) = 2/3 * (684 + 696 + 699) = 2/3 * 2079 = 1386.
    # 0.5 / 1386 = 0.00036075...
    assert stable_learning_rate(Shape((6, 9, 12, 3)), 0.0, 3.0) == 0.00036
    # The curvature overflows.
    assert stable_learning_rate(Shape((10, 5, 1)), -1e200, 1e200) == 0.0
    assert stable_learning_rate(Shape((10**18,) * 30), 0.0, 1.0) == 0.0


@pytest.mark.parametrize("shape", DEFAULT_SHAPES, ids=str)
@pytest.mark.parametrize("seed", [1, 2**64 - 1])
def test_no_default_case_diverges_however_long_it_trains(shape: Shape, seed: int) -> None:
    options = Options()
    program = ROOT / "rust_impl/target/release/flatnet"
    if not program.exists() and shape.neurons > 16:
        pytest.skip("the Rust program is not built, and Python is slow")
    command = [str(program)] if program.exists() else [fakes.command("")[0], "python_impl/main.py"]
    case = Case(
        shape=shape,
        method="backprop",
        samples=100,
        # A fast contender trains for thousands of epochs, and large shapes take long.
        epochs=10_000 if program.exists() and shape.neurons < 100 else 20,
        step=options.step,
        learning_rate=stable_learning_rate(shape, options.low, options.high),
        low=options.low,
        high=options.high,
        seed=seed,
    )
    process = runner.run([*command, *arguments(case)], timeout_s=60.0)
    losses = parse_output(case, process.stdout, process.stderr, process.wall_s).losses
    assert all(map(math.isfinite, losses))
    assert losses[-1] < losses[0]
    assert max(losses) == losses[0]


@pytest.fixture(autouse=True)
def long_pilots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have those here."""
    monkeypatch.setattr(pilots, "_LONG_S", 1.0)


SECONDS = {"alike": 1.05 * 2.0**-14, "fast": 2.0**-18, "quick": 2.0**-14, "slow": 2.0**-10}
COMPILING_S: dict[str, float] = {}
WARM_UP: dict[str, tuple[int, float]] = {}
"""So many first steps take so many times as long."""
SPREAD: dict[str, float] = {}
"""By how much, on a logarithmic axis, every other run is longer, and the next shorter."""
STARTUP_S = 0.0625


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Replace processes by ones whose seconds are exact; return who was run with how many steps.

    A training step takes the contender's seconds, times the neurons over those of 4-2-1.
    """
    calls: list[tuple[str, int]] = []
    limits = {"env": {}, "timeout_s": 60.0, "memory_bytes": 4096, "one_core": True}

    def run(command: Sequence[str], **given: object) -> Process:
        assert given == limits
        name = command[0]
        options = dict(word[2:].split("=") for word in command[1:] if word.startswith("--"))
        layers = tuple(int(word) for word in command[1:] if not word.startswith("--"))
        samples, epochs = int(options["samples"]), int(options["epochs"])
        steps = samples * epochs
        calls.append((f"{name} {'-'.join(map(str, layers))}", steps))
        lines = "".join(f"\r{epoch}/{epochs}: loss: 0.5" for epoch in range(1, epochs + 1))
        stdout = f"Initial Loss: 1.0\n{lines}\nFinal Loss: 0.5\n"
        if name == "broken":
            return Process(wall_s=0.25, failure="crash", error="crash")
        if name == "garbled":
            return Process(wall_s=0.25, stdout="hello")
        if name == "liar":
            return Process(wall_s=0.25, stdout=stdout, stderr="Training Time: 100.5 s\n")
        slow_steps, factor = WARM_UP.get(name, (0, 1.0))
        units = steps + min(steps, slow_steps) * (factor - 1.0)
        sign = 1.0 if len(calls) // 2 % 2 else -1.0
        training_s = COMPILING_S.get(name, 0.0) + SECONDS[name] * sum(layers) / 7 * units
        training_s *= math.exp(sign * SPREAD.get(name, 0.0))
        stderr = f"Training Time: {training_s:.18f} s\n"
        return Process(wall_s=STARTUP_S + training_s, stdout=stdout, stderr=stderr)

    monkeypatch.setattr(runner, "run", run)
    return calls


def made(
    options: Options,
    *names: str,
    on_pilot: Callable[[str], None] = lambda _: None,
    **methods: tuple[str, ...],
) -> Plan:
    """Return the plan for a machine that has these, and the reference; each with its methods, or all."""
    versions = {name: {"version": f"{name} 1"} for name in ("slow", *names)}
    here = Machine(
        environment={"contenders": versions},
        memory_bytes=4096,
        contenders=tuple(
            Contender(name=name, command=(name,), version=(name,), methods=methods.get(name, METHODS))
            for name in names
        ),
    )
    return make_plan(options, here, sweep="now", on_pilot=on_pilot)


def shapes(*texts: str) -> tuple[Shape, ...]:
    return tuple(map(Shape.parse, texts))


ONE = Options(shapes=shapes("4-2-1"), methods=("naive",), rounds=3, run_s=8.0, budget_s=1000.0)


def sizes(plan: Plan) -> list[tuple[str, int, int]]:
    return [(str(planned.case.shape), planned.case.samples, planned.case.epochs) for planned in plan.cases]


@pytest.mark.usefixtures("ran")
def test_no_run_is_planned_that_the_timeout_ends() -> None:
    # A step takes 2^-10 s, so 60 s are 61,440 steps, and half of that has room for 20,000 but not for 50,000.
    plan = made(replace(ONE, run_s=1000.0, budget_s=1e6), "slow")
    assert sizes(plan) == [("4-2-1", 100, 200)]


def test_the_speed_is_the_difference_of_two_lengths(ran: list[tuple[str, int]]) -> None:
    told: list[str] = []
    made(replace(ONE, shapes=shapes("4-2-1", "10-5-1")), "slow", on_pilot=told.append)
    # One step shows 2^-10 s; 0.05 s are 51.2 such steps; 52 of them take clearly longer than one. Half a
    # second are 512, five epochs of 100 samples, and a second ten: they take no less a step, so nothing warms
    # up. 10-5-1 has 26.125 times the multiply-adds: 0.025 s are 0.98 expected steps, so one. The fake takes
    # only 16/7 as long, 0.0022 s: 0.05 s are 22.4 such steps.
    small = [("slow 4-2-1", steps) for steps in (1, 52, 52, 500, 1000)]
    assert ran == [*small, ("slow 10-5-1", 1), ("slow 10-5-1", 23)]
    assert told == ["naive 4-2-1 slow", "naive 10-5-1 slow"]


def test_compiling_inside_the_first_steps_is_no_speed(
    ran: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Two seconds of compiling in front of steps of 2^-14 s.
    monkeypatch.setitem(COMPILING_S, "quick", 2.0)
    plan = made(replace(ONE, run_s=8.0), "slow", "quick")
    (planned,) = plan.cases
    assert sizes(plan) == [("4-2-1", 100, 50)]
    # What comes first makes a run quicker per step the longer it is, so the run is the job.
    assert planned.epochs == {"quick": 100}
    assert planned.warm_up_s == {"quick": pytest.approx(2.0, rel=1e-6)}
    assert planned.run_s["quick"] == pytest.approx(STARTUP_S + 2.0 + 10_000 * 2.0**-14, rel=1e-6)
    assert len([steps for name, steps in ran if name.startswith("quick")]) <= 6 + 15


def test_what_warms_up_runs_the_job_or_says_that_it_cannot(
    ran: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    # 512 steps of five times 2^-14 s: 4 * 512 * 2^-14 = 0.125 s more than steady ones.
    monkeypatch.setitem(WARM_UP, "quick", (512, 5.0))
    (planned,) = made(replace(ONE, run_s=0.05), "slow", "quick").cases
    assert planned.warm_up_s == {"quick": pytest.approx(0.125, rel=1e-6)}
    # 0.0333 s are 6 epochs of steady steps, but the job has 100; it takes 0.8 s, and 2 s are affordable.
    assert (planned.case.samples, planned.of("quick").epochs, planned.of("slow").epochs) == (100, 100, 1)
    assert planned.run_s["quick"] == pytest.approx(STARTUP_S + 0.125 + 10_000 * 2.0**-14, rel=1e-6)
    # Of 0.001 s 40 times are less than that: 11 steps, so 20, and one sample, as the slow one needs.
    (short,) = made(replace(ONE, run_s=0.001), "slow", "quick").cases
    assert short.warm_up_s.keys() == {"quick"}
    assert (short.case.samples, short.of("quick").epochs) == (1, 20)
    # Once that is known, one look at each further shape is enough.
    ran.clear()
    made(replace(ONE, shapes=shapes("4-2-1", "5-2-1"), run_s=0.05), "slow", "quick")
    assert [len([1 for call, _ in ran if call == f"quick {layers}"]) for layers in ("4-2-1", "5-2-1")] == [
        17,
        5,
    ]


@pytest.mark.parametrize(
    ("disturbed", "pilots"),
    [
        # The first look, a short run: a second look is taken.
        ([3], [1, 52, 52, 500, 1000, 52, 500, 1000]),
        # Of each look the run of half the length, so that the other half seems quick.
        ([4, 7, 10], [1, 52, 52, 500, 1000]),
    ],
)
def test_a_disturbed_pilot_makes_nobody_warm_up(
    ran: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch, disturbed: list[int], pilots: list[int]
) -> None:
    honest = runner.run

    def run(command: Sequence[str], **given: Any) -> Process:
        process = honest(command, **given)
        if len(ran) in disturbed:
            line = process.stderr.split()
            slower = f"Training Time: {1.6 * float(line[2])} s\n"
            return replace(process, stderr=slower, wall_s=process.wall_s * 1.6)
        return process

    monkeypatch.setattr(runner, "run", run)
    (planned,) = made(replace(ONE, run_s=0.05), "slow").cases
    assert planned.warm_up_s == {}
    assert [steps for _, steps in ran] == pilots


@pytest.mark.usefixtures("ran")
def test_each_trains_as_long_as_it_takes_to_be_timed() -> None:
    plan = made(replace(ONE, run_s=0.05), "slow", "fast", "alike", "quick")
    (planned,) = plan.cases
    # The slow one has an epoch of as many samples as the job, 0.098 s, for it may take up to 2 s.
    assert sizes(plan) == [("4-2-1", 100, 1)]
    # An epoch of alike takes 6.4 ms: 33.3 ms are 6, so 10. They are enough for quick, which is little faster.
    # An epoch of fast takes 0.381 ms: 88 at least; the job has 100, which take less than 50 ms.
    assert planned.epochs == {"alike": 10, "quick": 10, "fast": 100}
    assert planned.of("slow").epochs == 1
    assert planned.run_s["fast"] == pytest.approx(STARTUP_S + 10_000 * 2.0**-18)
    # A job of other size is no round number, but another sweep finds it as well.
    other = made(replace(ONE, run_s=0.05, job=Job(120, 50)), "slow", "fast").cases[0]
    # Half as many samples, so 175 epochs at least: 120 are too few, the next such number is 200.
    assert (other.case.samples, other.epochs) == (50, {"fast": 200})
    third = made(replace(ONE, run_s=0.05, job=Job(180, 50)), "slow", "fast").cases[0]
    assert third.epochs == {"fast": 180}


@pytest.mark.usefixtures("ran")
def test_revisions_and_copies_of_a_program_train_equally_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else one whose pilot was disturbed has longer runs, which other work interrupts more often."""
    found = {"rust@v1": 2.0**-14, "rust@HEAD": 2.0**-18, "slow +2%": 2.0**-12, "rust": 2.0**-16}
    for name, step_s in found.items():
        monkeypatch.setitem(SECONDS, name, step_s)
    (planned,) = made(replace(ONE, run_s=0.05), "slow", "rust@v1", "rust@HEAD", "slow +2%", "rust").cases
    assert planned.epochs == {"rust@v1": 10, "rust@HEAD": 10, "rust": 10}


@pytest.mark.usefixtures("ran")
def test_a_job_of_one_sample_ends_where_epochs_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """No run has more than a million epochs, however fast; here ten thousand, to be quick."""
    monkeypatch.setitem(SECONDS, "instant", 2.0**-24)
    monkeypatch.setattr(pilots, "MOST_EPOCHS", 10_000)
    plan = made(replace(ONE, job=Job(1000, 1)), "slow", "instant")
    (case,) = plan.cases
    assert case.of("instant").training_steps <= 1_000_000


@pytest.mark.usefixtures("ran")
def test_rounds_follow_from_a_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    # Seven pilot rounds, quick by turns e^0.05 times as long and as short: an sd of
    # 0.05 * sqrt((7 - 1/7) / 6) = 0.0535. Half an interval is 2.3 * 1.25 * 0.0535 = 0.154 in one round, and
    # log(1.05) = 0.0488 in 9.92.
    monkeypatch.setitem(SPREAD, "quick", 0.05)
    options = replace(ONE, rounds=None, run_s=0.05, precision=0.05)
    assert made(options, "slow", "quick").cases[0].rounds == 10
    # Without any spread, seven are enough; and there are no more than the budget has room for.
    assert made(options, "slow", "fast").cases[0].rounds == 7
    for precision in (0.001, 1e-202):
        plan = made(replace(options, precision=precision, budget_s=20.0), "slow", "quick")
        assert plan.estimate_s <= 20.0 < plan.estimate_s + plan.cases[0].round_s


@pytest.mark.usefixtures("ran")
def test_without_rounds_the_budget_is_shared_out() -> None:
    # By the root of weight / seconds: the article's shape has the weight 8, and its control.
    options = replace(ONE, shapes=shapes("4-2-1", "10-5-1"), rounds=None, run_s=0.25, budget_s=40.0)
    plan = made(options, "slow", "quick")
    small, article = plan.cases
    assert (str(small.case.shape), small.control, article.control) == ("4-2-1", True, True)
    seconds = [planned.round_s for planned in plan.cases]
    assert article.rounds / small.rounds == pytest.approx(math.sqrt(8.0 * seconds[0] / seconds[1]), rel=0.05)
    # As many as fit: one more round of either would be too much.
    assert 40.0 - min(seconds) - max(seconds) < plan.estimate_s <= 40.0
    assert plan.estimate_s == pytest.approx(
        seconds[0] * (small.rounds + 1) + seconds[1] * (article.rounds + 1)
    )


@pytest.mark.usefixtures("ran")
def test_fewer_cases_have_more_rounds_not_longer_runs() -> None:
    options = replace(ONE, shapes=shapes("4-2-1", "10-5-1", "16-8-1"), rounds=None, run_s=0.25, budget_s=30.0)
    many = made(options, "slow", "quick").cases[1]
    alone = made(replace(options, shapes=shapes("10-5-1")), "slow", "quick").cases[0]
    assert many.case == alone.case
    assert many.rounds < alone.rounds
    # Nobody needs more than this.
    assert made(replace(options, budget_s=1e6), "slow", "quick").cases[0].rounds == 201


@pytest.mark.usefixtures("ran")
def test_the_least_that_an_interval_needs_is_seven_rounds() -> None:
    options = replace(ONE, rounds=None, run_s=8.0, budget_s=60.0)
    # 8 runs of 2 * (4.88 + 0.0625) s are 79.1 s: shortened.
    plan = made(options, "slow")
    assert plan.cases[0].rounds >= 7
    assert plan.cases[0].case.training_steps == 2000


@pytest.mark.usefixtures("ran")
def test_first_epochs_shrink_then_samples() -> None:
    # The slower contender's step takes 2^-10 s, so that s seconds hold 1024 * s steps.
    for run_s, expected in (
        (16.0, (100, 100)),  # 16384 steps: more than the article's 100 x 100
        (8.0, (100, 50)),  # 8192 steps: the next round number below
        (4.0, (100, 20)),  # 4096 steps
        (0.5, (100, 5)),  # 512 steps
        (0.1, (100, 1)),  # 102 steps
        (0.0625, (100, 1)),  # 64 steps, but 100 take less than 40 times as long
        (2.0**-9, (2, 1)),  # 100 steps would take more than that
        (2.0**-10, (1, 1)),
        (2.0**-11, (1, 1)),  # half a step: one is the least
    ):
        plan = made(replace(ONE, run_s=run_s), "slow", "quick")
        assert sizes(plan) == [("4-2-1", *expected)]
        samples, epochs = expected
        assert plan.cases[0].run_s["slow"] == STARTUP_S + samples * epochs * 2.0**-10
        training_s = plan.cases[0].of("quick").training_steps * 2.0**-14
        assert plan.cases[0].run_s["quick"] == STARTUP_S + training_s
        assert 2 / 3 * run_s <= training_s
        # Three rounds and the warm-up, in which the slow one runs twice, as the control.
        assert plan.cases[0].control
        assert plan.estimate_s == 4 * (2 * plan.cases[0].run_s["slow"] + plan.cases[0].run_s["quick"])


@pytest.mark.usefixtures("ran")
def test_cases_are_in_order_and_named_once_with_a_control_in_each_decade_of_neurons() -> None:
    asked, methods = ("64-32-8", "10-5-1", "16-8-1", "10-5-1", "4-2-1", "5-2-1"), ("backprop", "naive")
    options = replace(ONE, shapes=shapes(*asked), methods=(*methods, "backprop"))
    plan = made(options, "slow", "quick")
    in_order = {"4-2-1": True, "5-2-1": False, "10-5-1": True, "16-8-1": False, "64-32-8": True}
    assert [(planned.case.method, str(planned.case.shape), planned.control) for planned in plan.cases] == [
        (method, *shape) for method in methods for shape in in_order.items()
    ]
    without = made(replace(options, shapes=shapes("16-8-1", "12-6-1")), "slow", "quick")
    assert [str(planned.case.shape) for planned in without.cases if planned.control] == ["12-6-1", "12-6-1"]
    nobody = made(options, "quick")
    assert not any(planned.control for planned in nobody.cases)


@pytest.mark.usefixtures("ran")
def test_too_small_a_budget_first_shortens_the_runs() -> None:
    # At 8 s a run 5000 steps: 4 rounds of 2 * (4.88 + 0.0625) = 39.6 s in all. The budget is 30 s, so a run
    # gets 8 * 0.95 * 30 / 39.5625 = 5.763 s: 5901 steps, and 5000 again; then 0.95 * 30 / 39.5625 of that:
    # 4.15 s, 4251 steps, 20 epochs of 100.
    plan = made(replace(ONE, budget_s=30.0), "slow")
    assert sizes(plan) == [("4-2-1", 100, 20)]
    assert plan.estimate_s == 8 * (2000 / 1024 + STARTUP_S)
    assert plan.left_out == ()


@pytest.mark.usefixtures("ran")
def test_a_still_smaller_budget_drops_cases_the_article_s_last() -> None:
    # Shortened to a quarter, an epoch of 100 samples still is affordable: 4-2-1 takes 8 * (0.0977 + 0.0625)
    # s, 10-5-1 8 * (0.223 + 0.0625) s, together 3.6 s.
    options = replace(ONE, shapes=shapes("4-2-1", "10-5-1"), run_s=0.0625, budget_s=2.5)
    plan = made(options, "slow")
    assert [str(planned.case.shape) for planned in plan.cases] == ["10-5-1"]
    assert list(map(str, plan.left_out)) == ["naive 4-2-1: does not fit into 2.5 s; raise --budget"]
    assert plan.cases[0].control
    assert plan.estimate_s <= 2.5
    # What runs alone compares nothing, so it goes before what is dearer. Fast alone takes 0.07 s a round.
    lonely = replace(options, shapes=shapes("4-2-1", "12-6-1"), methods=("naive", "backprop"), budget_s=4.9)
    plan = made(lonely, "slow", "fast", slow=("naive",))
    assert [one.method for one in plan.left_out] == ["backprop"]
    with pytest.raises(
        UsageError, match=r"fits into 0\.1 s with 3 rounds; raise it, or ask for smaller shapes$"
    ):
        made(replace(ONE, budget_s=0.1), "slow")


def test_what_a_contender_cannot_afford_is_left_to_the_others(ran: list[tuple[str, int]]) -> None:
    # On 4-2-1 the slow one takes 2^-10 s for 240 multiply-adds. 16-8-1 has 2 * 136 * 138 = 37536, 156.4
    # times as many: 0.1527 s a step are expected, which is more than twenty times 0.0075 s.
    options = replace(ONE, shapes=shapes("4-2-1", "16-8-1"), run_s=0.0075)
    plan = made(options, "slow", "quick")
    assert list(map(str, plan.left_out)) == ["slow naive 16-8-1: one training step takes about 153 ms"]
    assert [tuple(planned.run_s) for planned in plan.cases] == [("slow", "quick"), ("quick",)]
    assert ("slow 16-8-1", 1) not in ran


@pytest.mark.parametrize("name", ["broken", "garbled", "liar"])
def test_a_contender_that_fails_stays_in_the_plan(ran: list[tuple[str, int]], name: str) -> None:
    plan = made(replace(ONE, shapes=shapes("4-2-1", "10-5-1")), "slow", name)
    assert [list(planned.run_s) for planned in plan.cases] == [["slow", name], ["slow", name]]
    assert plan.cases[0].run_s[name] == 8.0
    # Once is enough to know.
    assert [call for call in ran if call[0].startswith(name)] == [(f"{name} 4-2-1", 1)]


@pytest.mark.usefixtures("ran")
def test_nobody_has_the_method() -> None:
    options = replace(ONE, methods=("naive", "backprop"))
    plan = made(options, "slow", "quick", slow=("naive",), quick=("backprop",))
    who = [(planned.case.method, *planned.run_s) for planned in plan.cases]
    assert who == [("naive", "slow"), ("backprop", "quick")]
