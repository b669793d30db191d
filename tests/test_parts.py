"""Where the time of a run goes: parts from times that are known."""

from pathlib import Path

import pandas as pd
import pytest
from matplotlib.patches import Rectangle

from harness import cli
from harness.analysis import parts
from harness.errors import NothingMeasured, ResultsError
from harness.report import pictures_across, style
from tests import fakes

RUNS = [
    # Start-up 2, compiling 1, data 0.5, 100 epochs 8 of which 3 are printing, and 0.25 to end.
    ("a", "naive", "one sample", 3.0, 0.0, 1.0),
    ("a", "naive", "no epoch", 3.5, 0.0, 1.0),
    ("a", "naive", "one epoch", 8.6, 5.0, 1.0),
    ("a", "naive", "whole", 11.75, 8.0, 1.0),
]


def runs(*lines: tuple[str, str, str, float, float, float]) -> pd.DataFrame:
    """Return three rounds of each, the second being the median."""
    made = [
        (*line[:3], number, *(seconds + off for seconds in line[3:]))
        for line in lines
        for number, off in enumerate((-0.125, 0.0, 0.25), start=1)
    ]
    return pd.DataFrame(made, columns=parts.RUNS)


def test_each_part_is_a_difference_of_two_runs() -> None:
    (one,) = parts.parts(runs(*RUNS)).to_dict("records")
    expected = {"start-up": 2.0, "data": 0.5, "compiling": 1.0, "training": 5.0, "printing": 3.0, "end": 0.25}
    assert {name: one[f"{name}_s"] for name in parts.PARTS} == pytest.approx(expected)
    assert one["whole_s"] == pytest.approx(sum(expected.values()))


def test_noise_makes_no_part_negative() -> None:
    quick = [*RUNS[:2], ("a", "naive", "one epoch", 12.0, 9.0, 1.0), RUNS[3]]
    (one,) = parts.parts(runs(*quick)).to_dict("records")
    assert one["printing_s"] == 0.0
    assert one["training_s"] == pytest.approx(8.0)
    assert min(one[f"{name}_s"] for name in parts.PARTS) >= 0.0


def test_who_lacks_a_run_is_left_out() -> None:
    other = [("b", *line[1:]) for line in RUNS[:3]]
    assert list(parts.parts(runs(*RUNS, *other))["contender"]) == ["a"]
    with pytest.raises(NothingMeasured, match="no contender has ended all four runs"):
        parts.parts(runs(*other))


def test_the_picture_shows_every_part_of_everybody() -> None:
    lines = [*RUNS, *[("b", "backprop", *line[2:]) for line in RUNS]]
    figure = pictures_across.parts(parts.parts(runs(*lines)))
    assert style.png(figure).startswith(b"\x89PNG")
    assert [axes.get_title() for axes in figure.axes] == ["naive", "backprop"]
    for axes in figure.axes:
        widths = [bar.get_width() for bar in axes.patches if isinstance(bar, Rectangle)]
        assert len(widths) == len(parts.PARTS)
        assert sum(widths) == pytest.approx(1.0)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == list(parts.PARTS)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = fakes.write_manifest(tmp_path / "m.toml", {"a": "honest", "b": "crash:3"})
    words = ["parts", "--results", str(tmp_path), "--manifest", str(manifest), "--rounds", "2"]
    # b's version command works, its runs don't.
    assert cli.main(words) == 0
    said = capsys.readouterr()
    assert "b naive 10-5-1: exit status 3" in said.err
    assert "Where the time of the article's run goes" in said.out
    table = parts.read(tmp_path / "parts.csv")
    assert list(table.columns) == parts.RUNS
    assert len(table) == 2 * 2 * 4
    # A fake says that a step takes 0.4 microseconds, printed or not.
    (naive, backprop) = parts.parts(table).to_dict("records")
    assert (naive["contender"], naive["training_s"]) == ("a", pytest.approx(0.004))
    assert backprop["printing_s"] == 0.0
    assert (tmp_path / "parts.png").read_bytes().startswith(b"\x89PNG")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match=r"parts\.csv: cannot be read"):
        parts.read(tmp_path / "parts.csv")
