"""Two revisions measured against each other, in a small project of two fake programs under git.

Most are compared within this process. Those that git or a signal must reach are compared by the project's own
copy of the harness.
"""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.cli import main
from harness.measure import planner
from tests import fakes
from tests.programs import ROOT, TIMEOUT_S

MANIFEST = """
[[contender]]
name = "one"
command = ["{python}", "-I", "-S", "one/program.py", "honest"]
version = ["{python}", "-I", "-S", "one/program.py", "honest", "--version"]
build = ["{python}", "-I", "-S", "one/build.py"]
methods = ["naive", "backprop"]

[[contender]]
name = "two"
command = ["{python}", "-I", "-S", "two/program.py", "honest"]
version = ["{python}", "-I", "-S", "two/program.py", "honest", "--version"]
methods = ["naive", "backprop"]
"""
ROUNDS = 6
"""The fewest that make an interval fit however busy the machine is, and no more are made."""
QUICK = ("--shapes", "4-2-1", "--methods", "naive", "--budget", "60")
SLOWER = ("4e-5", "5e-5")
"""What makes the fake program take a quarter longer, by its own clock."""


class Project:
    """A project under git, with the harness in it."""

    def __init__(self, path: Path, capfd: pytest.CaptureFixture[str] | None = None) -> None:
        self.path = path
        self.capfd = capfd
        self.copies = path / "results" / "compared" / ".copies"

    def git(self, *words: str) -> str:
        """Return what git says to that."""
        who = ("-c", "user.name=nobody", "-c", "user.email=nobody@localhost")
        done = subprocess.run(["git", *who, *words], cwd=self.path, capture_output=True, check=True)
        return done.stdout.decode()

    def commit(self) -> None:
        """Commit all that is there."""
        self.git("add", "--all")
        self.git("commit", "-q", "-m", "another")

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace a text in a file."""
        text = (self.path / name).read_text()
        assert old in text
        (self.path / name).write_text(text.replace(old, new))

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a comparison in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "harness", "compare", *QUICK, *words],
            cwd=self.path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def compare(self, *words: str) -> tuple[int, str, str]:
        """Return a comparison's exit status and its two streams."""
        assert self.capfd
        self.capfd.readouterr()
        return (main(["compare", *QUICK, *words]), *self.capfd.readouterr())

    def left(self) -> str:
        """Return what git finds changed, and which worktrees it knows."""
        return self.git("status", "--porcelain") + self.git("worktree", "list", "--porcelain")


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a project with one commit."""
    path = tmp_path_factory.mktemp("template")
    # With what is compiled: Python compares its sources' times, which copies keep.
    shutil.copytree(ROOT / "harness", path / "harness")
    (path / "harness" / "contenders.toml").write_text(MANIFEST)
    (path / ".gitignore").write_text("__pycache__/\nresults/\n")
    for name in ("one", "two"):
        (path / name).mkdir()
        shutil.copy(fakes.PROGRAM, path / name / "program.py")
    (path / "one" / "build.py").touch()
    project = Project(path)
    project.edit("harness/measure/planner.py", "_MOST_ROUNDS = 7, 201", f"_MOST_ROUNDS = {ROUNDS}, {ROUNDS}")
    # A fake is as quick at the end of a long run as before.
    project.edit("harness/measure/pilots.py", "_LONG_S = 1.0", "_LONG_S = 0.0")
    # Of slow steps a run has few, and few losses to write and to read.
    for name in ("one", "two"):
        project.edit(f"{name}/program.py", '4e-7"', '4e-5"')
    project.git("init", "-q")
    project.commit()
    return path


@pytest.fixture
def project(
    template: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Project:
    """Return a project with one commit, which the harness within this process takes for its own."""
    path = shutil.copytree(template, tmp_path / "project")
    for module in ("contenders", "environment", "revisions", "runner"):
        monkeypatch.setattr(f"harness.measure.{module}.ROOT", path)
    monkeypatch.setattr("harness.commands.arguments.MANIFEST", path / "harness" / "contenders.toml")
    monkeypatch.setattr("harness.commands.arguments.RESULTS", path / "results")
    for name in ("_FEWEST_ROUNDS", "_MOST_ROUNDS"):
        monkeypatch.setattr(planner, name, ROUNDS)
    monkeypatch.setenv("COLUMNS", "200")
    return Project(path, capfd)


def test_only_who_changed_is_measured_and_found_slower(project: Project) -> None:
    """And which trees were compared stands in the environment."""
    project.edit("two/program.py", *SLOWER)
    project.commit()
    before = project.left()
    status, out, _ = project.compare("--revisions", "HEAD~1", "--fail-slower", "5%", "--format", "json")
    found = json.loads(out)
    training = [case for case in found["cases"] if case["measure"] == "training"]
    assert status == 1
    assert {(one["method"], one["contender"], one["verdict"]) for one in training} == {
        ("naive", "two@HEAD", "slower"),
    }
    assert [one["change"] for one in training] == pytest.approx([0.8])
    assert found["answer"].startswith("Training HEAD against HEAD~1: of 1 case 1 slower, 0 faster,")
    environment = json.loads((project.path / "results" / "compared" / "environment.json").read_text())
    trees = {one: project.git("rev-parse", f"{one}^{{tree}}").strip() for one in ("HEAD~1", "HEAD")}
    assert environment["revisions"] == trees
    assert project.left() == before
    assert not project.copies.exists()


def test_the_same_revision_twice_is_everybody_and_no_difference(project: Project) -> None:
    status, out, _ = project.compare("--revisions", "HEAD", "--fail-slower", "1%")
    assert status == 0
    assert "Training HEAD' against HEAD: of 2 cases 0 slower, 0 faster," in out


def test_git_bisect_finds_what_made_it_slower(project: Project) -> None:
    """It skips a commit that cannot be built, and the working tree stays as it is."""
    for back in range(8, -1, -1):
        (project.path / "one" / "build.py").write_text("raise SystemExit(1)" if back == 7 else f"# {back}")
        if back == 5:
            project.edit("one/program.py", *SLOWER)
        project.commit()
    planted, unbuildable = (project.git("rev-parse", f"HEAD~{back}").strip() for back in (5, 7))
    project.git("bisect", "start", "--no-checkout", "HEAD", "HEAD~9")
    (project.path / "one" / "program.py").unlink()
    before = project.left()
    compare = [sys.executable, "-m", "harness", "compare", *QUICK, "--fail-slower", "5%"]
    out = project.git(
        "bisect", "run", *compare, "--contenders", "one", "--revisions", "HEAD~9", "BISECT_HEAD"
    )
    assert f"{planted} is the first bad commit" in out
    assert f"git bisect skip {unbuildable}" in project.git("bisect", "log")
    assert project.left() == before


def test_what_is_not_committed_is_a_revision(project: Project) -> None:
    """Changed, staged and new files all belong to it, and stay as they are."""
    project.edit("one/program.py", 'value or "4e-5"', "open(__file__.replace('program.py', 'step')).read()")
    project.git("add", "one/program.py")
    (project.path / "one" / "step").write_text("2e-5")
    (project.path / "elsewhere").symlink_to("/nowhere")
    before = project.left()
    status, out, _ = project.compare("--revisions", "HEAD", "--format", "csv")
    assert status == 0
    assert "one@HEAD+,training,,,,,,,2.0" in out
    assert project.left() == before


@pytest.mark.parametrize(
    ("file", "error"),
    [
        ("one/build.py", "error: one@HEAD+ cannot be built: exit status 1: "),
        ("two/program.py", "error: two@HEAD+ cannot be run; the note above says why"),
    ],
)
def test_a_revision_that_does_not_build_or_run(project: Project, file: str, error: str) -> None:
    (project.path / file).write_text("raise SystemExit(1)")
    status, out, err = project.compare("--revisions", "HEAD")
    assert (status, out) == (125, "")
    assert error in err
    assert not project.copies.exists()


def test_a_revision_with_other_losses(project: Project) -> None:
    """One method is broken: the other is still compared, and the status says that something is wrong."""
    project.edit("one/program.py", "3 * epoch + 7", "3 * epoch + 7 + (request.method == 'naive')")
    both = ("--methods", "naive", "backprop")
    status, out, err = project.compare("--revisions", "HEAD", "--format", "csv", *both)
    assert status == 3
    assert "one@HEAD+ naive 4-2-1" in err
    assert "mismatch" in err
    assert "backprop,4-2-1" in out
    assert "naive,4-2-1" not in out
    status, out, err = project.compare("--revisions", "HEAD", "--fail-slower", "5%")
    assert (status, out) == (
        3,
        "Training HEAD+ against HEAD: no case has rounds in which both have the right losses.\n",
    )
    assert "error: no verdict on naive 4-2-1 one@HEAD+: mismatch" in err


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_who_is_ended_leaves_nothing_for_long(project: Project, number: int, status: int) -> None:
    started = project.path / "results" / "started"
    (project.path / "one" / "build.py").write_text(
        f"import time; open({str(started)!r}, 'w'); time.sleep({TIMEOUT_S})"
    )
    before = project.left()
    with project.start("--revisions", "HEAD") as process:
        while not started.exists():
            assert process.poll() is None
            time.sleep(0.01)
        assert (project.copies / "2" / "one" / "build.py").exists()
        process.send_signal(number)
        process.stdout.close()  # type: ignore[union-attr]
        assert process.wait(TIMEOUT_S) == status
    assert project.copies.exists() == (number == signal.SIGKILL)
    assert project.left() == before
    if number == signal.SIGKILL:
        # The next one gets as far as to the pilot runs.
        status, _, err = project.compare("--revisions", "HEAD", "HEAD", "--budget", "1e-6")
        assert (status, err.splitlines()[-1][:40]) == (2, "error: --budget: nothing fits into 1e-06")
        assert not project.copies.exists()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--revisions", "a", "b", "c"], "--revisions: got 3, takes one or two"),
        (["latest", "--revisions", "HEAD"], "compare: got 'latest' and --revisions, takes one of them"),
        (["--revisions", "HEAD", "--reference=a"], "compare: got 'a' and --revisions, takes one of them"),
        ([], "compare: takes a sweep to compare with, such as latest~1, or --revisions BASE"),
    ],
)
def test_what_is_refused(words: list[str], line: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *words]) == 2
    assert capfd.readouterr() == ("", f"error: {line}\n")


def test_a_revision_that_is_none_and_a_folder_that_is_not_under_git(project: Project) -> None:
    status, out, err = project.compare("--revisions", "v0")
    assert (status, out) == (2, "")
    assert err.startswith(
        "error: --revisions: git rev-parse failed; got 'v0', takes a revision or HEAD+; if the"
    )
    shutil.rmtree(project.path / ".git")
    status, out, err = project.compare("--revisions", "HEAD")
    assert (status, out) == (2, "")
    assert err.startswith("error: --revisions: git ")
