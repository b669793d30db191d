"""The manifest: which programs are compared, how they are started, and which of them are there."""

import subprocess
import sys
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.case import LARGEST_INTEGER, METHODS, Case
from harness.codec import read_toml, shown
from harness.errors import ManifestError, UsageError
from harness.measure import runner
from harness.measure.contract import arguments, printable
from harness.paths import MANIFEST, ROOT

_LONGEST_VERSION = 200
"""Characters; the rest of a line is cut off. It stands in every row, and a cell has a limit of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A program that keeps the contract."""

    name: str
    """How results call it."""
    command: tuple[str, ...]
    """The program, to which a case's arguments are added."""
    version: tuple[str, ...]
    """A command whose first line of output names the version."""
    methods: tuple[str, ...]
    """The methods that the program has."""
    build: tuple[str, ...] = ()
    """The command that builds it; empty where nothing is to be built."""
    toolchain: tuple[str, ...] = ()
    """A command that tells what built it or runs it; empty where there is none."""
    threads: int = 1
    """How many threads it is told to use."""
    tolerance: float = 0.0
    """How far its losses may be from the reference's, as `parity.distance` measures it."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Environment variables that it is given besides those of the harness."""
    hint: str = ""
    """How to get it, for those who don't have it."""
    extra_epochs: float = 0.0
    """Epochs that it trains beyond those of a case, as a share of them: work that the harness should see."""

    def __post_init__(self) -> None:
        """Raise ValueError if this is no contender."""
        # Names become file names, and cells that a spreadsheet would take for formulas.
        if (
            not self.name.isprintable()
            or not self.name.strip()
            or set(self.name) & set("/\\")
            or len(self.name) > 60
        ):
            raise ValueError(f"name is {self.name!r}, takes up to 60 printable characters without / and \\")
        if self.name[0] in "=+-@":
            raise ValueError(f"name is {self.name!r}, takes one that does not begin with =, +, - or @")
        if not self.command or not self.version:
            raise ValueError("command and version take one word or more")
        if not self.methods or not set(self.methods) <= set(METHODS):
            raise ValueError(f"methods is {list(self.methods)}, takes some of {', '.join(METHODS)}")
        if not 1 <= self.threads <= LARGEST_INTEGER:
            raise ValueError(f"threads is {self.threads}, takes an integer of at least 1")
        if not 0.0 <= self.tolerance < 1.0:
            raise ValueError(f"tolerance is {self.tolerance!r}, takes a number from 0 to below 1")
        if (wrong := next((name for name in self.env if not name or "=" in name), None)) is not None:
            raise ValueError(f"env has {wrong!r}, takes names of variables")
        if not 0.0 <= self.extra_epochs <= 1.0:
            raise ValueError(f"extra_epochs is {self.extra_epochs!r}, takes a share from 0 to 1")

    def command_line(self, case: Case) -> list[str]:
        """Return the whole command line of a run of ``case``."""
        threads = [f"--threads={self.threads}"] if self.threads > 1 else []
        return [*self.command, *threads, *arguments(case)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The contenders in the order of the file, and which of them is the reference."""

    reference: str
    """The name of the contender that the others are compared with."""
    contenders: tuple[Contender, ...]
    """All contenders, the reference first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineup:
    """Which contenders can be run on this machine."""

    present: tuple[Contender, ...]
    """Those whose version command worked, in the manifest's order."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """What each version command said, by contender name."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """Why each of the others is skipped, by contender name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """A manifest as it is written."""

    reference: str | None = None
    """The name of the contender that the others are compared with; None: the first."""
    contender: tuple[Contender, ...] = ()
    """All contenders."""

    def __post_init__(self) -> None:
        """Raise ValueError if the entries do not belong together."""
        if not self.contender:
            raise ValueError("has no [[contender]]")
        names: dict[str, str] = {}
        for contender in self.contender:
            folded = _folded(contender.name)
            if folded in names:
                raise ValueError(
                    f"the names {names[folded]!r} and {contender.name!r} are too much alike;"
                    " give each its own"
                )
            names[folded] = contender.name
        if self.reference is not None and self.reference not in names.values():
            raise ValueError(
                f"reference is {shown(self.reference)}, takes one of {', '.join(names.values())}"
            )


def load_manifest(path: Path = MANIFEST) -> Manifest:
    """Read and check a manifest; raise ManifestError with the entry that is wrong."""
    file = read_toml(_File, path)
    reference = file.reference or file.contender[0].name
    contenders = (
        replace(
            contender,
            command=with_python(contender.command),
            version=with_python(contender.version),
            build=with_python(contender.build),
            toolchain=with_python(contender.toolchain),
        )
        for contender in sorted(file.contender, key=lambda contender: contender.name != reference)
    )
    return Manifest(reference=reference, contenders=tuple(contenders))


def with_python(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return a command with the interpreter of the harness in place of {python}."""
    return tuple(word.replace("{python}", sys.executable) for word in words)


def _folded(name: str) -> str:
    """Return what two names share that people, or file systems, would take for one."""
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())


def select(manifest: Manifest, names: Iterable[str]) -> Manifest:
    """Keep the contenders that ``names`` lists, all where it lists none.

    Where the reference is not among them, the first of them takes its place.
    """
    wanted = set(names)
    known = {contender.name for contender in manifest.contenders}
    if unknown := sorted(wanted - known):
        raise ManifestError(f"contender: got {unknown[0]!r}, takes {', '.join(sorted(known))}")
    if not wanted:
        return manifest
    kept = [c for c in manifest.contenders if c.name in wanted]
    reference = manifest.reference if manifest.reference in wanted else kept[0].name
    return Manifest(reference=reference, contenders=tuple(kept))


def lineup(manifest: Manifest) -> Lineup:
    """Return who of the manifest is here; raise UsageError if nobody is."""
    found = probe(manifest)
    if not found.present:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in found.missing.items())
        raise UsageError(f"no contender can be run ({reasons})")
    return found


def build(manifest: Manifest) -> list[str]:
    """Run every contender's build command, its output shown; return a line for each that failed."""
    failures = []
    for contender in manifest.contenders:
        if contender.build:
            try:
                status = subprocess.run(contender.build, cwd=ROOT, check=False).returncode
            except OSError as error:
                reason = f"{contender.build[0]}: {error.strerror}; install {contender.build[0]} and try again"
            else:
                reason = f"exit status {status}: {' '.join(contender.build)}" if status else ""
            if reason:
                failures.append(f"{contender.name} cannot be built: {reason}")
    return failures


def probe(manifest: Manifest) -> Lineup:
    """Run every version command and tell the contenders that are there from those that are not."""
    present, versions, missing = [], {}, {}
    for contender in manifest.contenders:
        said, reason = runner.ask(contender.version)
        if reason:
            hint = contender.hint or " ".join(contender.build)
            missing[contender.name] = reason + (f"; to have it: {printable(hint)}" if hint else "")
        else:
            present.append(contender)
            versions[contender.name] = printable((said.splitlines() or [""])[0][:_LONGEST_VERSION])
    return Lineup(present=tuple(present), versions=versions, missing=missing)
