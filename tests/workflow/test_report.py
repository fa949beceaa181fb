"""All parts of the report open in a real browser, from its file alone."""

from __future__ import annotations

import copy
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from .conftest import Checkout

pytestmark = pytest.mark.slow

WINDOW = {"width": 1400, "height": 900}
# machines of tests may be slow
PATIENCE = 120_000
CATEGORIES = {"Attribution", "Checks", "Results", "Skies", "Study"}
# Snakemake writes specs into the report as they are
LABEL = "</script><script>window.executed = true</script>"
# counts elements to the left of a page or above it, which cannot be scrolled to
HIDDEN = """root => {
  root.scrollTo(0, 0);
  const boxes = [...root.querySelectorAll("*")].map(e => e.getBoundingClientRect());
  const shown = boxes.filter(box => box.width && box.height);
  const left = root.getBoundingClientRect().left;
  return shown.filter(box => box.top < -1 || box.left < left - 1).length;
}"""


@dataclass
class Result:
    """A result as a reader sees it.

    Attributes
    ----------
    kind
        Name of the element that shows it, or `download`.
    size
        Natural width and height of an image.
    rows
        Rows of all tables.
    hidden
        Elements that cannot be scrolled to.
    caption
        Text of the caption.
    """

    kind: str
    caption: str = ""
    size: tuple[int, int] = (0, 0)
    rows: int = 0
    hidden: int = 0


@dataclass
class Tour:
    """Results in the report by category and label, and errors of the browser."""

    first: str = ""
    first_hidden: int = 0
    graphs: int = 0
    executed: bool = False
    formulas: list[str] = field(default_factory=list)
    results: dict[str, dict[str, Result]] = field(default_factory=dict)
    paths: list[str] = field(default_factory=list)
    downloads: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        reason = "no `chromium` to open the report with"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        # without the sandbox, which root cannot use; the page is trusted
        chromium = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox"], timeout=PATIENCE
        )
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def report(finished: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("a report") / "report.html"
    config = copy.deepcopy(finished.config)
    config["degradations"]["shuffle_pixels"]["label"] = LABEL
    text = finished.snakemake("--report", str(path), "--cores", "1", config=config)
    assert finished.returncode == 0, text
    return path


@pytest.fixture(scope="module")
def tour(browser: Browser, report: Path, finished: Checkout) -> Tour:
    """Open the report as a reader does, and click on all entries of its menu."""
    found = Tour()
    context = browser.new_context(viewport=WINDOW, offline=True)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)

    def note(message) -> None:
        if message.type == "error":
            found.problems.append(f"console: {message.text}")

    page.on("console", note)
    page.on("pageerror", lambda error: found.problems.append(f"error: {error}"))
    page.on("request", lambda request: asked(request.url, report, found))
    page.goto(report.as_uri())
    page.locator(".infoscope").wait_for()
    found.first = page.locator(".infoscope").inner_text()
    content = page.locator("#app > div > div.grow")
    found.first_hidden = content.evaluate(HIDDEN)
    for name in ("Workflow", "Statistics"):
        page.locator("nav li a", has_text=name).click()
        page.locator("canvas, svg.marks").first.wait_for()
        found.graphs += 1
    menu = [text.strip() for text in page.locator("nav li a").all_inner_texts()]
    for category in [name for name in menu if name in CATEGORIES]:
        page.locator("nav li a", has_text=category).click()
        page.locator("nav table tbody tr").first.wait_for()
        rows = page.locator("nav table tbody tr")
        labels = [row.locator("td").first.inner_text() for row in rows.all()]
        found.results[category] = {}
        for label in labels:
            found.results[category][label] = seen(page, label, found)
            # return to the menu, and to the category
            page.locator("nav nav li a", has_text="Results").first.click()
            page.locator("nav li a", has_text=category).click()
        page.locator("nav nav li a").first.click()
    found.paths = page.evaluate("Object.keys(results)")
    found.executed = page.evaluate("window.executed === true")
    context.close()
    return found


def asked(url: str, report: Path, found: Tour) -> None:
    """Record requests of the page for anything outside of itself."""
    inside = url == report.as_uri() or re.match("(data|blob|about):", url)
    if not inside:
        found.problems.append(f"request: {url}")


def seen(page: Page, label: str, found: Tour) -> Result:
    """Click on a result of the category that the menu shows, then on its caption."""
    # other labels may start with the same text
    cell = page.get_by_role("cell", name=label, exact=True)
    row = page.locator("nav table tbody tr").filter(has=cell)
    show, about = row.locator("a").all()
    if show.get_attribute("download"):
        with page.expect_download() as download:
            show.click()
        text = download.value.path().read_text()
        found.downloads.append(text)
        result = Result("download", rows=text.count("\n") - 1)
    else:
        show.click()
        content = page.locator("#app > div > div.grow")
        shown = content.locator("img, iframe")
        shown.wait_for()
        if shown.evaluate("e => e.tagName") == "IMG":
            shown.evaluate("e => e.decode()")
            size = shown.evaluate("e => [e.naturalWidth, e.naturalHeight]")
            hidden = content.evaluate(HIDDEN)
            result = Result("img", size=tuple(size), hidden=hidden)
        else:
            frame = shown.content_frame
            frame.locator("tbody tr").first.wait_for()
            body = frame.locator("body")
            result = Result(
                "iframe",
                rows=frame.locator("tbody tr").count(),
                hidden=body.evaluate(HIDDEN),
            )
    about.click()
    caption = page.locator("nav .prose")
    caption.wait_for()
    result.caption = caption.inner_text()
    found.formulas += caption.locator(".formula, math").all_inner_texts()
    found.problems += caption.locator(".system-message").all_inner_texts()
    return result


