"""The built site: what its pages say, its menus and keys, its search, and what an address brings."""

import json
import re
import runpy
import subprocess
import sys
import tomllib
from doctest import DocTestParser
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlencode

import colab
import nbformat
import pytest
from helpers.audits import menu_button, menu_state
from helpers.site import BUILT, FILES, PAGES, ROOT, SITE
from sphinx.errors import ConfigError

pytestmark = pytest.mark.browser

CONFIG = ROOT / "_config.yml"
RING = {"light": "rgb(27, 94, 151)", "dark": "rgb(134, 185, 230)"}
CHAPTER = "chapters/03_gumbel_max.html"
# The shortest, for what is the same on all.
SHORT = "chapters/08_semi_supervised.html"
PUBLIC = re.compile(r"https://[^\"]*(?:github\.|mybinder\.|colab\.)[^\"]*")
# A source may be a page at such a host.
CITED = tuple(
    re.findall(r"https://[^\s{}]+", (ROOT / "references.bib").read_text("utf-8"))
)


def test_there_is_a_site_to_test():
    assert "index.html" in PAGES
    assert len(PAGES) >= 9


@pytest.mark.parametrize("path", BUILT, ids=lambda path: path.name)
def test_a_page_bears_the_licence_and_the_name_of_the_book_once(path):
    html = path.read_text()
    assert "https://creativecommons.org/licenses/by/4.0/" in html
    title = re.search(r"(?s)<title>(.*?)</title>", html)[1]
    assert title.count("Gumbel-Softmax, proved and run") == 1
    assert 'logo__title">Gumbel-Softmax, proved and run<' in html


@pytest.mark.parametrize("width", [375, 820, 1100, 1366])
def test_the_menu_opens_or_folds_by_mouse_and_by_key(visit, width):
    tab, _, _ = visit(SHORT, width=width)
    menu = menu_button(tab, "primary")
    chapters = tab.get_by_role("navigation", name="Main")
    pressed = "folded" if width >= 992 else "open"
    for press in (menu.click, lambda: menu.press("Enter")):
        press()
        assert menu_state(tab, "primary") == pressed
        chapters.wait_for(state="visible" if pressed == "open" else "hidden")
        # The way back, by key: the focus has stayed in the menu, or with its button.
        tab.keyboard.press("Escape") if pressed == "open" else menu.press("Enter")
        assert menu_state(tab, "primary") == "beside"
    assert menu.evaluate("button => button === document.activeElement")


@pytest.mark.parametrize("width", [375, 820, 1100, 1366])
def test_the_contents_lead_to_a_section_by_mouse_and_by_key(visit, width):
    for press in ("click", "Enter"):
        tab, _, _ = visit(SHORT, width=width)
        button = menu_button(tab, "secondary")
        section = tab.locator("#pst-page-toc-nav a", has_text="Sources")
        if button.is_visible():
            button.click() if press == "click" else button.press(press)
        section.click() if press == "click" else section.press(press)
        tab.wait_for_url("**#sources")
        assert menu_state(tab, "secondary") == "beside"
        tab.keyboard.press("Tab")
        assert tab.evaluate(
            "!!document.activeElement.closest('section#sources, footer')"
        ), "the next key goes on from the section"


def test_a_folded_menu_leaves_a_search_button(visit):
    tab, _, _ = visit(SHORT)
    for place in (".bd-sidebar-primary", ".bd-header-article"):
        tab.locator(f"{place} .search-button__button").click()
        assert tab.locator("#pst-search-dialog").is_visible()
        tab.keyboard.press("Escape")
        menu_button(tab, "primary").click()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_has_the_focus_is_ringed_in_the_colour_of_the_book(visit, theme):
    # On a desktop every line of code fits; on a phone some scroll.
    tab, _, _ = visit(CHAPTER, theme, width=375)
    seen = set()
    while (found := tabbed(tab))["name"] != "BODY":
        seen.add(found["name"])
        assert RING[theme] in found["rings"], found
    assert {"A", "BUTTON", "PRE"} <= seen, "links, buttons and code that scrolls"


def tabbed(tab):
    """Go to the next thing that takes the focus; return its name and the colours of its rings."""
    tab.keyboard.press("Tab")
    return tab.evaluate(
        r"""() => {
            const one = document.activeElement;
            const styles = ['', '::before'].map(part => getComputedStyle(one, part));
            const outlines = styles.filter(s => s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 3);
            const shadows = styles.flatMap(s => s.boxShadow.match(/rgb\([^)]*\)(?= 0px 0px 0px 3px)/g) ?? []);
            return {
                name: one.tagName,
                html: one.outerHTML.slice(0, 100),
                rings: [...outlines.map(s => s.outlineColor), ...shadows],
            };
        }"""
    )


LOOP = """\
>>> for value in range(2):
...     if value:
...         print(value)
...
1
>>> value
1
"""


