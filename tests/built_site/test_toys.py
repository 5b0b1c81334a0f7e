"""Max-stability, the estimator bench, the decoder and the recorded training in a real browser."""

import re

import pytest
from helpers.figures import said

pytestmark = pytest.mark.browser


def number(pattern, sentence):
    """Return the number that a pattern finds in what is said."""
    return float(re.search(pattern, sentence)[1])


def test_the_sliding_gumbel_lands_on_the_maximum_by_key(opened):
    figure = opened("max-stability")
    slide = figure.get_by_role("slider", name="slide a Gumbel")
    before = said(figure)
    assert "at 1.79, 1.10 and 0.00: the maximum is a Gumbel at 2.30" in before
    assert number(r"up to ([\d.]+) away", before) > 0.3
    slide.press("End")
    assert said(figure).endswith("The sliding Gumbel, at 2.30, lies on it.")
    slide.press("ArrowLeft")
    assert number(r"up to ([\d.]+) away", said(figure)) < 0.02


def test_with_shared_noise_nothing_lands(opened):
    figure = opened("max-stability")
    figure.get_by_label("one value for all").check()
    figure.get_by_role("slider", name="slide a Gumbel").press("End")
    assert "the largest of them, 1.79" in said(figure)
    assert number(r"up to ([\d.]+) away", said(figure)) > 0.1


def test_locations_scale_and_categories_change_the_maximum(opened):
    figure = opened("max-stability")
    handle = figure.get_by_role("button", name="location of category 3: 0.00")
    handle.press("ArrowRight")
    assert " and 0.10: the maximum is a Gumbel at 2.31" in said(figure)
    handle = figure.get_by_role("button", name="location of category 3: 0.10")
    handle.hover()
    figure.page.mouse.down()
    figure.page.mouse.move(5000, 0)
    figure.page.mouse.up()
    assert " and 4.00: the maximum is a Gumbel at 4.15" in said(figure)
    figure.get_by_role("slider", name="scale").press("End")
    assert "of scale 2.0 at " in said(figure)
    figure.get_by_role("slider", name="categories").press("Home")
    only = "One Gumbel of scale 2.0 at 1.79: the maximum is this Gumbel itself. "
    assert said(figure).startswith(only)
    assert figure.locator(".figure-handle:visible").count() == 1


def test_six_locations_are_apart(opened):
    figure = opened("max-stability")
    figure.get_by_role("slider", name="categories").press("End")
    listed = re.search(r" at (.*): the maximum", said(figure))[1]
    assert len(set(re.split(", | and ", listed))) == 6


def test_the_budget_shrinks_the_cloud_and_not_the_shift(opened):
    figure = opened("estimator-bench")
    before = said(figure)
    assert before.startswith("Gumbel-Softmax at temperature 1.00 on the cubic loss")
    figure.get_by_role("slider", name="estimates averaged").press("End")
    after = said(figure)
    assert "means of 32" in after
    off, rest = r"off by ([\d.]+)", r"about the mean is (\d+\.\d+)"
    assert number(off, before) == number(off, after) > 0.3
    ratio = number(rest, before) / number(rest, after)
    assert ratio == pytest.approx(32**0.5, rel=0.1)


def test_temperature_trades_bias_for_variance(opened):
    figure = opened("estimator-bench")
    warm = said(figure)
    figure.get_by_role("slider", name="temperature").press("Home")
    cold = said(figure)
    assert " at temperature 0.10 " in cold
    off, rest = r"off by ([\d.]+)", r"about the mean is (\d+\.\d+)"
    assert number(off, cold) < number(off, warm)
    assert number(rest, cold) > number(rest, warm)


@pytest.mark.parametrize(
    "name", ["REINFORCE", "RLOO", "straight-through", "ReinMax", "Gumbel-Rao"]
)
def test_an_estimator_is_chosen_by_its_name(opened, name):
    figure = opened("estimator-bench")
    heat = figure.get_by_role("slider", name="temperature")
    heat.press("Home")
    figure.get_by_role("combobox", name="estimator").select_option(name)
    sentence = said(figure)
    assert sentence.startswith(name[0].upper() + name[1:])
    assert heat.is_disabled() == (name in ("REINFORCE", "RLOO"))
    if name in ("REINFORCE", "RLOO"):
        off = number(r"off by ([\d.]+)", sentence)
        assert off < 2 * number(r"±\s([\d.]+)", sentence)
        assert "temperature" not in sentence
    if name == "ReinMax":
        assert "at temperature 1.00" in sentence


