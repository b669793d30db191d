"""The results folder: rows that read back exactly, whatever happened to the writer or the file."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import ResultsError
from harness.records import COLUMNS, LOSS_COLUMNS, RUNS, Folder, Row, decode, encode
from tests import fakes

words = st.text(st.characters(codec="utf-8"), max_size=20).map(lambda text: " ".join(text.splitlines()))
counts = st.integers(0, 2**70)
seconds = st.floats(0.0, 1e9)
rows = st.builds(
    Row,
    sweep=words,
    started_utc=words,
    host=words,
    contender=words,
    version=words,
    control=st.booleans(),
    method=st.sampled_from(("naive", "incremental", "backprop")),
    layers=st.just("4-2-1"),
    neurons=st.just(7),
    parameters=counts,
    multiply_adds=counts,
    samples=st.integers(1, 2**70),
    epochs=st.integers(1, 2**70),
    step=st.floats(allow_nan=False),
    learning_rate=st.floats(allow_nan=False),
    low=st.floats(allow_nan=False),
    high=st.floats(allow_nan=False),
    seed=counts,
    threads=counts,
    round=counts,
    position=counts,
    warm_up=st.booleans(),
    status=st.sampled_from(("ok", "timeout", "crash", "flood", "stray", "garbled", "mismatch")),
    wall_s=seconds,
    user_s=seconds,
    system_s=seconds,
    training_s=seconds.filter(bool),
    peak_memory_bytes=st.none() | counts,
    initial_loss=st.none() | st.floats(allow_nan=False),
    final_loss=st.none() | st.floats(allow_nan=False),
    parity=words,
    error=words,
)


rows |= rows.map(lambda row: replace(row, status="crash", training_s=None))


@settings(deadline=None)
@given(rows)
def test_cells_read_back_exactly(row: Row) -> None:
    assert decode(encode(row), "x") == row


@settings(deadline=None, max_examples=30)
@given(st.lists(rows, min_size=1, max_size=3))
def test_a_file_reads_back_exactly(tmp_path_factory: pytest.TempPathFactory, several: list[Row]) -> None:
    folder = Folder(tmp_path_factory.mktemp("results"))
    for row in several:
        folder.append_row(row)
    assert folder.read_rows() == several


def test_nan_and_line_breaks() -> None:
    row = replace(fakes.row(), final_loss=float("nan"), error="one\ntwo\r\nthree")
    back = decode(encode(row), "x")
    assert repr(back.final_loss) == "nan"
    assert back.error == "one two three"


def test_the_file_as_text(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.append_row(fakes.row())
    folder.append_row(
        fakes.row("rust", 0, status="crash", training_s=None, parity="", error='said "no", left')
    )
    header, first, second = (tmp_path / RUNS).read_text(encoding="utf-8").splitlines()
    assert header == (
        "sweep,started_utc,host,contender,version,control,method,layers,neurons,parameters,multiply_adds,"
        "samples,epochs,step,learning_rate,low,high,seed,threads,round,position,warm_up,status,wall_s,"
        "user_s,system_s,training_s,peak_memory_bytes,initial_loss,final_loss,parity,error"
    )
    # 4-2-1: 7 neurons, 8 + 1 + 2 + 1 = 12 parameters, 2 * 12 * 10 = 240 multiply-adds.
    assert first == (
        "2024-01-01T00:00:00+00:00,2024-01-01T00:00:00.123+00:00,box,python,python 1.0,no,naive,4-2-1,"
        "7,12,240,2,8,0.1,0.01,0.0,1.0,1,1,1,1,no,ok,2.0,0.25,0.5,1.0,4096,0.5,0.25,identical,"
    )
    assert second == (
        "2024-01-01T00:00:00+00:00,2024-01-01T00:00:00.123+00:00,box,rust,rust 1.0,no,naive,4-2-1,"
        "7,12,240,2,8,0.1,0.01,0.0,1.0,1,1,0,1,yes,crash,2.0,0.25,0.5,,4096,0.5,0.25,,"
        '"said ""no"", left"'
    )


def test_a_row_cut_at_any_byte_is_dropped_and_nothing_else(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    assert not folder.drop_half_row()
    kept, lost = fakes.row(), fakes.row("rust", error='a "quoted", ü')
    folder.append_row(kept)
    whole = (tmp_path / RUNS).read_bytes()
    folder.append_row(lost)
    both = (tmp_path / RUNS).read_bytes()
    for length in range(len(whole), len(both)):
        (tmp_path / RUNS).write_bytes(both[:length])
        assert folder.read_rows() == [kept]
        assert folder.drop_half_row() == (length > len(whole))
        assert (tmp_path / RUNS).read_bytes() == whole
    for length in range(len(whole)):
        (tmp_path / RUNS).write_bytes(whole[:length])
        assert folder.read_rows() == []
    folder.drop_half_row()
    folder.append_row(lost)
    assert folder.read_rows() == [lost]


def edited(tmp_path: Path, column: str, cell: str) -> str:
    """Return why a file is refused in which the second row's ``column`` was edited."""
    folder = Folder(tmp_path)
    folder.create()
    folder.append_row(fakes.row())
    cells = encode(fakes.row("rust"))
    cells[COLUMNS.index(column)] = cell
    with (tmp_path / RUNS).open("a", encoding="utf-8") as file:
        file.write(",".join(cells) + "\n")
    with pytest.raises(ResultsError) as caught:
        folder.read_rows()
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / RUNS}, line 3: ")
    assert message.endswith("; restore or remove the line")
    return message.removeprefix(f"{tmp_path / RUNS}, line 3: ").removesuffix("; restore or remove the line")


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [
        ("wall_s", "fast", "wall_s is 'fast', takes a number"),
        ("wall_s", "", "wall_s is '', takes a number"),
        ("wall_s", "-1.0", "wall_s is -1.0, takes seconds of at least 0"),
        ("wall_s", "nan", "wall_s is nan, takes seconds of at least 0"),
        ("training_s", "inf", "training_s is inf, takes seconds of at least 0"),
        ("training_s", "1,5", "has 33 cells instead of 32"),
        ("training_s", "1 s", "training_s is '1 s', takes a number or nothing"),
        ("neurons", "7.0", "neurons is '7.0', takes an integer"),
        ("neurons", "8", "neurons is 8, but 4-2-1 has 7"),
        ("peak_memory_bytes", "4 MB", "peak_memory_bytes is '4 MB', takes an integer or nothing"),
        ("warm_up", "maybe", "warm_up is 'maybe', takes yes or no"),
        ("control", "", "control is '', takes yes or no"),
        ("layers", "4-x-1", "shape: got '4-x-1', takes two or more positive sizes such as 10-5-1"),
        ("method", "magic", "method is 'magic', takes naive, incremental, backprop"),
        (
            "status",
            "fine",
            "status is 'fine', takes ok, mismatch, timeout, crash, flood, stray, garbled",
        ),
        ("samples", "0", "samples is 0, takes an integer of at least 1"),
        ("epochs", "-3", "epochs is -3, takes an integer of at least 1"),
    ],
)
def test_a_row_edited_into_nonsense(tmp_path: Path, column: str, cell: str, message: str) -> None:
    assert edited(tmp_path, column, cell) == message


