"""Let names break at their joints, after an underscore or a bracket: in tables, links and signatures."""

import re

TABLE = re.compile(r'<table class="[^"]*\btable\b.*?</table>', re.DOTALL)
LINK = re.compile(r'<code class="xref .*?</code>', re.DOTALL)
FIRST_BRACKET = re.compile(
    r'(<dt class="sig [^>]*>(?:(?!</dt>).)*?<span class="sig-paren">\(</span>)',
    re.DOTALL,
)
WORD = re.compile(r'<span class="pre">([^<]*)</span>')
# The point of a number is none, nor what groups its digits, and no bracket is left alone.
JOINT = re.compile(
    r"(?<=[^\W\d]_)(?=\w)|(?<=[\w)\]][(,/\[])(?=\w)|(?<==)(?=\w)|(?<=\w\.)(?=[^\W\d])"
)
# A name that a cell shows, which is no code there.
NAME = re.compile(r"(?<=<td>)\w+_\w+(?=\s*</td>)")


def with_joints(html: str) -> str:
    """Return a piece of a page, the joints of its code and names marked."""
    html = NAME.sub(lambda name: name[0].replace("_", "_<wbr>"), html)
    return WORD.sub(
        lambda word: f'<span class="pre">{JOINT.sub("<wbr>", word[1])}</span>', html
    )


def mark_joints(_app, _page, _template, context, _doctree) -> None:
    """Mark the joints in all tables and links of a page, and where the arguments of a signature begin."""
    if "body" in context:
        body = TABLE.sub(lambda table: with_joints(table[0]), context["body"])
        body = LINK.sub(lambda link: with_joints(link[0]), body)
        context["body"] = FIRST_BRACKET.sub(r"\1<wbr>", body)


def setup(app) -> dict:
    """Register the page hook."""
    app.connect("html-page-context", mark_joints)
    return {"parallel_read_safe": True}
