"""Let code in a table break at its joints, after an underscore or a bracket, and nowhere else in a word."""

import re

TABLE = re.compile(r'<table class="[^"]*\btable\b.*?</table>', re.DOTALL)
WORD = re.compile(r'<span class="pre">([^<]*)</span>')
# The point of a number is none.
JOINT = re.compile(r"(?<=[_(,/=\[])(?=\w)|(?<=\.)(?=[^\W\d])")


def with_joints(html: str) -> str:
    """Return a piece of a page, the joints of its code marked."""
    return WORD.sub(
        lambda word: f'<span class="pre">{JOINT.sub("<wbr>", word[1])}</span>', html
    )


def mark_joints(_app, _page, _template, context, _doctree) -> None:
    """Mark the joints in all tables of a page."""
    if "body" in context:
        context["body"] = TABLE.sub(
            lambda table: with_joints(table[0]), context["body"]
        )


def setup(app) -> dict:
    """Register the page hook."""
    app.connect("html-page-context", mark_joints)
    return {"parallel_read_safe": True}
