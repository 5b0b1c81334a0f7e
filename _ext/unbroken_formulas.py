"""Keep what stands at a formula without a space with it: no line begins with the full stop after a formula.

A browser may break a line on either side of a formula, which is a box to it, unless a word joiner is there.
"""

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

JOINER = "\u2060"
# A line may break after these, as in any text.
BREAKS_AFTER = "-–—/"


def joined_after(text: str) -> str:
    """Return the text that follows a formula, held to it unless a space is between."""
    return text if text[:1].isspace() else JOINER + text


def joined_before(text: str) -> str:
    """Return the text that a formula follows, held to it unless a space or a dash is between."""
    last = text[-1:]
    return text if last.isspace() or last in BREAKS_AFTER else text + JOINER


class UnbrokenFormulas(SphinxPostTransform):
    """Join formulas in paragraphs to what stands at them."""

    # After the reported numbers are set as formulas.
    default_priority = 60

    def run(self, **_kwargs) -> None:
        """Go over the formulas of a page."""
        for formula in list(self.document.findall(nodes.math)):
            parent, at = formula.parent, formula.parent.index(formula)
            neighbours = ((at + 1, joined_after), (at - 1, joined_before))
            for place, joined in neighbours:
                if 0 <= place < len(parent) and isinstance(parent[place], nodes.Text):
                    parent[place] = nodes.Text(joined(str(parent[place])))


def setup(app) -> dict:
    """Register the transform."""
    app.add_post_transform(UnbrokenFormulas)
    return {"parallel_read_safe": True}
