"""The moving figures in a real browser: state, keys, touch, colours, and the picture behind them."""

import re

import pytest
from helpers.figures import PLACES, alone, inked, palette, said, settle

pytestmark = pytest.mark.browser

TWELVE_FRAMES = """() => new Promise(done => {
    let left = 12;
    const next = () => (left-- ? requestAnimationFrame(next) : done());
    next();
})"""

places = pytest.mark.parametrize("name", PLACES)


@pytest.fixture(scope="module")
def plain(browser):
    """Return a tab that runs no script."""
    context = browser.new_context(java_script_enabled=False)
    yield context.new_page()
    context.close()


@places
def test_without_javascript_the_picture_stays(plain, name, tmp_path):
    page, place = PLACES[name]
    path = tmp_path / "page.html"
    path.write_text(alone(page, place))
    plain.goto(path.as_uri())
    assert plain.locator(f"#{place} img").is_visible()
    assert plain.locator(f"#{place} .caption-text").is_visible()
    assert plain.locator(".moving-figure").count() == 0


@places
def test_it_follows_the_theme(opened, name):
    figure = opened(name)
    colours, drawn = {}, {}
    for theme in ("light", "dark"):
        figure.page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
        colours[theme], drawn[theme] = set(palette(figure)), set(inked(figure))
    for theme, other in (("light", "dark"), ("dark", "light")):
        assert colours[theme] & drawn[theme]
        assert colours[other] & drawn[theme] == set()


@places
def test_every_control_has_a_name_and_a_role(opened, name):
    tree = opened(name).aria_snapshot()
    assert re.search(r"^- group \"[A-Z].+\"", tree), tree
    controls = re.findall(r"- (slider|radio|button|checkbox|combobox|img)\b(.*)", tree)
    assert len(controls) >= 3
    assert all(re.match(r" \"..", rest) for _, rest in controls), tree


@places
def test_it_rests_while_it_is_off_the_screen(opened, name):
    figure = opened(name)
    figure.page.evaluate("scrollTo(0, 0)")
    figure.page.wait_for_function(
        "element => !element.figure.onScreen", arg=figure.element_handle()
    )
    figure.evaluate(
        """element => {
            element.figure.painted = 0;
            const paint = element.figure.paint.bind(element.figure);
            element.figure.paint = () => { element.figure.painted += 1; paint(); };
            element.figure.animate(() => true);
        }"""
    )
    figure.page.evaluate(TWELVE_FRAMES)
    assert figure.evaluate("element => element.figure.painted") == 0
    figure.scroll_into_view_if_needed()
    figure.page.wait_for_function(
        "element => element.figure.painted > 3", arg=figure.element_handle()
    )


def test_the_bench_draws_its_samples_when_it_comes_into_view(browser, tmp_path):
    tab = browser.new_page(viewport={"width": 800, "height": 600})
    tab.add_init_script(
        """const log = Math.log;
        window.logarithms = 0;
        Math.log = value => (window.logarithms++, log(value));"""
    )
    path = tmp_path / "page.html"
    path.write_text(alone(*PLACES["estimator-bench"]))
    tab.goto(path.as_uri())
    tab.evaluate("document.fonts.ready.then(() => true)")
    figure = tab.locator(".moving-figure")
    # Long after it would have said what a change has led to.
    tab.wait_for_function(
        "element => !element.figure.silent", arg=figure.element_handle()
    )
    assert figure.get_by_role("status").count() == 0
    away = tab.evaluate("logarithms")
    figure.scroll_into_view_if_needed()
    settle(figure)
    assert figure.get_by_role("status").inner_text()
    # Two for each of three Gumbel variables in 4800 draws.
    samples = 2 * 3 * 4800
    assert away < samples / 100 < samples <= tab.evaluate("logarithms")
    tab.close()


def gap(sentence):
    return float(re.search(r"([\d.]+) apart", sentence)[1])


def test_cooling_brings_the_mean_to_the_law_by_key(opened):
    figure = opened("triangle")
    slider = figure.get_by_role("slider", name="temperature")
    before = said(figure)
    assert before.startswith("At temperature 1.00 ")
    slider.press("ArrowLeft")
    assert said(figure).startswith("At temperature 0.95 ")
    slider.press("Home")
    assert said(figure).startswith("At temperature 0.05 ")
    assert slider.get_attribute("aria-valuetext") == "0.05"
    assert gap(said(figure)) < 0.001 < gap(before)
    slider.press("End")
    assert said(figure).startswith("At temperature 10.00 ")
    assert gap(before) < gap(said(figure))


