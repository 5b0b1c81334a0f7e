"""What is asked of every page of the built site at every width and in both themes, of one open page.

Each function returns what is wrong: nothing, on a page as it should be.
"""

import gzip

from helpers.site import ROOT, SITE

# Upstream findings of axe, of the theme and of docutils; anything else fails.
ALLOWED = [
    "label-content-name-mismatch",  # the theme's search button
    "region",  # the theme's skip link
    "aria-required-children",  # docutils' bibliography
    "aria-deprecated-role",
    "aria-allowed-role",
    "scrollable-region-focusable",  # long formulas and code scroll; arrow keys reach them in Chromium
]
AXE = {
    "preload": False,
    "resultTypes": ["violations"],
    "rules": {name: {"enabled": False} for name in ALLOWED},
}
# What depends on the theme; nothing else that axe asks does.
COLOURS = ["color-contrast", "link-in-text-block"]
# All that axe can find in the parts of a formula, or in the words of a line of code, is their colour, and
# most are like the one before. The parts of a formula must have its colour: one letter then stands for all.
COLOURED = """() => [...document.querySelectorAll('.katex')].flatMap(formula => {
    const {color} = getComputedStyle(formula);
    return [...formula.querySelectorAll('.katex-html, .katex-html *')].filter(part => {
        const style = getComputedStyle(part);
        return style.color !== color || style.backgroundColor !== 'rgba(0, 0, 0, 0)';
    });
}).map(part => part.outerHTML)"""
# Of the words of a line that have one look, the first stands for the others. What is read aloud of the first
# formula stands for that of all, which is most of a page.
STAND_IN = """() => {
    const look = one => {
        const {color, backgroundColor, fontSize, fontWeight} = getComputedStyle(one);
        return [one.className, color, backgroundColor, fontSize, fontWeight].join();
    };
    const words = [...document.querySelectorAll('span[class]')].filter(one =>
        !one.children.length && one.attributes.length === 1 && !one.closest('.katex'));
    const seen = new Map();
    const alike = words.filter(one => {
        const looks = seen.get(one.parentNode) ?? seen.set(one.parentNode, new Set()).get(one.parentNode);
        const again = looks.has(look(one));
        looks.add(look(one));
        return again;
    });
    // After all is read: what is written in between would have the page styled anew for every formula.
    const [first, ...formulas] = document.querySelectorAll('.katex');
    first?.querySelector('.katex-html').replaceChildren('x');
    for (const formula of formulas) formula.textContent = 'x';
    for (const one of alike) one.remove();
}"""
# The first letter after a formula, without a space between, is on a line below the last box of the formula.
TORN = r"""() => [...document.querySelectorAll('.bd-article p span.math')].flatMap(formula => {
        const after = formula.nextSibling;
        if (after?.nodeType !== 3 || !/^\S/.test(after.data)) return [];
        const range = document.createRange();
        range.setStart(after, 0);
        range.setEnd(after, 1);
        const letter = range.getBoundingClientRect();
        const box = [...formula.querySelectorAll('.katex-base')].pop().getBoundingClientRect();
        const isHeld = letter.width === 0 || letter.left > box.left;
        return isHeld ? [] : [formula.textContent.slice(-20) + after.data.slice(0, 10)];
})"""
# On a phone: below its formula, and neither cut at one side nor at the other.
MISPLACED = """() => [...document.querySelectorAll('div.math .eqno')].filter(number => {
    const formula = number.parentElement.querySelector('.katex-display');
    const [one, other] = [number, formula].map(part => part.getBoundingClientRect());
    return one.top < other.bottom || one.left <= 0 || one.right > innerWidth;
}).map(number => number.textContent)"""
CUT = """selector => [...document.querySelectorAll(selector)]
    .filter(one => one.scrollWidth > one.clientWidth + 1)
    .map(one => [one.scrollWidth - one.clientWidth, one.textContent.trim().slice(0, 60)])"""
FORMULAS = "div.math .katex-display, div.math .katex-html"
TABLES = ".pst-scrollable-table-container, .text_html"
CODE = ".bd-article pre"
# A table whose rows are blocks where it is narrow.
WIDE = ".pst-scrollable-table-container:has(.wide-table)"
BENT = """async () => {
    const pictures = [...document.querySelectorAll('.bd-content img')].filter(one => one.offsetHeight);
    for (const one of pictures) one.loading = 'eager';
    await Promise.all(pictures.map(one => one.decode()));
    return pictures
        .filter(one => {
            const [seen, own] = [one.offsetWidth / one.offsetHeight, one.naturalWidth / one.naturalHeight];
            return Math.abs(seen / own - 1) > 0.02;
        })
        .map(one => one.src);
}"""
# Pictures that stand on a ground or in a frame of their own.
FRAMED = """() => [...document.querySelectorAll('.bd-content img')].filter(picture => {
    const {backgroundColor, padding} = getComputedStyle(picture);
    return backgroundColor !== 'rgba(0, 0, 0, 0)' || padding !== '0px';
}).map(picture => picture.src)"""
# Pictures of cells, on a phone, but for those whose place a moving figure has taken.
NARROW = """() => [...document.querySelectorAll('.bd-article div.cell_output figure img')].filter(picture => {
    const {width} = picture.getBoundingClientRect();
    return width > 0 && width < innerWidth - 2;
}).map(picture => picture.src)"""
# The code of a figure is folded below it, opens by a press, and holds no check.
UNFOLDED = r"""() => [...document.querySelectorAll('details.figure-code')].filter(fold => {
    const [code, summary] = [fold.querySelector('.cell_input'), fold.querySelector('summary')];
    const figures = [...fold.parentElement.children].slice(0, [...fold.parentElement.children].indexOf(fold))
        .flatMap(one => [...one.querySelectorAll('figure')]);
    const top = one => one.getBoundingClientRect().top;
    const isFolded = !code.checkVisibility();
    summary.click();
    const opens = code.checkVisibility() && !/\bassert|\breport\(/.test(code.innerText);
    summary.click();
    return !(isFolded && opens && figures.length && top(figures[0]) < top(fold));
}).map(fold => fold.textContent.trim().slice(0, 60))"""
COMPRESSED = {".woff2", ".png", ".svgz"}