def test_a_run_that_ended_well_has_a_training_time(tmp_path: Path) -> None:
    message = "training_s is empty or zero, and the status is ok"
    assert edited(tmp_path / "a", "training_s", "") == message
    assert edited(tmp_path / "b", "training_s", "0.0") == message


def test_other_columns(tmp_path: Path) -> None:
    (tmp_path / RUNS).write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(ResultsError) as caught:
        Folder(tmp_path).read_rows()
    assert str(caught.value) == (
        f"{tmp_path / RUNS}: its columns are not those that this version of flatnet writes;"
        " move the file away or name another results folder"
    )


def test_not_a_text(tmp_path: Path) -> None:
    (tmp_path / RUNS).write_bytes(b"\xff\n")
    with pytest.raises(ResultsError, match=r"cannot be read: .*; restore the file or remove it$"):
        Folder(tmp_path).read_rows()


def test_a_cell_of_endless_length(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.append_row(replace(fakes.row(), error="x" * 200_000))
    with pytest.raises(ResultsError, match=r"runs\.csv, line 2: is not CSV: field larger than field limit"):
        folder.read_rows()


def test_a_folder_that_cannot_be_made_or_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ResultsError) as caught:
        Folder(tmp_path / "file" / "results").create()
    assert str(caught.value) == (
        f"{tmp_path / 'file' / 'results'}: cannot be created: Not a directory; what was measured before is"
        " kept, mend this and run the same command again"
    )
    with pytest.raises(ResultsError, match=r"runs\.csv: cannot be written: No such file or directory;"):
        Folder(tmp_path / "absent").append_row(fakes.row())
    with pytest.raises(ResultsError, match=r"a\.json: cannot be written: No such file or directory;"):
        Folder(tmp_path / "absent").write_json("a.json", {})


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk(tmp_path: Path) -> None:
    (tmp_path / RUNS).symlink_to("/dev/full")
    with pytest.raises(ResultsError, match=r"runs\.csv: cannot be written: No space left on device;"):
        Folder(tmp_path).append_row(fakes.row())


