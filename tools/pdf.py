"""Print the built site as one book: `python tools/pdf.py`, after the site was built.

The pages become one, in the order of the contents, so that the links between them keep working;
Chromium prints it, with an outline of its headings and a number on each page.
"""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import yaml
from bs4 import BeautifulSoup, Tag
from pypdf import PdfReader, PdfWriter
from pypdf.generic import NameObject, TextStringObject

ROOT = Path(__file__).parent.parent
SITE = ROOT / "_build" / "html"
TARGET = ROOT / "_build" / "pdf" / "gumbel-softmax.pdf"
FLAGS = ["--no-sandbox", "--disable-gpu"]
# The inside of a sheet of A4 between the margins of print.css, in pixels of CSS.
WIDTH = 665
# What acts on a screen only, or says a formula a second time.
CONTROLS = ".headerlink, .viewcode-link, .katex-mathml, button, script, dialog, #jb-print-docs-body"
FOOTER = """<div style="font: 8pt serif; width: 100%; text-align: center">
<span class="pageNumber"></span></div>"""
# What is wider than the sheet becomes smaller; what is cut in spite of it, or bent, is returned.
FIT = """() => {
    const parts = document.querySelectorAll(
        'div.math .katex-display, .pst-scrollable-table-container, .cell_output .text_html');
    for (const part of parts) {
        const share = part.clientWidth / part.scrollWidth;
        if (share < 1) part.firstElementChild.style.zoom = 0.99 * share;
    }
    const cut = [...parts, ...document.querySelectorAll('pre, p, figure, dl, .katex-html')]
        .filter(part => part.scrollWidth > part.clientWidth + 1 && part.clientWidth > 0);
    const shape = (width, height) => Math.log(width / height);
    const bent = [...document.querySelectorAll('img')].filter(one => one.offsetHeight > 0 && Math.abs(
        shape(one.offsetWidth, one.offsetHeight) - shape(one.naturalWidth, one.naturalHeight)) > 0.02);
    return [...cut, ...bent].map(part => part.outerHTML.slice(0, 200));
}"""
# The contents have pages of their own, which no page of the site has.
STYLE = """<style>
.book-contents { break-before: page; }
.book-contents ul { list-style: none; padding-left: 0; }
.book-contents ul ul { padding-left: 1.2rem; }
.book-contents li > div { display: flex; }
.book-contents li > div > span { margin-left: auto; }
</style>"""
# The sheets that the contents name, known once the book was printed.
NUMBERS = """numbers => {
    for (const [page, number] of Object.entries(numbers))
        document.querySelector(`.book-contents a[href="#${page}"] + span`).textContent = number;
}"""
HEADINGS = """() => [...document.querySelectorAll('h1, h2, h3, h4, h5, h6')]
    .map(heading => heading.innerText.replace(/\\s+/g, ' ').trim()).filter(text => text)"""


def table_of_contents() -> dict:
    """Return the one place where the order of the pages lives."""
    return yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))


def pages() -> list[str]:
    """Return the pages in the order of the contents, but for the index: a reader of files searches."""
    contents = table_of_contents()
    chapters = [chapter for part in contents["parts"] for chapter in part["chapters"]]
    named = [
        page["file"]
        for chapter in chapters
        for page in (chapter, *chapter.get("sections", []))
    ]
    return [contents["root"], *(page for page in named if page != "genindex")]


def anchor(page: str, part: str) -> str:
    """Return an id that is unique in the whole book."""
    return f"{page}--{part}" if part else page


def read(page: str) -> BeautifulSoup:
    """Return a page of the site as it was built."""
    return BeautifulSoup((SITE / f"{page}.html").read_text("utf-8"), "html.parser")


def resolve(page: str, link: str, book: list[str]) -> str | None:
    """Return where a link leads in the book: to a place in it, to another host, or nowhere."""
    if "://" in link or link.startswith("mailto:"):
        return link
    path, _, part = link.partition("#")
    target = (SITE / page).parent / unquote(path) if path else SITE / f"{page}.html"
    name = target.resolve().relative_to(SITE.resolve()).with_suffix("").as_posix()
    return f"#{anchor(name, part)}" if name in book else None


def article(page: str, book: list[str]) -> Tag:
    """Return the text of a page, its ids, links and pictures fit for the book."""
    text = read(page).select_one("article.bd-article")
    for control in text.select(CONTROLS):
        control.decompose()
    for tag in text.find_all(id=True):
        tag["id"] = anchor(page, tag["id"])
    for link in text.find_all("a", href=True):
        found = resolve(page, link["href"], book)
        if found:
            link["href"] = found
        else:
            # Nothing to follow on paper, and no sign that says so.
            for sign in link.select("i, svg"):
                sign.decompose()
            link.unwrap()
    for picture in text.find_all("img"):
        picture["src"] = ((SITE / page).parent / picture["src"]).resolve().as_uri()
        del picture["loading"]
    text["id"] = page
    text["style"] = "break-before: page"
    return text