def test_the_law_is_moved_by_key_and_by_mouse(opened):
    figure = opened("triangle")
    handle = figure.get_by_role("button", name="π = (0.60, 0.30, 0.10)")
    handle.press("ArrowUp")
    first = said(figure)
    assert "π is (0.60, 0.30, 0.10)" not in first
    handle = figure.locator(".figure-handle")
    assert re.search(r"\([^)]*\)", handle.get_attribute("aria-label"))[0] in first
    handle.hover()
    figure.page.mouse.down()
    figure.page.mouse.move(0, 0)
    figure.page.mouse.up()
    # Far outside the triangle: the law stays where all of its entries are positive.
    shares = law(said(figure))
    assert min(shares) >= 0.02
    assert sum(shares) == pytest.approx(1, abs=0.011)


def test_the_density_turns_over_at_the_centre(opened):
    figure = opened("triangle")
    figure.get_by_role("button", name="equal π").click()
    figure.get_by_role("radio", name="density").check()
    assert "The density at the centre is 2." in said(figure)
    figure.get_by_role("slider", name="temperature").press("End")
    assert "The density at the centre is 200." in said(figure)


def test_a_sample_is_chosen_by_a_touch_and_by_key(opened):
    figure = opened("triangle")
    marked = [said(figure)]
    figure.locator("canvas").tap(position={"x": 120, "y": 270})
    marked.append(said(figure))
    figure.get_by_role("button", name="another sample").press("Enter")
    marked.append(said(figure))
    assert len(set(marked)) == 3


