"""Put spaces at which no line breaks where the next line would begin with a sign, or with half of a name.

They stand between "Theorem" or "chapter" and its number, before a per cent sign and the end of a proof, and
about the equals sign between a letter and its reported number.
"""

import re

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from unbroken_formulas import position

NUMBERED = re.compile(
    r"(?P<word>(?:Theorem|Lemma|Definition|Exercise|Table|Fig\.|Equation)) (?P<number>[\d.]+)"
)
CHAPTER = re.compile(r"\b([Cc]hapters?)[ \n](?=\d)")
EQUALS = re.compile(r"[ \n]([=≈<>])[ \n]\Z")
PER_CENT = re.compile(r"\A %")
END = re.compile(r" ∎\Z")


def is_pasted(node: nodes.Node | None) -> bool:
    """Tell what a cell reported, as text or set as a formula."""
    classes = node.get("classes", []) if isinstance(node, nodes.Element) else []
    return "pasted-text" in classes


def joined(
    text: nodes.Text, before: nodes.Node | None, after: nodes.Node | None
) -> str:
    """Return a text with its spaces where no line may break."""
    new = END.sub("\xa0∎", str(text))
    new = CHAPTER.sub("\\1\xa0", new)
    if any(isinstance(one, nodes.reference) for one in ancestors(text)):
        new = NUMBERED.sub("\\g<word>\xa0\\g<number>", new)
    if is_pasted(before):
        new = PER_CENT.sub("\xa0%", new)
    if is_pasted(after):
        new = EQUALS.sub("\xa0\\1\xa0", new)
    return new


def ancestors(node: nodes.Node):
    """Yield what a node stands in, as far as its paragraph."""
    while node.parent is not None and not isinstance(node, nodes.paragraph):
        node = node.parent
        yield node


class NoBreakSpaces(SphinxPostTransform):
    """Go over the texts of a page."""

    # After references have their numbers and reported numbers are set; before formulas are held to their
    # neighbours.
    default_priority = 55

    def run(self, **_kwargs) -> None:
        """Replace the texts that have such a space."""
        for text in list(self.document.findall(nodes.Text)):
            siblings = text.parent.children
            at = position(text, siblings)
            before = siblings[at - 1] if at else None
            after = siblings[at + 1] if at + 1 < len(siblings) else None
            new = joined(text, before, after)
            if new != str(text):
                text.parent[at] = nodes.Text(new)


def setup(app) -> dict:
    """Register the transform."""
    app.add_post_transform(NoBreakSpaces)
    return {"parallel_read_safe": True}
