"""What a page is about, for its card and for search engines: its first sentences, formulas as plain letters.

The extension for cards cuts wherever it has enough letters, and leaves TeX as it is.
"""

import html
import re

import sphinxext.opengraph
from docutils import nodes
from pylatexenc.latex2text import LatexNodes2Text

# Not after an initial, as in E. J. Gumbel.
SENTENCE_END = re.compile(r"(?<=[^A-Z\s][.?!])\s+")
# Of the spaces around it, only the one that TeX was told of is left.
RELATION = re.compile(r"\s*([=<>≤≥≈+])\s*")
FRACTION = re.compile(r"\\[td]frac(?![a-z])")
BY_LETTERS = LatexNodes2Text(math_mode="text")


def plain(node: nodes.Node) -> str:
    """Return the text of a paragraph, its formulas in letters of Unicode."""
    if isinstance(node, nodes.math):
        tex = FRACTION.sub(r"\\frac", node.astext())
        letters = BY_LETTERS.latex_to_text(tex).strip()
        return RELATION.sub(r" \1 ", letters)
    if isinstance(node, nodes.raw | nodes.footnote_reference):
        return ""
    if isinstance(node, nodes.Text):
        return node.astext()
    return "".join(map(plain, node.children))


def describe(doctree: nodes.document, length: int, _titles: frozenset[str]) -> str:
    """Return what a page says of itself, or the sentences at its head that have room."""
    for node in doctree.findall(nodes.meta):
        if node.get("name") == "description":
            return html.escape(node["content"])
    # The page's own, of no section within it.
    top = next(doctree.findall(nodes.section), doctree)
    paragraphs = (node for node in top.children if isinstance(node, nodes.paragraph))
    text = " ".join(" ".join(plain(node).split()) for node in paragraphs)
    sentences = [each for each in SENTENCE_END.split(text) if each]
    said = ""
    for sentence in sentences:
        longer = f"{said} {sentence}".strip()
        if len(longer) > length:
            break
        said = longer
    if not said and sentences:
        said = sentences[0][: length - 1].rpartition(" ")[0].rstrip(",;:") + "…"
    return html.escape(said)


def setup(_app) -> dict:
    """Put it where the extension for cards looks for it."""
    sphinxext.opengraph.get_description = describe
    return {"parallel_read_safe": True}
