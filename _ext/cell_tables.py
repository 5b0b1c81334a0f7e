"""Give a table that a cell shows a number, a caption and a name, which the metadata of the cell have.

They read

    table:
      caption: What the table shows, with $formulas$
      name: tab-network

Columns of numbers are set to the right, with signs of minus and not hyphens. A cell whose metadata say
nothing keeps its table as it is.
"""

import re

from bs4 import BeautifulSoup, Tag
from docutils import nodes
from sphinx.transforms import SphinxTransform

NUMBER = re.compile(r"[-−+]?[\d,]*\.?\d+(e-?\d+)?")
MINUS = re.compile(r"(?<![\w.])-(?=\.?\d)")
# What may stand between the numbers of one entry.
BETWEEN = re.compile(r"\s*(?:±|,|\(|\)|%|\s)\s*")


def is_number(text: str) -> bool:
    """Tell numbers, and what is made of them such as 0.1 ± 0.2, from words."""
    parts = [part for part in BETWEEN.split(text) if part]
    return bool(parts) and all(NUMBER.fullmatch(part) for part in parts)


def numeric_columns(table: Tag) -> list[int]:
    """Return the columns that have hardly anything but numbers below their heads."""
    rows = [row.find_all("td") for row in table.select("tbody tr")]
    texts = [
        [cell.get_text(" ").strip() for cell in column]
        for column in zip(*rows, strict=True)
    ]
    filled = [
        [text for text in column if text not in ("", "–", "-")] for column in texts
    ]
    return [
        place
        for place, column in enumerate(filled)
        if sum(map(is_number, column)) > 0.7 * len(column)
    ]


def with_numbers_right(html: str) -> str:
    """Return the rows of a table, its columns of numbers marked."""
    table = BeautifulSoup(html, "html.parser").table
    right = numeric_columns(table)
    for row in table.find_all("tr"):
        for place, cell in enumerate(row.find_all(["th", "td"])):
            if place in right:
                cell["class"] = "number"
    for text in table.find_all(string=MINUS):
        text.replace_with(MINUS.sub("−", text))
    for head in table.select("thead th"):
        head["scope"] = "col"
    return table.decode_contents()


def caption(text: str) -> nodes.title:
    """Return a caption, $formulas$ set."""
    parts = [
        nodes.math(part, part) if place % 2 else nodes.Text(part)
        for place, part in enumerate(text.split("$"))
        if part
    ]
    return nodes.title(text, "", *parts)


class CellTables(SphinxTransform):
    """Put a numbered table where a cell shows one."""

    # While the page is read: its tables are counted afterwards.
    default_priority = 500

    def apply(self, **_kwargs) -> None:
        """Go over the cells of a page."""
        for cell in list(self.document.findall(nodes.container)):
            told = cell.get("cell_metadata", {}).get("table")
            if told:
                self.number(cell, told)

    def number(self, cell: nodes.container, told: dict[str, str]) -> None:
        """Replace the output of a cell by a table with a caption."""
        (bundle,) = (
            one
            for one in cell.findall(nodes.container)
            if one.get("nb_element") == "mime_bundle"
        )
        (html,) = (
            one.astext()
            for one in bundle.findall(nodes.raw)
            if "<table" in one.astext()
        )
        table = nodes.table("", classes=["cell-table"], names=[told["name"]])
        table += caption(told["caption"])
        table += nodes.raw("", with_numbers_right(html), format="html")
        self.document.note_explicit_target(table, table)
        bundle.replace_self(table)


def setup(app) -> dict:
    """Register the transform."""
    app.add_transform(CellTables)
    return {"parallel_read_safe": True}
