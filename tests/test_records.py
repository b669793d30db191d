"""The folder of a sweep: rows that read back exactly, whatever happened to the writer or the file."""

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.case import Case
from harness.errors import ResultsError
from harness.plan import Run
from harness.records import LOSS_COLUMNS, LOSSES, RUNS, SweepFolder, replace_file
from harness.rows import COLUMNS, STATUSES, Row, cells, read_row
from tests import fakes, sweeps

words = st.text(st.characters(codec="utf-8"), max_size=20).map(lambda text: " ".join(text.splitlines()))
counts = st.integers(0, 2**64)
seconds = st.floats(0.0, 1e9)
cases = st.builds(
    Case,
    shape=st.just(fakes.case("4-2-1").shape),
    method=st.sampled_from(("naive", "incremental", "backprop")),
    samples=st.integers(1, 2**64 - 1),
    epochs=st.integers(0, 2**64 - 1),
    step=st.floats(5e-324, 1e300),
    learning_rate=st.floats(0.0, 1e300),
    low=st.floats(-1e300, 0.0),
    high=st.floats(0.0, 1e300),
    seed=st.integers(0, 2**64 - 1),
)
runs = st.builds(Run, case=cases, contender=words, control=st.booleans(), round=counts, position=counts)
rows = st.builds(
    Row,
    sweep=words,
    run=runs,
    status=st.sampled_from(("ok", "mismatch")),
    wall_s=seconds,
    training_s=seconds.filter(bool),
    stolen_s=st.none() | st.floats(0.0, 1e6),
    threads=counts,
    **dict.fromkeys(("user_s", "system_s"), seconds),
    **dict.fromkeys(("peak_memory_bytes", "involuntary_switches"), st.none() | counts),
    **dict.fromkeys(("initial_loss", "final_loss"), st.none() | st.floats(allow_nan=False)),
    **dict.fromkeys(("parity", "error", "started_utc", "host", "version"), words),
)
rows |= rows.map(lambda row: replace(row, status="crash", training_s=None))


def by_column(row: Row) -> dict[str, str]:
    return dict(zip(COLUMNS, cells(row), strict=True))


@settings(deadline=None)
@given(rows)
def test_cells_read_back_exactly(row: Row) -> None:
    assert read_row(by_column(row)) == row


@settings(deadline=None, max_examples=30)
@given(st.lists(rows, min_size=1, max_size=3, unique_by=lambda row: row.run.key))
def test_a_file_reads_back_exactly(tmp_path_factory: pytest.TempPathFactory, several: list[Row]) -> None:
    folder = SweepFolder(tmp_path_factory.mktemp("results"))
    several = [replace(row, sweep=several[0].sweep) for row in several]
    for row in several:
        folder.append_row(row)
    assert folder.rows() == several


def test_nan_and_line_breaks() -> None:
    row = replace(sweeps.row(), final_loss=float("nan"), error="one\ntwo\r\nthree")
    back = read_row(by_column(row))
    assert repr(back.final_loss) == "nan"
    assert back.error == "one two three"


def test_the_file_as_text(tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path)
    folder.append_row(sweeps.row())
    folder.append_row(
        sweeps.row("rust", 0, status="crash", training_s=None, parity="", error='said "no", left')
    )
    header, first, second = (tmp_path / RUNS).read_text(encoding="utf-8").splitlines()
    assert header == (
        "sweep,started_utc,host,contender,version,control,method,layers,neurons,parameters,multiply_adds,"
        "samples,epochs,step,learning_rate,low,high,seed,threads,layout,round,position,warm_up,status,wall_s,"
        "user_s,system_s,training_s,compile_s,peak_memory_bytes,involuntary_switches,stolen_s,"
        "initial_loss,final_loss,parity,error"
    )
    # 4-2-1: 7 neurons, 8 + 1 + 2 + 1 = 12 parameters, 2 * 12 * 10 = 240 multiply-adds.
    assert first == (
        f"{sweeps.SWEEP},2026-01-01T00:00:00.123+00:00,box,python,python 1.0,no,naive,4-2-1,"
        "7,12,240,1,1,0.1,0.01,0.0,1.0,1,1,0,1,1,no,ok,2.0,0.25,0.5,1.0,,4096,,,0.5,0.25,identical,"
    )
    assert second == (
        f"{sweeps.SWEEP},2026-01-01T00:00:00.123+00:00,box,rust,rust 1.0,no,naive,4-2-1,"
        "7,12,240,1,1,0.1,0.01,0.0,1.0,1,1,0,0,1,yes,crash,2.0,0.25,0.5,,,4096,,,0.5,0.25,,"
        '"said ""no"", left"'
    )


