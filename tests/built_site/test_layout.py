"""What a reader sees of a page: nothing cut on a desktop or on paper, pictures in shape, numbers typeset."""

import re
from itertools import pairwise

import pytest
from helpers.site import PAGES, SITE

pytestmark = pytest.mark.browser

NUMBERS_ON_THE_LEFT = """() => [...document.querySelectorAll('div.math .eqno')]
    .filter(number => number.getBoundingClientRect().left <
        number.parentElement.querySelector('.katex-base').getBoundingClientRect().right)
    .map(number => number.textContent)"""


@pytest.mark.parametrize("page", PAGES)
def test_headings_come_in_order(page):
    body = (SITE / page).read_text("utf-8").partition('<article class="bd-article"')[2]
    levels = [int(level) for level in re.findall(r"<h([1-6])[ >]", body)]
    assert levels[:1] in ([], [1])
    assert all(after - before <= 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("page", PAGES)
def test_reported_numbers_are_typeset(page):
    html = (SITE / page).read_text("utf-8")
    numbers = re.findall(r'class="pasted-text">([^<]*)<', html)
    assert [
        text for text in numbers if re.search(r"^[-+]?inf$|^[-+]\d|\de[-+]?\d", text)
    ] == []


def test_an_exercise_says_in_its_title_how_hard_it_is_and_a_solution_follows():
    titles = [
        re.sub("<[^>]+>", "", title)
        for page in PAGES
        for title in re.findall(
            r'<div class="(?:exercise|solution)\b[^>]*>\s*<p class="admonition-title">(.*?)</p>',
            (SITE / page).read_text("utf-8"),
        )
    ]
    assert len(titles) > 60
    for exercise, solution in zip(titles[::2], titles[1::2], strict=True):
        assert re.fullmatch(r"Exercise \d+\.\d+ \s*\((Easy|Medium|Hard)\)", exercise)
        assert solution == "Solution"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_links_have_one_colour_and_formulas_their_numbers_on_the_right(visit, theme):
    for page in ("chapters/notation.html", "chapters/03_gumbel_max.html"):
        tab, _, _ = visit(page, theme)
        assert tab.evaluate(NUMBERS_ON_THE_LEFT) == []
        colours = tab.evaluate(
            """[...document.querySelectorAll('.bd-article a[href]:not(.headerlink, .btn, .term)')]
                .map(link => getComputedStyle(link).color)"""
        )
        assert len(set(colours)) == 1


def test_the_dark_theme_is_not_printed(visit):
    tab, _, _ = visit("chapters/02_gumbel.html", "dark")
    for media, theme in (("print", "light"), ("screen", "dark")):
        tab.emulate_media(media=media)
        tab.wait_for_function(
            "theme => document.documentElement.dataset.theme === theme", arg=theme
        )


def test_a_search_among_files_is_silent(visit):
    tab, complaints, _ = visit("search.html?q=temperature")
    tab.wait_for_function("!document.querySelector('.search-summary:empty')")
    assert tab.locator("#search-results li").count() >= 10
    assert complaints == []


def test_an_excerpt_shows_a_formula_once_and_no_source(browser, served):
    tab = browser.new_page()
    tab.goto(f"{served}/search.html?q=logistic")
    tab.wait_for_selector("#search-results p.context")
    tab.wait_for_load_state("networkidle")
    excerpts = tab.locator("#search-results p.context").all_inner_texts()
    assert len(excerpts) > 5
    assert [text for text in excerpts if re.search(r"\\[a-z]+", text)] == []
    tab.close()
