"""Make everything that needs an address from one setting, `repository.url`.

That is the links to the repository, to Colab and to Binder, the canonical URL of every page and its card
where it is shared, the sitemap, and the page for addresses that do not exist. Without it there is none.
"""

import re

from sphinx.errors import ConfigError

GITHUB = re.compile(
    r"https://github\.com/(?P<owner>[^/]+)/(?P<name>[^/]+?)(?:\.git)?/?"
)
LAUNCHERS = {
    "colab_url": "https://colab.research.google.com",
    "binderhub_url": "https://mybinder.org",
    "notebook_interface": "jupyterlab",
}
CARD = {"line_color": "#1b5e97", "image_mini": "assets/triangle.png"}
NO_PAGE = """<h1>No such page</h1>
<p>The menu has every chapter, and the search finds a theorem or an equation by its number.</p>"""
EXTENSIONS = ("sphinx_sitemap", "notfound.extension")
ADDRESS_IN_HEAD = re.compile(r'<meta property="og:url"[^>]*>\s*')


def add_public_links(app, config) -> None:
    """Point to the repository and to the pages that GitHub makes of it; to nothing while there is none."""
    options = config.html_theme_options
    address = options["repository_url"]
    if not address:
        # Jupyter Book launches notebooks of its own repository by default.
        options["launch_buttons"] = {}
        config.ogp_social_cards = {"enable": False}
        return
    match = GITHUB.fullmatch(address)
    if not match:
        raise ConfigError(
            f"repository.url must be https://github.com/OWNER/NAME, got {address!r}"
        )
    options.update(
        repository_url=match.expand(r"https://github.com/\g<owner>/\g<name>"),
        use_repository_button=True,
        launch_buttons=LAUNCHERS,
    )
    config.html_baseurl = match.expand(r"https://\g<owner>.github.io/\g<name>/")
    config.ogp_site_url = config.html_baseurl
    config.ogp_social_cards = CARD
    config.notfound_urls_prefix = match.expand(r"/\g<name>/")
    config.notfound_context = {"title": "No such page", "body": NO_PAGE}
    config.sitemap_url_scheme = "{link}"
    config.sitemap_excludes = ["404.html", "search.html"]
    for extension in EXTENSIONS:
        app.setup_extension(extension)


def drop_relative_address(app, _page, _template, context, _doctree) -> None:
    """Take from the head what would be half an address."""
    if not app.config.html_baseurl:
        context["metatags"] = ADDRESS_IN_HEAD.sub("", context.get("metatags", ""))


def setup(app) -> dict:
    """Register the step, before the theme reads its options."""
    app.connect("config-inited", add_public_links)
    app.connect("html-page-context", drop_relative_address, priority=900)
    return {"parallel_read_safe": True}
