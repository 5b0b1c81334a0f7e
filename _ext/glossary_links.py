"""Lead the first mention of each term on a page to the glossary, where its preview shows what it means."""

import re

from docutils import nodes
from sphinx import addnodes
from sphinx.util.nodes import make_refnode

# Where a link would be in the way, or is one already.
NO_PLACE = (
    nodes.reference,
    nodes.title,
    nodes.caption,
    nodes.literal,
    nodes.math,
    nodes.term,
    nodes.strong,
    addnodes.desc,
    addnodes.glossary,
    nodes.table,
    nodes.citation,
)


def glossary(env) -> dict[str, tuple[str, str]]:
    """Return the page and the id of each term."""
    return {
        name: (page, anchor)
        for name, _, kind, page, anchor, _ in env.get_domain("std").get_objects()
        if kind == "term"
    }


def is_prose(text: nodes.Text) -> bool:
    """Tell text of a paragraph from what has a place of its own."""
    node, in_paragraph = text.parent, False
    while node is not None:
        if isinstance(node, NO_PLACE):
            return False
        in_paragraph = in_paragraph or isinstance(node, nodes.paragraph)
        node = node.parent
    return in_paragraph


def mentions(terms) -> re.Pattern:
    """Return a pattern of the terms, the longest first, in the singular or the plural."""
    names = sorted(map(re.escape, terms), key=len, reverse=True)
    return re.compile(rf"(?<![\w-])({'|'.join(names)})(?:s|es)?(?![\w-])", re.I)


def link_first_mentions(app, doctree: nodes.document, page: str) -> None:
    """Link the first mention of each term that is on another page."""
    terms = {
        name.lower(): place
        for name, place in glossary(app.env).items()
        if place[0] != page
    }
    for text in list(doctree.findall(nodes.Text)):
        if terms and is_prose(text):
            text.parent.replace(text, linked(app.builder, page, str(text), terms))


def linked(builder, page: str, text: str, terms: dict) -> list[nodes.Node]:
    """Return a text with its first mentions linked, and forget the terms that are done."""
    parts, end = [], 0
    for match in mentions(terms).finditer(text):
        place = terms.pop(match[1].lower(), None)
        if place is None:
            continue
        link = make_refnode(builder, page, *place, nodes.Text(match[0]))
        link["classes"] += ["term"]
        parts += [nodes.Text(text[end : match.start()]), link]
        end = match.end()
    return [*parts, nodes.Text(text[end:])]


def setup(app) -> dict:
    """Register the links, which a page gets when it is written."""
    app.connect("doctree-resolved", link_first_mentions)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
