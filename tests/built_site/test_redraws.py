"""What a redraw of a moving figure costs, counted and not timed: nodes, strokes, powers and logarithms."""

import pytest
from helpers.figures import PLACES, settle

pytestmark = pytest.mark.browser

# Every call of what is dear, from the first script of a page on.
COUNT = """(() => {
    const work = window.work = {nodes: 0, strokes: 0, powers: 0};
    const counted = (holder, names, kind) => {
        for (const name of names) {
            const own = holder[name];
            holder[name] = function (...values) {
                work[kind] += 1;
                return own.apply(this, values);
            };
        }
    };
    counted(Document.prototype, ['createElement', 'createTextNode'], 'nodes');
    const pen = CanvasRenderingContext2D.prototype;
    const strokes = ['fill', 'stroke', 'fillRect', 'strokeRect', 'fillText', 'drawImage', 'putImageData'];
    counted(pen, strokes, 'strokes');
    counted(Math, ['exp', 'log', 'log1p', 'expm1'], 'powers');
})()"""
# From now on, the work of each redraw: what came before it since the last, and its own.
NOTE = """element => {
    const {figure} = element;
    const [none, paint] = [{nodes: 0, strokes: 0, powers: 0}, figure.paint];
    element.redraws = [];
    Object.assign(work, none);
    figure.paint = () => {
        paint.call(figure);
        element.redraws.push({...work});
        Object.assign(work, none);
    };
    element.changes = 0;
    const count = changes => (element.changes += changes.length);
    new MutationObserver(count).observe(document, {childList: true, subtree: true});
}"""
# A frame has 16 milliseconds: some hundred thousand powers and logarithms, or some thousand strokes.
LIMITS = {"nodes": 0, "strokes": 2500, "powers": 200_000}


@pytest.fixture(scope="module")
def tab(tab):
    """Return the tab for figures, which counts."""
    tab.add_init_script(COUNT)
    return tab


def controls(figure):
    """Yield every control that can be used, by its name, and what moves it."""
    for slider in figure.locator("input[type=range]:enabled").all():
        for key in ("Home", "ArrowRight", "End", "ArrowLeft"):
            yield slider, lambda one, key=key: one.press(key)
    for choice in figure.get_by_role("radio").all():
        yield choice, lambda one: one.check()
    for menu in figure.get_by_role("combobox").all():
        for option in menu.locator("option").all_inner_texts():
            yield menu, lambda one, option=option: one.select_option(option)
    for handle in figure.locator(".figure-handle:visible").all():
        yield handle, lambda one: one.press("ArrowUp")
    for button in figure.locator("button.figure-button").all():
        yield button, lambda one: one.press("Enter")


def rest(figure):
    """Wait until nothing moves and everything is drawn."""
    figure.evaluate(
        """element => new Promise(done => {
            const {figure} = element;
            const look = () => (figure.stale || figure.move ? requestAnimationFrame(look) : done());
            look();
        })"""
    )


@pytest.mark.parametrize("name", PLACES)
def test_a_redraw_makes_no_node_and_computes_no_more_than_a_frame_holds(opened, name):
    # With a new node the browser styles every paragraph anew, for the rules that ask what the page contains.
    figure = opened(name)
    figure.evaluate(NOTE)
    moved = 0
    for control, move in controls(figure):
        before = figure.evaluate("element => element.redraws.length")
        move(control)
        rest(figure)
        redraws = figure.evaluate(
            "(element, from) => element.redraws.slice(from)", before
        )
        what = control.evaluate(
            "one => one.getAttribute('aria-label') ?? one.outerHTML"
        )
        most = {kind: max((one[kind] for one in redraws), default=0) for kind in LIMITS}
        assert {kind: n for kind, n in most.items() if n > LIMITS[kind]} == {}, what
        # One of a few may have been chosen before.
        moved += bool(redraws)
    settle(figure)
    assert moved >= 4
    assert figure.evaluate("element => element.changes") == 0


def test_nodes_that_are_made_are_counted(opened):
    figure = opened("triangle")
    figure.evaluate(NOTE)
    figure.evaluate(
        """element => {
            const {figure} = element;
            const {draw} = figure;
            figure.draw = pen => {
                draw(pen);
                element.append(document.createElement('i'));
                for (let i = 0; i < 3000; i++) pen.bar(0, 0, 1, 1, 'red');
                for (let i = 0; i < 300000; i++) Math.exp(i);
            };
            figure.redraw();
        }"""
    )
    settle(figure)
    (last,) = figure.evaluate("element => element.redraws.slice(-1)")
    assert all(last[kind] > LIMITS[kind] for kind in LIMITS), last
    assert figure.evaluate("element => element.changes") >= 1
