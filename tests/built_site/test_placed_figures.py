"""The moving figures on their pages, in the place of a picture; all tests of a figure share one visit."""

import re

import pytest
from helpers.figures import PLACES, inked, said, settle

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module", params=PLACES)
def placed(visit, request):
    """Return a figure on its page, which is opened once for the tests that do not move it."""
    page, place = PLACES[request.param]
    tab, complaints, _ = visit(page)
    figure = tab.locator(f"#{place} .moving-figure")
    figure.scroll_into_view_if_needed()
    settle(figure)
    yield figure
    assert complaints == []


def test_a_figure_takes_the_place_of_its_picture(placed):
    holder = placed.locator("xpath=..")
    assert not holder.locator("img").is_visible()
    assert len(inked(placed)) >= 4
    assert said(placed)
    caption = holder.locator("figcaption")
    assert re.match(r"Fig\. \d\.\d+ \w", caption.inner_text())
    assert not caption.locator(".still-caption").is_visible()


# What is wider than the figure, and what is lower than a finger.
UNFIT = """element => {
    const room = element.getBoundingClientRect().width;
    const found = (selector, isBad) => [...element.querySelectorAll(selector)]
        .filter(one => one.checkVisibility() && isBad(one.getBoundingClientRect()))
        .map(one => one.outerHTML.slice(0, 100));
    return [
        ...found('canvas, input, button, select, fieldset, table', ({width}) => width > room),
        ...found('button, select, label:has(input), input[type=range]', ({height}) => height < 24),
    ];
}"""


def test_it_fits_its_column_and_a_finger(placed):
    page = placed.page
    for width in (320, 1366):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        assert placed.evaluate(UNFIT) == []


def test_what_does_not_fit_is_seen(opened):
    figure = opened("triangle")
    assert figure.evaluate(UNFIT) == []
    style = "display: block; height: 9px; width: 2000px"
    button = f'<button style="{style}"></button>'
    figure.evaluate("(one, html) => one.insertAdjacentHTML('beforeend', html)", button)
    assert len(figure.evaluate(UNFIT)) == 2


def test_in_print_the_picture_stays(placed):
    holder = placed.locator("xpath=..")
    placed.page.emulate_media(media="print")
    assert holder.locator("img").is_visible()
    assert holder.locator(".still-caption").is_visible()
    assert not placed.is_visible()
    assert not holder.locator(".moving-caption").is_visible()
