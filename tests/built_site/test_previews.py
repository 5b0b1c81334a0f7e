"""What a link leads to shows beside it, by mouse and by key; the words of the glossary are links too."""

import re

import pytest
from helpers.audits import serious_findings
from helpers.site import FILES, SITE

pytestmark = pytest.mark.browser

CHAPTER = "chapters/04_softmax_relaxation.html"
LINKS = {
    "03_gumbel_max.html#thm-gumbel-max": "Theorem 3.1",
    "#equation-eq-density": "(4.2)",
    "#fig-samples": "Fig. 4.1",
    "notation.html#term-temperature": "temperature",
    "bibliography.html#id": "",
}


def link_to(tab, address):
    return tab.locator(f".bd-article a.reference[href^='{address}']").first


def box(tab):
    return tab.locator("#preview")


@pytest.fixture(params=["file", "http"])
def chapter(request, visit, served):
    """Open a chapter as a file or from a server, with what it complained of."""
    address = served if request.param == "http" else FILES
    tab, complaints, requests = visit(CHAPTER, address=address)
    assert not [url for url in requests if "_static/previews/" in url], "not yet"
    yield tab
    assert complaints == []


def test_pointing_at_a_link_shows_what_it_leads_to(chapter):
    for address, text in LINKS.items():
        link = link_to(chapter, address)
        link.scroll_into_view_if_needed()
        link.hover()
        box(chapter).wait_for()
        assert text in box(chapter).inner_text()
        inside = box(chapter).bounding_box()
        assert inside["x"] >= 0
        assert inside["x"] + inside["width"] <= 1366
        chapter.mouse.move(2, 2)
        box(chapter).wait_for(state="hidden")


def test_a_preview_brings_its_picture_and_no_second_id(chapter):
    link = link_to(chapter, "01_gradients_through_randomness.html#fig-steps")
    link.scroll_into_view_if_needed()
    link.hover()
    box(chapter).wait_for()
    picture = box(chapter).locator("img")
    chapter.wait_for_function(
        "image => image.naturalWidth > 0", arg=picture.element_handle()
    )
    inside = box(chapter).bounding_box()
    assert inside["y"] >= 0
    assert inside["y"] + inside["height"] <= 900
    assert box(chapter).locator("[id]").count() == 0
    assert serious_findings(chapter, "#preview, #from-argmax-to-softmax > p") == {}


def test_a_key_shows_it_too_and_escape_takes_it_away(chapter):
    link = link_to(chapter, "03_gumbel_max.html#thm-gumbel-max")
    link.focus()
    # A script moves the focus as whatever came last, a key here.
    chapter.keyboard.press("Tab")
    chapter.keyboard.press("Shift+Tab")
    box(chapter).wait_for()
    assert link.get_attribute("aria-describedby") == "preview"
    assert box(chapter).get_attribute("role") == "tooltip"
    chapter.keyboard.press("Escape")
    assert box(chapter).is_hidden()
    assert link.get_attribute("aria-describedby") is None
    assert link.evaluate("one => one === document.activeElement")
    chapter.keyboard.press("Enter")
    chapter.wait_for_url("**/03_gumbel_max.html#thm-gumbel-max")


def test_a_preview_stays_while_it_is_pointed_at(chapter):
    link = link_to(chapter, "#equation-eq-density")
    link.scroll_into_view_if_needed()
    link.hover()
    box(chapter).wait_for()
    box(chapter).hover()
    chapter.wait_for_timeout(500)
    assert box(chapter).is_visible()


def test_a_finger_follows_the_link_at_once(browser):
    context = browser.new_context(
        viewport={"width": 375, "height": 800}, has_touch=True, is_mobile=True
    )
    tab = context.new_page()
    tab.goto((SITE / CHAPTER).as_uri())
    link_to(tab, "03_gumbel_max.html#thm-gumbel-max").tap()
    tab.wait_for_url("**/03_gumbel_max.html#thm-gumbel-max")
    context.close()


def test_a_term_is_linked_at_its_first_mention_alone():
    html = (SITE / CHAPTER).read_text("utf-8")
    terms = re.findall(r'class="term reference internal" href="([^"]*)"', html)
    assert len(terms) == len(set(terms)) >= 5
    assert "notation.html#term-temperature" in terms
    titles = re.findall(r"<h[1-4]>.*?</h[1-4]>", html, re.S)
    assert not any("term reference" in title for title in titles)


def test_the_index_of_terms_is_in_the_menu_and_leads_to_the_glossary(visit):
    tab, _, _ = visit("index.html")
    tab.get_by_role("navigation", name="Main").get_by_role(
        "link", name="Index", exact=True
    ).click()
    tab.wait_for_url("**/genindex.html")
    tab.get_by_role("link", name="straight-through", exact=True).click()
    tab.wait_for_url("**/notation.html#term-straight-through")
