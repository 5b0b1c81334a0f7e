"""What a page's card says of it: whole sentences, formulas in plain letters."""

import runpy

import pytest
from docutils import nodes
from docutils.utils import new_document
from helpers.site import ROOT

describe = runpy.run_path(str(ROOT / "_ext" / "descriptions.py"))["describe"]


def described(*parts, length=60, before=()):
    """Return what is said of a page of one paragraph, whose formulas are tuples of one."""
    made = [nodes.Text(p) if isinstance(p, str) else nodes.math("", *p) for p in parts]
    page = new_document("page")
    page.extend([*before, nodes.paragraph("", "", *made)])
    return describe(page, length, frozenset())


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (["One of\ntwo lines. Another."], "One of two lines. Another."),
        (["It is short. " + "Long " * 20 + "."], "It is short."),
        (["word " * 20], "word word word word word word word word word word word…"),
        (["By E. J. Gumbel. " + "Long " * 20], "By E. J. Gumbel."),
        (
            ["At ", (r"\tau=\tfrac12",), ", ", (r"\mathbb E[f]",), "."],
            "At τ = 1/2, 𝔼[f].",
        ),
        (["What a “maximum” < 2 is."], "What a “maximum” &lt; 2 is."),
    ],
)
def test_it_is_the_sentences_that_have_room(parts, said):
    assert described(*parts) == said


def test_sections_within_are_not_the_page():
    inner = nodes.section("", nodes.paragraph("", "", nodes.Text("Within.")))
    outer = nodes.section("", nodes.paragraph("", "", nodes.Text("First.")), inner)
    page = new_document("page")
    page.append(outer)
    assert describe(page, 60, frozenset()) == "First."


def test_notes_and_lists_are_no_sentences_of_the_page():
    note = nodes.note("", nodes.paragraph("", "", nodes.Text("A note.")))
    assert described("Text.", before=[note]) == "Text."


def test_what_a_page_says_of_itself_comes_first():
    own = nodes.meta("", name="description", content="Its own words.")
    assert described("Text.", before=[own]) == "Its own words."
