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
# All that axe can find in the parts of a formula, or in the words of a line of code, is their colour, and
# most are like the one before. The parts of a formula must have its colour: one letter then stands for all.
# Of the words of a line that have one look, the first stands for the others.
STAND_IN = """() => {
    const look = one => {
        const {color, backgroundColor, fontSize, fontWeight} = getComputedStyle(one);
        return [one.className, color, backgroundColor, fontSize, fontWeight].join();
    };
    const formulas = [...document.querySelectorAll('.katex-html')];
    const odd = formulas.flatMap(formula => {
        const {color} = getComputedStyle(formula);
        return [...formula.querySelectorAll('*')].filter(part => {
            const style = getComputedStyle(part);
            return style.color !== color || style.backgroundColor !== 'rgba(0, 0, 0, 0)';
        });
    });
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
    for (const formula of formulas) formula.textContent = 'x';
    for (const one of alike) one.remove();
    return odd.map(part => part.outerHTML);
}"""
CUT = """selector => [...document.querySelectorAll(selector)]
    .filter(one => one.scrollWidth > one.clientWidth + 1)
    .map(one => [one.scrollWidth - one.clientWidth, one.textContent.trim().slice(0, 60)])"""
FORMULAS = "div.math .katex-display"
TABLES = ".pst-scrollable-table-container, .text_html"
CODE = ".cell_input pre"
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


def cut_parts(tab, *selectors):
    """Return the parts of a page that do not show their whole width."""
    return tab.evaluate(CUT, ", ".join(selectors))


def leave_one_of_each_look(tab):
    """Return the parts of formulas in a colour of their own; leave one where many look alike."""
    return tab.evaluate(STAND_IN)


def serious_findings(tab, part=":root"):
    """Return what axe finds on a page or a part of it, but for what the theme brings."""
    if not tab.evaluate("'axe' in window"):
        tab.add_script_tag(path=ROOT / "node_modules" / "axe-core" / "axe.min.js")
    found = tab.evaluate(
        "([part, options]) => axe.run(part, options).then(result => result.violations)",
        [part, AXE],
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
