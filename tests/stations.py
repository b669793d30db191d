"""Checkouts of the harness with fake contenders, as machines have them, and stations that run there."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.codec import encode
from harness.paths import ROOT
from harness.plan import Options, Plan
from tests import fakes, sweeps

SWEEP = "2026-01-01T00-00-00.000Z"
GIT = ("git", "-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false")


def checkout(path: Path, behaviours: Mapping[str, str]) -> Path:
    """Make a repository with the harness, whose manifest has these fakes; everything is committed."""
    path.mkdir(parents=True)
    shutil.copytree(ROOT / "harness", path / "harness", ignore=shutil.ignore_patterns("__pycache__"))
    fakes.write_manifest(path / "harness" / "contenders.toml", behaviours)
    (path / ".gitignore").write_text("/results/\n__pycache__/\n", encoding="utf-8")
    git(path, "init", "--quiet")
    commit(path)
    return path


def clone(path: Path, of: Path) -> Path:
    """Clone a repository, as another machine would."""
    git(of, "clone", "--quiet", str(of), str(path))
    return path


def commit(path: Path) -> None:
    git(path, "add", "--all")
    git(path, "commit", "--quiet", "--allow-empty", "--message", "x")


def git(path: Path, *words: str) -> None:
    subprocess.run([*GIT, *words], cwd=path, check=True, capture_output=True)


class Talk:
    """A station and the two pipes to it."""

    def __init__(self, process: "subprocess.Popen[bytes]", manifest: str) -> None:
        self.process = process
        self._manifest = manifest

    def send(self, request: Mapping[str, Any] | bytes) -> None:
        """Write a request."""
        assert self.process.stdin is not None
        line = request if isinstance(request, bytes) else json.dumps(request).encode()
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        """Read a reply."""
        assert self.process.stdout is not None
        reply = json.loads(self.process.stdout.readline())
        assert isinstance(reply, dict)
        return reply

    def ask(self, request: Mapping[str, Any] | bytes) -> dict[str, Any]:
        """Write a request and read the reply."""
        self.send(request)
        return self.hear()

    def look(self) -> dict[str, Any]:
        """Let it look at its machine."""
        return self.ask({"do": "look", "manifest": self._manifest, "contenders": []})

    def begin(self, plan: Plan, has: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Let it take up a sweep, of which somebody has this much."""
        has = has or {"rows": [], "losses": []}
        return self.ask({"do": "begin", "plan": encode(plan), "environment": {"host": "x"}, "has": has})


def round_(number: int, case: str = "naive 4-2-1") -> dict[str, Any]:
    return {"do": "round", "sweep": SWEEP, "case": case, "number": number}


@contextmanager
def station(path: Path, machine: str) -> Iterator[Talk]:
    """Start a station in a checkout."""
    with subprocess.Popen(
        [sys.executable, "-m", "harness.machines.station", machine],
        cwd=path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield Talk(process, (path / "harness" / "contenders.toml").read_text(encoding="utf-8"))
        finally:
            process.kill()


def plan(*names: str, rounds: int = 2) -> Plan:
    """Return a plan of one small case with its control."""
    options = Options(rounds=rounds)
    return sweeps.plan(names, (fakes.case(),), sweep=SWEEP, options=options, version="fake honest")
