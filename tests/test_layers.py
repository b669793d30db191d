"""Who may import whom, who may print, and who may know the contenders' names."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from harness.contenders import ROOT, load_manifest

HARNESS = ROOT / "harness"
MEASURING = (
    *("contract", "contenders", "runner", "plan", "sweep", "parity", "records"),
    *("environment", "verify", "errors", "arguments"),
)
HEAVY = ("pandas", "numpy", "scipy", "matplotlib")
FILES = sorted(HARNESS.glob("*.py"))


def imports(path: Path) -> set[str]:
    """Return the names of all modules that a file imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def loaded(code: str) -> set[str]:
    """Return the top-level modules that an interpreter has loaded after ``code``."""
    program = f"{code}\nimport sys\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split("\n")[-2].split())


@pytest.mark.parametrize("name", MEASURING)
def test_the_measuring_half_imports_the_standard_library_only(name: str) -> None:
    allowed = sys.stdlib_module_names | {"harness"}
    assert {module.partition(".")[0] for module in imports(HARNESS / f"{name}.py")} <= allowed
    reading = {f"harness.{other}" for other in ("analysis", "charts", "console", "kernels", "cli")}
    assert not imports(HARNESS / f"{name}.py") & reading


def test_the_measuring_half_loads_the_standard_library_only() -> None:
    empty = loaded("")
    half = loaded("\n".join(f"import harness.{name}" for name in MEASURING))
    assert half - empty <= sys.stdlib_module_names | {"harness"}


def test_no_timed_process_has_a_large_parent() -> None:
    """What bench has loaded when it starts the first run."""
    assert not loaded("import harness.cli, harness.console, harness.environment, filelock") & set(HEAVY)


def test_the_reading_half_starts_no_process() -> None:
    for name in ("analysis", "charts", "console", "kernels"):
        assert not imports(HARNESS / f"{name}.py") & {"subprocess", "harness.runner", "os"}


def test_only_the_console_prints() -> None:
    """But for the line about an unusable command line, which is written before rich is loaded."""
    prints = [
        path.name
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert prints == ["cli.py"]
    for path in FILES:
        if path.name not in ("console.py", "cli.py"):
            text = path.read_text(encoding="utf-8")
            assert "sys.stdout" not in text and "sys.stderr" not in text
            assert not {name for name in imports(path) if name.startswith("rich")}


def test_the_programs_and_the_harness_do_not_know_each_other() -> None:
    programs = ROOT / "python_impl"
    own = {path.stem for path in programs.glob("*.py")}
    for path in programs.glob("*.py"):
        assert not {name for name in imports(path) if name.startswith(("harness", "tests"))}
    for path in FILES:
        assert not {name for name in imports(path) if name.partition(".")[0] in own | {"python_impl"}}


def test_the_harness_does_not_know_the_contenders() -> None:
    """No text in the code, docstrings aside, is a contender's name or contains its folder."""
    names = {contender.name for contender in load_manifest().contenders}
    assert names == {"python", "rust"}
    for path in FILES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        texts = {
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        # environment.json has a key for the interpreter that runs the harness.
        assert texts & names <= ({"python"} if path.name == "environment.py" else set())
        assert not [text for text in texts if "python_impl" in text or "rust_impl" in text]
