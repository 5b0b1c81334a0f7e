"""The built site in a real browser: every page, desktop and phone, light and dark."""

import os
import re
import shutil
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parent.parent
SITE = ROOT / "_build" / "html"
NAMES = [
    os.environ.get("CHROMIUM", ""),
    "chromium",
    "chromium-browser",
    "google-chrome",
]
CHROMIUM = next(
    (found for name in NAMES if name and (found := shutil.which(name))), None
)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
]
# Upstream findings of axe, of the theme and of docutils; anything else fails.
ALLOWED = {
    "label-content-name-mismatch",  # the theme's search button
    "region",  # the theme's skip link
    "aria-required-children",  # docutils' bibliography
    "aria-deprecated-role",
    "aria-allowed-role",
    "scrollable-region-focusable",  # long formulas and code scroll; arrow keys reach them in Chromium
}
PAGES = sorted(
    path.relative_to(SITE).as_posix()
    for path in [*SITE.glob("*.html"), *SITE.glob("chapters/*.html")]
    if path.stem not in {"index", "search", "prf-prf"}
)


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    assert CHROMIUM, "make test installs chromium before these tests"
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


def open_page(browser, page, theme="light"):
    """Open a page and return it with what it complained of and whom it asked."""
    context = browser.new_context(
        viewport={"width": 1366, "height": 900}, color_scheme=theme
    )
    tab = context.new_page()
    complaints, requests = [], []
    tab.on(
        "console", lambda m: complaints.append(m.text) if m.type == "error" else None
    )
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("requestfailed", lambda request: complaints.append(f"failed: {request.url}"))
    tab.on("request", lambda request: requests.append(request.url))
    tab.goto((SITE / page).as_uri())
    tab.wait_for_load_state("networkidle")
    return tab, complaints, requests


def test_there_is_a_site_to_test():
    assert "README.html" in PAGES
    assert len(PAGES) >= 9


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_are_self_contained_silent_accessible_and_fit(browser, page, theme):
    tab, complaints, requests = open_page(browser, page, theme)
    assert tab.evaluate("document.documentElement.dataset.theme") == theme
    for width in (1366, 375):
        tab.set_viewport_size({"width": width, "height": 900})
        wide = tab.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, f"{page} is {wide} px too wide at {width} px"
        assert serious_findings(tab) == {}
    assert complaints == []
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    tab.context.close()


def serious_findings(tab):
    """Return what axe finds on a page, but for what the theme brings."""
    tab.add_script_tag(path=ROOT / "node_modules" / "axe-core" / "axe.min.js")
    found = tab.evaluate("axe.run({preload: false}).then(result => result.violations)")
    return {
        rule["id"]: [node["html"][:200] for node in rule["nodes"][:3]]
        for rule in found
        if rule["id"] not in ALLOWED
    }


@pytest.mark.parametrize("page", PAGES)
def test_mathematics_is_painted_and_no_source_shows(page):
    html = (SITE / page).read_text()
    assert "katex-error" not in html
    body = html.split("<article", 1)[1].split("</article", 1)[0]
    text = re.sub(
        r"(?s)<annotation.*?</annotation>|<pre.*?</pre>|<code.*?</code>", "", body
    )
    text = re.sub(r"<[^>]+>", "", text)
    assert not re.search(r"\\(?:frac|mathrm|sum|pi|tau|ell)\b|\$[^$\n]+\$", text)
    assert not re.search(r"\{(?:glue|numref|eq|ref|cite|prf|func)", text)


def test_mathematics_and_text_need_no_script(browser):
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto((SITE / "chapters" / "04_softmax_relaxation.html").as_uri())
    assert tab.locator(".katex-html").count() > 100
    assert "A theorem" not in tab.title()
    context.close()


def test_the_index_leads_to_the_landing_page(browser):
    tab, _, _ = open_page(browser, "index.html")
    tab.wait_for_url("**/README.html")
    assert "Gumbel-Softmax" in tab.title()
    tab.context.close()


@pytest.fixture
def served():
    """Serve the site on localhost and return its address."""
    handler = partial(QuietHandler, directory=SITE)
    with ThreadingHTTPServer(("localhost", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()


class QuietHandler(SimpleHTTPRequestHandler):
    """A file server that keeps its log to itself."""

    def log_message(self, *_):
        """Say nothing."""


def search_results(tab, address):
    tab.goto(f"{address}/search.html?q=temperature")
    tab.wait_for_selector("#search-results li")
    return tab.locator("#search-results li").count()


def test_search_works_from_files(browser):
    tab, _, _ = open_page(browser, "search.html")
    assert search_results(tab, SITE.as_uri()) >= 3
    tab.context.close()


def test_search_over_http_asks_no_other_host(browser, served):
    tab, complaints, requests = open_page(browser, "search.html")
    assert search_results(tab, served) >= 3
    tab.wait_for_load_state("networkidle")
    assert complaints == []
    assert [
        url for url in requests if not url.startswith((served, "file:", "data:"))
    ] == []
    tab.context.close()
