"""Images: read, made binary, split."""

from gumbel_tutorial.checks import needing

with needing(__name__, "vae"):
    import torch  # noqa: F401