def test_nothing_goes_wrong_and_nothing_is_loaded(tour: Tour) -> None:
    assert tour.problems == []
    assert not tour.executed
    assert tour.graphs == 2


def test_first_page_has_the_verdicts_and_the_caveats(
    tour: Tour, finished: Checkout
) -> None:
    widths = pd.read_csv(finished.folder / "results/ci/widths.csv")
    chosen = widths[widths.metric == "sigma_s8"]
    for row in chosen.itertuples():
        assert row.verdict in tour.first and row.label in tour.first
    claims = pd.read_csv(finished.folder / "results/ci/claims.csv")
    for row in claims.itertuples():
        assert row.claim in tour.first and row.claim_verdict in tour.first
    for text in ("Caveats", "Skies are Gaussian", "one training", "1,600 deg²"):
        assert text in tour.first
    for rule in ("train_estimator", "simulate_skies"):
        assert rule in tour.first
    assert tour.first_hidden == 0


def test_every_result_was_seen(tour: Tour, finished: Checkout) -> None:
    results = finished.folder / "results/ci"
    assert set(tour.results) == CATEGORIES & set(tour.results)
    assert set(tour.results) >= {"Checks", "Results", "Skies", "Study"}
    assert sum(map(len, tour.results.values())) == len(tour.paths)
    figures = {f"results/ci/figures/{p.name}" for p in results.glob("figures/*.png")}
    # other tests may have drawn the figure
    figures.discard("results/ci/figures/learning_curves.png")
    pages = {f"results/ci/report/{p.name}" for p in results.glob("report/*.html")}
    assert len(figures) > 7 and len(pages) == 6
    assert figures | pages <= set(tour.paths)


def test_figures_load_and_their_tops_can_be_reached(tour: Tour) -> None:
    images = {
        label: result
        for results in tour.results.values()
        for label, result in results.items()
        if result.kind == "img"
    }
    assert {"Widths: figure", "Calibration", "Posteriors: cnn"} <= set(images)
    for label, image in images.items():
        assert min(image.size) > 200, label
        assert image.hidden == 0, label
    # there is one that is taller than the window
    assert max(image.size[1] for image in images.values()) > WINDOW["height"]


def test_tables_have_all_rows(tour: Tour, finished: Checkout) -> None:
    results = finished.folder / "results/ci"
    lengths = {
        name: len(pd.read_csv(results / f"{name}.csv"))
        for name in ("widths", "diagnostics", "claims", "skies_pairs", "fisher")
    }
    rows = {
        label: result.rows
        for results in tour.results.values()
        for label, result in results.items()
    }
    assert rows["Widths: CSV"] == lengths["widths"]
    # and a table of scores, with a row for each degradation and estimator
    assert rows["Widths: table"] == lengths["widths"] + lengths["diagnostics"]
    assert rows["Claims: table"] == rows["Claims: CSV"] == lengths["claims"]
    assert rows["Skies against theory: table"] == lengths["skies_pairs"]
    # calibration and training
    assert rows["Diagnostics: table"] == 2 * lengths["diagnostics"]
    # and a matrix for two rows
    assert rows["Forecast: table"] == 1.5 * lengths["fisher"]
    assert rows["Summary"] > 20


def test_downloads_are_the_files(tour: Tour, finished: Checkout) -> None:
    results = finished.folder / "results/ci"
    tables = [path for path in tour.paths if path.endswith(".csv")]
    contents = [(finished.folder / path).read_text() for path in tables]
    assert sorted(tour.downloads) == sorted(contents)
    assert (results / "widths.csv").read_text() in tour.downloads


def test_captions_are_text_with_mathematics(tour: Tour) -> None:
    for category, results in tour.results.items():
        for label, result in results.items():
            caption = result.caption
            assert len(caption) > 100, f"{category}: {label}"
            assert not re.search(r"\\|:math:|\{\{|``|\{%", caption), caption
    assert "understates the loss" in tour.results["Results"]["Widths: figure"].caption
    shown = "".join(tour.formulas)
    assert "Ω" in shown and "σ" in shown and "\\" not in shown


def test_columns_are_sorted_by_value(browser: Browser, finished: Checkout) -> None:
    page = browser.new_page()
    page.goto((finished.folder / "results/ci/report/widths.html").as_uri())
    # after the table of scores
    shown = page.locator("table").nth(1)
    column = [head.strip() for head in shown.locator("th").all_inner_texts()]
    place = column.index("value")
    for order in (sorted, lambda values: sorted(values, reverse=True)):
        shown.locator("th").nth(place).click()
        cells = shown.locator(f"tbody td:nth-child({place + 1})")
        values = [float(c.get_attribute("data-order") or "nan") for c in cells.all()]
        assert values == order(values) and len(values) == 4
    page.close()


def test_report_of_a_part_says_that_there_is_no_summary_yet(
    finished: Checkout, tmp_path: Path
) -> None:
    summary = finished.folder / "results/ci/report/summary.html"
    hidden, path = summary.with_suffix(".hidden"), tmp_path / "report.html"
    summary.rename(hidden)
    try:
        text = finished.snakemake(
            "--report", str(path), "--cores", "1", "forecast_fisher"
        )
    finally:
        hidden.rename(summary)
    assert finished.returncode == 0, text
    assert "has no summary yet" in path.read_text()
