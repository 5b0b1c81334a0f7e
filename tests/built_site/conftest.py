"""The built site in a browser, which is started once, and on a server."""

from functools import partial
from http.server import ThreadingHTTPServer
from threading import Thread

import pytest
from helpers.figures import PLACES, alone, settle
from helpers.site import CHROMIUM, FLAGS, SITE, QuietHandler, Visits
from xdist.scheduler import LoadScopeScheduling

# Their tests share what takes long to make: a page with a figure, or the book on paper.
SHARED = ("test_placed_figures.py", "test_pdf.py")


class Together(LoadScopeScheduling):
    """Give one worker all tests that share something, and any other test to whoever is free."""

    def _split_scope(self, nodeid: str) -> str:
        file, _, test = nodeid.partition("::")
        return file + test.partition("[")[2] if file.endswith(SHARED) else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Schedule these tests; the groups of pytest-xdist 3.8 are not seen by pytest 9.2."""
    return Together(config, log)


@pytest.fixture(scope="session")
def browser():
    """Start the browser once, for the tests of all files."""
    # Few tests need it, and it is in no environment but that of the book.
    from playwright.sync_api import sync_playwright

    assert CHROMIUM, "make test installs chromium before these tests"
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def served():
    """Serve the site on localhost and return its address."""
    handler = partial(QuietHandler, directory=SITE)
    with ThreadingHTTPServer(("localhost", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="session")
def visit(browser):
    """Return a function that opens a page, in the one tab that all tests share."""
    return Visits(browser)


@pytest.fixture(scope="module")
def tab(browser):
    """Return a tab for figures without the rest of their pages."""
    context = browser.new_context(
        has_touch=True, viewport={"width": 800, "height": 600}
    )
    tab, complaints = context.new_page(), []
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    yield tab
    context.close()
    assert complaints == []


@pytest.fixture
def opened(tab, tmp_path):
    """Return a function that shows a figure as it is when its page opens."""

    def show(name, **media):
        tab.emulate_media(color_scheme="light", reduced_motion="no-preference")
        tab.emulate_media(**media)
        path = tmp_path / "page.html"
        path.write_text(alone(*PLACES[name]))
        tab.goto(path.as_uri())
        figure = tab.locator(".moving-figure")
        figure.scroll_into_view_if_needed()
        settle(figure)
        return figure

    return show
