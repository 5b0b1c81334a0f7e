"""Let docstrings write mathematics as $...$, which reads well in an editor; the page gets the math role."""

import re

DOLLARS = re.compile(r"\$([^$]+)\$")


def to_math_role(_app, _what, _name, _object, _options, lines: list[str]) -> None:
    """Replace each $formula$ of a docstring, also one that runs over a line's end."""
    text = DOLLARS.sub(lambda match: f":math:`{match[1]}`", "\n".join(lines))
    lines[:] = text.split("\n")


def setup(app) -> dict:
    """Register the replacement with autodoc."""
    # After napoleon, which must see the section headings first.
    app.connect("autodoc-process-docstring", to_math_role, priority=900)
    return {"parallel_read_safe": True}
