"""The one stylesheet shows what the seventeen it was made of show, to the pixel."""

import json
import re
from io import BytesIO

import numpy as np
import pytest
from helpers.audits import bent_pictures, still
from helpers.site import PAGES, SITE
from matplotlib.image import imread

pytestmark = pytest.mark.browser

LOOKS = [
    (page, *look)
    for page in (
        "index.html",
        "chapters/bibliography.html",
        "chapters/08_semi_supervised.html",
    )
    for look in (("light", 1366), ("dark", 375))
]
# What opens over a page, by what is pressed.
OPENING = {
    1366: [
        ".dropdown-download-buttons > button",
        ".bd-sidebar-primary .search-button__button",
    ],
    375: [".bd-header-article .primary-toggle"],
}
# Two drawings of one page may differ by this much where it is smoothed.
ROUNDING = 32 / 255
# The sheets come to stand where the one stood, and go again.
TAKE_APART = """async ({all, paper}) => {
    const one = document.querySelector('link[rel=stylesheet]');
    const root = document.documentElement.dataset.content_root;
    const links = all.map(name => Object.assign(document.createElement('link'), {
        rel: 'stylesheet', href: root + name, media: paper.includes(name) ? 'print' : '',
    }));
    const here = links.map(link => new Promise(done => (link.onload = done)));
    one.before(...links);
    await Promise.all(here);
    one.disabled = true;
    window.putTogether = () => {
        one.disabled = false;
        for (const link of links) link.remove();
    };
    await document.fonts.ready;
}"""


# What makes the pixels: the place of every element, and the style of the first of each kind, with what stands
# before and after it. The place says what margins do; an automatic one has no style of its own.
NOTE = """async name => {
    // Laid out, a page asks for the faces of its letters.
    document.body.getBoundingClientRect();
    await document.fonts.ready;
    const all = [...document.querySelectorAll('body, body *')];
    const first = new Map(all.toReversed().map(one => [`${one.tagName} ${one.getAttribute('class')}`, one]));
    const firsts = new Set(first.values());
    const keys = [...getComputedStyle(document.body)].filter(key => !/^(--|margin)/.test(key));
    const style = (one, part) => {
        const found = getComputedStyle(one, part);
        return part && found.content === 'none' ? '' : keys.map(key => found.getPropertyValue(key)).join(';');
    };
    const looks = all.map(one => {
        const {x, y, width, height} = one.getBoundingClientRect();
        const parts = firsts.has(one) ? [undefined, '::before', '::after'] : [];
        return [x, y, width, height, ...parts.map(part => style(one, part))].join('|');
    });
    const former = (window.noted ??= {})[name];
    noted[name] = looks;
    if (!former) return looks.length;
    return all.filter((_, i) => looks[i] !== former[i]).map(one => one.outerHTML.slice(0, 100));
}"""


@pytest.fixture(scope="session")
def sheets():
    """Return what the one stylesheet was made of, as the build wrote it down."""
    return json.loads((SITE / ".stylesheets.json").read_text("utf-8"))


def picture(tab):
    """Return a picture of the whole page."""
    return tab.screenshot(full_page=True, animations="disabled")


def steady(tab):
    """Return a picture of the whole page when it is drawn to its end: two in a row are equal."""
    former, latter = b"", picture(tab)
    while former != latter:
        former, latter = latter, picture(tab)
    return latter


def apart(one, other):
    """Return how far the colours of two pictures are apart at most."""
    if one == other:
        return 0
    one, other = (imread(BytesIO(each)) for each in (one, other))
    return np.abs(one - other).max() if one.shape == other.shape else np.inf


def taken_apart(tab, sheets):
    """Return how far a page is from itself with all sheets, drawn to its end if it seems to be."""
    one = picture(tab)
    tab.evaluate(TAKE_APART, sheets)
    other = picture(tab)
    if apart(one, other) > ROUNDING:
        other = steady(tab)
        tab.evaluate("putTogether()")
        return apart(steady(tab), other)
    tab.evaluate("putTogether()")
    return apart(one, other)


def note(tab, name):
    """Note the looks of a page under a name; return what has changed since that was last done."""
    still(tab)
    return tab.evaluate(NOTE, name)


def changed(tab, name, sheets):
    """Return what another look has with all sheets than with the one."""
    assert note(tab, name) > 200
    tab.evaluate(TAKE_APART, sheets)
    found = note(tab, name)
    tab.evaluate("putTogether()")
    return found


@pytest.mark.parametrize(("page", "theme", "width"), LOOKS)
def test_no_pixel_tells_the_one_stylesheet_from_all(visit, sheets, page, theme, width):
    tab, _, _ = visit(page, theme, width)
    bent_pictures(tab)
    assert changed(tab, "screen", sheets) == []
    assert taken_apart(tab, sheets) <= ROUNDING
    tab.emulate_media(media="print")
    assert changed(tab, "paper", sheets) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", OPENING)
def test_nothing_that_opens_tells_it_either(visit, sheets, theme, width):
    for button in OPENING[width]:
        tab, _, _ = visit("index.html", theme, width)
        tab.locator(button).click()
        tab.mouse.move(0, 0)
        assert changed(tab, button, sheets) == []


def test_a_rule_less_is_seen(visit, sheets):
    tab, _, _ = visit("index.html")
    whole = steady(tab)
    note(tab, "screen")
    without = [name for name in sheets["all"] if name != "_static/landing.css"]
    tab.evaluate(TAKE_APART, {**sheets, "all": without})
    assert apart(whole, steady(tab)) > 3 * ROUNDING
    assert len(note(tab, "screen")) > 10


@pytest.mark.parametrize("page", [*PAGES, "search.html"])
def test_a_page_waits_for_one_stylesheet_which_no_script_in_its_head_waits_for(page):
    head = (SITE / page).read_text("utf-8").partition("</head>")[0]
    (link,) = re.findall(r'<link[^>]*rel="stylesheet"[^>]*>', head)
    assert "/styles.css?v=" in link or '"_static/styles.css?v=' in link
    assert "<script" not in head.partition(link)[2]


def test_no_variable_of_a_script_or_a_page_is_left_out(sheets):
    css = (SITE / "_static" / "styles.css").read_text("utf-8")
    rules = "".join((SITE / name).read_text("utf-8") for name in sheets["all"])
    files = [*SITE.glob("_static/**/*.js"), *(SITE / page for page in PAGES)]
    named = {
        name
        for path in files
        for name in re.findall(r"--[a-z][\w-]*\w", path.read_text("utf-8"))
        if f"{name}:" in rules
    }
    assert len(named) > 5
    # Bootstrap asks where a menu in its bar of navigation is to stand, and this book has no such bar.
    assert [name for name in named if f"{name}:" not in css] == ["--bs-position"]
