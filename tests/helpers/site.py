"""What the tests of the built site share: its pages, the browser and its flags, a page opened and audited."""

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
# Upstream findings of axe, of the theme and of docutils; anything else fails.
ALLOWED = {
    "label-content-name-mismatch",  # the theme's search button
    "region",  # the theme's skip link
    "aria-required-children",  # docutils' bibliography
    "aria-deprecated-role",
    "aria-allowed-role",
    "scrollable-region-focusable",  # long formulas and code scroll; arrow keys reach them in Chromium
}
BUILT = sorted([*SITE.glob("*.html"), *SITE.glob("chapters/**/*.html")])
PAGES = [path.relative_to(SITE).as_posix() for path in BUILT if path.stem != "search"]


def open_page(browser, page, theme="light", width=1366):
    """Open a page and return it with what it complained of and whom it asked."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=theme
    )
    tab = context.new_page()
    complaints, requests = [], []
    tab.on(
        "console", lambda m: complaints.append(m.text) if m.type == "error" else None
    )
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("requestfailed", lambda request: complaints.append(f"failed: {request.url}"))
    tab.on("request", lambda request: requests.append(request.url))
    path, question, query = page.partition("?")
    tab.goto((SITE / path).as_uri() + question + query)
    tab.wait_for_load_state("networkidle")
    return tab, complaints, requests


def serious_findings(tab, part=":root"):
    """Return what axe finds on a page or a part of it, but for what the theme brings."""
    tab.add_script_tag(path=ROOT / "node_modules" / "axe-core" / "axe.min.js")
    found = tab.evaluate(
        "part => axe.run(part, {preload: false}).then(result => result.violations)",
        part,
    )
    return {
        rule["id"]: [node["html"][:200] for node in rule["nodes"][:3]]
        for rule in found
        if rule["id"] not in ALLOWED
    }


class QuietHandler(SimpleHTTPRequestHandler):
    """A file server that keeps its log to itself."""

    def log_message(self, *_):
        """Say nothing."""
