"""Write what a link leads to beside the pages, for `assets/previews.js` to show before a reader follows it.

Each page gets a script of its own, `_static/previews/PAGE.js`, which hands over the theorems, equations,
figures, exercises, terms and functions of that page by their ids. A script, since a page opened as a file may
not read another file; loaded when the first link to the page is pointed at, so that no page weighs more.
"""

import json
from pathlib import Path

from bs4 import BeautifulSoup, Tag

TARGETS = ", ".join(
    [
        "div.math[id]",
        "div.proof[id]",
        "div.exercise[id]",
        "figure[id]",
        "div.citation[id]",
        "dl.glossary > dt[id]",
        "dl.py > dt[id]",
    ]
)
# What acts on the page, or has no place in a box of a few lines.
CONTROLS = "a.headerlink, a.viewcode-link, button, script"


def definition(term: Tag) -> str:
    """Return a term or a function with the first paragraph of what is said about it."""
    meaning = term.find_next_sibling("dd")
    first = meaning.find("p") if meaning else None
    name = f"<p><strong>{term.decode_contents()}</strong></p>"
    return name + (str(first) if first else "")


def preview(target: Tag) -> str:
    """Return the HTML of a target, without controls and without ids, which a page has once."""
    for control in target.select(CONTROLS):
        control.decompose()
    for tag in [target, *target.find_all(id=True)]:
        if tag.name != "dt":
            del tag["id"]
    return definition(target) if target.name == "dt" else str(target)


def previews(body: str) -> dict[str, str]:
    """Return the previews of a page by id."""
    found = BeautifulSoup(body, "html.parser").select(TARGETS)
    return {target["id"]: preview(target) for target in reversed(found)}


def write_previews(app, page: str, _template, context, doctree) -> None:
    """Write the script of a page that has something to show."""
    if doctree is None or app.builder.format != "html":
        return
    shown = previews(context["body"])
    if shown:
        path = Path(app.outdir) / "_static" / "previews" / f"{page}.js"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(shown, ensure_ascii=False)
        path.write_text(f"bookPreviews({json.dumps(page)}, {text});\n", "utf-8")


def setup(app) -> dict:
    """Register the step, after those that tidy a page."""
    app.connect("html-page-context", write_previews, priority=950)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
