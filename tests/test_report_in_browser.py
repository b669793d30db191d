"""The page as a browser shows it: nothing loaded, nothing cut off, readable in light, dark and on paper."""

import io
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Page, Route, sync_playwright

from harness.records import SweepFolder
from harness.report import page as report
from harness.report.files import write_tables
from tests import pages
from tests.sweeps import published

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WIDTHS = (360, 800, 1400)
TABLES = """() => Object.fromEntries([...document.querySelectorAll("table")].map(table => {
  const words = cell => cell.textContent.trim().replace(/\\s+/g, " ");
  const exact = cell => { const data = cell.querySelector("data"); return data ? Number(data.value) : null; };
  const [head, ...rows] = [...table.rows].map(row => [...row.cells]);
  return [table.id.replace("table-", ""),
    [head.map(words), rows.map(row => row.map(cell => [words(cell), exact(cell)]))]];
}))"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return a headless browser."""
    if BROWSER is None:
        pytest.skip("there is no chromium on this machine")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=BROWSER)
        yield started
        started.close()


class Watched:
    """An open page, with all that it said or asked for."""

    def __init__(self, browser: Browser, path: Path, *, script: bool = True) -> None:
        self.said: list[str] = []
        self.asked: list[str] = []
        self._address = path.as_uri()
        self.page: Page = browser.new_context(java_script_enabled=script).new_page()
        self.page.route("**/*", self._route)
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.goto(self._address)

    def _route(self, route: Route) -> None:
        if route.request.url == self._address:
            route.continue_()
        else:
            self.asked.append(route.request.url)
            route.abort()

    def too_wide(self) -> list[str]:
        """Return the elements because of which the page would scroll sideways."""
        found: list[str] = self.page.evaluate(
            """() => {
              const { scrollWidth, clientWidth } = document.documentElement;
              const cut = [...document.body.querySelectorAll("*")]
                .filter(element => element.getBoundingClientRect().right > clientWidth);
              return scrollWidth > clientWidth ? cut.map(element => element.outerHTML.slice(0, 99)) : [];
            }"""
        )
        return found


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the page of a real sweep with all that can stand beside it."""
    return pages.made_once(tmp_path_factory)


def violations(page: Page) -> list[str]:
    """Return what axe finds wrong: rules of WCAG 2 A and AA, and best practices."""
    found: list[Any] = Axe().run(page).response["violations"]
    return [f"{one['id']}: {node['html'][:120]}" for one in found for node in one["nodes"]]


def test_a_page_with_everything(browser: Browser, sweep: Path) -> None:
    watched = Watched(browser, sweep)
    page = watched.page
    assert pages.check_against_csv(page.evaluate(TABLES), sweep.parent) > 150
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert watched.too_wide() == [], width
        boxes = [picture.bounding_box() for picture in page.locator("figure img").all()]
        assert len(boxes) == 5
        assert all(box and box["width"] > 300 and box["height"] > 100 for box in boxes), width
    for picture in page.locator("figure img").all():
        shot = Image.open(io.BytesIO(picture.screenshot()))
        assert len(shot.getcolors(1 << 24) or []) > 10
    for scheme, background in (("light", "rgb(255, 255, 255)"), ("dark", "rgb(21, 24, 28)")):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.evaluate("document.querySelector('details').open = true")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == background
        assert violations(page) == [], scheme
    paper = page.pdf(format="A4")
    assert paper.startswith(b"%PDF-")
    assert 3 <= len(re.findall(rb"/Type\s*/Page\b", paper)) <= 15
    assert (watched.said, watched.asked) == ([], [])


def test_tables_are_sorted_and_whole_without_the_script(browser: Browser, sweep: Path) -> None:
    watched = Watched(browser, sweep)
    before = watched.page.evaluate(TABLES)["speedup-naive"]
    place = before[0].index("rust, training")
    head = watched.page.locator("#table-speedup-naive thead th").nth(place)
    for sort, sign in (("ascending", 1), ("descending", -1)):
        head.get_by_role("button").press("Enter")
        assert head.get_attribute("aria-sort") == sort
        _, rows = watched.page.evaluate(TABLES)["speedup-naive"]
        values = [row[place][1] for row in rows if row[place][1] is not None]
        assert values == sorted(values, key=lambda value: sign * value)
        assert sorted(map(str, rows)) == sorted(map(str, before[1]))
    assert watched.said == []
    plain = Watched(browser, sweep, script=False).page
    assert plain.locator("#table-speedup-naive tbody tr").all_inner_texts() == [
        "\t".join(text for text, _ in row) for row in before[1]
    ]
    assert plain.locator("button").count() == 0


def test_a_page_about_many(browser: Browser, tmp_path: Path) -> None:
    results = published("peers")
    write_tables(SweepFolder(tmp_path), results)
    (tmp_path / report.FILE).write_text(report.page(results, {}, {}))
    watched = Watched(browser, tmp_path / report.FILE)
    for width in WIDTHS:
        watched.page.set_viewport_size({"width": width, "height": 900})
        assert watched.too_wide() == [], width
    assert pages.check_against_csv(watched.page.evaluate(TABLES), tmp_path) > 150
    assert (watched.said, watched.asked) == ([], [])
