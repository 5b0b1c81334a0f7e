"""A formula keeps what stands at it, and the text of the paragraph stays what it was."""

import runpy

from docutils import nodes
from helpers.site import ROOT

hold = runpy.run_path(str(ROOT / "_ext" / "unbroken_formulas.py"))["hold"]


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
