"""What stands in and beside the text: formulas and their numbers, tables, pictures, sources, the package."""

import re
from pathlib import Path

import nbformat
import pytest
from helpers.audits import torn_lines
from helpers.site import PAGES, ROOT, SITE

pytestmark = pytest.mark.browser

CHAPTERS = [page for page in PAGES if re.match(r"chapters/\d\d_", page)]


def test_there_are_numbered_formulas_and_pictures_of_cells_to_look_at():
    pages = [(SITE / page).read_text("utf-8") for page in CHAPTERS]
    assert sum('class="eqno"' in html for html in pages) >= 8
    pictures = r'(?s)class="cell_output.*?<figure.*?<img '
    assert sum(bool(re.search(pictures, html)) for html in pages) >= 8


def test_a_line_would_begin_with_what_belongs_to_the_formula_before_it(visit):
    tab, _, _ = visit("chapters/04_softmax_relaxation.html", width=375)
    tab.add_style_tag(
        content=".unbroken, .bd-article span.math { white-space: normal; }"
    )
    assert len(torn_lines(tab)) >= 1


def test_there_is_code_of_figures_to_fold():
    pages = [(SITE / page).read_text("utf-8") for page in CHAPTERS]
    assert sum('<details class="figure-code' in html for html in pages) >= 3


@pytest.mark.parametrize(
    "path", sorted((ROOT / "chapters").glob("*.ipynb")), ids=lambda path: path.stem
)
def test_a_table_that_a_cell_shows_has_a_number_a_caption_and_its_numbers_on_the_right(
    path,
):
    cells = nbformat.read(path, 4).cells
    shown = [
        cell for cell in cells for output in cell.get("outputs", []) if is_table(output)
    ]
    html = (SITE / "chapters" / f"{path.stem}.html").read_text("utf-8")
    tables = re.findall(
        r'(?s)<table class="cell-table[^"]*" id="([^"]+)">(.*?)</table>', html
    )
    assert [cell.metadata.get("table", {}).get("name") for cell in shown] == [
        name for name, _ in tables
    ]
    for _, table in tables:
        assert re.search(r'<span class="caption-number">Table \d+\.\d+ </span>', table)
        assert '<th scope="col"' in table
        for text in re.findall(r'<td class="number">(.*?)</td>', table):
            # Of the words one stands for a number: a rule is exact to all degrees.
            assert re.search(r"\d|^\s*(?:[-–]|all)?\s*$", text)


def is_table(output):
    return "<table" in "".join(output.get("data", {}).get("text/html", ""))


def test_a_source_of_the_bibliography_leads_to_where_it_can_be_read():
    html = (SITE / "chapters" / "bibliography.html").read_text("utf-8")
    entries = re.findall(r'(?s)<div class="citation".*?</div>', html)
    linked = [one for one in entries if re.search(r'href="https?://', one)]
    assert len(entries) > 100
    assert len(entries) - len(linked) <= 5, "what is older than links"
    assert sum("https://arxiv.org/abs/" in one for one in entries) > 60
    assert sum("https://doi.org/10." in one for one in entries) > 20


def test_every_function_of_the_package_has_a_page_and_a_preview():
    pages = sorted((SITE / "chapters" / "api").glob("*.html"))
    assert len(pages) > 10
    for page in pages:
        functions = re.findall(
            r'<dt class="sig[^>]*id="([^"]+)"', page.read_text("utf-8")
        )
        previews = (
            SITE / "_static" / "previews" / "chapters" / "api" / f"{page.stem}.js"
        )
        shown = previews.read_text("utf-8")
        assert functions
        assert [name for name in functions if f'"{name}"' not in shown] == []


def test_the_files_of_the_figures_are_named_in_one_way():
    files = [path for path in Path(ROOT / "assets").rglob("*") if path.is_file()]
    assert len(files) > 20
    assert [path.name for path in files if "_" in path.name] == []
