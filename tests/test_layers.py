"""Who may import whom, who may start processes, who may print, and who may know the contenders' names."""

import ast
import subprocess
import sys
from collections.abc import Set
from functools import cache
from pathlib import Path

import pytest

from harness.measure.contenders import load_manifest
from harness.paths import ROOT

HARNESS = ROOT / "harness"
FILES = sorted(HARNESS.rglob("*.py"))
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in FILES
}
FOLDERS = ("measure", "machines", "analysis", "across", "report", "commands")
PACKAGES = tuple(f"harness.{folder}" for folder in FOLDERS)
ROOTS = ("harness.cli", "harness.terminal", "harness.__main__")
"""What stands directly in harness/ and is no vocabulary."""
VOCABULARY = [name for name in MODULES if name.count(".") == 1 and name not in (*ROOTS, *PACKAGES)]
HEAVY = {"pandas", "numpy", "scipy", "matplotlib"}


@cache
def parsed(path: Path) -> ast.Module:
    """Return the syntax of a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imports(path: Path) -> frozenset[str]:
    """Return the names of all modules that a file imports, wherever in it, but for its annotations alone."""
    tree = parsed(path)
    for_types = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    names = set()
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(names)


def of(names: Set[str], *packages: str) -> set[str]:
    """Return those of the names that are one of the packages, or within one."""
    return {name for name in names for package in packages if f"{name}.".startswith(f"{package}.")}


def within(package: str) -> list[str]:
    return [name for name in MODULES if f"{name}.".startswith(f"{package}.")]


def loaded(code: str) -> set[str]:
    """Return the top-level modules that an interpreter has loaded after ``code``."""
    program = f"{code}\nimport sys\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split("\n")[-2].split())


MAY_USE = {
    "measure": ("measure",),
    "machines": ("machines", "measure"),
    "analysis": ("analysis",),
    "across": ("across", "analysis"),
    "report": ("report", "across", "analysis"),
    "commands": FOLDERS,
}
"""Whose modules those of a folder may import, besides the vocabulary."""


def test_every_module_is_in_a_folder_or_vocabulary() -> None:
    assert all(len(within(package)) > 5 for package in PACKAGES)
    assert {"harness.case", "harness.plan", "harness.records", "harness.table"} <= set(VOCABULARY)


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_uses_only_those_below_it(folder: str) -> None:
    others = [f"harness.{other}" for other in FOLDERS if other not in MAY_USE[folder]]
    roots = ROOTS if folder != "commands" else ("harness.cli", "harness.__main__")
    for name in within(f"harness.{folder}"):
        assert not of(imports(MODULES[name]), *others, *roots), name


@pytest.mark.parametrize("name", within("harness.measure"))
def test_what_measures_imports_the_standard_library_only(name: str) -> None:
    used = imports(MODULES[name])
    assert {module.partition(".")[0] for module in used} <= sys.stdlib_module_names | {"harness"}


def test_what_measures_loads_the_standard_library_only() -> None:
    half = loaded("\n".join(f"import {name}" for name in within("harness.measure")))
    assert half - loaded("") <= sys.stdlib_module_names | {"harness"}


@pytest.mark.parametrize("name", within("harness.machines"))
def test_what_asks_other_machines_runs_no_program_here(name: str) -> None:
    used = imports(MODULES[name])
    if name != "harness.machines.station":
        assert not of(used, "harness.measure.runner", "harness.measure.contenders.attempt")
    if name != "harness.machines.cluster":
        assert not of(used - {"distributed.get_worker"}, "dask", "tornado")


@pytest.mark.parametrize(
    ("folders", "modules"),
    [
        # Readers start no process.
        (("analysis", "across", "report"), "subprocess multiprocessing pty concurrent.futures os"),
        # Numbers know no pictures and no pages; what people read is not computed there.
        (("analysis", "across"), "matplotlib jinja2 harness.table"),
        (("report",), "scipy"),
    ],
)
def test_readers_keep_to_their_trade(folders: tuple[str, ...], modules: str) -> None:
    for name in (name for folder in folders for name in within(f"harness.{folder}")):
        assert not of(imports(MODULES[name]), *modules.split()), name


@pytest.mark.parametrize("name", VOCABULARY)
def test_the_vocabulary_knows_no_folder(name: str) -> None:
    assert not of(imports(MODULES[name]), *PACKAGES, *ROOTS)


def test_only_the_start_imports_the_command_line() -> None:
    assert [name for name, path in MODULES.items() if of(imports(path), "harness.cli")] == [
        "harness.__main__"
    ]


def test_there_is_no_circle() -> None:
    graph = {
        name: {other for other in imports(path) & MODULES.keys() if other not in (name, *PACKAGES)}
        for name, path in MODULES.items()
    }
    while graph:
        free = {name for name, needs in graph.items() if not needs}
        assert free, f"these import each other: {sorted(graph)}"
        graph = {name: needs - free for name, needs in graph.items() if name not in free}


def test_no_timed_process_has_a_large_parent() -> None:
    """What bench has loaded when it starts the first run."""
    modules = ("harness.cli", "harness.terminal", "harness.commands.bench", "filelock")
    assert not loaded("\n".join(f"import {name}" for name in modules)) & HEAVY


def test_only_the_terminal_prints() -> None:
    prints = [
        path.name
        for path in FILES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert prints == []
    for path in FILES:
        if path.name not in ("terminal.py", "cli.py"):
            text = path.read_text(encoding="utf-8")
            assert "sys.stdout" not in text and "sys.stderr" not in text
            assert not of(imports(path), "rich")


def test_the_programs_and_the_harness_do_not_know_each_other() -> None:
    programs = ROOT / "python_impl"
    own = {path.stem for path in programs.glob("*.py")}
    for path in programs.glob("*.py"):
        assert not of(imports(path), "harness", "tests")
    for path in FILES:
        assert not {name for name in imports(path) if name.partition(".")[0] in own | {"python_impl"}}


def test_the_harness_does_not_know_the_contenders() -> None:
    """No text in the code, docstrings aside, is a contender's name or contains its folder."""
    names = {contender.name for contender in load_manifest()}
    assert names == {"python", "rust"}
    for path in FILES:
        texts = {
            node.value
            for node in ast.walk(parsed(path))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        # environment.json has a key for the interpreter that runs the harness.
        knowing = ("environment.py", "comparison.py", "files.py", "tables.py")
        allowed = {"python"} if path.name in knowing else set()
        assert texts & names <= allowed
        assert not [text for text in texts if "python_impl/" in text or "rust_impl" in text]
