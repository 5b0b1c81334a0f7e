"""Training: a step, a run in memory, checkpoints, evaluation."""

from gumbel_tutorial.checks import needing

with needing(__name__, "vae"):
    import torch  # noqa: F401
