"""The report's page in a real browser: no network, no errors, tables that sort and filter, and no barrier."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mibench.report import reports as report
from mibench.store.parquet import write_pack
from tests.support.paths import SUPPORT
from tests.support.rows import make

AXE = SUPPORT / "assets" / "axe.min.js"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-quic",
]  # fmt: skip
MISSING = [
    what
    for what, there in (("a Chromium browser", CHROMIUM), ("playwright", importlib.util.find_spec("playwright")))
    if not there
]
REQUIRED = os.environ.get("MIBENCH_BROWSER") == "required"

pytestmark = pytest.mark.skipif(
    bool(MISSING) and not REQUIRED, reason=f"needs {' and '.join(MISSING)}, which this machine has not"
)


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of a claim, of figures and of 48 runs, one of which has a name that would break careless pages."""
    folder = tmp_path_factory.mktemp("page")
    runs, curves = make(estimators=("nwj", "infonce", "smile"), levels=(2.0, 10.0), seeds=4, steps=100)
    runs.loc[runs.index[0], "estimator"] = '</script><b title="x">&amp;'
    runs.loc[runs.index[1], ["status", "estimate_train_median"]] = ["diverged", float("inf")]
    write_pack(folder / "results", "pack", runs, curves)
    report.draw_reports(["saturation", "curves"], results=folder / "results", output=folder / "reports")
    return folder / "reports" / "index.html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    assert not MISSING, f"needs {' and '.join(MISSING)}"
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Any, page_file: Path) -> Iterator[Any]:
    """The page, loaded from disk; what it asked for and complained of lies in ``page.asked`` and ``page.said``."""
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    loaded = context.new_page()
    loaded.asked, loaded.said = [], []
    loaded.on("request", lambda request: loaded.asked.append(request.url))
    loaded.on("requestfailed", lambda request: loaded.said.append(f"failed: {request.url}"))
    loaded.on("console", lambda message: loaded.said.append(f"{message.type}: {message.text}"))
    loaded.on("pageerror", lambda error: loaded.said.append(f"error: {error}"))
    loaded.goto(page_file.as_uri(), wait_until="load")
    yield loaded
    context.close()


def cells(page: Any, column: str) -> Any:
    """Cells of a column of the runs that the table shows."""
    headings = [text.strip() for text in page.locator("#runs-table thead th").all_inner_texts()]
    return page.locator(f"#runs-table tbody td:nth-child({headings.index(column) + 1})")


def shown(page: Any, column: str) -> list[str]:
    """Texts of these cells."""
    return [text.strip() for text in cells(page, column).all_inner_texts()]


def test_the_page_asks_for_nothing_and_complains_of_nothing(page: Any) -> None:
    assert [url for url in page.asked if not url.startswith(("file:", "data:"))] == []
    assert page.said == []


def test_every_image_has_loaded_and_says_what_it_shows(page: Any) -> None:
    images = page.eval_on_selector_all(
        "img", "all => all.map(i => [i.complete && i.naturalWidth > 0, i.alt.length > 20])"
    )
    assert len(images) == 2
    assert all(loaded and told for loaded, told in images)


def test_hostile_names_are_text(page: Any) -> None:
    page.get_by_label("Search names and ids").fill("title=")
    names = shown(page, "estimator")
    assert len(names) == 1
    assert '</script><b title="x">' in names[0]


def test_the_runs_sort_and_filter(page: Any) -> None:
    from playwright.sync_api import expect  # which waits: the table sorts a moment after the click

    info = page.locator("#runs .dt-info")
    assert info.inner_text() == "1 to 25 of 96"
    page.locator("#runs-filters select[data-key=negatives]").select_option("shuffle")
    page.locator("#runs-filters select[data-key=estimator]").select_option("infonce")
    assert info.inner_text() == "1 to 16 of 16 (96 in all)"  # two batch sizes, two levels, four seeds
    assert set(shown(page, "negatives")) == {"shuffle"}
    assert set(shown(page, "estimator")) == {"infonce"}
    order = page.get_by_role("button", name="seed: Activate to sort")
    order.click()
    expect(cells(page, "seed")).to_have_text(sorted("0123" * 4))
    page.get_by_role("button", name="seed: Activate to").last.press("Enter")  # by the keyboard as well
    expect(cells(page, "seed")).to_have_text(sorted("0123" * 4, reverse=True))
    page.locator("#runs-filters select[data-key=status]").select_option("diverged")
    assert info.inner_text() == "none (96 in all)"
    page.locator("#runs-filters button[type=reset]").click()
    expect(info).to_have_text("1 to 25 of 96")


def test_dark_and_light_can_be_chosen(page: Any) -> None:
    colour = "getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(colour)
    page.locator("#theme").click()
    assert page.evaluate(colour) != before
    assert page.locator("#theme").get_attribute("aria-pressed") == "true"


def test_a_phone_scrolls_one_way(page: Any) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.wait_for_timeout(100)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_barrier_is_found(page: Any, theme: str) -> None:
    page.emulate_media(color_scheme=theme)
    for summary in page.locator("summary").all():
        summary.click()  # what is folded away counts too
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run()")["violations"]
    serious = [f"{v['id']}: {v['nodes'][0]['html'][:120]}" for v in found if v["impact"] in ("serious", "critical")]
    assert serious == []
