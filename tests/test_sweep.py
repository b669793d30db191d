"""Interleaved rounds, each process recorded as it ends, and nothing measured twice."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.case import Case
from harness.errors import ResultsError
from harness.measure import runner
from harness.measure.environment import Machine
from harness.measure.sweep import Sweep, differs, mended
from harness.plan import Options, Plan, Run
from harness.records import LOSSES, RUNS, SweepFolder
from harness.rows import Row
from tests import fakes, sweeps

SMALL, MIDDLE, LARGE = fakes.case("4-2-1"), fakes.case("6-3-1"), fakes.case("8-4-1")


def plan(
    *cases: Case,
    names: Sequence[str] = ("a", "b"),
    rounds: int = 2,
    control: Case | None = None,
    timeout_s: float = 60.0,
) -> Plan:
    options = Options(rounds=rounds, timeout_s=timeout_s)
    return sweeps.plan(names, cases, options=options, control=control)


def short(run: Run) -> str:
    """Write a run as round, shape, contender, + for the control, and position."""
    return f"{run.round} {run.case.shape} {run.contender}{'+' if run.control else ''} {run.position}"


def test_rounds_go_through_all_cases_and_alternate_their_order() -> None:
    assert [short(run) for run in plan(SMALL, MIDDLE, control=SMALL).schedule()] == [
        *("0 4-2-1 a 1", "0 4-2-1 b 2", "0 4-2-1 a+ 3", "0 6-3-1 a 1", "0 6-3-1 b 2"),
        *("1 4-2-1 a+ 1", "1 4-2-1 b 2", "1 4-2-1 a 3", "1 6-3-1 b 1", "1 6-3-1 a 2"),
        *("2 4-2-1 a 1", "2 4-2-1 b 2", "2 4-2-1 a+ 3", "2 6-3-1 a 1", "2 6-3-1 b 2"),
    ]
    firsts = [run.contender for run in plan(SMALL, rounds=6).schedule() if run.position == 1 and run.round]
    assert firsts == ["b", "a", "b", "a", "b", "a"]


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let fakes behave within this process."""
    monkeypatch.setattr(runner, "run", fakes.at_once)


def sweep_of(what: Plan, folder: Path, behaviours: dict[str, str] | None = None) -> Sweep:
    behaviours = behaviours or {}
    folder.mkdir(exist_ok=True)
    contenders = [fakes.contender(name, behaviours.get(name, "honest")) for name in what.versions]
    return Sweep(what, contenders, SweepFolder(folder), "box")


def carried_out(sweep: Sweep) -> list[Row]:
    return [sweep.perform(run) for run in sweep.pending()]


def told(rows: Sequence[Row]) -> list[tuple[int, str, str, str, str]]:
    return [
        (row.run.round, str(row.run.case.shape), row.run.contender, row.status, row.parity) for row in rows
    ]


def test_a_sweep_from_start_to_end(tmp_path: Path) -> None:
    what = plan(SMALL, rounds=1, control=SMALL)
    rows = carried_out(sweep_of(what, tmp_path))
    assert told(rows) == [
        (0, "4-2-1", "a", "ok", "reference"),
        (0, "4-2-1", "b", "ok", "identical"),
        (0, "4-2-1", "a", "ok", "identical"),
        (1, "4-2-1", "a", "ok", "identical"),
        (1, "4-2-1", "b", "ok", "identical"),
        (1, "4-2-1", "a", "ok", "identical"),
    ]
    alone = carried_out(sweep_of(plan(SMALL, names=("a",), rounds=1), tmp_path / "alone"))
    assert [row.parity for row in alone] == ["reference", "identical to its first run"]
    assert [row.run.control for row in rows] == [False, False, True, True, False, False]
    assert SweepFolder(tmp_path).rows() == rows
    row = rows[-2]
    assert row.involuntary_switches is not None and row.involuntary_switches >= 0
    costs = {"wall_s": 0.0, "user_s": 0.0, "system_s": 0.0}
    row = replace(row, started_utc="", involuntary_switches=None, stolen_s=None)
    assert replace(row, **costs) == Row(  # type: ignore[arg-type]
        sweep=sweeps.SWEEP,
        started_utc="",
        host="box",
        version="1.0",
        run=Run(case=SMALL, contender="b", control=False, round=1, position=2),
        threads=1,
        status="ok",
        wall_s=0.0,
        user_s=0.0,
        system_s=0.0,
        # 2 samples, 8 epochs, 0.4 us a step.
        training_s=6.4e-6,
        peak_memory_bytes=4096,
        # (seed + neurons) / (3 * epoch + 7)
        initial_loss=8 / 7,
        final_loss=8 / 31,
        parity="identical",
        error="",
    )
    assert row.wall_s > 0.0


