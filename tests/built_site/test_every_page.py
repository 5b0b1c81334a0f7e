"""Every page in a real browser, among files and from a server, desktop and phone, light and dark.

A page is opened twice. Among files everything is asked while it is open, the theme changed on the spot: a new
width is much work on a long page, and the audit by axe more. From a server it is loaded, in the dark.
"""

import re

import pytest
from helpers.audits import (
    CODE,
    COLOURS,
    FORMULAS,
    TABLES,
    WIDE,
    bent_pictures,
    coloured_formulas,
    cut_parts,
    dead_menus,
    framed_pictures,
    leave_one_of_each_look,
    misplaced_numbers,
    narrow_pictures,
    serious_findings,
    still,
    too_wide,
    torn_lines,
    unfolded_code,
    weight,
)
from helpers.site import PAGES, SITE

pytestmark = pytest.mark.browser

LIMIT = 800_000
DESKTOP, PHONE = 1366, 375
# The width of A4 less its margins.
PAPER = 700
EVERY = [*PAGES, "search.html"]
# What a phone hides or folds away.
BESIDE = ".bd-sidebar-primary, .bd-sidebar-secondary, .bd-header-article"


def look(tab, width, theme):
    """Show an open page at a width and in a theme."""
    if tab.viewport_size["width"] != width:
        tab.set_viewport_size({"width": width, "height": 900})
    show(tab, theme)
    # A colour may take its time to change.
    still(tab)


def show(tab, theme, tries=3):
    """Show an open page in a theme; once in a thousand times the page is not told, and is told again."""
    from playwright.sync_api import TimeoutError as NotTold

    tab.emulate_media(media="screen", color_scheme=theme)
    has = "theme => document.documentElement.dataset.theme === theme"
    try:
        tab.wait_for_function(has, arg=theme, timeout=30_000 if tries == 1 else 8_000)
    except NotTold:
        if tries == 1:
            raise
        tab.emulate_media(color_scheme="dark" if theme == "light" else "light")
        show(tab, theme, tries - 1)


def seen(tab):
    """Yield what is wrong with what a reader sees, each width once."""
    look(tab, DESKTOP, "light")
    yield "too wide on a desktop", too_wide(tab)
    yield "bent", bent_pictures(tab)
    yield "cut on a desktop", cut_parts(tab, FORMULAS, TABLES, CODE)
    tab.emulate_media(media="print")
    tab.set_viewport_size({"width": PAPER, "height": 900})
    yield "cut on paper", cut_parts(tab, FORMULAS)
    look(tab, PHONE, "light")
    yield "too wide on a phone", too_wide(tab)
    yield "bent on a phone", bent_pictures(tab)
    yield "narrow on a phone", narrow_pictures(tab)
    yield "cut on a phone", cut_parts(tab, WIDE)
    yield "lines torn from a formula", torn_lines(tab)
    yield "numbers beside a formula", misplaced_numbers(tab)
    for theme in ("light", "dark"):
        look(tab, PHONE, theme)
        yield f"framed, {theme}", framed_pictures(tab)
        yield f"formulas with a colour, {theme}", coloured_formulas(tab)
    yield "code of figures not folded", unfolded_code(tab)


def audited(tab):
    """Yield what axe finds: all in light, in the dark all colours, of a desktop those that a phone hides."""
    leave_one_of_each_look(tab)
    look(tab, PHONE, "dark")
    yield "axe on a phone, dark", serious_findings(tab, rules=COLOURS)
    look(tab, DESKTOP, "dark")
    yield "axe on a desktop, dark", serious_findings(tab, BESIDE, COLOURS)
    look(tab, DESKTOP, "light")
    yield "axe on a desktop, light", serious_findings(tab)
    look(tab, PHONE, "light")
    yield "axe on a phone, light", serious_findings(tab)


def pressed(tab):
    """Yield what is wrong with what is pressed; last, since a button that is pressed shows its tooltip."""
    for screen, width in (("phone", PHONE), ("desktop", DESKTOP)):
        look(tab, width, "light")
        yield f"dead menus on a {screen}", dead_menus(tab)


def faults(tab):
    """Return all that is wrong with an open page."""
    found = [*seen(tab), *audited(tab), *pressed(tab)]
    tab.wait_for_load_state("networkidle")
    return {name: wrong for name, wrong in found if wrong}


@pytest.mark.parametrize("page", EVERY)
def test_among_files_a_page_is_whole_silent_accessible_and_asks_nobody(visit, page):
    tab, complaints, requests = visit(page, "light", DESKTOP)
    assert faults(tab) == {}
    assert complaints == []
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []


@pytest.mark.parametrize("page", EVERY)
def test_from_a_server_and_in_the_dark_it_is_too_and_light(visit, served, page):
    tab, complaints, requests = visit(page, "dark", PHONE, served)
    assert tab.evaluate("document.documentElement.dataset.theme") == "dark"
    # This fetches all of them.
    assert bent_pictures(tab) == []
    assert dead_menus(tab) == []
    tab.wait_for_load_state("networkidle")
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
        + '<b style="display: block; width: 800px">wide</b></span></div>');
    add('<p><span class="katex"><span class="katex-html" aria-hidden="true"><i style="color: #777">x</i>'
        + '</span></span></p>');
    add('<p style="width: 40px"><span class="math">'
        + '<b class="katex-base" style="display: inline-block">formula</b></span>torn</p>');
    const figure = `<figure><img alt="narrow" style="width: 40px" src="${picture}"></figure>`;
    add(`<div class="cell_output">${figure}</div>`);
    add('<div class="math" style="display: block"><span class="eqno">(1)</span>'
        + '<span class="katex-display">x</span></div>');
    add('<div class="pst-scrollable-table-container" style="width: 40px">'
        + '<b class="wide-table" style="display: block; width: 80px">wide</b></div>');
    add('<details class="figure-code" open><summary>code</summary><p class="cell_input">x</p></details>');
    add('<style>html[data-theme=light] .pale { color: #bbb; background: #fff } '
        + 'html[data-theme=dark] .dim { color: #444; background: #000 }</style>');
    add('<p class="pale">pale</p><p class="dim">dim</p>');
    document.querySelector('.bd-sidebar-primary').insertAdjacentHTML('beforeend', '<p class="dim">dim</p>');
    const button = document.querySelector('.bd-header-article .primary-toggle');
    button.replaceWith(button.cloneNode(true));
}"""


def test_every_question_finds_its_fault(visit):
    tab, _, _ = visit("index.html")
    tab.evaluate(PLANTED)
    found = faults(tab)
    assert set(found) == {
        *(f"too wide on a {screen}" for screen in ("desktop", "phone")),
        *("bent", "bent on a phone", "narrow on a phone"),
        *("cut on a desktop", "cut on a phone", "cut on paper"),
        "code of figures not folded",
        *("lines torn from a formula", "numbers beside a formula"),
        *(f"framed, {theme}" for theme in ("light", "dark")),
        *(f"formulas with a colour, {theme}" for theme in ("light", "dark")),
        *(f"dead menus on a {screen}" for screen in ("phone", "desktop")),
        *(
            f"axe on a {screen}, {theme}"
            for screen in ("phone", "desktop")
            for theme in ("light", "dark")
        ),
    }
    for name, finding in found.items():
        if name.startswith("axe"):
            assert set(finding) == {"color-contrast"}
            assert len(finding["color-contrast"]) == 1
