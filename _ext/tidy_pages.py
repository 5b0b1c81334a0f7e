"""Take off the pages what the theme stack adds and this book does not use."""


def drop_unused_scripts(_app, _page, _template, context, _doctree) -> None:
    """Drop Thebe, which declares its variables twice on every page and loads a kernel nobody starts."""
    context["script_files"] = [
        script
        for script in context.get("script_files", [])
        if "thebe" not in str(script).lower()
    ]


def setup(app) -> dict:
    """Register the page hook, after the extensions whose additions it removes."""
    app.connect("html-page-context", drop_unused_scripts, priority=900)
    return {"parallel_read_safe": True}