def test_an_example_is_copied_without_prompts_and_results(visit):
    tab, _, _ = visit("chapters/api/noise.html")
    tab.evaluate(
        "document.addEventListener('copy', () => window.copied = document.getSelection().toString())"
    )
    tab.locator("div.doctest .copybtn").first.wait_for(state="attached")
    examples = tab.locator("div.doctest")
    examples.last.locator("pre").evaluate("(pre, text) => pre.textContent = text", LOOP)
    for example in (examples.first, examples.nth(1), examples.last):
        text = example.locator("pre").inner_text()
        sources = "".join(line.source for line in DocTestParser().get_examples(text))
        example.hover()
        example.locator(".copybtn").click()
        copied = tab.evaluate("window.copied")
        assert [line for line in copied.splitlines() if line] == sources.splitlines()


def test_code_can_be_copied_and_what_it_printed_cannot(visit):
    tab, _, _ = visit(CHAPTER)
    tab.locator(".copybtn").first.wait_for(state="attached")
    inputs = tab.locator(".cell_input")
    assert inputs.locator(".copybtn").count() == inputs.count()
    assert tab.locator(".cell_output pre").count() > 3
    assert tab.locator(".cell_output .copybtn").count() == 0


def test_a_formula_in_the_text_breaks_as_text_does(visit):
    tab, _, _ = visit(CHAPTER, width=375)
    boxes = tab.evaluate(
        """[...document.querySelectorAll('.bd-article span.math, .bd-article span.math > .katex')]
            .map(formula => getComputedStyle(formula).display)"""
    )
    assert len(boxes) > 200
    assert set(boxes) == {"inline"}


@pytest.mark.parametrize("page", PAGES)
def test_mathematics_is_painted_and_no_source_shows(page):
    html = (SITE / page).read_text()
    assert "katex-error" not in html
    body = html.split("<article", 1)[1].split("</article", 1)[0]
    text = re.sub(
        r"(?s)<annotation.*?</annotation>|<pre.*?</pre>|<code.*?</code>", "", body
    )
    text = re.sub(r"<[^>]+>", "", text)
    assert not re.search(r"\\(?:frac|mathrm|sum|pi|tau|ell)\b|\$[^$\n]+\$", text)
    assert not re.search(r"\{(?:glue|numref|eq|ref|cite|prf|func)", text)


