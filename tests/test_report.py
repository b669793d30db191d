"""The page about a sweep: valid, whole in itself, true to the tables, and safe with any name."""

import base64
import io
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from xml.etree.ElementTree import Element

import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from harness import cli
from harness.analysis.results import Results
from harness.case import Shape
from harness.plan import LeftOut, Plan
from harness.report import page as report
from harness.report import sentences, style
from harness.rows import Row
from tests import pages, sweeps
from tests.test_charts import TEN, failing, results_of, rows, wrong

HEADINGS = ("h1", "h2", "h3", "h4")
EVIL = """<img src=x onerror="alert(1)">&'{{ 7 * 7 }}"""


def page(
    results: Results,
    found: Mapping[str, pd.DataFrame] | None = None,
    pictures: Mapping[str, bytes] | None = None,
    plan: Plan | None = None,
) -> tuple[str, Element]:
    """Return a page, as text and as a document."""
    results = replace(results, plan=plan) if plan else results
    text = report.page(results, found or {}, pictures or {})
    return text, pages.parsed(text)


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the page of a real sweep with all that can stand beside it."""
    return pages.made_once(tmp_path_factory)


def read(path: Path) -> Element:
    return pages.parsed(path.read_text(encoding="utf-8"))


def references(root: Element) -> Iterator[str]:
    """Yield every id that something refers to."""
    for element in root.iter():
        for name, value in element.attrib.items():
            if name in ("aria-labelledby", "aria-describedby"):
                yield from value.split()
            if name == "href":
                assert value.startswith("#"), value
                yield value[1:]


def check_page(root: Element) -> None:
    """Check what has to hold of every page."""
    assert root.get("lang") == "en"
    assert pages.text_of(next(root.iter("title")))
    headings = [element for element in root.iter() if element.tag in HEADINGS]
    levels = [HEADINGS.index(str(element.tag)) for element in headings]
    assert levels.count(0) == 1 and levels[0] == 0
    assert all(after <= before + 1 for before, after in pairwise(levels))
    ids = [value for element in root.iter() if (value := element.get("id"))]
    assert len(ids) == len(set(ids))
    assert set(references(root)) <= set(ids)
    for element in root.iter():
        assert not {"srcset", "action", "data", "poster"} & element.attrib.keys()
        assert element.tag not in ("link", "iframe", "object", "embed", "base", "svg")
        if "src" in element.attrib:
            assert element.tag == "img" and element.attrib["src"].startswith("data:image/png;base64,")
            assert element.get("alt")
        assert not [name for name in element.attrib if name.startswith("on")]
    for sheet in root.iter("style"):
        assert "url(" not in (sheet.text or "") and "@import" not in (sheet.text or "")
    for box in root.iter():
        if box.get("class") == "wide":
            assert (box.get("role"), box.get("tabindex")) == ("region", "0")
            assert box.get("aria-label") or box.get("aria-labelledby")
    assert all(box.get("class") == "wide" for box in root.iter() if box.find("table") is not None)
    for table in root.iter("table"):
        assert pages.text_of(next(table.iter("caption")))
        head, *body = table.iter("tr")
        assert {cell.get("scope") for cell in head} == {"col"}
        assert body
        for row in body:
            assert len(row) == len(head)
            assert row[0].get("scope") == "row"
            assert not [cell for cell in row if pages.text_of(cell) in ("nan", "nanx", "None", "inf")]


TWO = ("4-2-1", "10-5-1")
SITUATIONS: dict[str, list[Row]] = {
    "two": rows(TWO),
    "one contender": rows(TWO, names=("python",)),
    "ten contenders": rows(TWO, names=TEN),
    "one shape": rows(TWO[:1]),
    "one round": rows(TWO, rounds=1),
    "crashes": failing(rows(("4-2-1", "32-16-1")), "rust", "crash"),
    "other losses": wrong(rows(TWO, names=("python", "rust", "c")), "c"),
}


@pytest.mark.parametrize("what", SITUATIONS)
def test_the_page_is_valid_whatever_was_measured(tmp_path: Path, what: str) -> None:
    results = results_of(tmp_path, SITUATIONS[what])
    _, root = page(results)
    check_page(root)
    said = pages.text_of(next(root.iter("body")))
    assert sentences.answer(results)[0] in said
    assert "nan" not in said.split()
    assert ("6 others are in the tables." in said) == (what == "ten contenders")
    if what == "ten contenders":
        assert pages.text_of(next(root.iter("header"))).count(" trains ") == 3
    # Turned on their side, the tables stay narrow.
    assert all(len(heads) <= 12 for heads, _ in pages.tables_of(root).values())


def test_a_real_sweep_with_all_that_can_stand_beside_it(everything: Path) -> None:
    root = read(everything)
    check_page(root)
    sections = " ".join(str(element.get("id")) for element in root.iter("h2"))
    assert sections == "sure speedups algorithm growth claims predictions parts memory machine again"
    pictures = [element.get("id") for element in root.iter("img")]
    # The losses of that sweep were not kept.
    assert sorted(map(str, pictures)) == [
        f"picture-{name}" for name in ("memory", "methods", "parts", "scaling", "speedup")
    ]
    said = pages.text_of(next(root.iter("body")))
    assert (
        "contained the true ratio in all intervals" in said and "came true within their 95% interval" in said
    )
    assert "Alternatives to" in said and "make bench PEERS=1" in said
    assert "make claims" not in said


def test_every_number_is_that_of_the_tables(everything: Path) -> None:
    text = everything.read_text(encoding="utf-8")
    assert pages.check_against_csv(pages.tables_of(pages.parsed(text)), everything.parent) > 150
    # Another one is found: a ratio as it is shown, and as it is exactly.
    for number in (r">(\d{3})x \(", r'value="(\d{3})\.'):
        found = re.search(number, text)
        assert found
        wrong = f"{text[: found.start(1)]}{int(found[1]) + 1}{text[found.end(1) :]}"
        assert wrong != text
        with pytest.raises(AssertionError):
            pages.check_against_csv(pages.tables_of(pages.parsed(wrong)), everything.parent)


def test_floors_parts_and_machine_in_their_units(everything: Path) -> None:
    tables = pages.tables_of(read(everything))
    floors = [one for one in pages.read_csv(everything.parent / "speedup.csv") if one["control"] == "yes"]
    wanted = [one["floor"] for one in floors if one["measure"] in ("training", "job")]
    assert [value for row in tables["floors"][1] for _, value in row[3:]] == wanted
    heads, (python, *_) = tables["parts"]
    cells = [python[heads.index(name)] for name in ("start-up", "data", "whole")]
    assert [text for text, _ in cells] == ["100 ms", "10.0 ms?", "1.12 s"]
    assert [value for _, value in cells] == pytest.approx([0.1, 0.01, 1.12])
    machine = {row[0][0]: row[1] for row in tables["environment"][1]}
    known = json.loads((everything.parent / "environment.json").read_text(encoding="utf-8"))
    assert machine["memory"] == (f"{known['memory_bytes'] / 2**30:.1f} GiB", None)
    assert machine["CPU governor"] == ("not known", None)
    assert machine["uncommitted changes"] == ("yes" if known["uncommitted_changes"] else "no", None)


def test_names_and_errors_cannot_become_markup(tmp_path: Path) -> None:
    made = [
        *(replace(row, version=EVIL) for row in sweeps.pairs([(4.0, 1.0)] * 3, names=("python", EVIL))),
        replace(sweeps.failure("c", 1), error=f"</td></table><script>alert(2)</script>{EVIL}"),
    ]
    results = sweeps.understood(tmp_path, made)
    about = {"cpu": EVIL, "commit": EVIL, "contenders": {EVIL: {"command": EVIL}}, "missing": {EVIL: EVIL}}
    claims = pd.DataFrame([dict.fromkeys(("claim", "says", "verdict", "figure", "basis"), EVIL)])
    results = replace(results, environment={**about, EVIL: EVIL})
    text, root = page(results, {"claims": claims}, {"memory": style.png(Figure(figsize=(1, 1)))})
    check_page(root)
    assert len(list(root.iter("script"))) == 1
    assert text.count("<img") == 1
    tables = pages.tables_of(root)
    assert tables["claims"][1] == [[(EVIL, None)] * 4]
    assert (EVIL, None) in tables["environment"][1][-1]
    assert EVIL in tables["speedup-naive"][0]
    (picture,) = root.iter("img")
    assert f"; {EVIL} " in str(picture.get("alt"))
    assert [cells[-1][0] for cells in tables["troubles"][1]] == [made[-1].error]


def test_environments_of_any_kind_are_shown(tmp_path: Path) -> None:
    """What a later version, or a person, has written there."""
    results = sweeps.understood(tmp_path, sweeps.pairs([(4.0, 1.0)] * 3))
    for strange in ({}, {"contenders": {"python": {}}, "missing": {}, "cpu": [1, {}]}):
        described = replace(results, environment=strange)
        vars(described).update(speedups=results.speedups, summary=results.summary)
        check_page(page(described)[1])


def test_the_pictures_are_those_of_the_folder_and_as_large_as_on_a_screen(everything: Path) -> None:
    pictures = {str(picture.get("id")): picture for picture in read(everything).iter("img")}
    for name in ("scaling", "speedup", "methods", "memory"):
        own = pictures[f"picture-{name}"]
        data = base64.b64decode(str(own.get("src")).partition(",")[2])
        assert data == (everything.parent / f"{name}.png").read_bytes()
        height, width, _ = imread(io.BytesIO(data)).shape
        # Two pixels of the picture for each of the page.
        assert (int(str(own.get("width"))), int(str(own.get("height")))) == (width // 2, height // 2)


def test_an_alternative_refers_to_a_table_or_has_the_figures(tmp_path: Path) -> None:
    results = results_of(tmp_path, rows(TWO))
    png = style.png(Figure(figsize=(1, 1)))
    _, root = page(results, pictures=dict.fromkeys(("scaling", "speedup", "methods", "memory", "loss"), png))
    check_page(root)
    told = {str(picture.get("id")): str(picture.get("alt")) for picture in root.iter("img")}
    for name in ("scaling", "speedup", "methods"):
        assert " table" in told[f"picture-{name}"]
    assert "losses.csv" in told["picture-loss"]
    assert told["picture-memory"].endswith(": python 8.00 to 8.00 MiB; rust 16.0 to 16.0 MiB.")


def test_failures_and_what_was_left_out_are_told(tmp_path: Path) -> None:
    left = LeftOut(method="naive", shape=Shape.parse("512-256-1"), contender=None, reason="too dear")
    made = [
        replace(sweeps.failure("rust", 1, "timeout"), error="ended after 60 s"),
        *(sweeps.mismatch("c", number) for number in (1, 2)),
        *(sweeps.row("python", number) for number in (1, 2)),
    ]
    plan = sweeps.plan(("python", "rust", "c", "go"), control=False, left_out=[left])
    results = sweeps.understood(tmp_path, made, plan)
    tables = pages.tables_of(page(results, plan=plan)[1])
    assert [[text for text, _ in row] for row in tables["troubles"][1]] == [
        ["naive", "4-2-1", "rust", "timeout", "ended after 60 s"],
        ["naive", "4-2-1", "c", "mismatch", "epoch 1: 2.0 instead of 1.0 (off by 5e-01 of the initial loss)"],
        ["naive", "4-2-1", "go", "not run", ""],
    ]
    assert [[text for text, _ in row] for row in tables["left-out"][1]] == [
        ["naive", "512-256-1", "all", "too dear"]
    ]
    assert "1.00 s (other losses)" in [text for row in tables["methods"][1] for text, _ in row]


def test_what_is_not_there_is_said_with_the_command_that_makes_it(tmp_path: Path) -> None:
    _, root = page(sweeps.understood(tmp_path, sweeps.pairs([(4.0, 1.0)] * 3)))
    commands = [pages.text_of(code) for item in root.iter("li") for code in item.iter("code")]
    named = {command.split()[1] for command in commands}
    assert named == {"selfcheck", "article", "predict", "bench"}
    assert named <= {command.__name__.rpartition(".")[2] for command in cli.COMMANDS}


def test_the_commands_that_repeat_it_have_the_words_that_were_typed(tmp_path: Path) -> None:
    results = sweeps.understood(tmp_path, sweeps.pairs([(4.0, 1.0)] * 3), reference="rust")
    plan = sweeps.plan(("python", "rust"))
    typed = ["--contenders", "a b", "python", "--shapes", "10-5-1", "3-1", "--budget", "60"]
    checkout = f"git checkout {results.environment['commit']}"
    for words, bench in (
        (typed, ["make", "bench", "ARGS=--contenders 'a b' python --shapes 10-5-1 3-1 --budget 60"]),
        ([], ["make", "bench"]),
        (7, ["make", "bench"]),
    ):
        described = replace(results, environment={**results.environment, "command": words})
        first, second, third = commands(described, plan)
        assert (first, shlex.split(second)) == (checkout, bench)
        assert shlex.split(third) == ["make", "plot", "ARGS=--reference rust"]
    assert commands(replace(results, reference="python"), plan)[-1] == "make plot"


def commands(results: Results, plan: Plan) -> list[str]:
    """Return the commands with which the page says that it can be measured again."""
    _, root = page(results, plan=plan)
    (block,) = root.iter("pre")
    return "".join(block.itertext()).splitlines()


def test_the_command_writes_a_page_that_the_results_folder_links_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = sweeps.pairs([(4.0, 1.0)] * 3)
    folder = sweeps.write(tmp_path / "results" / "sweeps", made, sweeps.plan(("python", "rust")))
    words = ["plot", "--results", str(tmp_path / "results")]
    assert cli.main(words) == 0
    names = ("scaling.png", "speedup.png", "methods.png", "memory.png", "report.html")
    assert capsys.readouterr().out.splitlines() == [str(folder.path / name) for name in names]
    linked = (tmp_path / "results" / "report.html").read_text(encoding="utf-8")
    assert "compared with python" in linked and "rust trains 4-2-1 (naive) 4.00 times as fast" in linked
    assert cli.main([*words, "--reference", "rust"]) == 0
    other = (tmp_path / "results" / "report.html").read_text(encoding="utf-8")
    assert "compared with rust" in other and "python trains 4-2-1 (naive) 0.250 times as fast" in other


def test_tables_of_another_machine_are_not_taken_in(tmp_path: Path) -> None:
    """They belong to the results folder; the sweep came from elsewhere."""
    results = tmp_path / "results"
    results.mkdir()
    (results / "claims.csv").write_text("claim,says,verdict,figure,basis\na,b,confirmed,1,c\n")
    folder = sweeps.write(tmp_path / "elsewhere", sweeps.pairs([(4.0, 1.0)] * 3))
    assert cli.main(["plot", str(folder.path), "--results", str(results)]) == 0
    assert "confirmed" not in (folder.path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["selfcheck.csv", "claims.csv", "predictions.csv", "parts.csv"])
@pytest.mark.parametrize("content", ["a,b\n1,2\n", "", "\x00"])
def test_a_file_that_is_none_of_ours_is_one_line(
    tmp_path: Path, name: str, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = sweeps.write(tmp_path, sweeps.pairs([(4.0, 1.0)] * 2))
    (tmp_path / name).write_text(content)
    assert cli.main(["plot", str(folder.path), "--results", str(tmp_path / "results")]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and error.startswith(f"error: {tmp_path / name}: ")
