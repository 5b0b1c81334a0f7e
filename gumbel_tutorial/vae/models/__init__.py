"""Models with discrete codes, the networks they are made of, and the bounds that train them."""

from gumbel_tutorial.checks import needing

with needing(__name__, "vae"):
    import torch  # noqa: F401
