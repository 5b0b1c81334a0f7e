"""What the tests of the built site share: its pages, the browser and its flags, a page opened."""

import os
import shutil
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
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
FILES = SITE.as_uri()
BUILT = sorted([*SITE.glob("*.html"), *SITE.glob("chapters/**/*.html")])
PAGES = [path.relative_to(SITE).as_posix() for path in BUILT if path.stem != "search"]


class Visits:
    """One tab that goes from page to page: a new one for each would cost more than most pages."""

    def __init__(self, browser):
        self.tab = browser.new_context().new_page()
        self.complaints, self.requests = [], []
        self.listen()
        # What is asked for is to be seen every time.
        session = self.tab.context.new_cdp_session(self.tab)
        session.send("Network.setCacheDisabled", {"cacheDisabled": True})

    def listen(self):
        """Note what a page complains of and whom it asks."""
        loud = ("error", "warning")
        on = self.tab.on
        on("console", lambda m: self.complain(m.text) if m.type in loud else None)
        on("pageerror", lambda error: self.complain(str(error)))
        on("requestfailed", lambda request: self.complain(f"failed: {request.url}"))
        on("request", lambda request: self.requests.append(request.url))
        on(
            "response",
            lambda r: (
                self.complain(f"{r.status}: {r.url}") if r.status >= 400 else None
            ),
        )

    def complain(self, text):
        """Note a complaint."""
        self.complaints.append(text)

    def leave(self):
        """Forget what the last page has left."""
        if self.tab.url != "about:blank":
            self.tab.evaluate("localStorage.clear(); sessionStorage.clear()")
        self.tab.mouse.move(0, 0)
        self.tab.goto("about:blank")
        self.complaints, self.requests = [], []

    def __call__(self, page, theme="light", width=1366, address=FILES):
        """Open a page, of the files or from a server; return it, what it complains of and whom it asks."""
        self.leave()
        self.tab.set_viewport_size({"width": width, "height": 900})
        self.tab.emulate_media(
            media="screen", color_scheme=theme, reduced_motion="no-preference"
        )
        self.tab.goto(f"{address}/{page}")
        self.tab.evaluate("document.fonts.ready.then(() => true)")
        self.tab.wait_for_function("!document.documentElement.matches('.is-coming')")
        return self.tab, self.complaints, self.requests


class QuietHandler(SimpleHTTPRequestHandler):
    """A file server that keeps its log to itself."""

    def log_message(self, *_):
        """Say nothing."""