def test_a_row_cut_at_any_byte_is_set_aside_and_nothing_else(tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path)
    assert folder.set_half_lines_aside() == []
    kept, lost = sweeps.row(), sweeps.row("rust", error='a "quoted", ü')
    folder.append_row(kept)
    whole = (tmp_path / RUNS).read_bytes()
    folder.append_row(lost)
    both = (tmp_path / RUNS).read_bytes()
    for length in range(len(whole), len(both)):
        (tmp_path / RUNS).write_bytes(both[:length])
        assert folder.rows() == [kept]
        assert folder.set_half_lines_aside() == ([RUNS] if length > len(whole) else [])
        assert (tmp_path / RUNS).read_bytes() == whole
        if length > len(whole):
            half = (tmp_path / f"{RUNS}.half").read_text(encoding="utf-8").splitlines()[-1]
            assert half.encode() == both[len(whole) : length].decode(errors="replace").encode()
    header = whole.index(b"\n")
    for length in range(header):
        (tmp_path / RUNS).write_bytes(whole[:length])
        assert folder.rows() == []
    folder.set_half_lines_aside()
    folder.append_row(lost)
    assert folder.rows() == [lost]


@pytest.mark.parametrize(
    "content",
    [b"x" * 9000, b"a,b\n1,2", b"\xff\xfe\n", ",".join(COLUMNS).encode() + b"\r" + b"s" * 100 + b"\r"],
)
def test_a_file_that_is_no_table_is_refused_and_not_touched(tmp_path: Path, content: bytes) -> None:
    """Nine thousand bytes without a line break, say, or line ends of a kind that hides all rows."""
    (tmp_path / RUNS).write_bytes(content)
    folder = SweepFolder(tmp_path)
    for read in (folder.rows, folder.set_half_lines_aside):
        with pytest.raises(ResultsError) as caught:
            read()
        assert str(caught.value).startswith(str(tmp_path / RUNS))
        assert "\n" not in str(caught.value)
    assert (tmp_path / RUNS).read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == [RUNS]


def test_a_run_that_stands_there_twice_is_refused(tmp_path: Path) -> None:
    """It would count as another round."""
    folder = SweepFolder(tmp_path)
    rust = [sweeps.row("rust", number, wall_s=wall_s) for number, wall_s in ((2, 2.0), (3, 2.0), (2, 9.0))]
    for row in (sweeps.row(), *rust):
        folder.append_row(row)
    with pytest.raises(ResultsError) as caught:
        folder.rows()
    assert str(caught.value) == (
        f"{tmp_path / RUNS}, line 5: repeats line 3 (rust naive 4-2-1, round 2); restore or remove the line"
    )


