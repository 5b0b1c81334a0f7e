"""The terms of the index: each leads to the section, the theorem or the function that answers it.

They stand in `genindex.toml`, by page and place, so that the chapters stay free of directives. The page of
the index lists them among those of the glossary, which are bold, and the search finds a place by its terms
(see section_search.py). The names of the package have pages of their own, and would hide the terms.
"""

import tomllib
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

SOURCE = "genindex.toml"
logger = logging.getLogger(__name__)


def entries(place: str, terms: list[str]) -> addnodes.index:
    """Return the entries of the index that lead to a place."""
    return addnodes.index(entries=[("single", term, place, "", None) for term in terms])


class IndexTerms(SphinxTransform):
    """Give the places of a page their entries, before Sphinx gathers those of the page."""

    default_priority = 800

    def apply(self, **_) -> None:
        """Empty all entries but the glossary's, and add the terms."""
        for other in self.document.findall(addnodes.index):
            if not isinstance(other.parent, nodes.term):
                other["entries"] = []
        self.env.note_dependency(SOURCE)
        pages = tomllib.loads(Path(self.env.srcdir, SOURCE).read_text("utf-8"))
        for place, terms in pages.get(self.env.docname, {}).items():
            self.add(place, terms)

    def add(self, place: str, terms: list[str]) -> None:
        """Add the terms of one place."""
        for node in self.document.findall(nodes.Element):
            if place in node.get("ids", ()):
                node.append(entries(place, terms))
                return
        logger.warning("%s: no place %r on %s", SOURCE, place, self.env.docname)


def setup(app) -> dict:
    """Register the transform."""
    app.add_transform(IndexTerms)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
