"""Take off the pages what the theme stack adds and this book does not use."""

import re

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


def setup(app) -> dict:
    """Register the page hooks, after the extensions whose additions they remove."""
    app.connect("html-page-context", drop_unused_scripts, priority=900)
    app.connect("html-page-context", drop_repeated_ids, priority=900)
    return {"parallel_read_safe": True}
