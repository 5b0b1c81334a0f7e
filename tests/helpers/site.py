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


def open_page(browser, page, theme="light", width=1366, address=FILES):
    """Open a page, among files or from a server; return it with what it complained of and whom it asked."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=theme
    )
    tab = context.new_page()
    complaints, requests = [], []
    loud = ("error", "warning")
    tab.on("console", lambda m: complaints.append(m.text) if m.type in loud else None)
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("requestfailed", lambda request: complaints.append(f"failed: {request.url}"))
    tab.on("request", lambda request: requests.append(request.url))
    tab.on(
        "response",
        lambda r: (
            complaints.append(f"{r.status}: {r.url}") if r.status >= 400 else None
        ),
    )
    tab.goto(f"{address}/{page}")
    tab.evaluate("document.fonts.ready.then(() => true)")
    return tab, complaints, requests


class QuietHandler(SimpleHTTPRequestHandler):
    """A file server that keeps its log to itself."""

    def log_message(self, *_):
        """Say nothing."""