def contents(texts: list[Tag]) -> str:
    """Return the list of the chapters by parts, with places for the numbers of their pages."""
    titles = {text["id"]: text.h1.decode_contents() for text in texts[1:]}

    def listed(entries: list[dict]) -> str:
        lines = [
            f'<li><div><a href="#{one["file"]}">{titles[one["file"]]}</a><span></span></div>'
            f"{listed(one.get('sections', []))}</li>"
            for one in entries
            if one["file"] in titles
        ]
        return f"<ul>{''.join(lines)}</ul>" if lines else ""

    parts = table_of_contents()["parts"]
    lists = [(part["caption"], listed(part["chapters"])) for part in parts]
    named = "".join(f"<h3>{caption}</h3>{lines}" for caption, lines in lists if lines)
    return f'<nav class="book-contents"><h2>Contents</h2>{named}</nav>'


def imprint() -> str:
    """Return who wrote the book, and which version of it this is."""
    told = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    authors = ", ".join(author["name"] for author in told["authors"])
    return f"<p>{authors}. Version {told['version']}.</p>"


def styles() -> str:
    """Return the links to the styles of the site, by their whole addresses."""
    found = read("index").select("link[rel=stylesheet]")
    for link in found:
        link["href"] = (SITE / link["href"].split("?")[0]).resolve().as_uri()
    return "".join(map(str, found))


def assemble(book: list[str]) -> str:
    """Return pages of the book as one."""
    texts = [article(page, book) for page in book]
    del texts[0]["style"]
    texts[0].append(BeautifulSoup(contents(texts), "html.parser"))
    texts[0].h1.insert_after(BeautifulSoup(imprint(), "html.parser"))
    title = texts[0].h1.get_text()
    return f"""<!DOCTYPE html><html lang="en" data-theme="light"><head><meta charset="utf-8">
<title>{title}</title>{styles()}{STYLE}</head><body>{"".join(map(str, texts))}</body></html>"""


def print_book(browser, target: Path, book: list[str]) -> list[str]:
    """Write pages of the book and return what is cut at the edge of a sheet, or bent."""
    target.parent.mkdir(parents=True, exist_ok=True)
    whole = target.with_suffix(".html")
    whole.write_text(assemble(book), "utf-8")
    tab = browser.new_page(viewport={"width": WIDTH, "height": 1000})
    tab.emulate_media(media="print", color_scheme="light")
    tab.goto(whole.as_uri())
    tab.evaluate("document.fonts.ready")
    cut, headings = tab.evaluate(FIT), tab.evaluate(HEADINGS)
    print_tab(tab, target)
    tab.evaluate(NUMBERS, sheets(target, book[1:]))
    print_tab(tab, target)
    tab.close()
    name_headings(target, headings)
    return cut


def print_tab(tab, target: Path) -> None:
    """Print what a tab shows, with an outline and numbered pages."""
    tab.pdf(
        path=target,
        prefer_css_page_size=True,
        outline=True,
        tagged=True,
        display_header_footer=True,
        header_template="<span></span>",
        footer_template=FOOTER,
    )


def sheets(target: Path, book: list[str]) -> dict[str, int]:
    """Return the number of the sheet on which each page of the book begins."""
    printed = PdfReader(target)
    places = printed.named_destinations
    return {
        page: printed.get_destination_page_number(places[f"/{page}"]) + 1
        for page in book
    }


def name_headings(target: Path, headings: list[str]) -> None:
    """Name the entries of the outline: Chromium says twice what stands at the top of a sheet."""
    book = PdfWriter(clone_from=target)
    entries = list(outline(book.root_object["/Outlines"]))
    for entry, heading in zip(entries, headings, strict=True):
        entry[NameObject("/Title")] = TextStringObject(heading)
    book.page_mode = "/UseOutlines"
    book.write(target)


def outline(entry: dict) -> Iterator[dict]:
    """Yield what is below an entry of the outline, in the order of the book."""
    below = entry.get("/First")
    while below is not None:
        below = below.get_object()
        yield below
        yield from outline(below)
        below = below.get("/Next")


def main() -> None:
    """Print the book with the chromium of the machine."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=FLAGS
        )
        cut = print_book(browser, TARGET, pages())
        browser.close()
    if cut:
        sys.exit("These are cut at the edge of a sheet, or bent:\n" + "\n".join(cut))
    print(f"The book is in {TARGET.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
