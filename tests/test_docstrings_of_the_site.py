"""What the site makes of a docstring and of a signature."""

import runpy

import pytest
from helpers.site import ROOT


def extension(name):
    return runpy.run_path(str(ROOT / "_ext" / f"{name}.py"))


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (r"Of $\ell$, -inf excludes.", r"Of :math:`\ell`, :math:`-\infty` excludes."),
        (
            "NaN, +inf or a row of -inf",
            r"NaN, :math:`+\infty` or a row of :math:`-\infty`",
        ),
        ("``-inf`` and `x-inf` and torch.-inf", "``-inf`` and `x-inf` and torch.-inf"),
        (">>> f(-inf)\n-inf", ">>> f(-inf)\n-inf"),
        ("stand first, without --output.", "stand first, without ``--output``."),
        ("a -- b and x--y", "a -- b and x--y"),
    ],
)
def test_signs_of_sentences_are_set_and_code_is_left(written, shown):
    lines = written.split("\n")
    extension("docstring_math")["to_math_role"](None, "", "", None, None, lines)
    assert "\n".join(lines) == shown


def test_a_default_that_a_call_makes_is_dots():
    change = extension("factory_defaults")["without_factories"]
    signature = "(steps=<factory>, size=3)"
    made = change(None, "class", "", None, None, signature, None)
    assert made == ("(steps=..., size=3)", None)
    assert change(None, "class", "", None, None, "(size=3)", None) is None
    assert change(None, "data", "", None, None, None, None) is None


def test_a_signature_may_break_before_its_arguments():
    mark = extension("name_joints")["mark_joints"]
    bracket = '<span class="sig-paren">(</span>'
    body = f'<dt class="sig sig-object py" id="f">f{bracket}g{bracket}</dt><p>{bracket}</p>'
    context = {"body": body}
    mark(None, "", "", context, None)
    assert context["body"] == body.replace(bracket, f"{bracket}<wbr>", 1)


def test_links_break_at_their_joints():
    mark = extension("name_joints")["mark_joints"]
    context = {
        "body": '<code class="xref py"><span class="pre">a.b_c</span></code><code>a_b</code>'
    }
    mark(None, "", "", context, None)
    assert context["body"].count("<wbr>") == 2
