"""Say which cells report in short lines alone: the stylesheet sets those in two columns."""

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

# As many letters fit into half of the text.
SHORT = 38


class ReportColumns(SphinxPostTransform):
    """Mark the outputs of a page."""

    default_priority = 400

    def run(self, **_kwargs) -> None:
        """Go over what cells print."""
        for block in self.document.findall(nodes.literal_block):
            lines = block.astext().splitlines()
            if "stream" in block.get("classes", []) and max(map(len, lines)) <= SHORT:
                block["classes"].append("short-lines")


def setup(app) -> dict:
    """Register the transform."""
    app.add_post_transform(ReportColumns)
    return {"parallel_read_safe": True}
