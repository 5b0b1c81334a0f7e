"""Set reported numbers as mathematics where a program has its own way: -1.19, 2e-124, -inf, 6.5 ± 0.3."""

import re

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

NUMBER = re.compile(
    r"(?P<sign>[-+]?)(?:(?P<infinite>inf)"
    r"|(?P<digits>\d[\d,]*(?:\.\d+)?)(?:e(?P<power>[-+]?\d+))?)"
    r"(?: ± (?P<error>[\d.]+))?"
)


def typeset(text: str) -> str | None:
    """Return a number as TeX that does not break, and nothing for what reads well as it is."""
    match = NUMBER.fullmatch(text.strip())
    parts = ("sign", "infinite", "power", "error")
    if not match or not any(match[part] for part in parts):
        return None
    if match["infinite"]:
        return match["sign"] + r"\infty"
    digits = match["digits"].replace(",", "{,}")
    power = rf"\cdot10^{{{int(match['power'])}}}" if match["power"] else ""
    error = rf"\pm{match['error']}" if match["error"] else ""
    return f"{{{match['sign']}{digits}{power}{error}}}"


class TypesetNumbers(SphinxPostTransform):
    """Replace reported numbers, once they stand in the text."""

    # After the references to what other cells reported are resolved.
    default_priority = 50

    def run(self, **_kwargs) -> None:
        """Go over what is pasted into sentences."""
        for pasted in list(self.document.findall(nodes.inline)):
            if "pasted-text" not in pasted.get("classes", []):
                continue
            tex = typeset(pasted.astext())
            if tex is not None:
                pasted.replace_self(nodes.math(tex, tex, classes=["pasted-text"]))


def setup(app) -> dict:
    """Register the transform."""
    app.add_post_transform(TypesetNumbers)
    return {"parallel_read_safe": True}
