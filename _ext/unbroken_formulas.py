"""Keep what stands at a formula without a space with it: no line begins with the full stop after a formula.

To a browser a formula is a row of boxes, and it may break the line on either side of a box. Here the formula
and what stands at it are one piece that does not break, but for the places between the boxes of the formula.
"""

import re

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

NEXT_BOX = re.compile(r'(?<=</span>)(?=<span class="katex-base">)')
AFTER = re.compile(r"^[^\s–—/]+")
# A line may break after a dash or a slash, as in any text; the end of a source line is a space.
BEFORE = re.compile(r"[^\s–—/-]+\Z")


def cut(place: nodes.Text, pattern: re.Pattern[str]) -> list[nodes.Text]:
    """Take what a pattern finds out of a text, and return it."""
    found = pattern.search(place)
    if not found:
        return []
    rest = place[: found.start()] + place[found.end() :]
    siblings = place.parent
    siblings[position(place, siblings.children)] = nodes.Text(rest)
    return [nodes.Text(found[0])]


def position(node: nodes.Node, siblings: list[nodes.Node]) -> int:
    """Return where a node stands: two texts are equal if they read the same, so equality does not tell."""
    return next(at for at, other in enumerate(siblings) if other is node)


def neighbour(formula: nodes.math, step: int) -> nodes.Text | None:
    """Return the text before or after a formula."""
    siblings = formula.parent.children
    at = position(formula, siblings) + step
    found = siblings[at] if 0 <= at < len(siblings) else None
    return found if isinstance(found, nodes.Text) else None


def hold(formula: nodes.math) -> None:
    """Make one piece of a formula and what stands at it."""
    before, after = neighbour(formula, -1), neighbour(formula, 1)
    left = cut(before, BEFORE) if before is not None else []
    right = cut(after, AFTER) if after is not None else []
    if left or right:
        piece = nodes.inline("", "", classes=["unbroken"])
        formula.replace_self(piece)
        piece += [*left, formula, *right]


class UnbrokenFormulas(SphinxPostTransform):
    """Hold the formulas of a page to what stands at them."""

    # After the reported numbers are set as formulas.
    default_priority = 60

    def run(self, **_kwargs) -> None:
        """Go over the formulas of a page."""
        for formula in list(self.document.findall(nodes.math)):
            hold(formula)


def allow_breaks(_app, _page, _template, context, _doctree) -> None:
    """Say where a formula may break; one on lines of its own takes no notice (book.css)."""
    if "body" in context:
        context["body"] = NEXT_BOX.sub("<wbr>", context["body"])


def setup(app) -> dict:
    """Register both steps, the second before what copies from the page."""
    app.add_post_transform(UnbrokenFormulas)
    app.connect("html-page-context", allow_breaks, priority=100)
    return {"parallel_read_safe": True}
