"""Let docstrings write mathematics as $...$ and $$...$$, which read well in an editor and set well."""

import re
from textwrap import dedent, indent

# What is code already, or an example.
CODE = re.compile(r"(``.*?``|`[^`]*`)", re.DOTALL)
INFINITY = re.compile(r"(?<![\w.])([+-])inf\b")
OPTION = re.compile(r"(?<!\S)--[a-z][\w-]*")
DOLLARS = re.compile(r"\$([^$]+)\$")
# A formula of its own lines.
DISPLAY = re.compile(r"(?m)^(?P<margin> *)\$\$(?P<formula>[^$]+)\$\$ *$")


def to_directive(match: re.Match[str]) -> str:
    """Return the directive of a display, at the margin where the display stood."""
    formula = indent(dedent(match["formula"]).strip(), "   ")
    return indent(f".. math::\n\n{formula}", match["margin"])


def with_signs(paragraph: str) -> str:
    """Set -inf of a sentence as a formula, whose minus stays with it, and --option as code."""
    if ">>>" in paragraph:
        return paragraph
    pieces = CODE.split(paragraph)
    pieces[::2] = [
        OPTION.sub(r"``\g<0>``", INFINITY.sub(r":math:`\1\\infty`", piece))
        for piece in pieces[::2]
    ]
    return "".join(pieces)


def to_math_role(_app, _what, _name, _object, _options, lines: list[str]) -> None:
    """Replace each formula of a docstring, also one that runs over a line's end."""
    text = DISPLAY.sub(to_directive, "\n".join(lines))
    text = DOLLARS.sub(lambda match: f":math:`{match[1]}`", text)
    text = "\n\n".join(map(with_signs, text.split("\n\n")))
    lines[:] = text.split("\n")


def setup(app) -> dict:
    """Register the replacement with autodoc."""
    # After napoleon, which must see the section headings first.
    app.connect("autodoc-process-docstring", to_math_role, priority=900)
    return {"parallel_read_safe": True}
