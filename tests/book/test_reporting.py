"""Numbers for the prose: printed, and glued as the same text."""

import builtins
import re

import pytest

from gumbel_tutorial.book import reporting as report


@pytest.mark.parametrize(
    ("value", "spec", "text"),
    [(0.01234, ".3f", "0.012"), (12345, ",", "12,345"), ("two", "", "two")],
)
def test_the_printed_text_is_the_glued_text(value, spec, text, capsys, monkeypatch):
    glued = {}
    monkeypatch.setattr(
        "myst_nb.glue", lambda key, shown, **_: glued.update({key: shown})
    )
    report.report("some-key", value, spec)
    assert capsys.readouterr().out == f"some-key = {text}\n"
    assert glued == {"some-key": text}


def test_a_reader_without_the_book_tools_still_sees_the_number(capsys, monkeypatch):
    real = builtins.__import__

    def without_myst_nb(name, *rest):
        if name == "myst_nb":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_myst_nb)
    report.report("some-key", 1.5, ".1f")
    assert capsys.readouterr().out == "some-key = 1.5\n"


def test_a_table_keeps_html_and_digits_as_they_are(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    report.table([["a<br>b", "1.50"]], ["name", "value"])
    assert re.findall(r"<t[hd]>(.*?) *</t[hd]>", shown[0].data) == [
        "name",
        "value",
        "a<br>b",
        "1.50",
    ]


def test_a_row_with_a_cell_too_few_is_refused():
    with pytest.raises(ValueError, match="each of 2 columns, got 1 in \\['a'\\]"):
        report.table([["a"]], ["name", "value"])
