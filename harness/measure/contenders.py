"""The manifest: which programs are compared, how they are built and run, and which can be."""

import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import repeat
from pathlib import Path
from statistics import mode
from typing import Any

from harness.case import LARGEST_INTEGER, METHODS, Case
from harness.codec import printable, read_toml, shown
from harness.errors import ManifestError
from harness.measure import runner
from harness.measure.contract import Output, arguments, parse_output
from harness.measure.runner import Process
from harness.measure.variables import variables
from harness.paths import MANIFEST, ROOT
from harness.plan import MOST_LAYOUTS, Run

_LONGEST_VERSION = 200
"""Characters that are kept: a cell of a row has a limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A program that keeps the contract; docs/contender.md says what the keys of its entry mean."""

    name: str
    command: tuple[str, ...]
    version: tuple[str, ...]
    methods: tuple[str, ...]
    build: tuple[str, ...] = ()
    relink: tuple[str, ...] = ()
    toolchain: tuple[str, ...] = ()
    threads: int = 1
    tolerance: float = 0.0
    """The largest `parity.distance` from the reference's losses that passes."""
    env: Mapping[str, str] = field(default_factory=dict)
    hint: str = ""
    extra_epochs: float = 0.0

    def __post_init__(self) -> None:
        """Raise ValueError if this is no contender."""
        # A spreadsheet must not take it for a formula, nor a terminal for a command.
        is_name = self.name.isprintable() and re.fullmatch(r"(?![=+@ -])[^/\\]+", self.name)
        characters = "printable characters without / and \\, the first none of = + - @ and no space"
        for name, holds, takes in (
            ("name", is_name, characters),
            ("command", self.command, "one word or more"),
            ("version", self.version, "one word or more"),
            ("methods", self.methods and set(self.methods) <= set(METHODS), f"some of {', '.join(METHODS)}"),
            ("threads", 1 <= self.threads <= LARGEST_INTEGER, "an integer of at least 1"),
            ("tolerance", 0.0 <= self.tolerance < 1.0, "a number from 0 to below 1"),
            ("env", not any("=" in name or not name for name in self.env), "names of variables"),
            ("extra_epochs", 0.0 <= self.extra_epochs <= 1.0, "a share from 0 to 1"),
        ):
            if not holds:
                raise ValueError(f"{name} is {shown(getattr(self, name))}, takes {takes}")

    def command_line(self, case: Case, layout: int = 0) -> list[str]:
        """Return the command line of a run of ``case`` by the link that has this layout."""
        threads = [f"--threads={self.threads}"] if self.threads > 1 else []
        return [self.program(layout), *self.command[1:], *threads, *arguments(case)]

    def program(self, layout: int) -> str:
        """Return the file of the link that has this layout; 0 is the usual one."""
        return f"{self.command[0]}.layout-{layout}" if layout else self.command[0]

    def layout(self, run: Run, layouts: int) -> int:
        """Return which of ``layouts`` links ``run`` takes, 1 or more; 0 if there is only the usual one."""
        # The control has another, so that the floor shows what layout is worth.
        shift = layouts // 2 if run.control else 0
        layout = 1 + (run.round + shift) % layouts if layouts > 1 and self.relink else 0
        return layout if (ROOT / self.program(layout)).exists() else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    reference: str | None = None
    """The contender that the others are compared with; None: the first."""
    contender: tuple[Contender, ...] = ()

    def __post_init__(self) -> None:
        """Raise ValueError if the entries do not belong together."""
        if not self.contender:
            raise ValueError("has no [[contender]]")
        names = [contender.name for contender in self.contender]
        if len(long := max(names, key=len)) > 60:
            raise ValueError(f"name is {shown(long)}, takes up to 60 characters")
        if names.count(most := mode(names)) > 1:
            raise ValueError(f"{most!r} is there twice; rename one")
        if self.reference is not None and self.reference not in names:
            raise ValueError(f"reference is {shown(self.reference)}, takes one of {', '.join(names)}")


def load_manifest(path: Path = MANIFEST) -> tuple[Contender, ...]:
    """Return the contenders, the reference first; raise ManifestError with what is wrong."""
    file = read_toml(_File, path)
    reference = file.reference or file.contender[0].name
    return tuple(
        with_commands(contender, with_python)
        for contender in sorted(file.contender, key=lambda contender: contender.name != reference)
    )


def with_commands(contender: Contender, changed: Callable[[tuple[str, ...]], tuple[str, ...]]) -> Contender:
    """Return a contender all of whose commands are ``changed``."""
    names = ("command", "version", "build", "relink", "toolchain")
    commands: dict[str, Any] = {name: changed(getattr(contender, name)) for name in names}
    return replace(contender, **commands)


