"""Take off the pages what the theme stack adds and this book does not use."""

import re

FOLD = re.compile(
    r'(?P<link><a class="[^"]*\breference internal" [^>]*>(?P<name>[^<]*)</a>\s*<details[^>]*>)<summary>'
)
PROOF = re.compile(r'(<div class="proof admonition"[^>]*>\s*<p>)Proof\. ')
SHARED_ID = re.compile(r' id="(?:proof|(?:proof|exercise|solution)-content)"')


def drop_unused_scripts(_app, _page, _template, context, _doctree) -> None:
    """Drop Thebe, which declares its variables twice on every page and loads a kernel nobody starts."""
    context["script_files"] = [
        script
        for script in context.get("script_files", [])
        if "thebe" not in str(script).lower()
    ]


def drop_repeated_ids(_app, _page, _template, context, _doctree) -> None:
    """Drop the ids that all proofs, exercises or solutions share: an id is unique on its page."""
    if "body" in context:
        context["body"] = SHARED_ID.sub("", context["body"])


def slant_the_word_proof(_app, _page, _template, context, _doctree) -> None:
    """Set the word that opens a proof apart from the proof."""
    if "body" in context:
        context["body"] = PROOF.sub(r"\1<em>Proof.</em> ", context["body"])


def name_the_book_once(_app, _page, _template, context, _doctree) -> None:
    """Keep the name of the book out of the window title of the page that bears the same one."""
    if context.get("title") == context["docstitle"]:
        # The brand in the sidebar would otherwise take its text from the name that is removed here.
        context["theme_logo"] = {**context["theme_logo"], "text": context["docstitle"]}
        context["docstitle"] = ""


def name_the_folds(_app, _page, _template, context, _doctree) -> None:
    """Give the arrow that unfolds the pages of a part of the menu a name, which the theme leaves out."""
    original = context.get("generate_toctree_html")
    if original is None:
        return

    def generate(*args, **kwargs) -> str:
        menu = str(original(*args, **kwargs))
        return FOLD.sub(r'\g<link><summary aria-label="pages of: \g<name>">', menu)

    context["generate_toctree_html"] = generate


def keep_the_download(app, page, _template, _context, _doctree) -> None:
    """Keep the link to the source of a page of which git knows nothing, as in a copy without history."""
    dates = getattr(app.env, "git_last_updated", {})
    if dates.get(page, ()) is None:
        dates[page] = (None, True)


def setup(app) -> dict:
    """Register the page hooks, after the extensions whose additions they remove."""
    app.connect("html-page-context", drop_unused_scripts, priority=900)
    app.connect("html-page-context", drop_repeated_ids, priority=900)
    app.connect("html-page-context", slant_the_word_proof, priority=900)
    app.connect("html-page-context", name_the_book_once, priority=900)
    app.connect("html-page-context", name_the_folds, priority=900)
    app.connect("html-page-context", keep_the_download, priority=100)
    return {"parallel_read_safe": True}
