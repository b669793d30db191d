"""Known answers: `golden/ARGUMENTS.out` is the exact standard output for these arguments."""

from pathlib import Path

import pytest

from tests.programs import Ended, Program

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.out"))


def test_there_are_known_answers() -> None:
    assert len(GOLDEN) == 4


@pytest.mark.parametrize("method", ["naive", "incremental"])
@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_central_differences_give_the_known_bytes(program: Program, path: Path, method: str) -> None:
    end = program.run("--method", method, *path.stem.split())
    assert end.out == path.read_bytes()
    assert end.status == 0


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_backprop_gives_the_known_losses_and_both_programs_the_same_bytes(
    programs: tuple[Program, Program], path: Path
) -> None:
    python, rust = (program.run("--method", "backprop", *path.stem.split()) for program in programs)
    assert python.out == rust.out
    assert (python.status, rust.status) == (0, 0)
    known = Ended(status=0, out=path.read_bytes(), err="")
    assert len(python.out.split()) == len(known.out.split())
    for found, loss in zip(
        [python.initial_loss, *python.losses], [known.initial_loss, *known.losses], strict=True
    ):
        assert found == pytest.approx(loss, rel=1e-9, abs=0.0)
