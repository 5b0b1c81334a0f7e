"""Let a wide table fit a phone: each row a block there, each entry beside the head of its column.

The stylesheet does that; here an entry is told the head that it is to show.
"""

import re
from html import escape, unescape
from itertools import count

TABLE = re.compile(r'<table class="[^"]*\bwide-table\b.*?</table>', re.DOTALL)
HEAD = re.compile(r'<th class="[^"]*\bhead\b[^>]*>(.*?)</th>', re.DOTALL)
ROW = re.compile(r"<tr\b.*?</tr>", re.DOTALL)
ENTRY = re.compile(r"<td\b")
# A formula for those who hear it, which is there a second time for the eye; and every tag.
UNREAD = re.compile(r"<math\b.*?</math>|<[^>]*>", re.DOTALL)


def words(html: str) -> str:
    """Return what a reader reads of a piece of a page."""
    return " ".join(unescape(UNREAD.sub("", html)).split())


def with_heads(table: str) -> str:
    """Return a table each of whose entries names the head of its column."""
    heads = [words(head) for head in HEAD.findall(table)]

    def named(row: re.Match[str]) -> str:
        column = count()
        return ENTRY.sub(
            lambda _: f'<td data-head="{escape(heads[next(column)])}"', row[0]
        )

    return ROW.sub(named, table)


def name_the_heads(_app, _page, _template, context, _doctree) -> None:
    """Name the heads in all wide tables of a page."""
    if "body" in context:
        context["body"] = TABLE.sub(lambda table: with_heads(table[0]), context["body"])


def setup(app) -> dict:
    """Register the page hook."""
    app.connect("html-page-context", name_the_heads)
    return {"parallel_read_safe": True}
