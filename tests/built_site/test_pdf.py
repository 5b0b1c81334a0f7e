"""The book on paper: an outline, numbered pages, links that lead somewhere, and nothing cut."""

import re

import pdf
import pypdf
import pytest
from helpers.site import ROOT

pytestmark = pytest.mark.browser

# A few pages stand for the book: long formulas, wide tables, pictures, code.
PART = [
    "index",
    "chapters/05_gradient_estimators",
    "chapters/equations",
]


@pytest.fixture(scope="module")
def printed(browser, tmp_path_factory):
    """Print the part and return what was cut, and the book."""
    target = tmp_path_factory.mktemp("pdf") / "book.pdf"
    cut = pdf.print_book(browser, target, PART)
    return cut, pypdf.PdfReader(target)


def titles(outline):
    for entry in outline:
        yield from titles(entry) if isinstance(entry, list) else [entry.title]


def links(book):
    for page in book.pages:
        for note in page.get("/Annots", []):
            if note.get_object().get("/Subtype") == "/Link":
                yield note.get_object()


def test_every_page_of_the_contents_is_printed():
    listed = re.findall(r"(?:root|file): (\S+)", (ROOT / "_toc.yml").read_text())
    assert pdf.pages() == [page for page in listed if page != "genindex"]


def test_nothing_is_cut_at_the_edge_of_a_sheet_or_bent(printed):
    cut, _ = printed
    assert cut == []


def test_what_is_too_wide_or_bent_is_seen(browser, tmp_path, monkeypatch):
    picture = (ROOT / "assets" / "triangle.png").as_uri()
    wide = (
        f'<html><body><img src="{picture}" width="400" height="20">'
        '<pre style="white-space: pre">' + 200 * "x" + "</pre></body></html>"
    )
    monkeypatch.setattr(pdf, "assemble", lambda _: wide)
    monkeypatch.setattr(pdf, "name_headings", lambda *_: None)
    assert len(pdf.print_book(browser, tmp_path / "wide.pdf", [])) == 2


def test_the_outline_has_each_heading_once(printed):
    _, book = printed
    found = list(titles(book.outline))
    assert "5. The gradient-estimator laboratory" in found
    assert "5.1. What the gradient is made of" in found
    assert len(found) > 30


def test_the_pages_are_numbered_and_have_their_text(printed):
    _, book = printed
    texts = [page.extract_text() for page in book.pages]
    for number, text in enumerate(texts, 1):
        assert str(number) in text.split()[-1:] + text.split()[:1]
    whole = "\n".join(texts)
    for words in ("Theorem 5.3 (Five more)", "Fig. 5.2", "What to remember"):
        assert words in whole
    assert not re.search(r"\\frac|\\mathbb", whole)


def test_the_contents_name_the_sheet_on_which_a_page_begins(printed):
    _, book = printed
    contents = next(
        text
        for page in book.pages
        if "Contents" in (text := page.extract_text()).split("\n")[0]
    )
    for title in ("5. The gradient-estimator laboratory", "Every equation, checked"):
        number = int(re.search(rf"{re.escape(title)}\s*(\d+)", contents)[1])
        assert title in " ".join(book.pages[number - 1].extract_text().split()[:12])


def test_links_lead_to_a_place_in_the_book_or_to_another_host(printed):
    _, book = printed
    inside = [link for link in links(book) if "/Dest" in link]
    assert len(inside) > 100
    names = {name.lstrip("/") for name in book.named_destinations}
    assert {str(link["/Dest"]).lstrip("/") for link in inside} <= names
    outside = [
        link["/A"]["/URI"] for link in links(book) if "/URI" in link.get("/A", {})
    ]
    assert [address for address in outside if not address.startswith("https://")] == []
