"""Fold the code of a cell that does nothing but draw: the text goes on from picture to picture.

A cell that reports a number or asserts a claim shows its code.
"""

import re

from docutils import nodes
from sphinx.transforms import SphinxTransform

RUNS = re.compile(r"\b(?:report|assert)\b|\bassert_")
OPEN = '<details class="figure-code"><summary>Code of this figure</summary>'


def only_draws(cell: nodes.container) -> bool:
    """Tell a cell that has been run, shows a figure and measures nothing."""
    figure = cell.get("cell_metadata", {}).get("mystnb", {}).get("figure")
    return (
        bool(figure)
        and len(cell.children) == 2
        and not RUNS.search(cell.children[0].astext())
    )


class FoldedCode(SphinxTransform):
    """Put the code of figures into folds."""

    default_priority = 500

    def apply(self, **_kwargs) -> None:
        """Go over the cells of a page."""
        for cell in list(self.document.findall(nodes.container)):
            if cell.get("nb_element") == "cell_code" and only_draws(cell):
                source, output = cell.children
                fold = [nodes.raw("", OPEN, format="html"), source]
                cell.children = []
                cell += [output, *fold, nodes.raw("", "</details>", format="html")]


def setup(app) -> dict:
    """Register the transform."""
    app.add_transform(FoldedCode)
    return {"parallel_read_safe": True}
