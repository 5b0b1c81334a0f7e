"""Time the redraws of the moving figures: every control of every figure, on its page, at two widths.

`make bench-site` builds the book first. Timed is what stands between a change and its picture: the script
of the figure from the event to the last stroke, and the layout that follows. A press that sets the figure in
motion is timed by itself, and so is every picture of the motion.
"""

import os
import re
import shutil
import statistics
from pathlib import Path

from measure import record
from playwright.sync_api import Browser, sync_playwright

SITE = Path(__file__).parent.parent / "_build" / "html"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
WIDTHS = {"desktop": 1366, "phone": 375}
# How often a control is moved; that is also the most pictures that are timed of one motion.
REPEATS = 21

# Of a browser, which counts tenths of milliseconds.
TIMES = """async ([name, repeats]) => {
    const element = document.querySelector(`[data-figure="${name}"]`);
    const holder = document.getElementById(element.dataset.replaces) ?? element;
    const root = holder.querySelector('.moving-figure'), {figure} = root, times = {};
    const frame = () => new Promise(requestAnimationFrame);
    root.scrollIntoView({block: 'center'});
    while (!figure.onScreen || figure.stale) await frame();
    const called = one => (one.getAttribute('aria-label') ?? (one.labels?.[0] ?? one).textContent)
        .split(/[=:;]/)[0].trim();
    const timed = async (one, how, act) => {
        await frame();
        const begin = performance.now();
        act();
        figure.paint();
        root.getBoundingClientRect();
        (times[called(one) + how] ??= []).push(performance.now() - begin);
    };
    const moving = one => timed(one, ', moving', () => figure.advance(performance.now()));
    const send = (one, kind, key) => one.dispatchEvent(
        new (key ? KeyboardEvent : Event)(kind, {key, bubbles: true, cancelable: true}));
    const all = async (selector, move) => {
        for (const one of root.querySelectorAll(selector))
            for (let i = 0; i < repeats && !one.disabled && !one.hidden; i++) await move(one, i);
    };
    const sliders = () => all('input[type=range]', (one, i) => timed(one, '', () => {
        one.value = Number(one.min) + ((one.max - one.min) * ((8 * i) % repeats)) / (repeats - 1);
        send(one, 'input');
    }));
    await sliders();
    for (let i = 0; i < repeats; i++)
        for (const one of root.querySelectorAll('input[type=radio]')) await timed(one, '', () => one.click());
    await all('.figure-handle', (one, i) =>
        timed(one, '', () => send(one, 'keydown', i % 2 ? 'ArrowLeft' : 'ArrowUp')));
    await all('button.figure-button', async (one, i) => {
        await (figure.move ? moving(one) : timed(one, '', () => one.click()));
        if (i === repeats - 1) figure.stop();
    });
    for (const one of root.querySelectorAll('select'))
        for (const {value} of one.options) {
            await timed(one, ', chosen', () => Object.assign(one, {value}) && send(one, 'change'));
            while (figure.move) await moving(one);
            await sliders();
        }
    return times;
}"""


def placed() -> dict[str, str]:
    """Return every moving figure and the chapter in which it stands."""
    pages = sorted(SITE.glob("chapters/*.html"))
    named = {
        path: re.findall(r'data-figure="([^"]+)"', path.read_text("utf-8"))
        for path in pages
    }
    return {name: path.as_uri() for path, names in named.items() for name in names}


def measured(browser: Browser, address: str, name: str, width: int) -> dict[str, float]:
    """Return the median milliseconds of a redraw by each control of a figure."""
    tab = browser.new_page(viewport={"width": width, "height": 900})
    tab.goto(address)
    times = tab.evaluate(TIMES, [name, REPEATS])
    tab.close()
    return {control: statistics.median(each) for control, each in times.items()}


def main() -> None:
    """Print the dearest redraws of every figure and write all to ``results/redraws.json``."""
    results: dict[str, dict[str, dict[str, float]]] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        for name, address in placed().items():
            results[name] = {}
            for screen, width in WIDTHS.items():
                found = measured(browser, address, name, width)
                results[name][screen] = found
                dearest = sorted(found.items(), key=lambda one: -one[1])[:3]
                shown = ", ".join(f"{control} {time:.1f}" for control, time in dearest)
                print(f"{name:16} {screen:8} {shown} ms", flush=True)
        browser.close()
    print(f"recorded in {record('redraws', results)}")


if __name__ == "__main__":
    main()
