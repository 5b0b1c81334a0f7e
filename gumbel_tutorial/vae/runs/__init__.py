"""A run on disk: configured, stopped at any moment, continued."""

from gumbel_tutorial.checks import needing

with needing(__name__, "vae"):
    import torch  # noqa: F401
