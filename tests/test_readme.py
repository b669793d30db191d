"""Every command in the README works: the slow ones with less to do, what repeats this very test as a plan."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from harness import analysis, kernels, records
from harness.arguments import parse

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")

SMALL_SWEEP = "--shapes 4-2-1 6-3-1 10-5-1 --rounds 2 --seconds 0.01"
IN_ORDER = {
    "make bench": ["make", "bench", f"ARGS={SMALL_SWEEP}"],
    "make plot": ["make", "plot"],
    "make verify": ["make", "verify", "ARGS=--cases 3"],
    "make help": ["make", "help"],
    # These run this very test, or take minutes: it is shown that make knows how.
    "make test": ["make", "--dry-run", "test"],
    "make kernels": ["make", "--dry-run", "kernels"],
    "make check": ["make", "--dry-run", "check"],
}


def commands() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    lines = [line.partition(" #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line]


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))
    }
    return subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def test_make_targets_in_order(tmp_path: Path) -> None:
    targets = {line for line in commands() if line.startswith("make") and "ARGS" not in line}
    assert targets == set(IN_ORDER)
    for command in IN_ORDER.values():
        done = run([*command, f"RESULTS={tmp_path}"])
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    made = {path.name for path in tmp_path.iterdir() if not path.name.startswith(".")}
    explained = (ROOT / "results" / "README.md").read_text(encoding="utf-8")
    assert {"runs.csv", "speedup.csv", "kernels.csv", "scaling.png", "kernels.png"} <= made
    for name in made:
        assert name in explained, f"results/README.md does not explain {name}"


@pytest.mark.parametrize("line", [line for line in commands() if "ARGS" in line])
def test_arguments_of_bench(line: str) -> None:
    make, target, words = shlex.split(line)
    assert (make, words.partition("=")[0]) == ("make", "ARGS")
    assert parse([target, *shlex.split(words.partition("=")[2])]).command == target


@pytest.mark.parametrize("line", [line for line in commands() if not line.startswith("make")])
def test_programs(line: str) -> None:
    done = run([sys.executable if word == "python3" else word for word in shlex.split(line)])
    assert done.returncode == 0, done.stderr
    assert "Final Loss: " in done.stdout or "--learning-rate" in done.stdout


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#:]+)\)", README))
def test_links(link: str) -> None:
    assert (ROOT / link).exists(), f"the README links to {link}"


@pytest.mark.parametrize("table", ["RUNS", "LOSSES", "SUMMARY", "SPEEDUP", "SCALING", "KERNELS"])
def test_columns_are_explained(table: str) -> None:
    columns = {
        "RUNS": list(records.COLUMNS),
        "LOSSES": list(records.LOSS_COLUMNS),
        "SUMMARY": ["measure", *analysis.spread(np.ones(1))],
        "SPEEDUP": analysis.SPEEDUP_COLUMNS,
        "SCALING": analysis.SCALING_COLUMNS,
        "KERNELS": kernels.COLUMNS,
    }[table]
    explained = (ROOT / "results" / "README.md").read_text(encoding="utf-8")
    missing = [column for column in columns if f"`{column}`" not in explained]
    assert not missing
