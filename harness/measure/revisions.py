"""Revisions of the project as contenders: each is unpacked and built in a copy of its own.

The copies come from `git archive`, so the working tree is not touched, and git registers nothing that would
have to be taken back.
"""

import io
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from harness.errors import UsageError
from harness.measure.contenders import Contender
from harness.paths import ROOT

UNCOMMITTED = "HEAD+"
"""What the project would be, were all that is not committed."""


def default() -> str:
    """Return the revision that one most likely means: what is here."""
    return UNCOMMITTED if _git("status", "--porcelain") else "HEAD"


def tree_of(revision: str) -> str:
    """Return the id of the tree of files that a revision has; raise UsageError if there is none."""
    if revision == UNCOMMITTED:
        return _tree_of_what_is_here()
    try:
        return _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{tree}}")
    except UsageError as error:
        raise UsageError(f"{error}; got {revision!r}, takes a revision or {UNCOMMITTED}") from None


def commit_of(revision: str) -> str:
    """Return the id of the commit that a revision names; raise UsageError if it names none."""
    return _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")


def _tree_of_what_is_here() -> str:
    # An index of our own: what somebody has staged stays as it is.
    with tempfile.TemporaryDirectory() as folder:
        index = Path(folder) / "index"
        _git("read-tree", "HEAD", index=index)
        _git("add", "--all", ".", index=index)
        return _git("write-tree", index=index)


@contextmanager
def unpacked(trees: Sequence[str], folder: Path) -> Iterator[list[Path]]:
    """Write the files of trees into ``folder``, each into one of its own, and remove it in the end.

    What is there from somebody who was killed goes first. All paths are equally long, for where a program's
    arguments and variables lie in memory has an effect on its speed (Mytkowicz et al., Producing wrong data
    without doing anything obviously wrong, ASPLOS 2009).
    """
    shutil.rmtree(folder, ignore_errors=True)
    try:
        copies = [folder / str(number) for number, _ in enumerate(trees, start=1)]
        for tree, copy in zip(trees, copies, strict=True):
            copy.mkdir(parents=True)
            with tarfile.open(fileobj=io.BytesIO(_run("archive", tree))) as archive:
                archive.extractall(copy, filter="data")
        yield copies
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def affected(contenders: Iterable[Contender], before: str, after: str) -> list[str]:
    """Return the names of those whose files two trees have differently; of all if it is none's."""
    changed = {Path(path).parts[0] for path in _git("diff", "--name-only", before, after).splitlines()}
    contenders = list(contenders)
    named = [
        one.name for one in contenders if changed & {Path(word).parts[0] for word in one.command if word}
    ]
    return named or [one.name for one in contenders]


def entered(contenders: Sequence[Contender], copies: Mapping[str, Path]) -> list[Contender]:
    """Return each contender once for each copy, called name@label, the reference's first copy first."""

    def within(copy: Path, words: tuple[str, ...]) -> tuple[str, ...]:
        # Commands name the project's files from its root.
        return tuple(str(copy / word) if "/" in word and not word.startswith("/") else word for word in words)

    return [
        replace(
            one,
            name=f"{one.name}@{label}",
            command=within(copy, one.command),
            version=within(copy, one.version),
            build=within(copy, one.build),
        )
        for one in contenders
        for label, copy in copies.items()
    ]


def _git(*words: str, index: Path | None = None) -> str:
    return _run(*words, index=index).decode(errors="replace").strip()


def _run(*words: str, index: Path | None = None) -> bytes:
    """Run git in the project and return what it wrote; raise UsageError if that fails."""
    env = {**os.environ, "GIT_INDEX_FILE": str(index)} if index else None
    try:
        done = subprocess.run(["git", *words], cwd=ROOT, env=env, capture_output=True, check=False)
    except OSError as error:
        raise UsageError(f"--revisions: git cannot be started: {error.strerror}; install git") from error
    if done.returncode:
        *_, last = ["", *done.stderr.decode(errors="replace").strip().splitlines()]
        raise UsageError(f"--revisions: git {words[0]} failed" + (f": {last}" if last else ""))
    return done.stdout
