"""Make the repository, Colab and Binder links and the canonical URL from one setting, `repository.url`."""

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


def add_public_links(_app, config) -> None:
    """Point to the repository and to the pages that GitHub makes of it; to nothing while there is none."""
    options = config.html_theme_options
    address = options["repository_url"]
    if not address:
        # Jupyter Book launches notebooks of its own repository by default.
        options["launch_buttons"] = {}
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


def setup(app) -> dict:
    """Register the step, before the theme reads its options."""
    app.connect("config-inited", add_public_links)
    return {"parallel_read_safe": True}
