"""What the machine is, and what makes it noisy."""

import hashlib
import json
from pathlib import Path

import pytest

from harness import __version__
from harness.case import METHODS
from harness.measure import environment
from harness.measure.contenders import Contender
from harness.paths import ROOT

QUIET: dict[str, object] = {
    "load_1min": 0.5,
    "governor": "performance",
    "turbo": False,
    "usable_cores": 2,
    "python_build_options": "'--enable-optimizations' '--with-lto'",
    "uncommitted_changes": False,
    "commit": "0123456",
    "sitecustomize": False,
    "cargo_profiles": [],
    "variables": {},
}
NO_COMMIT = "git does not tell the commit of this folder"


def here() -> environment.Machine:
    a = Contender(
        name="a",
        command=(f"{ROOT}/bin/a", "x"),
        version=("echo", "a 1"),
        methods=METHODS,
        build=("make", f"{ROOT}/a"),
        toolchain=("echo", "cc 1.0"),
        threads=2,
    )
    b = Contender(name="b", command=("b",), version=("/no/b",), methods=METHODS)
    return environment.look_around([a, b])


def test_everything_is_told_and_can_be_written_as_json() -> None:
    found = here().environment
    assert json.loads(json.dumps(found)) == found
    assert list(found) == [
        *("harness", "commit", "uncommitted_changes", "host", "cpu", "cores", "usable_cores"),
        *("measuring_core", "governor", "turbo", "load_1min", "memory_bytes", "system"),
        *("python", "python_compiler", "python_build_options", "variables", "sitecustomize"),
        *("cargo_profiles", "contenders", "missing"),
    ]
    assert found["harness"] == __version__
    assert found["contenders"] == {
        "a": {
            "version": "a 1",
            "sha256": hashlib.sha256(b"").hexdigest(),  # there is no such file
            "command": "bin/a x",
            "build": "make a",
            "toolchain": "cc 1.0",
            "threads": 2,
            "env": {},
            "tolerance": 0.0,
            "extra_epochs": 0.0,
        }
    }
    assert found["missing"] == {"b": "/no/b: cannot be started: No such file or directory"}
    assert str(ROOT) not in json.dumps({**found, "python_build_options": None})


def test_variables_that_change_what_is_built_or_run(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in environment._VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RUSTUP_TOOLCHAIN", "nightly")
    # This one reaches nothing.
    monkeypatch.setenv("RUSTFLAGS", "-C target-cpu=native")
    found = here().environment
    assert found["variables"] == {"RUSTUP_TOOLCHAIN": "nightly"}
    assert "set, and decides what is timed: RUSTUP_TOOLCHAIN" in environment.warnings(found)


def test_a_machine_that_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "_read", lambda _: None)
    monkeypatch.setattr(environment, "_output", lambda *_: None)
    found = here().environment
    for name in ("commit", "uncommitted_changes", "governor", "turbo"):
        assert found[name] is None
    quiet = {"load_1min": 0.0, "python_build_options": "--enable-optimizations", "variables": {}}
    said = environment.warnings({**found, **quiet})
    assert said == [
        *["one core only: other programs take its time from the measured"] * (found["usable_cores"] == 1),
        NO_COMMIT,
    ]


@pytest.mark.parametrize(
    ("file", "text", "turbo"),
    [
        ("no_turbo", "0", True),
        ("no_turbo", "1", False),
        ("no_turbo", None, None),
        ("boost", "1", True),
        ("boost", "0", False),
    ],
)
def test_turbo_of_intel_and_of_others(
    monkeypatch: pytest.MonkeyPatch, file: str, text: str | None, turbo: bool | None
) -> None:
    monkeypatch.setattr(environment, "_read", lambda path: text if path.name == file else None)
    assert environment._turbo() is turbo


def test_the_name_of_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "processor\t: 0\nmodel name\t: Fast: 9000 @ 3 GHz\nmodel name\t: other\n"
    monkeypatch.setattr(environment, "_read", lambda path: text if path == Path("/proc/cpuinfo") else None)
    assert environment._cpu() == "Fast: 9000 @ 3 GHz"


def test_nothing_to_warn_of() -> None:
    assert environment.warnings(QUIET) == []
    unknown = dict.fromkeys(("governor", "turbo", "uncommitted_changes", "commit"))
    assert environment.warnings({**QUIET, **unknown}) == [NO_COMMIT]


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("load_1min", 0.56, "the last minute's load was 0.6: unless that was a build, close other programs"),
        ("governor", "powersave", "the CPU governor is 'powersave': 'performance' has a steadier clock"),
        ("turbo", True, "turbo is on: the clock varies with heat; ratios tolerate that"),
        ("usable_cores", 1, "one core only: other programs take its time from the measured"),
        ("python_build_options", "'--with-lto'", "this Python is slow: built without --enable-optimizations"),
        ("uncommitted_changes", True, "uncommitted changes: the commit does not tell what is measured"),
        ("commit", None, NO_COMMIT),
        ("cargo_profiles", ["/x"], "Cargo's configuration decides how is built: /x"),
        ("sitecustomize", True, "a sitecustomize is run by every Python program before it"),
        ("variables", {"LD_LIBRARY_PATH": "/x"}, "set, and decides what is timed: LD_LIBRARY_PATH"),
    ],
)
def test_each_warning(name: str, value: object, line: str) -> None:
    (warning,) = environment.warnings({**QUIET, name: value})
    assert warning.startswith(line)