@pytest.mark.usefixtures("at_once")
def test_losses_are_kept_once_per_contender_and_case(tmp_path: Path) -> None:
    what = plan(fakes.case(epochs=2), rounds=2, control=fakes.case(epochs=2))
    carried_out(sweep_of(what, tmp_path))
    assert (tmp_path / LOSSES).read_text(encoding="utf-8") == (
        "contender,method,layers,epoch,loss\n"
        + "".join(
            f"{name},naive,4-2-1,{epoch},{loss!r}\n"
            for name in ("a", "b")
            for epoch, loss in enumerate((8 / 7, 8 / 10, 8 / 13))
        )
    )


@pytest.mark.usefixtures("at_once")
def test_one_wrong_bit_at_epoch_7(tmp_path: Path) -> None:
    sweep = sweep_of(plan(SMALL, MIDDLE, rounds=1), tmp_path, {"b": "wrong-at-7"})
    rows = carried_out(sweep)
    wrong = {
        # 4-2-1 has 8 / 7 before and 8 / 28 after epoch 7, 6-3-1 has 11 / 7 and 11 / 28. One bit is 2^-54:
        # 5.55e-17 of the sums 1.43 and 1.96 is 3.9e-17 and 2.8e-17.
        shape: f"epoch 7: {math.nextafter(right, 9.0)!r} instead of {right!r}"
        f" (off by {off} of the initial loss)"
        for shape, right, off in (("4-2-1", 8 / 28, "4e-17"), ("6-3-1", 11 / 28, "3e-17"))
    }
    assert [
        (str(row.run.case.shape), row.status, row.parity) for row in rows if row.run.contender == "b"
    ] == [(shape, "mismatch", wrong[shape]) for shape in ("4-2-1", "6-3-1", "4-2-1", "6-3-1")]
    assert all(row.status == "ok" for row in rows if row.run.contender == "a")
    # A mismatch is no reason to spare anything; its losses are kept for who wants to look.
    assert sweep.spared == {}
    assert SweepFolder(tmp_path).losses()["b", "naive", "4-2-1"][7] == math.nextafter(8 / 28, 9.0)


@pytest.mark.usefixtures("at_once")
def test_the_references_losses_are_the_ones_to_compare_with(tmp_path: Path) -> None:
    rows = carried_out(sweep_of(plan(SMALL, rounds=3), tmp_path, {"a": "wrong-at-7"}))
    assert {(row.run.contender, row.status) for row in rows} == {("a", "ok"), ("b", "mismatch")}


@pytest.mark.usefixtures("at_once")
def test_without_the_reference_the_next_contender_takes_its_place(tmp_path: Path) -> None:
    what = plan(SMALL, names=("a", "b", "c"), rounds=1)
    rows = carried_out(sweep_of(what, tmp_path, {"a": "crash:3", "c": "wrong-at-7"}))
    assert [(row.run.contender, row.status, row.parity[:9]) for row in rows] == [
        ("a", "crash", ""),
        ("b", "ok", "reference"),
        ("c", "mismatch", "epoch 7: "),
        ("c", "mismatch", "epoch 7: "),
        ("b", "ok", "identical"),
    ]
    assert rows[-1].parity == "identical to its first run"


