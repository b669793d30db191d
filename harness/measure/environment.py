"""What this machine is, which contenders it has, and what makes it noisy; nothing is changed."""

import os
import platform
import shlex
import socket
import sysconfig
import tomllib
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harness import __version__
from harness.errors import UsageError
from harness.measure import runner
from harness.measure.contenders import Contender, fingerprint, probe, skipped
from harness.measure.runner import CPU
from harness.paths import ROOT

_PROC = Path("/proc")
_OF_FREE_MEMORY = 0.9
"""The part of the free memory that a run may take."""
_SETTINGS = ("threads", "env", "tolerance", "extra_epochs")
_VARIABLES = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "RUSTUP_TOOLCHAIN")
"""They reach programs or builds, and may decide what is timed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A machine and its contenders: a sweep is resumed only if they are unchanged."""

    environment: Mapping[str, Any]
    """What environment.json says of them."""
    memory_bytes: int | None
    """Memory that a run may take; None: unknown."""
    contenders: tuple[Contender, ...] = ()
    """Those that can be run, the reference first; known of this machine only."""

    @property
    def versions(self) -> dict[str, str]:
        """The versions of its contenders, by name, the reference first."""
        return {name: about["version"] for name, about in self.environment["contenders"].items()}

    @property
    def reference(self) -> str:
        """The contender that the others are compared with."""
        return next(iter(self.versions))

    @property
    def notes(self) -> list[str]:
        """A line for each skipped contender, and for each of the ``warnings``."""
        return [*skipped(self.environment["missing"]), *warnings(self.environment)]


def look_around(contenders: Sequence[Contender], asked: Collection[str] | None = None) -> Machine:
    """Return this machine and its contenders; raise UsageError if it has none, or lacks one.

    It may lack those with a hint, unless they were ``asked`` for by name; if that is None, all but one.
    """
    versions, missing = probe(contenders)
    if not versions:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in missing.items())
        raise UsageError(f"no contender can be run ({reasons})")
    for one in contenders:
        if one.name in missing and asked is not None and (not one.hint or one.name in asked):
            others = f"without it: --contenders {' '.join(versions)}"
            raise UsageError(f"{one.name} cannot be run: {missing[one.name]}; {others}")
    present = tuple(contender for contender in contenders if contender.name in versions)
    # What it could take without swapping, nearly.
    free = _told("meminfo", "MemAvailable")
    return Machine(
        environment=_describe(present, versions, missing),
        memory_bytes=int(int(free.split()[0]) * 1024 * _OF_FREE_MEMORY) if free else None,
        contenders=present,
    )


def _describe(
    contenders: Sequence[Contender], versions: Mapping[str, str], missing: Mapping[str, str]
) -> dict[str, object]:
    """Return what belongs beside the numbers, ready for JSON; None: unknown."""
    # A copy within another repository has none of its commits.
    is_ours = Path(_output("git", "rev-parse", "--show-toplevel") or os.devnull).resolve() == ROOT.resolve()
    status = _output("git", "status", "--porcelain", "--untracked-files=normal") if is_ours else None
    options = shlex.split(sysconfig.get_config_var("CONFIG_ARGS") or "")
    return {
        "harness": __version__,
        "commit": _output("git", "rev-parse", "HEAD") if is_ours else None,
        "uncommitted_changes": None if status is None else bool(status),
        "host": socket.gethostname(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "usable_cores": len(runner.usable_cores()) or os.cpu_count(),
        "measuring_core": (core := runner.measuring_core()),
        "governor": _read(CPU / f"cpu{core or 0}" / "cpufreq" / "scaling_governor"),
        "turbo": _turbo(),
        "load_1min": os.getloadavg()[0],
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": platform.platform(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "python_compiler": platform.python_compiler(),
        "python_build_options": " ".join(word for word in options if word.startswith(("--enable", "--with"))),
        "variables": {name: os.environ[name] for name in _VARIABLES if name in os.environ},
        "sitecustomize": find_spec("sitecustomize") is not None,
        "cargo_profiles": _cargo_profiles(),
        "contenders": {
            contender.name: {
                "version": versions[contender.name],
                "sha256": fingerprint(contender),
                # Without the project's path.
                "command": " ".join(contender.command).replace(f"{ROOT}{os.sep}", ""),
                "build": " ".join(contender.build).replace(f"{ROOT}{os.sep}", ""),
                "toolchain": _output(*contender.toolchain) if contender.toolchain else None,
                **{name: getattr(contender, name) for name in _SETTINGS},
            }
            for contender in contenders
        },
        "missing": missing,
    }


def _cargo_profiles() -> list[str]:
    """Return the configuration files of Cargo that say how or where to build."""
    home = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo")
    folders = [home, *(parent / ".cargo" for parent in (ROOT, *ROOT.parents))]
    found = []
    for path in dict.fromkeys(folder / name for folder in folders for name in ("config.toml", "config")):
        with suppress(OSError, ValueError):
            said = tomllib.loads(path.read_text(encoding="utf-8"))
            if "profile" in said or "target" in said.get("build", {}):
                found.append(str(path))
    return found


def warnings(environment: Mapping[str, Any]) -> list[str]:
    """Return a line of advice for each thing that makes measurements noisy or unusual."""
    load, profiles = environment["load_1min"], environment["cargo_profiles"]
    governor = environment["governor"] or "performance"
    advice = {
        f"the last minute's load was {load:.1f}: unless that was a build, close other programs": load > 0.5,
        f"the CPU governor is {governor!r}: 'performance' has a steadier clock": governor != "performance",
        "turbo is on: the clock varies with heat; ratios tolerate that": environment["turbo"],
        "one core only: other programs take its time from the measured": environment["usable_cores"] == 1,
        "this Python is slow: built without --enable-optimizations": "--enable-optimizations"
        not in environment["python_build_options"],
        "uncommitted changes: the commit does not tell what is measured": environment["uncommitted_changes"],
        "git does not tell the commit of this folder": environment["commit"] is None,
        "a sitecustomize is run by every Python program before it": environment["sitecustomize"],
        f"Cargo's configuration decides how is built: {', '.join(profiles)}": profiles,
        f"set, and decides what is timed: {' '.join(environment['variables'])}": environment["variables"],
    }
    return [line for line, applies in advice.items() if applies]


def _cpu() -> str | None:
    """Return the processor's name, or its maker's numbers, as on ARM; None: unknown."""
    for name in ("model name", "cpu model", "uarch", "Model"):
        if model := _told("cpuinfo", name):
            return model
    numbers = [_told("cpuinfo", f"CPU {name}") for name in ("implementer", "part", "variant", "revision")]
    if all(numbers):
        return " ".join([platform.machine(), *filter(None, numbers)])
    return _output("sysctl", "-n", "machdep.cpu.brand_string") or None


def _told(file: str, name: str) -> str | None:
    for line in (_read(_PROC / file) or "").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return None


def _turbo() -> bool | None:
    if no_turbo := _read(CPU / "intel_pstate" / "no_turbo"):
        return no_turbo == "0"
    boost = _read(CPU / "cpufreq" / "boost")
    return boost == "1" if boost else None


def _read(path: Path) -> str | None:
    with suppress(OSError):
        return path.read_text(encoding="utf-8", errors="replace").strip()
    return None


def _output(*command: str) -> str | None:
    said, reason = runner.ask(command)
    return None if reason else said.strip()
