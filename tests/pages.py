"""Pages about sweeps, and what stands in them, for the tests with and without a browser."""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import html5lib
import pandas as pd
import pytest
from filelock import FileLock

from harness import cli
from harness.across import predictions
from harness.analysis import article as claims
from harness.case import ARTICLE_JOB, Shape
from harness.claims import load
from harness.digits import MARKS, duration, three_digits, times
from harness.report.files import csv
from tests.programs import ROOT
from tests.sweeps import published

Cells = Sequence[tuple[str, float | None]]
Tables = Mapping[str, tuple[Sequence[str], Sequence[Cells]]]
"""By name: the heads, and in each row the text of every cell and the exact number behind it."""


def made_once(factory: pytest.TempPathFactory) -> Path:
    """Return the page of docs/sweep with everything; whichever worker comes first makes it for all."""
    shared = factory.getbasetemp()
    # With several workers each has a folder of its own in one of them all.
    path = (shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared) / "everything"
    with FileLock(f"{path}.lock"):
        page = path / "sweep" / "report.html"
        return page if page.exists() else everything(path)


def everything(path: Path) -> Path:
    """Return the page of the sweep in docs, with all that can stand beside it."""
    folder = path / "sweep"
    folder.mkdir(parents=True)
    for file in ("runs.csv", "plan.json", "environment.json"):
        shutil.copy(ROOT / "docs" / "sweep" / file, folder)
    shutil.copy(ROOT / "docs" / "selfcheck.csv", path)
    results = published("sweep")
    # Two shapes that the sweep has, and one that it has not.
    shapes = map(Shape.parse, ("10-5-1", "64-32-1", "33-17-9-3"))
    costs = list(results.costs.values())
    tables = [predictions.predicted(results, costs, shape, ARTICLE_JOB, "2026-01-01") for shape in shapes]
    checked = predictions.checked(pd.concat(tables, ignore_index=True), results)
    (path / "predictions.csv").write_bytes(csv(checked))
    nothing = (pd.DataFrame(columns=columns) for columns in (claims.STORAGE, claims.SEEDS))
    (path / "claims.csv").write_bytes(csv(claims.judged(load(), results, *nothing)))
    (path / "parts.csv").write_text(_parts(results.contenders), encoding="utf-8")
    assert cli.main(["plot", str(folder), "--results", str(path / "results")]) == 0
    return folder / "report.html"


def _parts(contenders: Sequence[str]) -> str:
    """Return runs in which a start takes 0.1 s, data 0.01 s, and the rest depends on who runs."""
    lines = ["contender,method,what,round,wall_s,training_s,compile_s"]
    for place, name in enumerate(contenders, start=1):
        for method in ("naive", "backprop"):
            for what, wall_s, training_s in (
                ("whole", 0.12 + place, 1.0 * place),
                ("no epoch", 0.11, 0.0),
                ("one sample", 0.1, 0.0),
            ):
                lines.append(f"{name},{method},{what},1,{wall_s},{training_s},0.0")
    return "\n".join(lines) + "\n"


def parsed(text: str) -> Element:
    """Return the document; raise html5lib's ParseError if it is not valid."""
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    root: Element = parser.parse(text)
    return root


def text_of(element: Element) -> str:
    return " ".join("".join(element.itertext()).split())


def tables_of(root: Element) -> Tables:
    """Return what the tables of a page hold."""
    found = {}
    for table in root.iter("table"):
        head, *rows = table.iter("tr")
        cells = [[(text_of(cell), _exact(cell)) for cell in row if cell.tag in ("th", "td")] for row in rows]
        found[table.attrib["id"].removeprefix("table-")] = ([text_of(cell) for cell in head], cells)
    return found


def _exact(cell: Element) -> float | None:
    data = cell.find("data")
    return None if data is None else float(data.attrib["value"])


def read_csv(path: Path) -> list[dict[Any, Any]]:
    """Return the lines of a table."""
    return pd.read_csv(path).to_dict("records")


def check_against_csv(tables: Tables, folder: Path) -> int:
    """Compare every number of the page's tables with the CSV files; return how many that were."""
    checked = 0
    steps = {
        (one["contender"], one["method"], one["layers"]): one["median"]
        for one in read_csv(folder / "summary.csv")
        if one["measure"] == "step_s"
    }
    ratios = {
        (one["contender"], one["method"], one["layers"], one["measure"]): one
        for one in read_csv(folder / "speedup.csv")
        if one["control"] == "no"
    }
    for name, (heads, rows) in tables.items():
        kind, _, method = name.partition("-")
        for lane, layers, (text, value) in _crossed(heads, rows) if kind in ("methods", "speedup") else ():
            who, _, measure = lane.partition(", ")
            if kind == "methods":
                who, method = who.rsplit(" ", 1)
            line = ratios[who, method, layers, measure] if text and measure else None
            if not text or (line and not line["rounds"]):
                continue
            exact = line["ratio"] if line else steps[who, method, layers]
            # What warms up has a mark.
            written = text if line else text.rstrip(" *~")
            assert (written, value) == (_ratio(line) if line else duration(exact), exact)
            checked += 1
    beside = folder.parent
    for name, path, columns in (
        ("exponents", folder / "scaling.csv", {"power": "exponent", "by count": "counted_exponent"}),
        (
            "checks",
            beside / "predictions.csv",
            {"predicted": "step_s", "measured": "measured_step_s", "ratio": "ratio"},
        ),
    ):
        if name in tables:
            heads, rows = tables[name]
            for row, line in zip(rows, read_csv(path), strict=True):
                for head, column in columns.items():
                    _, value = row[heads.index(head)]
                    assert value == line[column] or (value is None and pd.isna(line[column]))
                    checked += value is not None
    if "claims" in tables:
        said = [[text for text, _ in row] for row in tables["claims"][1]]
        lines = pd.read_csv(beside / "claims.csv", keep_default_na=False)
        assert said == lines[["says", "verdict", "figure", "basis"]].to_numpy().tolist()
    return checked


def _ratio(line: Mapping[str, Any]) -> str:
    """Return a ratio as people read it."""
    text = times(line["ratio"]) + MARKS.get(line["verdict"], "")
    if pd.isna(line["low"]):
        return text
    return f"{text} ({three_digits(line['low'])} to {three_digits(line['high'])})"


def _crossed(heads: Sequence[str], rows: Sequence[Cells]) -> list[tuple[str, str, tuple[str, float | None]]]:
    """Return lane, shape and cell of a table of shapes, whichever of the two stands in the rows."""
    found = []
    lying = rows[0][0][0].replace("-", "").isdigit()
    for (first, _), *cells in rows:
        for head, cell in zip(heads[1:], cells, strict=True):
            found.append((head, first, cell) if lying else (first, head, cell))
    return found