def test_a_disk_that_fills_while_a_file_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Folder(tmp_path)
    folder.write_file("a", b"older")
    folder.write_file("a", b"old")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    write = Path.write_bytes

    def half(path: Path, content: bytes) -> int:
        write(path, content[:1])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(ResultsError, match="a: cannot be written: No space left on device;"):
        folder.write_file("a", b"new")
    assert (tmp_path / "a").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


LOSSES = {
    ("s", "python", "naive", "4-2-1"): (0.1 + 0.2, 5e-324, float("inf")),
    ("s", "a,b", "backprop", "10-5-1"): (1.0,),
}


def test_losses_read_back_exactly(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    assert folder.read_losses() == {}
    folder.write_losses(LOSSES)
    assert folder.read_losses() == LOSSES
    assert (tmp_path / "losses.csv").read_text(encoding="utf-8") == (
        "sweep,contender,method,layers,epoch,loss\n"
        "s,python,naive,4-2-1,0,0.30000000000000004\n"
        "s,python,naive,4-2-1,1,5e-324\n"
        "s,python,naive,4-2-1,2,inf\n"
        's,"a,b",backprop,10-5-1,0,1.0\n'
    )


@pytest.mark.parametrize("line", ["s,p,naive,4-2-1,1,0.5", "s,p,naive,4-2-1,0,x", "s,p,naive,4-2-1,0", "s"])
def test_losses_edited_into_nonsense(tmp_path: Path, line: str) -> None:
    path = tmp_path / "losses.csv"
    path.write_text(",".join(LOSS_COLUMNS) + "\n" + line + "\n", encoding="utf-8")
    with pytest.raises(ResultsError) as caught:
        Folder(tmp_path).read_losses()
    assert str(caught.value) == (
        f"{path}, line 2: is not the next epoch's loss: {line!r}; restore the file or remove it"
    )


def test_json(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
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
        ("[]", "is not a JSON object; restore the file or remove it"),
        ("\xff", "cannot be read: "),
    ],
)
def test_json_that_is_none(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ResultsError) as caught:
        Folder(tmp_path).read_json("a.json")
    assert str(caught.value).startswith(f"{tmp_path / 'a.json'}: {message}")


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ResultsError, match=r"runs\.csv: cannot be written: Permission denied;"):
        Folder(tmp_path).append_row(fakes.row())
