"""Every page in a real browser, among files and from a server, desktop and phone, light and dark.

A page is opened twice, and everything is asked while it is open: most of the time goes into the audit by axe.
"""

import re

import pytest
from helpers.audits import (
    CODE,
    FORMULAS,
    TABLES,
    WIDE,
    bent_pictures,
    cut_parts,
    dead_menus,
    framed_pictures,
    leave_one_of_each_look,
    serious_findings,
    too_wide,
    weight,
)
from helpers.site import PAGES, SITE

pytestmark = pytest.mark.browser

LIMIT = 800_000
DESKTOP, PHONE = 1366, 375
# The width of A4 less its margins.
PAPER = 700
EVERY = [*PAGES, "search.html"]


def seen(tab):
    """Return what is wrong with what a reader sees."""
    desktop = tab.viewport_size["width"] == DESKTOP
    return {
        "too wide": too_wide(tab),
        "bent": bent_pictures(tab),
        "framed": framed_pictures(tab),
        "cut": cut_parts(tab, *((FORMULAS, TABLES, CODE) if desktop else (WIDE,))),
    }


def printed(tab):
    """Return what is wrong on paper."""
    tab.emulate_media(media="print")
    tab.set_viewport_size({"width": PAPER, "height": 900})
    cut = cut_parts(tab, FORMULAS)
    tab.emulate_media(media="screen")
    return {"cut on paper": cut} if cut else {}


def at_each(tab, widths, question):
    """Ask a question at each width."""
    for width in widths:
        tab.set_viewport_size({"width": width, "height": 900})
        yield width, question(tab)


def faults(tab, widths):
    """Return all that is wrong with an open page on a screen."""
    found = {}
    for width, wrong in at_each(tab, widths, seen):
        found |= {f"{name} at {width}": value for name, value in wrong.items()}
    found |= {"formulas with a colour": leave_one_of_each_look(tab)}
    # The way back, since a new width is much work on a long page; a button that is pressed shows its tooltip.
    for width, wrong in at_each(tab, widths[::-1], serious_findings):
        found |= {f"axe at {width}": wrong}
    for width, wrong in at_each(tab, widths, dead_menus):
        found |= {f"dead menus at {width}": wrong}
    tab.wait_for_load_state("networkidle")
    return {name: wrong for name, wrong in found.items() if wrong}


@pytest.mark.parametrize("page", EVERY)
def test_among_files_and_in_light_a_page_is_whole_silent_accessible_and_asks_nobody(
    visit, page
):
    tab, complaints, requests = visit(page, "light", DESKTOP)
    assert tab.evaluate("document.documentElement.dataset.theme") == "light"
    assert printed(tab) | faults(tab, (DESKTOP, PHONE)) == {}
    assert complaints == []
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []


@pytest.mark.parametrize("page", EVERY)
def test_from_a_server_and_in_the_dark_it_is_too_and_light(visit, served, page):
    tab, complaints, requests = visit(page, "dark", PHONE, served)
    assert tab.evaluate("document.documentElement.dataset.theme") == "dark"
    assert faults(tab, (PHONE, DESKTOP)) == {}
    assert complaints == []
    asked = [url for url in requests if not url.startswith("data:")]
    assert [url for url in asked if not url.startswith(served)] == []
    names = {re.sub(r"[?#].*", "", url.removeprefix(f"{served}/")) for url in asked}
    assert [name for name in names if not (SITE / name).is_file()] == []
    sizes = {name: weight(name) for name in names}
    assert sum(sizes.values()) < LIMIT, sorted(sizes.items(), key=lambda one: -one[1])
    assert not any("searchindex" in name for name in names) or page == "search.html"


# One fault for each question.
PLANTED = """() => {
    const article = document.querySelector('article');
    const add = html => article.insertAdjacentHTML('beforeend', html);
    const picture = document.querySelector('.bd-content img').src;
    add('<p style="width: 3000px; height: 1px"></p>');
    add(`<img alt="bent" width="400" height="20" style="height: 20px" src="${picture}">`);
    add(`<img alt="framed" style="padding: 1px" src="${picture}">`);
    add('<div class="math" style="width: 40px"><span class="katex-display">'
        + '<b style="display: block; width: 80px">wide</b></span></div>');
    add('<p><span class="katex-html" aria-hidden="true"><i style="color: #777">x</i></span></p>');
    add('<p style="color: #bbb; background: #fff">pale</p>');
    const button = document.querySelector('.bd-header-article .primary-toggle');
    button.replaceWith(button.cloneNode(true));
}"""


def test_every_question_finds_its_fault(visit):
    tab, _, _ = visit("index.html")
    tab.evaluate(PLANTED)
    found = printed(tab) | faults(tab, (DESKTOP,))
    assert set(found) == {
        "too wide at 1366",
        "bent at 1366",
        "framed at 1366",
        "cut at 1366",
        "cut on paper",
        "formulas with a colour",
        "axe at 1366",
        "dead menus at 1366",
    }
    assert set(found["axe at 1366"]) == {"color-contrast"}
