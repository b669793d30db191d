"""Revisions of the project as contenders: each is unpacked and built in a copy of its own.

git has an index and a store of its own for that: the working tree and the repository stay as they are.
"""

import io
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from harness.codec import printable
from harness.errors import UsageError
from harness.measure.contenders import Contender, with_commands
from harness.measure.variables import variables
from harness.paths import ROOT

UNCOMMITTED = "HEAD+"
"""HEAD with all uncommitted changes."""


def default() -> str:
    """Return the revision that is here."""
    return "HEAD" if tree_of(UNCOMMITTED) == tree_of("HEAD") else UNCOMMITTED


def tree_of(revision: str) -> str:
    """Return the id of the tree of files that a revision has; raise UsageError if there is none."""
    if revision == UNCOMMITTED:
        _git("read-tree", "HEAD")
        _git("add", "--all", ".")
        return _git("write-tree")
    try:
        return object_id(f"{revision}^{{tree}}")
    except UsageError as error:
        raise UsageError(f"{error}; got {revision!r}, takes a revision or {UNCOMMITTED}") from None


def object_id(name: str) -> str:
    """Return the id of what ``name`` means to git; raise UsageError if that is nothing."""
    return _git("rev-parse", "--verify", "--quiet", "--end-of-options", name)


@contextmanager
def unpacked(trees: Sequence[str], folder: Path) -> Iterator[list[Path]]:
    """Write each tree into a folder of its own within ``folder``, which is removed in the end.

    All paths are equally long: where a program's arguments and variables lie in memory affects its speed
    (Mytkowicz et al., Producing wrong data without doing anything obviously wrong, ASPLOS 2009).
    """
    # An interrupted comparison may have left it.
    shutil.rmtree(folder, ignore_errors=True)
    try:
        copies = []
        for number, tree in enumerate(trees, start=1):
            copies.append(folder / str(number))
            copies[-1].mkdir(parents=True)
            with tarfile.open(fileobj=io.BytesIO(_run("archive", tree))) as archive:
                archive.extractall(copies[-1], filter=_data)
        yield copies
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def affected(contenders: Sequence[Contender], before: str, after: str) -> list[str]:
    """Return the names of the contenders whose folders differ between two trees; all if none do."""
    changed = {Path(path).parts[:1] for path in _git("diff", "--name-only", "-z", before, after).split("\0")}
    named = [one.name for one in contenders if changed & {Path(word).parts[:1] for word in one.command}]
    return named or [one.name for one in contenders]


def entered(contenders: Sequence[Contender], copies: Mapping[str, Path]) -> list[Contender]:
    """Return each contender once for each copy, called name@label, the reference's first copy first."""

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
    ask = ["git", "rev-parse", "--git-path", "objects"]
    objects = subprocess.run(ask, cwd=ROOT, env=variables(), capture_output=True, check=True)
    return folder, {
        "GIT_INDEX_FILE": str(Path(folder.name) / "index"),
        "GIT_OBJECT_DIRECTORY": str(Path(folder.name) / "objects"),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(ROOT / objects.stdout.decode().strip()),
    }


def _git(*words: str) -> str:
    return _run(*words).decode(errors="replace").strip()


def _run(*words: str) -> bytes:
    """Run git, apart from what the project has staged and stored, and return what it wrote.

    Raises UsageError if that fails.
    """
    try:
        env = {**variables(), **_scratch()[1]}
        return subprocess.run(["git", *words], cwd=ROOT, env=env, capture_output=True, check=True).stdout
    except OSError as error:
        raise UsageError(f"--revisions: git cannot be started: {error.strerror}; install git") from error
    except subprocess.CalledProcessError as error:
        said = [line.strip() for line in error.stderr.decode(errors="replace").splitlines()]
        is_shallow = (ROOT / ".git" / "shallow").exists()
        hint = "this clone is shallow; git fetch --unshallow gets the rest" if is_shallow else ""
        texts = (f"git {words[0]} failed", printable("; ".join(filter(None, said))), hint)
        raise UsageError(f"--revisions: {': '.join(filter(None, texts))}") from error


def _data(member: tarfile.TarInfo, path: str) -> tarfile.TarInfo | None:
    """Return what may be unpacked; a link to a place outside is left out, for nothing here can be there."""
    with suppress(tarfile.AbsoluteLinkError, tarfile.LinkOutsideDestinationError):
        return tarfile.data_filter(member, path)
    return None