@pytest.mark.parametrize(
    ("behaviour", "status", "error"),
    [
        ("crash:3", "crash", "exit status 3: error: the 7th gear is missing"),
        ("garbled", "garbled", "printed 'Hello, world!\\n' where a line 'Initial Loss: NUMBER' belongs"),
        ("without-memory", "garbled", "printed no line 'Training Time: SECONDS s' to standard error"),
    ],
)
def test_a_failure_is_a_row_and_spares_larger_shapes(
    tmp_path: Path, behaviour: str, status: str, error: str
) -> None:
    sweep = sweep_of(plan(SMALL, MIDDLE, LARGE, rounds=1), tmp_path, {"b": behaviour})
    rows = carried_out(sweep)
    failed = [row for row in rows if row.run.contender == "b"]
    assert [(str(row.run.case.shape), row.run.round, row.status, row.error) for row in failed] == [
        ("4-2-1", 0, status, error)
    ]
    row = failed[0]
    assert (row.training_s, row.peak_memory_bytes, row.initial_loss, row.final_loss) == (None,) * 4
    assert row.parity == ""
    assert sweep.spared == {("b", "naive"): SMALL}
    assert sum(row.run.contender == "a" for row in rows) == 6


@pytest.mark.usefixtures("at_once")
def test_smaller_shapes_and_other_methods_go_on_after_a_failure(tmp_path: Path) -> None:
    exact = fakes.case("8-4-1", "backprop")
    # Fails from 12 neurons on; 6-3-1 has 10.
    what = plan(SMALL, MIDDLE, LARGE, exact, rounds=1)
    rows = carried_out(sweep_of(what, tmp_path, {"b": "only-small:12"}))
    assert [
        (row.run.round, row.run.case.method, str(row.run.case.shape), row.status)
        for row in rows
        if row.run.contender == "b"
    ] == [
        (0, "naive", "4-2-1", "ok"),
        (0, "naive", "6-3-1", "ok"),
        (0, "naive", "8-4-1", "crash"),
        (0, "backprop", "8-4-1", "crash"),
        (1, "naive", "4-2-1", "ok"),
        (1, "naive", "6-3-1", "ok"),
    ]


def test_a_timeout_is_a_row(tmp_path: Path) -> None:
    rows = carried_out(sweep_of(plan(SMALL, rounds=1, timeout_s=0.2), tmp_path, {"b": "slow"}))
    assert [(row.status, row.error[:15]) for row in rows if row.run.contender == "b"] == [
        ("timeout", "ended after 0.2")
    ]


@pytest.mark.parametrize("bytes_lost", [0, 1, 50, 10_000])
@pytest.mark.usefixtures("at_once")
def test_killed_after_any_number_of_runs(tmp_path: Path, bytes_lost: int) -> None:
    """The writer is killed after n runs, with so many bytes of the last row not yet written."""
    what = plan(SMALL, MIDDLE, rounds=2, control=MIDDLE)
    wanted = [short(run) for run in what.schedule()]
    assert len(wanted) == 15
    for count in range(1, len(wanted) + 1):
        path = tmp_path / str(count)
        path.mkdir()
        first = sweep_of(what, path)
        for _, run in zip(range(count), first.pending(), strict=False):
            first.perform(run)
        whole = (path / RUNS).read_bytes()
        last = whole.rstrip(b"\n").rfind(b"\n") + 1
        # Never into the rows before: those have been flushed.
        (path / RUNS).write_bytes(whole[: max(last, len(whole) - bytes_lost)])
        kept = count - (bytes_lost > 0)

        folder = SweepFolder(path)
        assert folder.set_half_lines_aside() == ([RUNS] if 0 < bytes_lost < len(whole) - last else [])
        before = (path / RUNS).read_bytes()
        second = carried_out(sweep_of(what, path))
        assert [short(row.run) for row in second] == wanted[kept:]
        assert [short(row.run) for row in folder.rows()] == wanted
        assert (path / RUNS).read_bytes().startswith(before)
        assert {row.status for row in folder.rows()} == {"ok"}


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("count", range(1, 7))
def test_a_round_that_was_cut_off_is_made_again_as_a_whole(tmp_path: Path, count: int) -> None:
    what = plan(SMALL, rounds=2)
    first = sweep_of(what, tmp_path)
    for _, run in zip(range(count), first.pending(), strict=False):
        first.perform(run)
    before = (tmp_path / RUNS).read_text("utf-8").splitlines()
    # Two contenders: a round is whole after every other run.
    cut = count % 2
    assert SweepFolder(tmp_path).set_cut_rounds_aside(what) == cut
    assert (tmp_path / RUNS).read_text("utf-8").splitlines() == before[: len(before) - cut]
    aside = tmp_path / f"{RUNS}.half"
    assert (aside.read_text("utf-8").splitlines() if cut else []) == before[len(before) - cut :]
    second = carried_out(sweep_of(what, tmp_path))
    assert len(second) == 6 - count + cut
    assert {row.status for row in SweepFolder(tmp_path).rows()} == {"ok"}