def with_python(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return a command with the interpreter of the harness in place of {python}."""
    return tuple(word.replace("{python}", sys.executable) for word in words)


def select(contenders: Sequence[Contender], names: Collection[str]) -> tuple[Contender, ...]:
    """Return the contenders that ``names`` lists, all if it lists none; the first is the reference."""
    known = {contender.name for contender in contenders}
    if unknown := sorted(set(names) - known):
        raise ManifestError(f"contender: got {unknown[0]!r}, takes {', '.join(sorted(known))}")
    return tuple(contender for contender in contenders if contender.name in (names or known))


def attempt(
    contender: Contender, case: Case, *, timeout_s: float, memory_bytes: int | None = None, layout: int = 0
) -> tuple[Process, Output | None]:
    """Run ``case``, and a contender's extra epochs; return the process, and the output: None if it failed.

    Once more if the harness was stopped. Output that breaks the contract is the failure "garbled".
    Losses of extra epochs are dropped.
    """
    asked = replace(case, epochs=case.epochs + round(case.epochs * contender.extra_epochs))
    for _ in range(2):
        process = runner.run(
            contender.command_line(asked, layout),
            env=contender.env,
            timeout_s=timeout_s,
            memory_bytes=memory_bytes,
            one_core=contender.threads == 1,
        )
        if process.failure != "paused":
            break
    if process.failure:
        return process, None
    try:
        output = parse_output(asked, process.stdout, process.stderr, process.wall_s)
    except ValueError as error:
        return replace(process, failure="garbled", error=str(error)), None
    return process, replace(output, losses=output.losses[: case.epochs + 1])


def fingerprint(contender: Contender) -> str:
    """Return the SHA-256 of what runs: the command's files, what is beside a script, what is installed."""
    files: list[Path] = []
    for path in (ROOT / word for word in contender.command):
        if path.is_file():
            beside = [f"*{path.suffix}", "*.so"] if path.suffix else [path.name]
            # An interpreter's own flatnet modules: their RECORD has the hash of each file.
            for pattern in (*beside, "../lib/*/site-packages/flatnet*/RECORD"):
                files += sorted(path.parent.glob(pattern))
    digests = [_sha256(file, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return hashlib.sha256("".join(digests).encode()).hexdigest()


@cache
def _sha256(path: Path, _size: int, _mtime_ns: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def relink(contenders: Sequence[Contender], layouts: int) -> list[str]:
    """Link every program that can be in ``layouts`` layouts; return a line for each that failed.

    A build has to follow, which makes the usual link again.
    """
    able = {contender.program(0): contender for contender in contenders if contender.relink and layouts > 1}
    with ThreadPoolExecutor() as pool:
        return list(filter(None, pool.map(_relink, able.values(), repeat(layouts))))


def _relink(contender: Contender, layouts: int) -> str:
    """Link a program in ``layouts`` layouts, or none; return that it cannot be and why, or ''."""
    reason = ""
    for seed in range(1, layouts + 1):
        words = [word.replace("{seed}", str(seed)) for word in contender.relink]
        if reason := _failure(words, capture_output=True):
            break
        shutil.copy2(ROOT / contender.program(0), ROOT / contender.program(seed))
    # Older ones would be run as well.
    for seed in range(1 if reason else layouts + 1, MOST_LAYOUTS + 1):
        (ROOT / contender.program(seed)).unlink(missing_ok=True)
    return reason and f"{contender.name} cannot be linked in several layouts: {printable(reason)[:200]}"


def build(contenders: Sequence[Contender]) -> list[str]:
    """Run every build command, its output shown; return a line for each that failed."""
    failures = []
    for one in (one for one in contenders if one.build):
        # If Cargo's configuration builds it elsewhere, no old one may run.
        if not ((path := Path(one.command[0])).is_absolute() or path.suffix):
            (ROOT / path).unlink(missing_ok=True)
        if reason := _failure(one.build):
            failures.append(f"{one.name} cannot be built: {reason}")
    return failures


def _failure(words: Sequence[str], *, capture_output: bool = False) -> str:
    """Run a manifest's command to its end; return why it failed, or ''."""
    try:
        subprocess.run(words, cwd=ROOT, env=variables(), check=True, capture_output=capture_output)
    except OSError as error:
        return f"{words[0]}: {error.strerror}; install it and try again"
    except subprocess.CalledProcessError as error:
        said: list[str] = (error.stderr or b"").decode(errors="replace").splitlines()
        return said[-1] if said else f"exit status {error.returncode}: {' '.join(words)}"
    return ""


def probe(contenders: Sequence[Contender]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the versions, and why the others cannot run, by name."""
    versions, missing = {}, {}
    for contender in contenders:
        said, reason = runner.ask(contender.version)
        if reason:
            hint = contender.hint or " ".join(contender.build)
            missing[contender.name] = reason + (f"; to have it: {printable(hint)}" if hint else "")
        else:
            # A spreadsheet would take what begins so for a formula.
            first = (said.splitlines() or [""])[0].lstrip("=+-@ \t")
            versions[contender.name] = printable(first[:_LONGEST_VERSION])
    return versions, missing


def skipped(missing: Mapping[str, str]) -> list[str]:
    """Return a line for each contender that cannot run, from the reasons by name."""
    return [f"{name} is skipped: {reason}" for name, reason in missing.items()]
