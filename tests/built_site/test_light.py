"""What a page weighs and what it waits for: no script before the text, and no icon that is not used."""

import re

import pytest
from helpers.site import PAGES, SITE

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("page", PAGES)
def test_no_script_holds_up_the_text(page):
    html = (SITE / page).read_text("utf-8")
    loaded = re.findall(r"<script [^>]*src=[^>]*>", html)
    assert len(loaded) > 5
    assert [tag for tag in loaded if " defer" not in tag] == []
    # What is written into the page runs at once, and may not need what comes later.
    inline = re.findall(r"(?s)<script(?![^>]*src=)[^>]*>(.*?)</script>", html)
    assert [code for code in inline if code.startswith("DOCUMENTATION")] == []


# What the last section is when the page has been read and has not come, and what the blocks of the first are.
LAST = """() => {
    const last = [...document.querySelectorAll('.bd-article section > section')].at(-1);
    return getComputedStyle(last).contentVisibility;
}"""
BLOCKS = """() => [...document.querySelector('.bd-article section > section').children]
    .slice(0, 6).map(block => getComputedStyle(block).contentVisibility)"""


def test_what_is_far_below_is_laid_out_when_the_page_has_come(browser, served):
    tab = browser.new_page()
    tab.add_init_script(
        f"""addEventListener('DOMContentLoaded', () => {{
            window.before = ({LAST})();
            window.blocks = ({BLOCKS})();
        }})"""
    )
    address = f"{served}/chapters/03_gumbel_max.html"
    tab.goto(address)
    assert tab.evaluate("before") == "auto"
    assert tab.evaluate("blocks") == 3 * ["visible"] + 3 * ["auto"]
    tab.wait_for_function("!document.documentElement.matches('.is-coming')")
    assert tab.evaluate(LAST) == "visible"
    assert tab.evaluate(BLOCKS) == 6 * ["visible"]
    # On the way back, or to a place on the page, what is above it has its height from the first.
    tab.reload()
    assert tab.evaluate("before") == "visible"
    tab.goto("about:blank")
    tab.goto(f"{address}#sources")
    assert tab.evaluate("before") == "visible"
    top = tab.locator("#sources").evaluate("one => one.getBoundingClientRect().top")
    assert -1 <= top <= 900
    tab.close()


def test_what_the_scripts_leave_for_each_other_is_there(browser, served):
    tab = browser.new_page()
    tab.goto(f"{served}/chapters/03_gumbel_max.html")
    assert tab.evaluate("DOCUMENTATION_OPTIONS.pagename") == "chapters/03_gumbel_max"
    assert tab.evaluate("DOCUMENTATION_OPTIONS.search_as_you_type") is False
    assert tab.locator(".copybtn").count() > 10
    assert tab.locator("button.toggle-button").count() > 3
    tab.close()


@pytest.mark.parametrize(
    ("page", "others"),
    [
        ("chapters/03_gumbel_max.html", {"Size1-Regular"}),
        # Its first sentence has a formula with an expectation.
        ("chapters/api/estimators.html", {"AMS-Regular", "Main-Italic"}),
    ],
)
def test_the_faces_of_the_first_screen_are_asked_for_by_the_page_itself(
    page, others, browser, served
):
    tab = browser.new_page()
    tab.goto(f"{served}/{page}")
    tab.wait_for_load_state("networkidle")
    asked = tab.evaluate(
        """performance.getEntriesByType('resource')
            .filter(entry => entry.name.includes('KaTeX_'))
            .map(entry => [entry.name.split('/').pop(), entry.initiatorType])"""
    )
    by_page = {name for name, initiator in asked if initiator == "link"}
    assert len(asked) == len({name for name, _ in asked}), "none is fetched twice"
    faces = {"Main-Regular", "Math-Italic", "Main-Bold"} | others
    assert {f"KaTeX_{face}.woff2" for face in faces} <= by_page
    # What stands further down can wait.
    assert len(by_page) < len(asked)
    tab.close()


def test_text_is_shown_in_another_face_until_its_own_has_come(browser, served):
    tab = browser.new_page()
    tab.goto(f"{served}/chapters/03_gumbel_max.html")
    shown = dict(
        tab.evaluate("[...document.fonts].map(face => [face.family, face.display])")
    )
    assert shown["KaTeX_Main"] == shown["KaTeX_Math"] == "swap"
    assert shown["KaTeX_Size1"] == "block"
    tab.close()


def test_nothing_for_debuggers_and_no_whole_icon_set_is_published():
    assert list(SITE.rglob("*.map")) == []
    assert not (SITE / "_static" / "scripts" / "fontawesome.js").exists()
    fonts = [*(SITE / "_static" / "vendor").rglob("fa-*")]
    assert fonts
    assert sum(path.stat().st_size for path in fonts) < 20_000


ICONS = r"""async () => {
    await document.fonts.ready;
    const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
    const ink = (character, font) => {
        canvas.clearRect(0, 0, 60, 60);
        canvas.font = font;
        canvas.fillText(character, 5, 45);
        return canvas.getImageData(0, 0, 60, 60).data.join();
    };
    const icons = [...document.querySelectorAll('i[class*="fa-"]')];
    const missing = ink('\uf8fe', "900 40px 'Font Awesome 6 Free'");
    return icons.map(icon => {
        const {content, fontFamily, fontWeight} = getComputedStyle(icon, '::before');
        const character = content.replaceAll('"', '');
        const drawn = ink(character, `${fontWeight} 40px ${fontFamily}`) !== missing;
        return [icon.className, character.length === 1 && drawn];
    });
}"""


@pytest.mark.parametrize("page", ["index.html", "chapters/03_gumbel_max.html"])
def test_every_icon_of_a_page_is_drawn(browser, served, page):
    tab = browser.new_page()
    tab.goto(f"{served}/{page}")
    drawn = tab.evaluate(ICONS)
    assert len(drawn) > 8
    assert [name for name, seen in drawn if not seen] == []
    tab.close()


@pytest.mark.parametrize("page", PAGES)
def test_a_picture_keeps_its_place_until_it_comes(page):
    html = (SITE / page).read_text("utf-8")
    body = html.partition('<article class="bd-article"')[2]
    for tag in re.findall(r"<img[^>]*>", body):
        assert re.search(r' width="\d+" height="\d+"', tag), tag
    later = re.findall(r"<img[^>]*>", body)[1:]
    assert [tag for tag in later if 'loading="lazy"' not in tag] == []


def test_no_index_of_labels_is_published_and_that_of_names_is_linked():
    assert not (SITE / "prf-prf.html").exists()
    assert not (SITE / "py-modindex.html").exists()
    pages = [SITE / page for page in PAGES if page != "genindex.html"]
    links = r'<a [^>]*href="[^"]*genindex\.html"'
    assert any(re.search(links, path.read_text("utf-8")) for path in pages)
