"""Whatever the user's shell, configuration and files look like, the same is run and the same is said."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import matplotlib
import pytest

from harness import cli
from harness.commands import sweeps as command
from harness.measure import environment, runner
from harness.measure.variables import variables
from harness.paths import ROOT
from harness.report.style import framed, png
from tests import sweeps
from tests.sweeps import pairs

STRANGE = {
    **dict.fromkeys(
        ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONUSERBASE", "LD_PRELOAD"), "/nowhere"
    ),
    **dict.fromkeys(("PYTHONSAFEPATH", "PYTHONDEVMODE", "PYTHONDONTWRITEBYTECODE", "PYTHONOPTIMIZE"), "1"),
    **dict.fromkeys(("CARGO_TARGET_DIR", "CARGO_BUILD_TARGET", "RUSTC_WRAPPER", "GIT_DIR"), "/nowhere"),
    **dict.fromkeys(("CARGO_PROFILE_RELEASE_OPT_LEVEL", "PIP_USER", "FORCE_COLOR", "MALLOC_ARENA_MAX"), "1"),
    **dict.fromkeys(("CRITERION_HOME", "PYTEST_ADDOPTS", "PIP_NO_BINARY", "CARGO_TARGET_X_RUNNER"), "x"),
    "RUSTFLAGS": "-C opt-level=0",
    "OMP_NUM_THREADS": "7",
}
"""What a shell may have that makes another program of the same one, or reaches another folder."""


def test_programs_and_builds_get_who_and_where_one_is_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, text in STRANGE.items():
        monkeypatch.setenv(name, text)
    monkeypatch.setenv("CARGO_HTTP_PROXY", "here")
    found = variables()
    assert not found.keys() & STRANGE.keys()
    assert (found["PATH"], found["CARGO_HTTP_PROXY"]) == (os.environ["PATH"], "here")
    said = runner.run(["env"], timeout_s=60.0, env={"OURS": "1"}).stdout.splitlines()
    names = {line.partition("=")[0] for line in said}
    assert not names & STRANGE.keys()
    assert {"PATH", "OURS", "FLATNET_BENCH"} <= names


def test_make_hands_on_none_of_them() -> None:
    said = subprocess.run(
        ["make", "--no-print-directory", "--eval", "environment: ; @env", "environment"],
        cwd=ROOT,
        env={**os.environ, **{name: text for name, text in STRANGE.items() if name != "LD_PRELOAD"}},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    found = dict(line.partition("=")[::2] for line in said)
    mine = {"MALLOC_ARENA_MAX", "OMP_NUM_THREADS", "CARGO_TARGET_DIR"}
    assert not found.keys() & (STRANGE.keys() - mine)
    assert found["CARGO_TARGET_DIR"] == str(ROOT / "rust_impl" / "target")


def test_make_takes_a_folder_with_a_space() -> None:
    words = ["make", "-n", "bench", "show", "plot", "kernels", "RESULTS=my results"]
    said = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said.count('--results "my results"') >= 4
    assert 'mkdir -p "my results"' in said and said.count('"my results/kernels-python.json"') == 2


@pytest.mark.parametrize("name", ["SIGHUP", "SIGTERM", "SIGINT"])
def test_what_was_ignored_from_the_start_is_ignored(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    number = signal.Signals[name]
    meanwhile: list[object] = []

    def run(*_: object) -> int:
        meanwhile.append(signal.getsignal(number))
        return 0

    monkeypatch.setattr(command, "run", run)
    before = signal.signal(number, signal.SIG_IGN)
    try:
        assert cli.main(["sweeps"]) == 0
        assert meanwhile == [signal.SIG_IGN]
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)
    assert cli.main(["sweeps"]) == 0
    assert callable(meanwhile[1])


@pytest.mark.parametrize(
    "variables",
    [{"FORCE_COLOR": "1", "COLUMNS": "0"}, {"COLUMNS": "-3", "PYTHONIOENCODING": "ascii"}],
    ids=str,
)
def test_what_goes_into_a_file_is_text(variables: dict[str, str]) -> None:
    words = [sys.executable, "-m", "harness", "show", "docs/sweep"]
    done = subprocess.run(words, cwd=ROOT, env={**os.environ, **variables}, capture_output=True, check=True)
    assert done.stderr == b""
    assert b"\x1b" not in done.stdout
    assert b"rust trains 10-5-1 (naive) " in done.stdout and len(done.stdout.splitlines()) > 40
    # There is no µ in ASCII.
    assert f" {'?' if 'PYTHONIOENCODING' in variables else 'µ'}s".encode() in done.stdout


def test_pictures_are_drawn_without_the_users_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(matplotlib.rcParams, "text.usetex", True)
    monkeypatch.setitem(matplotlib.rcParams, "font.size", 90.0)
    figure, ((axes,),) = framed("100 µs", "a caption", (1, 1), panel=(2.0, 2.0))
    axes.set_xlabel("a label")
    assert png(figure).startswith(b"\x89PNG")
    assert not axes.xaxis.label.get_usetex()
    assert axes.xaxis.label.get_fontsize() == 10.0


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    folder = sweeps.write(tmp_path, pairs([(2.0, 1.0)] * 2))
    rows = folder.rows()
    path = folder.path / "runs.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert folder.rows() == rows
    assert folder.can_grow()
    (tmp_path / "m.toml").write_bytes(b"\xef\xbb\xbf" + (ROOT / "harness" / "contenders.toml").read_bytes())
    assert cli.main(["verify", "--manifest", str(tmp_path / "m.toml"), "--cases", "1"]) == 0


@pytest.mark.parametrize(
    ("cpuinfo", "name"),
    [
        ("processor : 0\nmodel name\t: AMD EPYC\n", "AMD EPYC"),
        (
            "CPU implementer\t: 0x41\nCPU variant\t: 0x3\nCPU part\t: 0xd0c\nCPU revision\t: 1\n",
            "0x41 0xd0c 0x3 1",
        ),
        ("processor : 0\nhart : 0\nuarch : sifive,u74\n", "sifive,u74"),
    ],
)
def test_a_processor_has_the_name_or_the_numbers_of_its_maker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cpuinfo: str, name: str
) -> None:
    monkeypatch.setattr(environment, "_PROC", tmp_path)
    (tmp_path / "cpuinfo").write_text(cpuinfo)
    assert str(environment._cpu()).endswith(name)
    (tmp_path / "cpuinfo").write_text("processor : 0\n")
    assert environment._cpu() is None


def test_a_copy_within_another_repository_is_of_no_commit_of_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for words in (
        ["init", "-q"],
        ["-c", "user.name=x", "-c", "user.email=x", "commit", "-qm", "x", "--allow-empty"],
    ):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    inner = tmp_path / "inner"
    inner.mkdir()
    for where, is_known in ((tmp_path, True), (inner, False)):
        monkeypatch.setattr(environment, "ROOT", where)
        monkeypatch.setattr(runner, "ROOT", where)
        found = environment._describe([], {}, {})
        assert (found["commit"] is not None, found["uncommitted_changes"] is not None) == (is_known, is_known)
    found = {**found, "load_1min": 0.0, "governor": None, "turbo": None, "usable_cores": 2}
    assert "git does not tell the commit of this folder" in environment.warnings(found)
