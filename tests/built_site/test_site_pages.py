"""What stands in and beside the text: formulas and their numbers, tables, pictures, sources, the package."""

import re
from pathlib import Path

import nbformat
import pytest
from helpers.site import PAGES, ROOT, SITE, Visits

pytestmark = pytest.mark.browser

CHAPTERS = [page for page in PAGES if re.match(r"chapters/\d\d_", page)]
# The first letter after a formula, without a space between, is on a line below the last box of the formula.
TORN = r"""() => [...document.querySelectorAll('.bd-article p span.math')].flatMap(formula => {
        const after = formula.nextSibling;
        if (after?.nodeType !== 3 || !/^\S/.test(after.data)) return [];
        const range = document.createRange();
        range.setStart(after, 0);
        range.setEnd(after, 1);
        const letter = range.getBoundingClientRect();
        const box = [...formula.querySelectorAll('.katex-base')].pop().getBoundingClientRect();
        const isHeld = letter.width === 0 || letter.left > box.left;
        return isHeld ? [] : [formula.textContent.slice(-20) + after.data.slice(0, 10)];
})"""
NUMBERS = """() => [...document.querySelectorAll('div.math .eqno')].map(number => {
    const formula = number.parentElement.querySelector('.katex-display');
    const [one, other] = [number, formula].map(part => part.getBoundingClientRect());
    return [one.top - other.bottom, one.left, one.right - innerWidth];
})"""
PICTURES = """() => [...document.querySelectorAll('.bd-article div.cell_output figure img')]
    .map(picture => picture.getBoundingClientRect().width).filter(width => width > 0)"""


@pytest.fixture(scope="module", params=CHAPTERS)
def on_a_phone(browser, request):
    """Return a chapter at the width of a phone."""
    tab, _, _ = Visits(browser)(request.param, width=375)
    yield tab
    tab.context.close()


def test_no_line_begins_with_what_belongs_to_the_formula_before_it(on_a_phone):
    assert on_a_phone.evaluate(TORN) == []


def test_where_the_pieces_may_break_a_line_would(browser):
    tab, _, _ = Visits(browser)("chapters/04_softmax_relaxation.html", width=375)
    tab.add_style_tag(content=".unbroken { white-space: normal; }")
    assert len(tab.evaluate(TORN)) >= 1
    tab.context.close()


def test_the_number_of_a_formula_stands_below_it(on_a_phone):
    places = on_a_phone.evaluate(NUMBERS)
    assert places
    for below, left, beyond in places:
        assert below >= 0
        assert left > 0
        assert beyond <= 0


def test_a_picture_is_as_wide_as_a_phone(on_a_phone):
    widths = on_a_phone.evaluate(PICTURES)
    assert all(width >= 373 for width in widths), widths


def test_the_code_of_a_figure_is_folded_below_it(on_a_phone):
    for fold in on_a_phone.locator("details.figure-code").all():
        code = fold.locator(".cell_input")
        assert not code.is_visible()
        fold.locator("summary").click()
        assert code.is_visible()
        assert not re.search(r"\bassert|\breport\(", code.inner_text())
        figure = fold.locator("xpath=preceding-sibling::*//figure").first
        assert figure.bounding_box()["y"] < fold.bounding_box()["y"]


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
            assert re.search(r"\d|^\s*[-–]?\s*$", text)


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