def test_the_loss_and_the_draws_can_be_changed(opened):
    figure = opened("estimator-bench")
    figure.get_by_role("combobox", name="estimator").select_option("straight-through")
    figure.get_by_role("combobox", name="loss").select_option("linear")
    # Exact for a linear loss, whatever is drawn.
    assert "off by 0.00\u00a0±\u00a00.00" in said(figure)
    figure.get_by_role("combobox", name="loss").select_option("cubic")
    first = said(figure)
    figure.get_by_role("button", name="draw anew").click()
    assert said(figure) != first


def test_a_dial_changes_pixels_and_a_digit_puts_them_back(opened):
    figure = opened("decoder")
    first = said(figure)
    assert first.endswith("This is the code of a 0.")
    dials = figure.get_by_role("slider")
    assert dials.count() == 10
    for dial in range(10):
        dials.nth(dial).press("Home")
    assert said(figure).startswith("Code 1 1 1 1 1 1 1 1 1 1: ")
    assert number(r"(\d+) of 64 pixels with them", said(figure)) > 5
    figure.get_by_role("button", name="start from the code of a 0").click()
    assert said(figure) == first
    figure.get_by_role("button", name="a random code").press("Enter")
    assert said(figure).endswith("This is the random code.")


def test_pixels_that_change_are_those_that_are_set_or_unset(opened):
    figure = opened("decoder")
    figure.get_by_role("button", name="a random code").press("Enter")
    # Of a random code many pixels are grey: a small change carries some over the half.
    before = number(r"(\d+) pixels are set", said(figure))
    for dial in range(1, 11):
        slider = figure.get_by_role("slider", name=f"dial {dial}", exact=True)
        place = slider.get_attribute("aria-valuetext")
        for key in ("Home", "End"):
            slider.press(key)
            sentence = said(figure)
            if not sentence.endswith("This is the random code."):
                assert " 1 of 10 dials is off the random code, and " in sentence
                changed = number(r"(\d+) of 64 pixels with it", sentence)
                dark = number(r"(\d+) pixels are set", sentence)
                assert abs(dark - before) <= changed
        slider.fill(place)
    figure.get_by_role("button", name="start from the code of an 8").click()
    assert said(figure).endswith("This is the code of an 8.")


def test_a_class_is_chosen_by_a_touch(opened):
    figure = opened("decoder")
    dial = figure.get_by_role("slider", name="dial 1", exact=True)
    dial.press("Home")
    dial.press("End")
    canvas = figure.locator("canvas")
    box = canvas.bounding_box()
    # The row of ten images is in the middle.
    for side, category in ((-1, "1"), (1, "10")):
        x = box["width"] / 2 + side * 235
        canvas.tap(position={"x": x, "y": box["height"] - 20})
        assert dial.get_attribute("aria-valuetext") == category
        assert said(figure).startswith(f"Code {category} ")


def test_the_training_is_gone_through_by_key(opened):
    figure = opened("training")
    slider = figure.get_by_role("slider", name="training step")
    end = said(figure)
    assert end.startswith("Step 8,000, temperature 0.30: ")
    assert end.endswith("9 of 10 variables are in use.")
    slider.press("Home")
    start = said(figure)
    assert start.startswith("Step 0, temperature 1.00: ")
    assert start.endswith("0 of 10 variables are in use.")
    assert slider.get_attribute("aria-valuetext") == "0"
    bound = r"on test images the bound is (\d+\.\d)"
    assert number(bound, end) < number(bound, start)
    slider.press("ArrowRight")
    assert said(figure).startswith("Step 10, ")


def test_the_training_plays_to_its_end(opened):
    figure = opened("training", reduced_motion="reduce")
    slider = figure.get_by_role("slider", name="training step")
    slider.press("Home")
    figure.get_by_role("button", name="play").click()
    assert slider.get_attribute("aria-valuetext") == "8,000"
