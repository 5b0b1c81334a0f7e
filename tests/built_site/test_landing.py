"""The landing page: what three readers see before they scroll, and where their first click takes them."""

import pytest
from helpers.site import SITE

pytestmark = pytest.mark.browser

DOORS = {
    "Start with chapter 1": "chapters/01_gradients_through_randomness.html",
    "Open the laboratory": "chapters/05_gradient_estimators.html",
    "Take the function": "chapters/api.html",
}


@pytest.mark.parametrize("door", DOORS)
def test_each_reader_finds_the_next_click_without_scrolling(visit, door):
    tab, _, _ = visit("index.html")
    tab.set_viewport_size({"width": 1366, "height": 768})
    link = tab.get_by_role("link", name=door, exact=True)
    box = link.bounding_box()
    assert box["y"] + box["height"] <= 768
    link.click()
    assert tab.url.split("#")[0] == (SITE / DOORS[door]).as_uri()


def test_the_claim_the_doors_and_the_temperature_share_the_first_screen(visit):
    tab, _, _ = visit("index.html")
    tab.set_viewport_size({"width": 1366, "height": 768})
    for part in ("article h1", ".doors", "[data-figure=triangle] input[type=range]"):
        box = tab.locator(part).bounding_box()
        assert box["y"] + box["height"] <= 768, part
    assert tab.locator(".doors .sd-card").count() == 3


def test_without_a_script_the_triangle_is_a_picture(browser):
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto((SITE / "index.html").as_uri())
    picture = tab.locator("[data-figure=triangle] img")
    assert picture.is_visible()
    assert picture.evaluate("image => image.naturalWidth") > 300
    context.close()


def test_the_comparison_leads_to_its_chapter(visit):
    tab, _, _ = visit("index.html")
    tab.locator("a img[src*=estimators]").click()
    tab.wait_for_url("**/05_gradient_estimators.html#which-one-should-i-use")
