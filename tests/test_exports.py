"""The tables as files."""

import io
from pathlib import Path

import pandas as pd

from harness.analysis.results import understand
from harness.report.files import write_tables
from tests.sweeps import case, curve, failure, mismatch, pairs, row, write


def test_the_tables_of_a_sweep(tmp_path: Path) -> None:
    rows = [
        *pairs([(4.0, 1.0)] * 2),
        *(row("python", number, control=True, training_s=4.0, wall_s=4.5) for number in (1, 2)),
        *pairs([(1.0,)], of=case("10-5-1"), names=["python"]),
        *(mismatch("rust", 1, of=case("10-5-1")), failure("go", 1)),
    ]
    folder = write(tmp_path, rows)
    results = understand(folder)
    write_tables(folder, results)
    # Ratios 4 and 4, 3 and 3; two equal rounds have the level 1 - 2 / 4.
    equal = "2,2.0,0.0,1.0,1.0,1.0,0.5,1.0,4-2-1"
    none = "0,0.0,,,,,,1.0,4-2-1"
    wrong = "mismatch,epoch 1: 2.0 instead of 1.0 (off by 5e-01 of the initial loss)"
    assert (folder.path / "speedup.csv").read_text(encoding="utf-8").splitlines() == [
        "method,layers,neurons,parameters,multiply_adds,contender,reference,control,measure,rounds,"
        "effective_rounds,lag1,ratio,low,high,level,floor,floor_layers,verdict,parity",
        *(
            f"naive,4-2-1,7,12,240,python,python,yes,{measure},{equal},cannot tell,identical"
            for measure in ("training", "process")
        ),
        "naive,4-2-1,7,12,240,rust,python,no,training,2,2.0,0.0,4.0,4.0,4.0,0.5,1.0,4-2-1,faster,identical",
        "naive,4-2-1,7,12,240,rust,python,no,process,2,2.0,0.0,3.0,3.0,3.0,0.5,1.0,4-2-1,faster,identical",
        *(
            f"naive,4-2-1,7,12,240,go,python,no,{measure},{none},crash,"
            for measure in ("training", "process")
        ),
        *(
            f"naive,10-5-1,16,57,6270,rust,python,no,{measure},{none},{wrong}"
            for measure in ("training", "process")
        ),
    ]
    summary = (folder.path / "summary.csv").read_text(encoding="utf-8").splitlines()
    assert summary[1] == "naive,4-2-1,7,12,240,python,step_s,ok,2,4.0,4.0,4.0,0.5,2.0,0.0,0.0,4.0,4.0,4.0,0"
    assert "naive,10-5-1,16,57,6270,rust,step_s,mismatch,1,1.0,,,,1.0,,0.0,1.0,1.0,1.0,0" in summary


def test_numbers_read_back_to_the_same_values(tmp_path: Path) -> None:
    times = {"10-5-1": 0.1, "16-8-1": 0.3, "32-16-1": 1 / 3}
    folder = write(tmp_path, [*curve("python", "naive", times), *curve("rust", "naive", times)])
    results = understand(folder)
    write_tables(folder, results)
    for name, table in (
        ("summary.csv", results.summary),
        ("speedup.csv", results.speedups),
        ("scaling.csv", results.exponents),
    ):
        content = (folder.path / name).read_bytes()
        assert b"\r" not in content
        back = pd.read_csv(io.BytesIO(content))
        if "control" in back:
            back["floor_layers"] = back["floor_layers"].astype(object).fillna("").astype(str)
            back["control"] = back["control"].map({"yes": True, "no": False})
        pd.testing.assert_frame_equal(back, table, check_exact=True)


def test_a_sweep_with_nothing_to_compare_has_tables_with_a_header_only(tmp_path: Path) -> None:
    folder = write(tmp_path, [row()])
    write_tables(folder, understand(folder))
    for name in ("speedup.csv", "scaling.csv"):
        assert len((folder.path / name).read_text(encoding="utf-8").splitlines()) == 1