@pytest.mark.parametrize(
    "path", sorted((ROOT / "chapters").glob("*.ipynb")), ids=lambda path: path.stem
)
def test_a_proof_has_its_title_in_its_body(path):
    # The directive takes none: words beside its name would run into the first sentence.
    cells = json.loads(path.read_text())["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells)
    assert re.findall(r"\{prf:proof\}[^\S\n]*\S.*", text) == []


@pytest.mark.parametrize("page", PAGES)
def test_without_a_repository_no_page_points_to_one(page):
    html = (SITE / page).read_text()
    assert [url for url in PUBLIC.findall(html) if not url.startswith(CITED)] == []
    assert 'rel="canonical"' not in html
    assert 'property="og:url"' not in html
    assert 'property="og:image"' not in html
    for needing in ("sitemap.xml", "404.html"):
        assert not (SITE / needing).exists()


@pytest.mark.parametrize("page", PAGES)
def test_a_page_says_what_it_is_and_when_it_changed(page):
    html = (SITE / page).read_text()
    if page == "genindex.html":
        return
    (about,) = re.findall(
        r'<meta (?:content="([^"]*)" )?name="description"[^>]*>', html
    )
    said = about or re.search(r'name="description" content="([^"]*)"', html)[1]
    assert 20 < len(said) <= 250
    assert "\\" not in said, "TeX is for no search engine"
    assert said[-1] in ".?!…", "a sentence is cut"
    assert re.search(r'property="og:description" content="([^"]*)"', html)[1] == said
    assert 'property="og:title"' in html
    assert re.search(r"Last updated on \d\d \w+ \d{4}", html)


def test_one_setting_brings_all_that_needs_an_address(tmp_path):
    build(tmp_path, "https://github.com/someone/something.git/")
    site, home = tmp_path / "_build" / "html", "https://someone.github.io/something/"
    html = (site / "part" / "page.html").read_text()
    (card,) = re.findall(rf'<meta property="og:image" content="{home}([^"]*)"', html)
    assert (site / card).stat().st_size > 10_000
    assert set(PUBLIC.findall(html)) == {
        "https://github.com/someone/something",
        "https://colab.research.google.com/github/someone/something/blob/main/part/page.ipynb",
        "https://mybinder.org/v2/gh/someone/something/main?urlpath=lab/tree/part/page.ipynb",
        f"{home}part/page.html",
        home + card,
    }
    assert f'<link rel="canonical" href="{home}part/page.html" />' in html
    assert f'<meta property="og:url" content="{home}part/page.html" />' in html
    assert "google.colab" not in html, "its cell is not shown"
    assert re.search(r"<h1>A page<", html)
    listed = re.findall(r"<loc>(.*?)</loc>", (site / "sitemap.xml").read_text())
    assert {page.removeprefix(home) for page in listed} == {
        "index.html",
        "part/page.html",
        "genindex.html",
    }
    # Shown for any address, so its own are whole.
    lost = (site / "404.html").read_text()
    assert "No such page" in lost
    assert re.findall(r'(?:href|src)="(?!/something/|https://|#)[^"]*"', lost) == []


@pytest.mark.parametrize(
    "address",
    [
        "https://example.org/someone/something",
        "https://github.com/someone",
        "https://github.com/someone/something/tree/main",
        "github.com/someone/something",
    ],
)
def test_an_address_that_is_no_repository_of_github_is_refused(address):
    extension = runpy.run_path(str(ROOT / "_ext" / "public_links.py"))
    config = SimpleNamespace(html_theme_options={"repository_url": address})
    requirement = "repository.url must be https://github.com/OWNER/NAME, got "
    with pytest.raises(ConfigError, match=re.escape(requirement + repr(address))):
        extension["add_public_links"](None, config)


def build(folder, address):
    """Build a book of a page and a notebook by the book's own configuration, with an address."""
    settings, count = re.subn(
        r'(?m)^  url: ""$', f"  url: {address}", CONFIG.read_text()
    )
    assert count == 1
    (folder / "_config.yml").write_text(settings)
    contents = "format: jb-book\nroot: index\nchapters:\n- file: part/page\n"
    (folder / "_toc.yml").write_text(contents)
    (folder / "index.md").write_text("# A book\n\nAbout something.\n")
    (folder / "genindex.toml").touch()
    for name in ("_ext", "assets", "node_modules", "references.bib"):
        (folder / name).symlink_to(ROOT / name)
    page = nbformat.v4.new_notebook(
        metadata={
            "kernelspec": {
                "name": "python3",
                "display_name": "Python",
                "language": "python",
            }
        },
        cells=[
            nbformat.v4.new_markdown_cell("# A page"),
            nbformat.v4.new_code_cell("1"),
        ],
    )
    (folder / "part").mkdir()
    colab.set_cell(page, {"url": address, "branch": "main"})
    nbformat.write(page, folder / "part" / "page.ipynb")
    command = [
        Path(sys.executable).with_name("jupyter-book"),
        "build",
        folder,
        "--quiet",
        "-W",
    ]
    subprocess.run(command, check=True, capture_output=True, text=True)


def test_mathematics_and_text_need_no_script(browser):
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto((SITE / "chapters" / "04_softmax_relaxation.html").as_uri())
    assert tab.locator(".katex-html").count() > 100
    assert "A theorem" not in tab.title()
    context.close()


# What readers look for, and a section that answers it, among the first three results.
QUERIES = {
    "which temperature": "questions.html#which-temperature",
    "hard=True gradient": "questions.html#with-hard-true",
    "evaluation argmax": "questions.html#at-evaluation",
    "probabilities as logits": "questions.html#logits-log-probabilities",
    "KL sum or mean": "questions.html#the-kl-sum-or-mean",
    "batchmean": "questions.html#the-kl-sum-or-mean",
    "KL Monte Carlo factor": "questions.html#the-kl-by-monte-carlo",
    "1e-20": "questions.html#why-do-many-implementations-add",
    "Gumbel-sigmoid": "questions.html#what-is-gumbel-sigmoid",
    "DDP": "questions.html#noise-in-several-processes",
    "posterior collapse": "questions.html#posterior-collapse",
    "codebook collapse": "questions.html#codebook-collapse",
    "dead codes": "questions.html#codebook-collapse",
    "perplexity": "questions.html#perplexity",
    "padding mask": "questions.html#padding-and-masks",
    "reproducible seed": "questions.html#reproducible-results",
    "ONNX": "questions.html#torch-compile-export",
    "activation checkpointing": "questions.html#activation-checkpointing",
    "vector quantisation": "questions.html#a-quantizer",
    "Sinkhorn": "questions.html#relaxed-k-hot-subsets",
    "density greater than one": "questions.html#a-log-density-above-zero",
    "minimum": "questions.html#gumbel-noise-for-a-minimum",
    "JAX": "questions.html#numpy-and-jax",
    "softmax with temperature": "questions.html#gumbel-softmax-or-a-softmax",
    "top-k": "03_gumbel_max.html#the-top-k",
    "max-stability": "02_gumbel.html#max-stability",
    "score function": "01_gradients_through_randomness.html#the-score-function",
    "watermark": "09_in_the_wild.html#a-watermark",
    "straight-through": "04_softmax_relaxation.html#straight-through",
    "reinmax": "api/nn.html#gumbel_tutorial.nn.reinmax",
    "Theorem 4.4": "04_softmax_relaxation.html#thm-modes",
    "(4.2)": "04_softmax_relaxation.html#equation-eq-density",
    "eq. 4.2": "04_softmax_relaxation.html#equation-eq-density",
    "figure 5.2": "05_gradient_estimators.html#fig-",
    "modes and convexity": "04_softmax_relaxation.html#thm-modes",
    "independence of the winner": "03_gumbel_max.html#",
    "best temperature": "04_softmax_relaxation.html#equation-eq-best-temperature",
    "argmax_sample": "api/gumbel_max.html#gumbel_tutorial.gumbel_max.argmax_sample",
    "integrality gap": "notation.html#term-integrality-gap",
    "dead code": "questions.html#codebook-collapse",
    "elbo": "07_categorical_vae.html#",
    "draft noise": "corrections.html#the-drafts-noise",
    "exp(logvar)": "corrections.html#a-normal-draw",
    "misprints": "corrections.html#misprints",
    "Table 5.1": "05_gradient_estimators.html#tab-bias-variance",
    "exercise 2.3": "02_gumbel.html#ex-02-m2",
    "seed": "questions.html#reproducible-results",
}


def search_results(tab, address, query):
    """Return where the results of a query lead, the best first."""
    tab.goto(f"{address}/search.html?{urlencode({'q': query})}")
    return listed_results(tab)


def listed_results(tab):
    tab.wait_for_selector("#search-results li")
    tab.wait_for_function("!document.querySelector('.search-summary:empty')")
    found = "links => links.map(link => link.getAttribute('href'))"
    return tab.eval_on_selector_all("#search-results li > a", found)


# The best three of each query, without a list of them on the page.
BEST = """queries => queries.map(query => {
    const [said, ...parts] = Search._parseQuery(query);
    return Search._performSearch(said, ...parts).slice(-3).map(([page, , anchor]) => page + anchor);
})"""


def missed(found):
    """Return the queries whose section is not among the first three results."""
    return {
        query: places[:3]
        for query, places in found.items()
        if not any(
            place.startswith(f"chapters/{QUERIES[query]}") for place in places[:3]
        )
    }


def test_a_query_finds_its_section_among_files(visit):
    tab, _, _ = visit("search.html")
    # The first as a reader asks, by an address; to load the index for each of the others would take long.
    first, *others = QUERIES
    found = {first: search_results(tab, FILES, first)}
    best = zip(others, tab.evaluate(BEST, others), strict=True)
    found |= {
        query: [one.replace("#", ".html#") for one in three] for query, three in best
    }
    assert missed(found) == {}


# Few, with few results: from a server each result fetches its page for an excerpt.
ASKED = ("DDP", "Sinkhorn", "integrality gap")


def test_from_a_server_it_does_too_and_asks_no_other_host(visit, served):
    tab, complaints, requests = visit("search.html", address=served)
    found = {query: search_results(tab, served, query) for query in ASKED}
    assert missed(found) == {}
    tab.wait_for_load_state("networkidle")
    assert complaints == []
    others = (url for url in requests if not url.startswith((served, "data:")))
    assert list(others) == []


def test_every_term_of_the_index_finds_its_place_and_leads_there(visit):
    terms = [
        (term, f"{page}#{place}")
        for page, places in tomllib.loads((ROOT / "genindex.toml").read_text()).items()
        for place, names in places.items()
        for term in names
    ]
    tab, _, _ = visit("search.html?q=temperature")
    listed_results(tab)
    found = tab.evaluate(BEST, [term for term, _ in terms])
    pairs = zip(terms, found, strict=True)
    assert {term: best for (term, place), best in pairs if place not in best} == {}
    index = (SITE / "genindex.html").read_text()
    links = {unescape(link) for link in re.findall(r'href="([^"]+)"', index)}
    assert {
        term for term, place in terms if place.replace("#", ".html#") not in links
    } == set()
    assert "(in module" not in index


def test_hyphens_and_endings_of_a_term_do_not_matter(visit):
    tab, _, _ = visit("search.html?q=temperature")
    listed_results(tab)
    # Both words are on many pages.
    (found,) = tab.evaluate(BEST, ["gumbel softmax tricks"])
    assert found[-1] == "chapters/04_softmax_relaxation#from-argmax-to-softmax"


def test_a_result_names_a_place_that_is_there_once(visit):
    tab, _, _ = visit("search.html")
    places = search_results(tab, FILES, "temperature")
    assert len(places) == len(set(places)) >= 10
    for place in places:
        page, _, anchor = place.partition("#")
        assert anchor == "" or f'id="{anchor}"' in (SITE / page).read_text("utf-8")
