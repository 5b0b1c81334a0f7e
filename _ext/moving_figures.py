"""Give a page the scripts of the moving figures that it asks for (see assets/figures/frame.js)."""

import re
from pathlib import Path

from sphinx.errors import ExtensionError

ASKED = re.compile(r'\bdata-figure="([^"]*)"')
NEEDS = re.compile(r"^// needs: (.*)$", re.M)


def scripts(folder: Path, name: str) -> list[str]:
    """Return the files of a figure, those that it needs before its own."""
    script = folder / f"{name}.js"
    if not script.exists():
        raise ExtensionError(f"there is no moving figure {name!r}: {script} is missing")
    needed = NEEDS.search(script.read_text("utf-8"))
    return [*(needed[1].split() if needed else []), script.name]


def add_scripts(app, _page, _template, context, _doctree) -> None:
    """Add to a page the style, the frame and the scripts of its figures."""
    names = dict.fromkeys(ASKED.findall(context.get("body") or ""))
    if not names:
        return
    folder = Path(app.srcdir) / "assets" / "figures"
    app.add_css_file("figures/figures.css")
    for name in names:
        for script in scripts(folder, name):
            app.add_js_file(f"figures/{script}", loading_method="defer")


def setup(app) -> dict:
    """Register the page hook."""
    app.connect("html-page-context", add_scripts)
    return {"parallel_read_safe": True}
