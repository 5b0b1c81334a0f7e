"""Code in a table breaks at its joints, and reads as it did."""

import runpy

from helpers.site import ROOT

with_joints = runpy.run_path(str(ROOT / "_ext" / "name_joints.py"))["with_joints"]


def test_code_breaks_after_an_underscore_and_a_bracket_but_not_before_the_next():
    word = '<span class="pre">reinforce_average(x,&lt;=y[0])</span>'
    assert with_joints(word) == word.replace("e_a", "e_<wbr>a").replace(
        "(x", "(<wbr>x"
    ).replace("=y[0", "=<wbr>y[<wbr>0")


def test_a_name_that_a_cell_shows_breaks_after_an_underscore():
    cell = "<td>least_of_all  </td><td>a b_c</td>"
    assert with_joints(cell) == cell.replace("least_of_", "least_<wbr>of_<wbr>")


def test_words_beside_code_stay_as_they_are():
    assert with_joints("<p>a_b (c)</p>") == "<p>a_b (c)</p>"