@pytest.mark.usefixtures("at_once")
def test_resuming_compares_with_the_losses_from_before(tmp_path: Path) -> None:
    what = plan(SMALL, rounds=1)
    first = sweep_of(what, tmp_path)
    first.perform(next(first.pending()))
    rows = carried_out(sweep_of(what, tmp_path, {"b": "wrong-at-7", "a": "wrong-at-7"}))
    assert {row.status for row in rows} == {"mismatch"}


@pytest.mark.usefixtures("at_once")
def test_a_failure_from_before_still_spares(tmp_path: Path) -> None:
    what = plan(SMALL, MIDDLE, rounds=1)
    first = sweep_of(what, tmp_path, {"b": "crash:1"})
    for _, run in zip(range(2), first.pending(), strict=False):
        first.perform(run)
    second = sweep_of(what, tmp_path)
    assert second.spared == {("b", "naive"): SMALL}
    assert [short(run) for run in second.pending()] == ["0 6-3-1 a 1", "1 4-2-1 a 2", "1 6-3-1 a 2"]


@pytest.mark.usefixtures("at_once")
def test_rows_that_somebody_else_removed_are_noticed(tmp_path: Path) -> None:
    """A program that unlinks runs.csv in the midst of the sweep, say."""
    sweep = sweep_of(plan(SMALL, rounds=2), tmp_path)
    for count, run in enumerate(sweep.pending()):
        sweep.perform(run)
        if count == 2:
            (tmp_path / RUNS).unlink()
    assert [short(run) for run in sweep.lost()] == ["0 4-2-1 a 1", "0 4-2-1 b 2", "1 4-2-1 b 1"]
    again = sweep_of(plan(SMALL, rounds=2), tmp_path)
    assert [short(run) for run in again.pending()] == ["0 4-2-1 a 1", "0 4-2-1 b 2", "1 4-2-1 b 1"]
    carried_out(again)
    assert again.lost() == []


@pytest.mark.usefixtures("at_once")
def test_a_block_of_losses_that_was_cut_off_is_written_again(tmp_path: Path) -> None:
    carried_out(sweep_of(plan(SMALL, rounds=1), tmp_path))
    whole = SweepFolder(tmp_path).losses()
    lines = (tmp_path / LOSSES).read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / LOSSES).write_text("".join(lines[:-4]), encoding="utf-8")
    (tmp_path / RUNS).unlink()
    carried_out(sweep_of(plan(SMALL, rounds=1), tmp_path))
    assert SweepFolder(tmp_path).losses() == whole


def test_a_folder_that_vanishes_loses_nothing_but_the_run(tmp_path: Path) -> None:
    path = tmp_path / "results"
    path.mkdir()
    sweep = sweep_of(plan(SMALL), path)
    run = next(sweep.pending())
    path.rmdir()
    with pytest.raises(ResultsError, match=r"losses\.csv: cannot be written: No such file or directory;"):
        sweep.perform(run)
    assert next(sweep.pending()) == run


