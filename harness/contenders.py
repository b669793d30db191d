"""The manifest: which programs are compared, how they are started, and which of them are there."""

import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.contract import METHODS, Case
from harness.errors import ManifestError

ROOT = Path(__file__).resolve().parent.parent
"""The folder from which every command of a manifest is run."""
MANIFEST = Path(__file__).with_name("contenders.toml")
_PROBE_TIMEOUT_S = 30.0
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
    tolerance_ulp: int = 0
    """How far its losses may be from the reference's, in units in the last place."""

    def command_line(self, case: Case) -> list[str]:
        """Return the whole command line of a run of ``case``."""
        threads = [f"--threads={self.threads}"] if self.threads > 1 else []
        return [*self.command, *threads, *case.arguments()]


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


def load_manifest(path: Path = MANIFEST) -> Manifest:
    """Read and check a manifest; raise ManifestError with the entry that is wrong."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ManifestError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ManifestError(f"{path}: is not TOML: {error}") from error
    entries = document.get("contender")
    if unknown := sorted(document.keys() - {"reference", "contender"}):
        raise ManifestError(f"{path}: unknown key {unknown[0]!r}, takes reference and [[contender]]")
    if not isinstance(entries, list) or not entries:
        raise ManifestError(f"{path}: has no [[contender]]")
    contenders = [_contender(path, number, entry) for number, entry in enumerate(entries, start=1)]
    names = [contender.name for contender in contenders]
    for name in names:
        if names.count(name) > 1:
            raise ManifestError(f"{path}: two contenders have the name {name!r}; give each its own")
    reference = document.get("reference", names[0])
    if reference not in names:
        raise ManifestError(f"{path}: reference is {reference!r}, takes one of {', '.join(names)}")
    return Manifest(
        reference=reference,
        contenders=tuple(sorted(contenders, key=lambda contender: contender.name != reference)),
    )


_REQUIRED = ("name", "command", "version", "methods")
_OPTIONAL = ("build", "toolchain", "threads", "tolerance_ulp")


def _contender(path: Path, number: int, entry: object) -> Contender:
    where = f"{path}: contender {number}"
    if not isinstance(entry, dict):
        raise ManifestError(f"{where}: is not a table")
    if isinstance(entry.get("name"), str):
        where = f"{path}: contender {entry['name']!r}"
    for key in _REQUIRED:
        if key not in entry:
            raise ManifestError(f"{where}: has no {key!r}")
    if unknown := sorted(entry.keys() - {*_REQUIRED, *_OPTIONAL}):
        known = ", ".join((*_REQUIRED, *_OPTIONAL))
        raise ManifestError(f"{where}: unknown key {unknown[0]!r}, takes {known}")
    name = entry["name"]
    if not isinstance(name, str) or not name or not name.isprintable():
        raise ManifestError(f"{where}: name is {name!r}, takes a printable text")
    methods = _words(where, "methods", entry["methods"])
    for method in methods:
        if method not in METHODS:
            raise ManifestError(f"{where}: method {method!r}, takes {', '.join(METHODS)}")
    return Contender(
        name=name,
        command=_words(where, "command", entry["command"]),
        version=_words(where, "version", entry["version"]),
        methods=methods,
        build=_words(where, "build", entry["build"]) if "build" in entry else (),
        toolchain=_words(where, "toolchain", entry["toolchain"]) if "toolchain" in entry else (),
        threads=_integer(where, "threads", entry.get("threads", 1), least=1),
        tolerance_ulp=_integer(where, "tolerance_ulp", entry.get("tolerance_ulp", 0), least=0),
    )


def _words(where: str, key: str, value: object) -> tuple[str, ...]:
    words = value if isinstance(value, list) else []
    # A command line cannot hold a NUL.
    if not words or not all(isinstance(word, str) and "\0" not in word for word in words):
        raise ManifestError(f"{where}: {key} is {value!r}, takes a list of words")
    return tuple(word.replace("{python}", sys.executable) for word in words)


def _integer(where: str, key: str, value: object, *, least: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ManifestError(f"{where}: {key} is {value!r}, takes an integer of at least {least}")
    return value


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


def probe(manifest: Manifest) -> Lineup:
    """Run every version command and tell the contenders that are there from those that are not."""
    present, versions, missing = [], {}, {}
    for contender in manifest.contenders:
        version, reason = first_line(contender.version)
        if reason is None:
            present.append(contender)
            versions[contender.name] = version
        else:
            hint = f"; build it with: {' '.join(contender.build)}" if contender.build else ""
            missing[contender.name] = reason + hint
    return Lineup(present=tuple(present), versions=versions, missing=missing)


def first_line(command: tuple[str, ...]) -> tuple[str, str | None]:
    """Run ``command`` and return its first line of output, and None or the reason why it failed."""
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PROBE_TIMEOUT_S,
            check=False,
        )
    except OSError as error:
        return "", f"{command[0]}: {error.strerror}"
    except subprocess.TimeoutExpired:
        return "", f"{' '.join(command)}: no answer within {_PROBE_TIMEOUT_S:.0f} s"
    if done.returncode != 0:
        complaint = done.stderr.decode(errors="replace").strip().splitlines()
        said = f": {complaint[-1]}" if complaint else ""
        return "", f"{' '.join(command)}: exit status {done.returncode}{said}"
    lines = done.stdout.decode(errors="replace").splitlines()
    return (lines[0][:_LONGEST_VERSION] if lines else ""), None
