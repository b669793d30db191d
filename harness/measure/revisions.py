"""Revisions of the project as contenders: each is built in a copy of its own, unpacked from `git archive`."""

import io
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from harness.errors import UsageError
from harness.measure.contenders import Contender, with_commands
from harness.measure.variables import variables
from harness.paths import ROOT

UNCOMMITTED = "HEAD+"
"""HEAD with all uncommitted changes."""


def default() -> str:
    """Return the revision that is here."""
    return UNCOMMITTED if _git("status", "--porcelain", "--untracked-files=normal") else "HEAD"


def tree_of(revision: str) -> str:
    """Return the id of a revision's tree of files; raise UsageError if there is none."""
    if revision == UNCOMMITTED:
        _git("read-tree", "HEAD", apart=True)
        _git("add", "--all", ".", apart=True)
        return _git("write-tree", apart=True)
    try:
        return object_id(f"{revision}^{{tree}}")
    except UsageError as error:
        raise UsageError(
            f"{error}; got {revision!r}, takes a revision or {UNCOMMITTED}; if the clone is shallow,"
            " git fetch --unshallow gets the rest"
        ) from None


def object_id(name: str) -> str:
    """Return the id of what ``name`` means to git; raise UsageError if nothing."""
    return _git("rev-parse", "--verify", "--quiet", "--end-of-options", name)


@contextmanager
def unpacked(trees: Sequence[str], folder: Path) -> Iterator[list[Path]]:
    """Write each tree into a folder of its own within ``folder``, which is removed in the end.

    All paths are equally long, as their length affects a program's speed (Mytkowicz et al., Producing
    wrong data without doing anything obviously wrong, ASPLOS 2009).
    """
    # An interrupted comparison may have left it.
    shutil.rmtree(folder, ignore_errors=True)
    try:
        copies = []
        for number, tree in enumerate(trees, start=1):
            copies.append(folder / str(number))
            copies[-1].mkdir(parents=True)
            with tarfile.open(fileobj=io.BytesIO(_run("archive", tree, apart=True))) as archive:
                # "data" would refuse a project's links to elsewhere.
                archive.extractall(copies[-1], filter="tar")
        yield copies
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def affected(contenders: Sequence[Contender], before: str, after: str) -> list[str]:
    """Return the names of the contenders whose folders differ between two trees; all if none do."""
    differing = _git("diff", "--name-only", "-z", before, after, apart=True).split("\0")
    changed = {Path(path).parts[:1] for path in differing}
    named = [one.name for one in contenders if changed & {Path(word).parts[:1] for word in one.command}]
    return named or [one.name for one in contenders]


def entered(contenders: Sequence[Contender], copies: Mapping[str, Path]) -> list[Contender]:
    """Return each contender for each copy, called name@label, the reference's first copy first."""

    def within(copy: Path, words: tuple[str, ...]) -> tuple[str, ...]:
        # Commands name the project's files from its root.
        return tuple(str(copy / word) if "/" in word and not word.startswith("/") else word for word in words)

    return [
        replace(with_commands(one, partial(within, copy)), name=f"{one.name}@{label}")
        for one in contenders
        for label, copy in copies.items()
    ]


@cache
def _scratch() -> tuple["tempfile.TemporaryDirectory[str]", dict[str, str]]:
    """Return a folder, and the variables with which git stages and stores there."""
    folder = tempfile.TemporaryDirectory()
    (Path(folder.name) / "objects").mkdir()
    return folder, {
        "GIT_INDEX_FILE": str(Path(folder.name) / "index"),
        "GIT_OBJECT_DIRECTORY": str(Path(folder.name) / "objects"),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(ROOT / _git("rev-parse", "--git-path", "objects")),
    }


def _git(*words: str, apart: bool = False) -> str:
    return _run(*words, apart=apart).decode(errors="replace").strip()


def _run(*words: str, apart: bool = False) -> bytes:
    """Run git, ``apart`` from what is staged and stored; return its output, or raise UsageError."""
    try:
        env = {**variables(), **(_scratch()[1] if apart else {})}
        done = subprocess.run(["git", *words], cwd=ROOT, env=env, capture_output=True, check=True)
    except OSError as error:
        raise UsageError(f"--revisions: git cannot be started: {error.strerror}; install git") from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip()
        raise UsageError(f"--revisions: git {words[0]} failed{said and f': {said}'}") from error
    return done.stdout