def test_columns_are_read_by_name(tmp_path: Path) -> None:
    """Those of an older version that had fewer, of a newer one that has more, in any order."""
    row = sweeps.row()
    texts = {**by_column(row), "colour": "red"}
    essential = (
        *("sweep", "contender", "control", "method", "layers", "samples", "epochs", "step", "learning_rate"),
        *("low", "high", "seed", "round", "position", "status", "wall_s", "training_s"),
    )
    order = [*reversed(essential), "colour"]
    lines = [",".join(order), ",".join(texts[name] for name in order), ""]
    (tmp_path / RUNS).write_text("\n".join(lines), encoding="utf-8")
    folder = SweepFolder(tmp_path)
    (read,) = folder.rows()
    assert read == Row(sweep=row.sweep, run=row.run, status="ok", wall_s=2.0, training_s=1.0)
    assert not folder.can_grow()
    for missing in essential:
        rest = [name for name in order if name != missing]
        (tmp_path / RUNS).write_text(",".join(rest) + "\n", encoding="utf-8")
        with pytest.raises(ResultsError, match=f"has no column {missing!r}; restore or remove the file$"):
            folder.rows()


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [
        ("wall_s", "fast", "wall_s is 'fast', takes a number"),
        ("wall_s", "", "wall_s is '', takes a number"),
        ("wall_s", "-1.0", "wall_s is -1.0, takes seconds of at least 0"),
        ("wall_s", "nan", "wall_s is nan, takes seconds of at least 0"),
        ("training_s", "inf", "training_s is inf, takes seconds of at least 0"),
        ("training_s", "1,5", "has more or fewer cells than there are columns"),
        ("training_s", "1 s", "training_s is '1 s', takes a number or nothing"),
        ("peak_memory_bytes", "4 MB", "peak_memory_bytes is '4 MB', takes an integer or nothing"),
        ("control", "", "control is '', takes yes or no"),
        ("layers", "4-x-1", "layers is '4-x-1', takes a shape such as 10-5-1"),
        ("method", "magic", "method is 'magic', takes naive, incremental, backprop"),
        ("status", "fine", f"status is 'fine', takes {', '.join(STATUSES)}"),
        ("samples", "0", "samples is 0, takes an integer from 1 to 2^64 - 1"),
        ("samples", "9" * 400, f"samples is '{'9' * 56}..., takes an integer"),
        ("epochs", "1e20", "epochs is '1e20', takes an integer"),
        ("layers", "4-2-1-\0", "layers is '4-2-1-\\x00', takes a shape such as 10-5-1"),
        ("step", "inf", "step is inf, takes a finite number above 0"),
        ("training_s", "", "training_s is empty or zero, and the status is ok"),
        ("training_s", "0.0", "training_s is empty or zero, and the status is ok"),
        ("high", "-1.0", "high is -1.0, takes a finite number of at least 0.0, which is low"),
    ],
)
def test_a_row_edited_into_nonsense(tmp_path: Path, column: str, cell: str, message: str) -> None:
    folder = SweepFolder(tmp_path)
    folder.append_row(sweeps.row())
    texts = by_column(sweeps.row("rust")) | {column: cell}
    with (tmp_path / RUNS).open("a", encoding="utf-8") as file:
        file.write(",".join(texts.values()) + "\n")
    with pytest.raises(ResultsError) as caught:
        folder.rows()
    assert str(caught.value) == f"{tmp_path / RUNS}, line 3: {message}; restore or remove the line"


def test_a_cell_of_endless_length(tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path)
    folder.append_row(replace(sweeps.row(), error="x" * 200_000))
    with pytest.raises(ResultsError, match=r"runs\.csv, line 2: is not CSV: field larger than field limit"):
        folder.rows()


def full(*_: object) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_folder_that_is_gone_or_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ResultsError) as caught:
        SweepFolder(tmp_path / "absent").append_row(sweeps.row())
    assert str(caught.value) == (
        f"{tmp_path / 'absent' / RUNS}: cannot be written: No such file or directory;"
        " what was measured before is kept, mend this and run the same command again (tables alone: make"
        " plot)"
    )
    with pytest.raises(ResultsError, match=r"a\.json: cannot be written: No such file or directory;"):
        SweepFolder(tmp_path / "absent").write_json("a.json", {})
    monkeypatch.setattr(os, "open", full)
    with pytest.raises(ResultsError, match=r"runs\.csv: cannot be written: No space left on device;"):
        SweepFolder(tmp_path).append_row(sweeps.row())


