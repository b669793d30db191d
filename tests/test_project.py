"""What people look for in a repository: one version, one licence, and an answer to pip."""

import re
import subprocess
import sys
import tomllib

import pytest

from harness import __version__
from harness.paths import ROOT

VERSIONS = {
    "pyproject.toml": r'^version = "(.*)"',
    "CITATION.cff": r"^version: (.*)",
    "CHANGELOG.md": r"^## (\d.*)",
    "harness/__init__.py": r'^__version__ = "(.*)"',
    "python_impl/command_line.py": r'^VERSION = "(.*)"',
    "rust_impl/Cargo.toml": r'^version = "(.*)"',
    "rust_impl/Cargo.lock": r'^name = "flatnet"\nversion = "(.*)"',
    "peers/pyo3/Cargo.toml": r'^version = "(.*)"',
    "peers/pyo3/Cargo.lock": r'^name = "flatnet-pyo3"\nversion = "(.*)"',
    "peers/pyo3/pyproject.toml": r'^version = "(.*)"',
    "peers/cython/setup.py": r'version="(.*?)"',
}
"""Where the version stands, first in each file."""


@pytest.mark.parametrize(("name", "stands"), VERSIONS.items())
def test_there_is_one_version(name: str, stands: str) -> None:
    found = re.search(stands, (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)
    assert found, name
    assert found[1] == __version__


def test_there_is_one_licence() -> None:
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License\n\nCopyright (c) ")
    assert "\nlicense: MIT\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    for name, table in (("", "project"), ("rust_impl", "package"), ("peers/pyo3", "package")):
        path = ROOT / name / ("Cargo.toml" if name else "pyproject.toml")
        assert tomllib.loads(path.read_text(encoding="utf-8"))[table]["license"] == "MIT"


def test_pip_says_why_it_is_not_installed() -> None:
    pip = [sys.executable, "-m", "pip", "install", "--isolated", "--no-index", "--dry-run", "."]
    done = subprocess.run(pip, cwd=ROOT, capture_output=True, text=True, check=False)
    lines = [line for line in done.stderr.splitlines() if "error: flatnet" in line]
    assert done.returncode == 1
    assert [line.strip() for line in lines] == [
        "error: flatnet is not a package: it builds and times programs in its own folder; type make bench"
    ]
