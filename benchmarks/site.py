"""Weigh and time the pages of the book against the same pages built with Jupyter Book's defaults.

`make bench-site` builds the book first. MathJax, which the defaults fetch from elsewhere, is served from this
machine, so that only the pages differ. Both are opened in turns, every time by a browser without a cache.
"""

import argparse
import gzip
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from measure import record
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parent.parent
SITE = ROOT / "_build" / "html"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
MATHJAX = "mathjax@3.2.2"
SLOW = {"offline": False, "latency": 150, "downloadThroughput": 200_000}
SLOW["uploadThroughput"] = SLOW["downloadThroughput"]

# What Jupyter Book is told by a book that says nothing but what its pages need to be read at all.
DEFAULTS = """\
title: Gumbel-Softmax, proved and run
only_build_toc_files: true
exclude_patterns: [_build, node_modules, mathjax]
execute: {execute_notebooks: "off"}
parse:
  myst_enable_extensions: [amsmath, colon_fence, deflist, dollarmath, smartquotes]
bibtex_bibfiles: [references.bib]
sphinx:
  extra_extensions: [sphinx.ext.autodoc, sphinx.ext.napoleon, sphinx_proof, sphinx_exercise]
  local_extensions: {docstring_math: _ext}
  config:
    html_static_path: [mathjax]
    mathjax_path: tex-mml-chtml.js
    numfig: true
    autodoc_typehints: none
    autodoc_default_options: {members: true}
"""

# The first moment at which something can be read: it is laid out, and its faces have come, or another is
# shown in their place. A formula counts with its own faces only.
WATCH = """(() => {
    const marks = window.marks = {};
    const has = (face, letter) => face.unicodeRange.split(',').some(span => {
        const [first, last] = span.trim().slice(2).split('-').map(number => parseInt(number, 16));
        return first <= letter && letter <= (last ?? first);
    });
    const faces = element => {
        const inside = [element, ...element.querySelectorAll('*')].filter(one =>
            [...one.childNodes].some(node => node.nodeType === 3 && node.data.trim()));
        const first = one => getComputedStyle(one).fontFamily.split(',')[0].replaceAll('"', '');
        const names = new Set(inside.map(first));
        const letters = [...element.textContent].map(letter => letter.codePointAt());
        return [...document.fonts].filter(face => names.has(face.family.replaceAll('"', ''))
            && letters.some(letter => has(face, letter)));
    };
    const waits = face => face.status === 'loading' || face.status === 'error';
    const isHere = element => element && element.getBoundingClientRect().height > 0;
    const look = () => {
        const text = document.querySelector('article p');
        if (!marks.text && isHere(text) && !faces(text).some(f => waits(f) && f.display !== 'swap'))
            marks.text = performance.now();
        const formula = document.querySelector('article .katex-html, article mjx-container mjx-math');
        if (!marks.mathematics && isHere(formula)) {
            const its = faces(formula);
            if (!its.some(waits) && (its.length === 0 || its.some(f => f.status === 'loaded')))
                marks.mathematics = performance.now();
        }
        requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
})()"""


class Compressed(SimpleHTTPRequestHandler):
    """A file server that compresses and keeps its connections, as those of the world do."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Send a file."""
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        content, packed = packed_file(path)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Length", str(len(content)))
        if packed:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@cache
def packed_file(path: Path) -> tuple[bytes, bool]:
    """Return what is sent of a file, and whether it is compressed."""
    content = path.read_bytes()
    if path.suffix in (".png", ".woff", ".woff2"):
        return content, False
    return gzip.compress(content, 6), True


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve a folder while it is needed."""
    handler = partial(Compressed, directory=folder)
    with ThreadingHTTPServer(("localhost", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()


def build_default(folder: Path) -> Path:
    """Build the book's pages with the defaults, and return where they are."""
    for name in ("_toc.yml", "references.bib", "index.md", "README.md"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, folder)
    for name in ("chapters", "assets"):
        shutil.copytree(ROOT / name, folder / name)
    (folder / "_ext").symlink_to(ROOT / "_ext")
    (folder / "_config.yml").write_text(DEFAULTS)
    subprocess.run(["npm", "pack", "--silent", MATHJAX], cwd=folder, check=True)
    (archive,) = folder.glob("mathjax-*.tgz")
    shutil.unpack_archive(archive, folder / "unpacked")
    (folder / "unpacked" / "package" / "es5").rename(folder / "mathjax")
    shutil.rmtree(folder / "unpacked")
    command = [Path(sys.executable).with_name("jupyter-book"), "build", folder, "-q"]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "_build" / "html"


