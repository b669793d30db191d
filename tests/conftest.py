"""What the tests of the two programs share."""

import gc
import os
import signal

import pytest

from harness.measure import pilots
from harness.measure.lock import VARIABLE
from tests.programs import PYTHON, RUST, RUST_BINARY, Program, Run, run_in_process


def pytest_configure() -> None:
    """Let signals end programs even if what started the tests ignores these, as shells and nohup do."""
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


def pytest_collection_finish() -> None:
    """Spare the garbage collector what is loaded by now and stays: full collections would visit it all."""
    gc.freeze()


@pytest.fixture(autouse=True)
def not_under_make(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget that make runs the tests: commands would name it in their messages."""
    monkeypatch.delenv("MAKELEVEL", raising=False)


@pytest.fixture(autouse=True)
def a_machine_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tests side by side not wait for each other: one thing at a time is measured on a machine."""
    monkeypatch.setenv(VARIABLE, f"test-{os.getpid()}")


@pytest.fixture(autouse=True)
def no_long_pilots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare the long runs that show what warms up: a fake would print thousands of lines."""
    monkeypatch.setattr(pilots, "_LONG_S", 0.0)


@pytest.fixture(scope="session")
def programs() -> tuple[Program, Program]:
    """Both programs, Python's first."""
    if not RUST_BINARY.exists():
        pytest.fail(f"{RUST_BINARY} is missing; build it: make build", pytrace=False)
    return PYTHON, RUST


@pytest.fixture(params=["python", "rust"])
def program(request: pytest.FixtureRequest, programs: tuple[Program, Program]) -> Program:
    """Each of the two programs in turn."""
    return next(program for program in programs if program.name == request.param)


@pytest.fixture(params=["python", "rust"])
def run(request: pytest.FixtureRequest, programs: tuple[Program, Program]) -> Run:
    """Each of the two programs in turn, Python's within this process."""
    return run_in_process if request.param == "python" else programs[1].run


@pytest.fixture
def python(programs: tuple[Program, Program]) -> Program:
    """Return the program in Python."""
    return programs[0]


@pytest.fixture
def rust(programs: tuple[Program, Program]) -> Program:
    """Return the program in Rust."""
    return programs[1]
