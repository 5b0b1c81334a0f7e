"""Let a page be read before its scripts have come: no script in the way, the faces of its text ahead.

The theme puts a dozen scripts where they hold up painting. Here they run once the page is parsed, in the
order in which they stand, and what is written into the page itself runs after them. Nor do the ten thousand
letters of formulas below hold up the first screen: they are laid out when the page has come.
"""

import re
from pathlib import Path

LOADED = re.compile(r"<script (?![^>]*\bdefer\b)(?=[^>]*\bsrc=)")
LATE = re.compile(r"<script>(?P<code>\s*DOCUMENTATION_OPTIONS\.[^<]*)</script>")
UNUSED = re.compile(
    r'(?m)^.*<script[^>]*src="[^"]*scripts/fontawesome\.js.*\n'
    r'|^.*<link[^>]*(?:href="[^"]*sphinx-thebe\.css|as="script").*\n'
    r'|<script type="text/x-thebe-config">[^<]*</script>|<script>kernelName = [^<]*</script>'
)
# The search's own page brings these itself; elsewhere they serve a search while typing, which is off.
SEARCH = re.compile(
    r'(?m)^.*<script[^>]*src="[^"]*(?:searchtools|language_data|searchindex)\.js.*\n'
)
THEME = re.compile(
    r'<script[^>]*src="[^"]*scripts/sphinx-book-theme\.js[^"]*"></script>\n?'
)
# Docutils writes the first, Sphinx and the theme one more each.
SECOND_VIEWPORT = re.compile(
    r'(?<=initial-scale=1\.0" />)<meta name="viewport"[^>]*>'
    r'|(?m:^ *<meta name="viewport" content="[^"]*initial-scale=1"/>\n)'
)
# The text and its bold, and the letters of formulas; and what asks for others.
FACES = ("KaTeX_Main-Regular", "KaTeX_Math-Italic", "KaTeX_Main-Bold")
FACES_BY_SIGN = {
    "KaTeX_Main-Italic": re.compile(r'<em\b|class="[^"]*\b(?:mathit|textit)\b'),
    "KaTeX_AMS-Regular": re.compile(r'class="[^"]*\b(?:mathbb|amsrm)\b'),
    "KaTeX_Caligraphic-Regular": re.compile(r'class="[^"]*\bmathcal\b'),
    "KaTeX_Size1-Regular": re.compile(r'class="[^"]*\b(?:size1|small-op)\b'),
    "KaTeX_Size2-Regular": re.compile(r'class="[^"]*\b(?:size2|large-op)\b'),
}
# So many characters of a page make a screen at least, and the first formula may stand behind them.
FIRST_SCREEN = 15_000
MARK = "<!-- faces -->"
# While the root has this class, book.css has the browser leave out what nobody sees. Not on the way to a
# place on the page, or back to where the reader was: there all that is above needs its height.
COMING = """
  <script>
    if (!location.hash && performance.getEntriesByType("navigation")[0]?.type === "navigate") {
      document.documentElement.classList.add("is-coming");
      const come = () => document.documentElement.classList.remove("is-coming");
      addEventListener("load", () => requestAnimationFrame(() => setTimeout(come)));
    }
  </script>"""


def after_the_scripts(match: re.Match[str]) -> str:
    """Put off code that needs a script before it."""
    code = match["code"].strip()
    return f'<script>document.addEventListener("DOMContentLoaded", () => {{ {code} }}, true);</script>'


def first_faces(html: str) -> list[str]:
    """Return the faces that the first screen is set in, and the first formula."""
    start = max(0, html.find("<article"))
    formula = html.find("</p>", html.find('class="katex-html"', start))
    screen = html[start : max(start + FIRST_SCREEN, formula)]
    return [
        *FACES,
        *(face for face, sign in FACES_BY_SIGN.items() if sign.search(screen)),
    ]


def preloads(html: str) -> str:
    """Return what asks for the faces at once, which a page of files cannot do without a complaint."""
    root = re.search(r'data-content_root="([^"]*)"', html)
    names = ", ".join(f'"{name}"' for name in first_faces(html))
    return f"""{MARK}
  <script>
    if (location.protocol.startsWith("http"))
      for (const face of [{names}]) {{
        const link = document.createElement("link");
        Object.assign(link, {{ rel: "preload", as: "font", type: "font/woff2", crossOrigin: "" }});
        link.href = `{root[1] if root else ""}_static/katex/fonts/${{face}}.woff2`;
        document.head.append(link);
      }}
  </script>{COMING}
"""


def after_its_own(html: str) -> str:
    """Put the theme's script after those of the book, whose listeners come first."""
    scripts = "".join(THEME.findall(html))
    return THEME.sub("", html).replace("</head>", f"{scripts}</head>", 1)


def lighten(html: str, name: str) -> str:
    """Return a page without what holds it up."""
    if MARK in html or "<head>" not in html:
        return html
    html = SECOND_VIEWPORT.sub("", UNUSED.sub("", html))
    # There the book's own script needs what the page brings last, and there is little to read.
    if name != "search":
        html = LATE.sub(after_the_scripts, SEARCH.sub("", html))
        html = after_its_own(LOADED.sub("<script defer ", html))
    return html.replace("    <title>", f"    {preloads(html)}    <title>", 1)


def lighten_all(app, error) -> None:
    """Go over the written pages: the theme's template adds its scripts after every event."""
    if error or app.builder.format != "html":
        return
    for path in Path(app.outdir).rglob("*.html"):
        if "_static" in path.parts:
            continue
        html = path.read_text("utf-8")
        lighter = lighten(html, path.stem)
        if lighter != html:
            path.write_text(lighter, "utf-8")


def drop_unused_files(app, error) -> None:
    """Take out of the site what no page asks for: maps for debuggers, and whole icon sets."""
    if error or app.builder.format != "html":
        return
    static = Path(app.outdir) / "_static"
    for pattern in ("**/*.map", "scripts/fontawesome.js*", "sphinx-thebe.*"):
        for path in static.glob(pattern):
            path.unlink()


def setup(app) -> dict:
    """Register both steps, after the extensions that write pages and files."""
    app.connect("build-finished", lighten_all, priority=900)
    app.connect("build-finished", drop_unused_files, priority=900)
    return {"parallel_read_safe": True}