def pages() -> list[str]:
    """Return the pages that stand in the contents, but for the index, which has neither text nor formulas."""
    listed = re.findall(r"(?:root|file): (\S+)", (ROOT / "_toc.yml").read_text())
    return [f"{name}.html" for name in listed if name != "genindex"]


def visit(browser: Browser, address: str, slow: bool) -> dict[str, float]:
    """Open a page without a cache; return the milliseconds until its text and its mathematics can be read."""
    context = browser.new_context(viewport={"width": 1366, "height": 900})
    tab = context.new_page()
    tab.add_init_script(WATCH)
    if slow:
        session = context.new_cdp_session(tab)
        session.send("Network.enable")
        session.send("Network.emulateNetworkConditions", SLOW)
    tab.goto(address, wait_until="load", timeout=120_000)
    wanted = "window.marks.text && (window.marks.mathematics || !document.querySelector('article .math'))"
    tab.wait_for_function(wanted, timeout=120_000)
    found = tab.evaluate("window.marks")
    paint = tab.evaluate(
        "performance.getEntriesByName('first-contentful-paint')[0].startTime"
    )
    context.close()
    # What a frame lays out can be read when it is painted.
    return {name: max(value, paint) for name, value in found.items()}


def weigh(browser: Browser, address: str) -> float:
    """Return the kilobytes (of 1000) that come for a page with all its pictures."""
    context = browser.new_context(viewport={"width": 1366, "height": 900})
    tab = context.new_page()
    session = context.new_cdp_session(tab)
    session.send("Network.enable")
    sizes: list[float] = []
    session.on(
        "Network.loadingFinished",
        lambda event: sizes.append(event["encodedDataLength"]),
    )
    tab.goto(address, timeout=120_000)
    tab.evaluate(
        """async () => {
            for (const picture of document.images) picture.loading = 'eager';
            await Promise.allSettled([...document.images].map(picture => picture.decode()));
        }"""
    )
    # What scripts and styles still ask for, MathJax its fonts.
    tab.wait_for_timeout(2000)
    context.close()
    return sum(sizes) / 1000


def measured(
    browser: Browser, sites: dict[str, str], page: str, *, slow: bool, rounds: int
) -> dict[str, dict[str, float]]:
    """Return the median times of each site's page, opened in turns."""
    times: dict[str, dict[str, list[float]]] = {name: {} for name in sites}
    for turn in range(rounds):
        names = list(sites)
        for name in names if turn % 2 else names[::-1]:
            for mark, value in visit(browser, f"{sites[name]}/{page}", slow).items():
                times[name].setdefault(mark, []).append(value)
    return {
        name: {mark: statistics.median(values) for mark, values in marks.items()}
        for name, marks in times.items()
    }


def row(page: str, result: dict[str, Any]) -> str:
    """Return one line of the table."""
    ours, default = result["kilobytes"]["ours"], result["kilobytes"]["default"]
    cells = [f"{Path(page).stem[:28]:28}", f"{ours:5.0f} {default:5.0f}"]
    for line in ("here", "slow"):
        for mark in ("text", "mathematics"):
            one, other = (result[line][name].get(mark) for name in ("ours", "default"))
            both = one is not None and other is not None
            cells.append(
                f"{one:6.0f} {other:6.0f} {other / one:4.1f}" if both else " " * 18
            )
    return " | ".join(cells)


HEADER = " | ".join(
    [
        f"{'page (ours, default)':28}",
        f"{'kB':>11}",
        *(
            f"{mark:>18}"
            for mark in ("text, ms", "maths, ms", "text, slow", "maths, slow")
        ),
    ]
)


def main() -> None:
    """Print the table and write it to ``results/site.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="visits of each page")
    parser.add_argument("--pages", nargs="*", help="such as chapters/02_gumbel.html")
    arguments = parser.parse_args()
    results: dict[str, Any] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(SITE) as ours,
        serving(build_default(Path(folder))) as default,
        sync_playwright() as playwright,
    ):
        flags = ["--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        sites = {"ours": ours, "default": default}
        print(HEADER)
        for page in arguments.pages or pages():
            go = partial(measured, browser, sites, page, rounds=arguments.rounds)
            results[page] = {
                "kilobytes": {
                    n: weigh(browser, f"{at}/{page}") for n, at in sites.items()
                },
                "here": go(slow=False),
                "slow": go(slow=True),
            }
            print(row(page, results[page]), flush=True)
            path = record("site", results)  # page by page: half an hour is long
        browser.close()
    print(f"recorded in {path}")


if __name__ == "__main__":
    main()