@pytest.mark.usefixtures("at_once")
def test_threads_go_to_the_row(tmp_path: Path) -> None:
    many = replace(fakes.contender("a"), threads=4)
    sweep = Sweep(plan(SMALL, names=("a",), rounds=1), [many], SweepFolder(tmp_path), "box")
    rows = carried_out(sweep)
    assert [row.threads for row in rows] == [4, 4]
    assert [(row.involuntary_switches, row.stolen_s) for row in rows] == [(3, 0.125)] * 2


@pytest.mark.usefixtures("at_once")
def test_who_has_a_tolerance_agrees_but_is_no_measure_for_who_is_exact(tmp_path: Path) -> None:
    what = plan(SMALL, names=("a", "b", "c"), rounds=1)
    lax = replace(fakes.contender("b", "wrong-at-7"), tolerance=1e-15)
    for behaviour, parity, wanted in (
        ("honest", "within 4e-17 of the initial loss", {("a", "ok"), ("b", "ok"), ("c", "ok")}),
        ("crash:3", "reference", {("a", "crash"), ("b", "ok"), ("c", "ok")}),
    ):
        (tmp_path / behaviour).mkdir()
        contenders = [fakes.contender("a", behaviour), lax, fakes.contender("c")]
        rows = carried_out(Sweep(what, contenders, SweepFolder(tmp_path / behaviour), "box"))
        assert {(row.run.contender, row.status) for row in rows} == wanted
        assert next(row.parity for row in rows if row.run.contender == "b") == parity


def contenders(**versions: str) -> dict[str, dict[str, str]]:
    return {name: {"version": version} for name, version in versions.items()}


ABOUT = {"host": "box", "commit": "0", "tree": "t", "contenders": contenders(a="1.0", b="1.0")}


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({}, ""),
        (
            {"contenders": contenders(a="2.0", b="1.0")},
            "it is of a (1.0), b (1.0), compared with a; here are a (2.0), b (1.0), compared with a",
        ),
        (
            {"contenders": contenders(b="1.0", a="1.0")},
            "it is of a (1.0), b (1.0), compared with a; here are b (1.0), a (1.0), compared with b",
        ),
        ({"tree": "u"}, "its environment.json has another tree"),
        ({"host": "bag", "commit": "1"}, "its environment.json has another host and commit"),
    ],
)
def test_what_must_be_unchanged_for_a_sweep_to_be_resumed(
    tmp_path: Path, changes: dict[str, Any], difference: str
) -> None:
    what, folder = plan(SMALL), SweepFolder(tmp_path)
    folder.begin(what, ABOUT)
    here = Machine(environment={**ABOUT, **changes}, memory_bytes=None)
    assert differs(folder, what.options, here) == difference
    other = "it was started with other options, which are in its plan.json"
    assert differs(folder, replace(what.options, rounds=3), here) == other
    (tmp_path / "plan.json").unlink()
    assert differs(folder, what.options, here) == "its plan.json is gone"


@pytest.mark.usefixtures("at_once")
def test_each_trains_its_own_epochs_and_all_that_two_have_are_compared(tmp_path: Path) -> None:
    short = plan(fakes.case(epochs=2), names=("a", "b", "c", "d"), rounds=1)
    what = replace(short, cases=(replace(short.cases[0], epochs={"b": 8, "c": 20, "d": 20}),))
    assert [run.case.epochs for run in what.schedule()] == [2, 8, 20, 20, 20, 20, 8, 2]
    rows = carried_out(sweep_of(what, tmp_path / "right"))
    assert told(rows[:4]) == [
        (0, "4-2-1", "a", "ok", "reference"),
        (0, "4-2-1", "b", "ok", "identical up to epoch 2"),
        (0, "4-2-1", "c", "ok", "identical up to epoch 8"),
        (0, "4-2-1", "d", "ok", "identical"),
    ]
    # c ran all of them as well, as its next round knows.
    assert [row.parity for row in rows[4:]] == ["identical", "identical", "identical", "identical"]
    assert {key[0]: len(values) for key, values in SweepFolder(tmp_path / "right").losses().items()} == {
        "a": 3,
        "b": 9,
        "c": 21,
        "d": 21,
    }
    # What the reference does not see, at epoch 7, the next one does; what is wrong is a measure for nobody.
    rows = carried_out(sweep_of(what, tmp_path / "c", {"c": "wrong-at-7"}))
    assert {row.run.contender: row.parity[:9] for row in rows if row.status == "mismatch"} == {
        "c": "epoch 7: "
    }
    assert {row.parity for row in rows if row.run.contender == "d"} == {"identical up to epoch 8"}
    # Only another round tells of an epoch that nobody else has.
    what = replace(short, cases=(replace(short.cases[0], epochs={"d": 20}),))
    sweep = sweep_of(what, tmp_path / "alone")
    (first,) = [sweep.perform(run) for run in what.schedule() if (run.contender, run.round) == ("d", 0)]
    rows = carried_out(sweep_of(what, tmp_path / "alone", {"d": "wrong-at-7"}))
    assert first.parity == "reference"
    assert [row.parity[:31] for row in rows if row.status == "mismatch"] == [
        "unlike its first run: epoch 7: "
    ]


