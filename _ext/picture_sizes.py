"""Say how large a picture will be, so that text keeps its place, and fetch it when it comes near."""

import re
from pathlib import Path

import imagesize

IMAGE = re.compile(r"<img\b(?![^>]*\b(?:width|loading)=)([^>]*?)(\s*/?)>")
SOURCE = re.compile(r'\bsrc="([^":]+)"')


def attributes(page: Path, tag: str) -> str:
    """Return the size of a picture of this site as attributes, and nothing for others."""
    source = SOURCE.search(tag)
    width, height = imagesize.get(page.parent / source[1]) if source else (-1, -1)
    # A drawing may have a size with a fraction; the attributes take whole pixels.
    return f' width="{round(width)}" height="{round(height)}"' if width > 0 else ""


def sized(html: str, page: Path) -> str:
    """Return a page with the sizes of its pictures; all but the first wait until they come near."""
    seen = 0

    def complete(match: re.Match[str]) -> str:
        nonlocal seen
        size = attributes(page, match[1])
        lazy = ' loading="lazy"' if size and seen else ""
        seen += bool(size)
        return f"<img{match[1]}{size}{lazy}{match[2]}>"

    return IMAGE.sub(complete, html)


def size_all(app, error) -> None:
    """Go over the pages when pictures are in their place."""
    if error or app.builder.format != "html":
        return
    for path in Path(app.outdir).rglob("*.html"):
        if "_static" not in path.parts:
            html = path.read_text("utf-8")
            complete = sized(html, path)
            if complete != html:
                path.write_text(complete, "utf-8")


def setup(app) -> dict:
    """Register the step."""
    app.connect("build-finished", size_all, priority=900)
    return {"parallel_read_safe": True}
