"""A formula keeps what stands at it, and the text of the paragraph stays what it was."""

import re
import runpy

import pytest
from docutils import nodes
from helpers.site import ROOT

EXTENSION = runpy.run_path(str(ROOT / "_ext" / "unbroken_formulas.py"))
hold, breakable = EXTENSION["hold"], EXTENSION["breakable"]


def paragraph(*parts):
    """Return a paragraph of texts and of formulas, which are tuples of one."""
    made = [nodes.Text(p) if isinstance(p, str) else nodes.math("", *p) for p in parts]
    return nodes.paragraph("", "", *made)


def held(block):
    """Return the texts of the pieces that do not break, once all formulas are held."""
    for formula in list(block.findall(nodes.math)):
        hold(formula)
    return [piece.astext() for piece in block.findall(nodes.inline)]


def test_a_formula_keeps_what_stands_at_it():
    block = paragraph("the law (", ("p",), "), its mean ", ("m",), "\n", ("x",), "-th.")
    assert held(block) == ["(p),", "x-th."]
    assert block.astext() == "the law (p), its mean m\nx-th."


def test_of_texts_that_read_the_same_the_one_at_the_formula_is_taken():
    """Nodes of text compare like strings, so a search for a full stop finds the first one."""
    block = paragraph("by (4.2)", ".", "\n", "So ", ("b",), ".")
    assert held(block) == ["b."]
    assert block.astext() == "by (4.2).\nSo b."


def test_the_last_word_of_a_source_line_does_not_stand_at_the_formula_on_the_next():
    block = paragraph("the pair ", ("p",), " with\n", ("a",), ".")
    assert held(block) == ["a."]
    assert block.astext() == "the pair p with\na."


def box(text):
    """Return a box of a formula; a bracket with an exponent is two elements, as KaTeX makes it."""
    close = '<span class="mclose">)</span>'
    html = text.replace("(", '<span class="mopen">(</span>').replace(")", close)
    powered = html.replace(f"{close}^2", f'<span class="mclose">{close}2</span>')
    return f"<span>{powered}</span>"


@pytest.mark.parametrize(
    ("formula", "broken"),
    [
        ("short = | f(x)", "short = f(x)"),
        (
            "a + b + c + d + | (x - | y)^2 | + zzzz",
            "a + b + c + d + | (x - y)2 | + zzzz",
        ),
        (
            "(aaaaaaaaaa + | bbbbbbbbbbbb) | = cccc",
            "(aaaaaaaaaa + | bbbbbbbbbbbb) | = cccc",
        ),
        # Short, though much stands before it and behind it.
        (
            "fffffffff(a - | b)ggggggggggg | = ccc",
            "fffffffff(a - b)ggggggggggg | = ccc",
        ),
        (
            "(aaaaaa(b - | c) + | dddddddddddd) | = e",
            "(aaaaaa(b - c) + | dddddddddddd) = e",
        ),
    ],
)
def test_a_formula_breaks_between_boxes_but_in_no_short_bracket(formula, broken):
    made = breakable([box(part.replace(" ", "")) for part in formula.split(" | ")])
    shown = re.sub(r"<(?!wbr)[^>]*>", "", made).replace("<wbr>", "|")
    assert shown == broken.replace(" ", "")