@pytest.mark.usefixtures("at_once")
def test_what_was_wrong_before_is_still_no_measure(tmp_path: Path) -> None:
    short = plan(SMALL, names=("a", "b", "c"), rounds=1)
    what = replace(short, cases=(replace(short.cases[0], epochs={"b": 20, "c": 20}),))
    first = sweep_of(what, tmp_path, {"b": "wrong-at-7"})
    for _, run in zip(range(2), first.pending(), strict=False):
        first.perform(run)
    rows = carried_out(sweep_of(what, tmp_path, {"b": "wrong-at-7"}))
    assert {row.run.contender for row in rows if row.status == "mismatch"} == {"b"}
    # Nor if its round is made again, which has no row meanwhile.
    first = sweep_of(what, tmp_path / "again", {"b": "wrong-at-7"})
    first.folder.begin(what, {})
    for _, run in zip(range(2), first.pending(), strict=False):
        first.perform(run)
    assert mended(first.folder) != []
    rows = carried_out(sweep_of(what, tmp_path / "again", {"b": "wrong-at-7"}))
    assert {row.run.contender for row in rows if row.status == "mismatch"} == {"b"}


def test_the_rounds_of_a_program_with_several_links_take_them_in_turn(tmp_path: Path) -> None:
    program = tmp_path / "fake"
    for layout in range(4):
        link = program.with_name(f"fake.layout-{layout}") if layout else program
        link.write_text(
            f'#!/bin/sh\necho $0 >>{tmp_path}/ran\nexec {" ".join(fakes.command("honest"))} "$@"\n'
        )
        link.chmod(0o755)
    several = replace(fakes.contender("a"), command=(str(program),), relink=("true",))
    one = sweeps.plan(["a", "b"], [SMALL], options=Options(rounds=6, layouts=3), control=True)
    folder = tmp_path / "folder"
    folder.mkdir()
    rows = carried_out(Sweep(one, [several, fakes.contender("b")], SweepFolder(folder), "box"))
    assert {row.status for row in rows} == {"ok"}
    layouts = {(row.run.round, row.run.control): row.layout for row in rows if row.run.contender == "a"}
    # The control takes another one, so that the floor shows what layout is worth.
    assert [layouts[number, False] for number in range(7)] == [1, 2, 3, 1, 2, 3, 1]
    assert [layouts[number, True] for number in range(7)] == [2, 3, 1, 2, 3, 1, 2]
    assert {row.layout for row in rows if row.run.contender == "b"} == {0}
    ran = (tmp_path / "ran").read_text().splitlines()
    assert ran == [f"{program}.layout-{row.layout}" for row in rows if row.run.contender == "a"]
    assert SweepFolder(folder).rows() == rows
    # Where it could not be linked, there is the usual one only.
    for layout in (1, 2, 3):
        program.with_name(f"fake.layout-{layout}").unlink()
    (tmp_path / "again").mkdir()
    again = Sweep(one, [several, fakes.contender("b")], SweepFolder(tmp_path / "again"), "box")
    assert again.perform(next(one.schedule())).layout == 0
