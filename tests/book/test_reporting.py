"""Numbers for the prose: printed, and glued as the same text."""

import builtins

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