def test_the_law_is_dragged_by_a_finger_and_the_page_stays(opened):
    figure = opened("triangle")
    before, top = said(figure), figure.page.evaluate("scrollY")
    box = figure.locator(".figure-handle").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touch = figure.page.context.new_cdp_session(figure.page)
    path = [("touchStart", 0), *(("touchMove", step) for step in range(10, 90, 10))]
    for kind, down in path:
        points = [{"x": x, "y": y + down}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert law(said(figure))[0] < law(before)[0] - 0.15
    assert figure.page.evaluate("scrollY") == top


def law(sentence):
    return numbers(re.search(r"π is \(([^)]*)\)", sentence)[1])


def test_a_reader_who_wants_little_motion_sees_the_end_at_once(opened):
    figure = opened("triangle", reduced_motion="reduce")
    figure.get_by_role("button", name="cool down").click()
    assert figure.get_by_role("slider").get_attribute("aria-valuetext") == "0.05"


# The figures with a motion that takes seconds, its button and the slider that it moves.
PLAYED = {
    "triangle": ("cool down", "temperature"),
    "max-stability": ("slide", "slide a Gumbel"),
    "training": ("play", "training step"),
    "watermark-score": ("write", "tokens"),
}


def is_moving(figure):
    return figure.evaluate("element => Boolean(element.figure.move)")


@pytest.mark.parametrize("name", PLAYED)
def test_a_motion_is_stopped_by_its_button_and_by_its_slider(opened, name):
    label, moved = PLAYED[name]
    figure = opened(name)
    slider = figure.get_by_role("slider", name=moved)
    button = figure.get_by_role("button", name=label, exact=True)
    stop = figure.get_by_role("button", name="stop", exact=True)
    sentence = figure.get_by_role("status").locator("span")
    before = said(figure)
    button.press("Enter")
    assert is_moving(figure)
    assert not sentence.is_visible()
    figure.page.evaluate(TWELVE_FRAMES)
    stop.press("Enter")
    assert not is_moving(figure)
    assert button.is_visible()
    assert said(figure) != before
    assert sentence.is_visible()
    button.press("Enter")
    figure.page.evaluate(TWELVE_FRAMES)
    slider.press("ArrowRight")
    assert not is_moving(figure)
    place = slider.input_value()
    figure.page.evaluate(TWELVE_FRAMES)
    assert slider.input_value() == place
    assert place not in (slider.get_attribute("min"), slider.get_attribute("max"))


def test_a_motion_goes_to_its_end_and_its_button_has_its_name_again(opened):
    figure = opened("max-stability")
    figure.get_by_role("slider", name="slide a Gumbel").fill("90")
    figure.get_by_role("button", name="slide", exact=True).click()
    assert said(figure).endswith("The sliding Gumbel, at 2.30, lies on it.")
    assert figure.get_by_role("button", name="slide", exact=True).is_visible()


def test_a_text_that_is_half_dealt_when_the_writing_begins_is_not_shown(opened):
    figure = opened("watermark-score")
    before = said(figure)
    figure.evaluate(
        """element => {
            const [write, another] = element.querySelectorAll("button");
            another.click();
            element.figure.move(0);
            write.click();
            write.click();
        }"""
    )
    figure.get_by_role("slider", name="tokens").press("End")
    heat = figure.get_by_role("slider", name="temperature")
    heat.press("ArrowRight")
    assert said(figure) != before
    heat.press("ArrowLeft")
    assert said(figure) == before


@places
def test_a_picture_of_a_new_size_is_drawn_at_once(opened, name):
    drawn = opened(name).evaluate(
        """element => {
            const {canvas} = element.figure;
            element.figure.resize();
            return canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(Boolean);
        }"""
    )
    assert drawn


# The words that leave the canvas, wholly or in part.
CUT = """element => {
    const {figure} = element;
    const cut = new Set();
    const {fillText} = CanvasRenderingContext2D.prototype;
    const ctx = figure.canvas.getContext('2d');
    ctx.fillText = (words, x, y) => {
        fillText.call(ctx, words, x, y);
        const box = ctx.measureText(words);
        const [left, right] = [x - box.actualBoundingBoxLeft, x + box.actualBoundingBoxRight];
        const [top, bottom] = [y - box.actualBoundingBoxAscent, y + box.actualBoundingBoxDescent];
        if (left < -1 || top < -1 || right > figure.width + 1 || bottom > figure.height + 1) cut.add(words);
    };
    figure.paint();
    delete ctx.fillText;
    return [...cut];
}"""


@places
def test_all_words_are_on_the_picture(opened, name):
    figure = opened(name)
    for width in (335, 384, 704):
        figure.evaluate(
            "(element, width) => { element.style.width = `${width}px`; element.figure.resize(); }",
            width,
        )
        assert figure.evaluate(CUT) == []
        for choice in figure.get_by_role("radio").all():
            choice.check()
            assert figure.evaluate(CUT) == []


def numbers(text):
    return [float(number) for number in re.findall(r"\d+\.\d+", text)]


def test_the_race_counts_its_winners_and_its_pairs(opened):
    figure = opened("race")
    assert said(figure).startswith("Run 1: category ")
    figure.get_by_role("button", name="run", exact=True).press("Enter")
    # It says nothing new before somebody has won.
    assert said(figure).startswith("Run 2: category ")
    for run in (102, 202):
        figure.get_by_role("button", name="100 runs").press("Space")
        assert said(figure).startswith(f"Run {run}: category ")
    assert gap(said(figure)) < 0.15
    figure.get_by_role("radio", name="the first").press("ArrowRight")
    assert figure.get_by_role("radio", name="the second").is_checked()
    sentence = said(figure)
    assert re.match(r"Run 1: category \d at \d\.\d\d, then \d at \d\.\d\d\.", sentence)
    law = numbers(sentence.split("probabilities are")[1])[:-1]
    assert law == [0.45, 0.15, 0.26, 0.04, 0.07, 0.03]


def test_the_race_is_over_when_the_first_arrives(opened):
    figure = opened("race")
    figure.get_by_role("button", name="run", exact=True).click()
    assert figure.evaluate("element => Boolean(element.figure.move)")
    settle(figure)
    assert not figure.evaluate("element => Boolean(element.figure.move)")


def test_samplers_with_a_noise_each_agree_less_often(opened):
    figure = opened("coupling")
    both = r"same token with probability ([\d.]+)"
    with_one = re.search(both, said(figure))[1]
    figure.get_by_role("radio", name="one each").check()
    sentence = said(figure)
    assert f"which with one noise for both would be {with_one};" in sentence
    assert float(re.search(both, sentence)[1]) < float(with_one)


@pytest.mark.parametrize("name", ["race", "coupling"])
def test_a_phone_shows_the_figure_with_its_controls(opened, name):
    figure = opened(name)
    figure.page.set_viewport_size({"width": 375, "height": 667})
    settle(figure)
    canvas = figure.locator("canvas").bounding_box()
    controls = figure.locator(".figure-controls").bounding_box()
    figure.page.set_viewport_size({"width": 800, "height": 600})
    assert canvas["width"] < 380
    assert controls["y"] + controls["height"] - canvas["y"] <= 667


def test_straight_through_reads_one_point_and_moves_another(opened):
    figure = opened("straight-through")
    losses = {}
    for kind in ("soft", "hard", "detached"):
        figure.get_by_role("radio", name=kind).check()
        settle(figure)
        draw, _, exact = (
            row.inner_text().split("\t")[1:]
            for row in figure.get_by_role("row").all()[1:]
        )
        losses[kind] = draw
        assert exact == ["1.50", "−0.30", "0.15", "0.15"]
    # Of a linear loss the slope is the same everywhere.
    assert losses["hard"][1:] == losses["soft"][1:] != losses["detached"][1:]
    assert losses["hard"][0] == losses["detached"][0] == "2.00" != losses["soft"][0]
    assert losses["detached"][1:] == ["0.00"] * 3
    assert "nothing comes back" in said(figure)
    slider = figure.get_by_role("slider", name="temperature")
    slider.press("Home")
    assert slider.get_attribute("aria-valuetext") == "0.10"
    before = said(figure)
    figure.get_by_role("button", name="new noise").press("Enter")
    assert said(figure) != before