def test_no_link_is_followed(tmp_path: Path) -> None:
    """Somebody who can write to the folder could otherwise have any file overwritten."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    for name in (RUNS, ".a.new", f"{RUNS}.half"):
        (tmp_path / name).symlink_to(victim)
    folder = SweepFolder(tmp_path)
    with pytest.raises(ResultsError, match=r"csv: cannot be written: Too many levels of symbolic links;"):
        folder.append_row(sweeps.row())
    (tmp_path / RUNS).unlink()
    folder.append_row(sweeps.row())
    with (tmp_path / RUNS).open("a", encoding="utf-8") as file:
        file.write("half")
    with pytest.raises(ResultsError, match="cannot be repaired: Too many levels of symbolic links;"):
        folder.set_half_lines_aside()
    assert (tmp_path / RUNS).read_bytes().endswith(b"half")
    replace_file(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert victim.read_bytes() == b"precious"


def test_a_disk_that_fills_while_a_file_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace_file(tmp_path / "a", b"older")
    replace_file(tmp_path / "a", b"old")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(ResultsError, match="a: cannot be written: No space left on device;"):
        replace_file(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


KNOWN = {
    ("python", "naive", "4-2-1"): (0.1 + 0.2, 5e-324, float("inf")),
    ("a,b", "backprop", "10-5-1"): (1.0,),
}


def test_losses_read_back_exactly(tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path)
    assert folder.losses() == {}
    for key, losses in KNOWN.items():
        folder.append_losses(key, losses)
    assert folder.losses() == KNOWN
    assert (tmp_path / LOSSES).read_text(encoding="utf-8") == (
        "contender,method,layers,epoch,loss\n"
        "python,naive,4-2-1,0,0.30000000000000004\n"
        "python,naive,4-2-1,1,5e-324\n"
        "python,naive,4-2-1,2,inf\n"
        '"a,b",backprop,10-5-1,0,1.0\n'
    )


def test_losses_cut_at_any_byte_can_be_written_again(tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path)
    first, second = KNOWN.items()
    folder.append_losses(*second)
    start = len((tmp_path / LOSSES).read_bytes())
    folder.append_losses(*first)
    both = (tmp_path / LOSSES).read_bytes()
    for length in range(start, len(both)):
        (tmp_path / LOSSES).write_bytes(both[:length])
        folder.set_half_lines_aside()
        assert len(folder.losses().get(first[0], ())) == both[start:length].count(b"\n")
        folder.append_losses(*first)
        assert folder.losses() == KNOWN


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("p,naive,4-2-1,1,0.5", "epoch is 1, which is not the next"),
        ("p,naive,4-2-1,0,x", "loss is 'x', takes a number"),
        ("p,naive,4-2-1,\u0661,1.0", "epoch is '\\u0661', takes an integer"),
    ],
)
def test_losses_edited_into_nonsense(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / LOSSES
    path.write_text(",".join(LOSS_COLUMNS) + "\n" + line + "\n", encoding="utf-8")
    with pytest.raises(ResultsError) as caught:
        SweepFolder(tmp_path).losses()
    assert str(caught.value) == f"{path}, line 2: {message}; restore or remove the line"


def test_json(tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path)
    assert folder.read_json("a.json") is None
    folder.write_json("a.json", {"ü": [1, None, 0.1]})
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == (
        '{\n  "ü": [\n    1,\n    null,\n    0.1\n  ]\n}\n'
    )
    assert folder.read_json("a.json") == {"ü": [1, None, 0.1]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read: Expecting property name"),
        ("[]", "is not a JSON object; restore or remove the file"),
        ("\xff", "cannot be read: "),
        ("[" * 100_000, "cannot be read: maximum recursion depth exceeded"),
        ('{"a": ' * 100_000, "cannot be read: maximum recursion depth exceeded"),
        ("1" * 5000, "cannot be read: Exceeds the limit"),
    ],
    ids=lambda text: ascii(text)[:20],
)
def test_json_that_is_none(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "plan.json").write_bytes(text.encode("latin-1"))
    for read in (SweepFolder(tmp_path).plan, lambda: SweepFolder(tmp_path).read_json("plan.json")):
        with pytest.raises(ResultsError) as caught:
            read()
        assert str(caught.value).startswith(f"{tmp_path / 'plan.json'}: {message}")
        assert "\n" not in str(caught.value)


def test_rows_of_two_sweeps_are_not_one(tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path)
    folder.append_row(sweeps.row())
    folder.append_row(replace(sweeps.row(round=2), sweep="another"))
    with pytest.raises(ResultsError, match=r"line 3: is of another sweep, 'another', than the lines above;"):
        folder.rows()


@pytest.mark.parametrize("kind", ["fifo", "folder"])
def test_what_is_no_file_is_not_waited_for(tmp_path: Path, kind: str) -> None:
    path = tmp_path / RUNS
    os.mkfifo(path) if kind == "fifo" else path.mkdir()
    with pytest.raises(ResultsError, match=r"runs\.csv: is no file; restore or remove the file"):
        SweepFolder(tmp_path).rows()


def test_nothing_outside_is_cut(tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path / "sweep")
    folder.path.mkdir()
    folder.append_row(sweeps.row())
    outside = tmp_path / "outside.csv"
    (folder.path / RUNS).rename(outside)
    outside.write_bytes(outside.read_bytes() + b"half a li")
    (folder.path / RUNS).symlink_to(outside)
    whole = outside.read_bytes()
    assert folder.set_half_lines_aside() == [RUNS]
    assert (folder.path / RUNS).read_bytes() == whole.removesuffix(b"half a li")
    assert outside.read_bytes() == whole


@pytest.mark.parametrize("contenders", [[], 3, {"a": "b"}])
def test_an_environment_of_another_form(tmp_path: Path, contenders: object) -> None:
    folder = SweepFolder(tmp_path)
    folder.write_json("environment.json", {"contenders": contenders})
    with pytest.raises(ResultsError, match=r"environment\.json: has something else than contenders"):
        folder.environment()
