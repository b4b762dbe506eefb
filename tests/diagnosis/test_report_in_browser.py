"""The report in a browser: wide and narrow, light and dark, by keyboard, on paper."""

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright
from support.diagnoses import make_diagnosis

from home_tf.backend import IS_LEGACY
from home_tf.diagnosis.report import write_report

pytestmark = pytest.mark.skipif(
    IS_LEGACY, reason="there is no Keras in the report: once is enough"
)

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
        found = next(filter(None, map(shutil.which, NAMES)), None)
        found = found or (own if Path(own).is_file() else None)
        if found is None:
            pytest.skip(
                "no Chromium here: install one, or run `playwright install chromium`"
            )
        # Its sandbox does not start for root, whom containers have.
        browser = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """`{name: address}` of the report of one run, of two, and of a large one."""
    home = make_diagnosis(importance=8)
    large = make_diagnosis(tasks=20, experts=60, features=80, importance=40)
    addresses = {}
    for name, runs in {
        "one": {"home": home},
        "two": {"mmoe": make_diagnosis(architecture="mmoe", seed=1), "home": home},
        "large": {"a run whose name is long " * 3: large},
    }.items():
        folder = tmp_path_factory.mktemp(name)
        write_report(runs, folder)
        addresses[name] = (folder / "report.html").as_uri()
    return addresses


@pytest.fixture
def open_page(browser):
    """Opens a page; at the end nothing may have failed or been loaded."""
    contexts, problems = [], []

    def open_(address, width=1440, scheme="light"):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: check(request.url, address))
        page.goto(address)
        return page

    def check(url, address):
        if url not in (address, "data:,"):
            problems.append(url)

    yield open_
    for context in contexts:
        context.close()
    assert problems == []


def hidden_width(page):
    return page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )


def open_all(page):
    page.evaluate(
        "document.querySelectorAll('details').forEach(one => one.open = true)"
    )


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["one", "two", "large"])
def test_the_page_never_scrolls_sideways(name, scheme, reports, open_page):
    page = open_page(reports[name], scheme=scheme)
    for prepare in (lambda page: None, open_all):
        prepare(page)
        for width in (1440, 768, 390):
            page.set_viewport_size({"width": width, "height": 900})
            assert hidden_width(page) == 0, width


def test_the_verdicts_are_on_the_first_screen(reports, open_page):
    for name, verdicts in (("one", ".cards"), ("two", ".matrix")):
        box = open_page(reports[name]).locator(verdicts).bounding_box()
        assert box["y"] + box["height"] < 900


def test_light_and_dark_are_the_readers(reports, open_page):
    colours = []
    for scheme in ("light", "dark"):
        page = open_page(reports["one"], scheme=scheme)
        for element, what in (
            ("body", "backgroundColor"),
            ("body", "color"),
            ("figure svg text", "fill"),
        ):
            colours.append(
                page.evaluate(
                    f"getComputedStyle(document.querySelector('{element}')).{what}"
                )
            )
    light, dark = colours[:3], colours[3:]
    assert all(one != other for one, other in zip(light, dark, strict=True))
    # The words in a plot have the colour of those around it.
    assert light[1] == light[2]
    assert dark[1] == dark[2]


def focused(page):
    return page.evaluate("document.activeElement.textContent.trim()")


def test_the_keyboard_reaches_everything(reports, open_page):
    page = open_page(reports["one"])
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the report"
    assert page.locator(".skip").bounding_box()["y"] >= 0
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(outline) == "solid"
    page.keyboard.press("Tab")
    assert focused(page) == "Overview"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "overview"
    page.keyboard.press("Tab")
    assert focused(page) == "Cases, and what to try next"


def test_details_open_by_keyboard(reports, open_page):
    page = open_page(reports["one"])
    page.locator("summary").first.focus()
    table = page.locator(".card details table").first
    assert not table.is_visible()
    page.keyboard.press("Enter")
    assert table.is_visible()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('role')") == "region"


def test_wide_plots_scroll_in_their_own_box(reports, open_page):
    page = open_page(reports["large"], width=390)
    region = page.locator("figure .scroll").first
    region.focus()
    before = region.evaluate("one => one.scrollLeft")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.activeElement.scrollLeft > 0")
    assert before == 0
    assert region.get_attribute("aria-label")


def test_links_lead_to_their_sections(reports, open_page):
    page = open_page(reports["one"])
    for link in page.locator("nav a").all():
        link.click()
        name = link.get_attribute("href").removeprefix("#")
        top = page.locator(f"section[id={name}]").bounding_box()["y"]
        header = page.locator("header").bounding_box()
        # Below the header, which stays; the last is as high as the page's end lets it.
        assert top >= header["height"] - 1
        assert top < 900


@pytest.mark.slow
def test_on_paper_it_is_light_and_tells_what_to_try(reports, open_page):
    page = open_page(reports["one"], width=718, scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    colour = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(colour) == "rgb(255, 255, 255)"
    assert not page.locator("header").is_visible()
    assert not page.locator("figure .numbers").first.is_visible()
    widest = page.evaluate(
        "Math.max(...[...document.querySelectorAll('figure svg')]"
        ".map(one => one.getBoundingClientRect().right))"
    )
    assert widest <= 718
    assert page.pdf().startswith(b"%PDF")
