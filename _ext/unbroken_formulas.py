"""Keep what stands at a formula without a space with it: no line begins with the full stop after a formula.

To a browser a formula is a row of boxes, and it may break the line on either side of a box. Here the formula
and what stands at it are one piece that does not break, but for places between the boxes of a formula that
is not short: outside its brackets, and inside where a bracket holds much.
"""

import re
from html import unescape
from itertools import accumulate

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

FORMULA = re.compile(r'<span class="katex-html"')
SPAN = re.compile(r"<(/?)span\b[^>]*>")
# The bracket itself: where it has an exponent, that is one outer element with both.
BRACKET = re.compile(r'<span class="m(open|close)\b[^>]*>(?!<span class="mclose)')
TAG = re.compile(r"<[^>]*>")
# So many letters and signs are a short formula, and half a line of a phone in a bracket.
SHORT, HALF = 14, 20
AFTER = re.compile(r"^(?:\xa0|[^\s–—/])+")
# A line may break after a dash or a slash, as in any text; the end of a source line is a space.
BEFORE = re.compile(r"(?:\xa0|[^\s–—/-])+\Z")


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


def boxes(body: str, start: int) -> tuple[list[str], int, int]:
    """Return the boxes of the formula that begins at a place, and where they begin and end."""
    depth, starts = 0, []
    for tag in SPAN.finditer(body, start):
        if not tag[1] and depth == 1:
            starts.append(tag.start())
        depth += -1 if tag[1] else 1
        if depth == 0:
            break
    ends = [*starts[1:], tag.start()]
    made = [body[one:end] for one, end in zip(starts, ends, strict=True)]
    return made, starts[0], tag.start()


def signs(html: str) -> int:
    """Return how many letters and signs a piece of a page shows."""
    return len(unescape(TAG.sub("", html)).replace("\u200b", ""))


def brackets(formula: str) -> list[tuple[int, int]]:
    """Return where what stands in a bracket begins and ends, for every bracket of a formula."""
    opened, found = [], []
    for tag in BRACKET.finditer(formula):
        if tag[1] == "open":
            opened.append(tag.end())
        elif opened:
            found.append((opened.pop(), tag.start()))
    return found


def may_break(formula: str, place: int, spans: list[tuple[int, int]]) -> bool:
    """Tell whether a place is in no bracket, or the innermost around it holds much."""
    around = [(start, end) for start, end in spans if start <= place <= end]
    if not around:
        return True
    start, end = max(around)
    return signs(formula[start:end]) > HALF


def breakable(formula: list[str]) -> str:
    """Join the boxes of a formula by the places where it may break."""
    whole = "".join(formula)
    if signs(whole) <= SHORT:
        return whole
    spans = brackets(whole)
    places = [p for p in accumulate(map(len, formula)) if may_break(whole, p, spans)]
    # A number alone on the next line is read as another.
    places = [place for place in places if signs(whole[place:]) > 2]
    return "<wbr>".join(
        whole[start:end]
        for start, end in zip([0, *places], [*places, None], strict=True)
    )


def allow_breaks(_app, _page, _template, context, _doctree) -> None:
    """Say where a formula may break; one on lines of its own takes no notice (book.css)."""
    body, done, parts = context.get("body", ""), 0, []
    for formula in FORMULA.finditer(body):
        made, start, end = boxes(body, formula.start())
        parts += [body[done:start], breakable(made)]
        done = end
    if parts:
        context["body"] = "".join([*parts, body[done:]])


def setup(app) -> dict:
    """Register both steps, the second before what copies from the page."""
    app.add_post_transform(UnbrokenFormulas)
    app.connect("html-page-context", allow_breaks, priority=100)
    return {"parallel_read_safe": True}
