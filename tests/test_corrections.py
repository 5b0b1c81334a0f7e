"""The corrections: an entry has its parts and checks both forms; the table and a chapter lead to it."""

import ast
import re

import pytest
from test_chapters import CHAPTERS, ROOT, markdown, read

PAGE = ROOT / "chapters" / "corrections.ipynb"
REFERENCE = r"\{cite(?::[a-z]+)?\}`|\]\(https://"
CODE = "```code\n"


def text_of(cell):
    return f"{CODE}{cell.source}\n```\n" if cell.cell_type == "code" else cell.source


def entries():
    """Return the text of every entry, its programs between fences, by label."""
    text = "\n".join(text_of(cell) for cell in read(PAGE).cells)
    parts = re.split(
        r"^\((fix-[a-z-]+)\)=$", re.sub(r"^## .*$", "", text, flags=re.M), flags=re.M
    )
    return dict(zip(parts[1::2], parts[2::2], strict=True))


ENTRIES = entries()
every = pytest.mark.parametrize("label", ENTRIES)


def programs(entry):
    return re.findall(rf"^{CODE}(.*?)^```$", entry, re.M | re.S)


def test_there_are_at_least_fourteen_entries():
    assert len(ENTRIES) >= 14


@every
def test_an_entry_says_where_it_was_met_and_what_is_right(label):
    before, *between, after = re.split(
        rf"^{CODE}(?s:.*?)^```$", ENTRIES[label], flags=re.M
    )
    assert re.match(r"\n### \S.*\n\n\*\*Met as\*\* ", before)
    assert re.search(REFERENCE, before), "a public reference"
    assert "".join(between).strip() == ""
    assert after.strip().startswith("**Right.** ")
    assert re.search(r"\{prf:ref\}`thm-", after), "its theorem"


@every
def test_a_counterexample_is_short_and_checks_both_forms(label):
    for program in programs(ENTRIES[label]):
        assert len(program.splitlines()) <= 15
    code = "\n".join(programs(ENTRIES[label]))
    checks = [
        node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Assert)
    ]
    assert len(checks) + code.count("testing.assert_") >= 2


def test_the_table_lists_the_entries_in_their_order():
    table = markdown(PAGE).split(":::{list-table}")[1].split("\n:::")[0]
    rows = re.findall(
        r"^\* - \[\]\((fix-[a-z-]+)\)\n  - (\S.*)\n  - (.*)$", table, re.M
    )
    assert [label for label, _, _ in rows] == list(ENTRIES)
    for label, _, link in rows:
        assert link in ENTRIES[label].rpartition("**Right.**")[2], (
            "the theorem of the entry"
        )


@every
def test_some_chapter_links_to_the_entry(label):
    assert any(f"]({label})" in markdown(path) for path in CHAPTERS)