def too_wide(tab):
    """Return by how many pixels a reader would have to scroll sideways."""
    wide = tab.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    return max(wide, 0)


def bent_pictures(tab):
    """Fetch all pictures; return those that are not shown in their own proportions."""
    return tab.evaluate(BENT)


def framed_pictures(tab):
    """Return the pictures that stand on a ground or in a frame of their own."""
    return tab.evaluate(FRAMED)


def narrow_pictures(tab):
    """Return the pictures of cells that leave some of the width of a phone unused."""
    return tab.evaluate(NARROW)


def unfolded_code(tab):
    """Return the code of figures that is not folded below its figure, or not to be opened."""
    return tab.evaluate(UNFOLDED)


def cut_parts(tab, *selectors):
    """Return the parts of a page that do not show their whole width."""
    return tab.evaluate(CUT, ", ".join(selectors))


def coloured_formulas(tab):
    """Return the parts of formulas in a colour of their own."""
    return tab.evaluate(COLOURED)


def torn_lines(tab):
    """Return where a line begins with what belongs to the formula at the end of the line before."""
    return tab.evaluate(TORN)


def misplaced_numbers(tab):
    """Return the numbers of formulas that a phone does not show whole below their formula."""
    return tab.evaluate(MISPLACED)


def still(tab):
    """Wait until no part of a page changes; what is folded away has no frames, and its changes no end."""
    tab.evaluate(
        """async () => {
            // What a new width, theme or medium starts has started after two frames.
            for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame);
            const seen = document.getAnimations().filter(one => one.effect.target.checkVisibility());
            await Promise.allSettled(seen.map(one => one.finished));
        }"""
    )


def leave_one_of_each_look(tab):
    """Leave one where many look alike; ask for the colours of the parts of formulas before."""
    tab.evaluate(STAND_IN)


def serious_findings(tab, part=":root", rules=None):
    """Return what axe finds on a page or a part of it, by some rules or all that the theme keeps."""
    if not tab.evaluate("'axe' in window"):
        tab.add_script_tag(path=ROOT / "node_modules" / "axe-core" / "axe.min.js")
    found = tab.evaluate(
        "([part, options]) => axe.run(part, options).then(result => result.violations)",
        [part, AXE | ({"runOnly": {"type": "rule", "values": rules}} if rules else {})],
    )
    return {
        rule["id"]: [node["html"][:200] for node in rule["nodes"][:3]] for rule in found
    }


def weight(name):
    """Return the bytes of a file as a compressing server sends them."""
    path = SITE / name
    content = path.read_bytes()
    return len(content if path.suffix in COMPRESSED else gzip.compress(content, 6))


def dead_menus(tab):
    """Press each menu button that shows, twice where it folds; return those that do nothing."""
    return [
        side
        for side in ("primary", "secondary")
        if menu_button(tab, side).is_visible() and not answers(tab, side)
    ]


def menu_button(tab, side):
    """Return the button of a menu: of the chapters, or of the sections."""
    return tab.locator(f".bd-header-article .{side}-toggle")


def answers(tab, side):
    """Press a menu button, put the page back as it was, and return whether something changed."""
    before = menu_state(tab, side)
    menu_button(tab, side).click()
    after = menu_state(tab, side)
    if after == "open":
        tab.keyboard.press("Escape")
    elif after != before:
        menu_button(tab, side).click()
    # Its tooltip would lie over the next button.
    menu_button(tab, side).evaluate("button => button.blur()")
    tab.mouse.move(0, 0)
    return after != before and menu_state(tab, side) == before


def menu_state(tab, side):
    """Return where a reader finds a menu: open over the page, folded away, or beside the text."""
    return tab.evaluate(
        """side => {
            const [menu, dialog] = ['', '-modal'].map(
                end => document.querySelector(`#pst-${side}-sidebar${end}`));
            return dialog.open ? 'open' : menu.matches('.pst-sidebar-hidden') ? 'folded' : 'beside';
        }""",
        side,
    )
