"""The way of CUDA tensors: one kernel forward and one backward, which check values only where that is on."""

from typing import Any

import torch

from gumbel_tutorial.fused import kernels_for
from gumbel_tutorial.nn.arguments import (
    categories_last,
    category_dim,
    checked_tau,
    exclude,
    refuse_rerun,
)
from gumbel_tutorial.nn.plain import is_watched


def sample(
    logits: Any, tau: Any, hard: bool, dim: Any, generator: Any, mask: Any
) -> torch.Tensor | None:
    """Return a relaxed or one-hot sample; None where no kernel is for the arguments, that may be anything."""
    if logits.ndim == 0 or is_watched():
        return None
    dim = category_dim(logits, dim, "logits")
    kernels = kernels_for(logits, dim)
    if kernels is None:
        return None
    if generator is not None:
        refuse_rerun()
    allowed = logits if mask is None else exclude(logits, mask)
    tau = categories_last(checked_tau(tau, logits, dim), dim)
    moved = kernels.gumbel_softmax(
        allowed.movedim(dim, -1), tau, hard, generator=generator
    )
    return moved.movedim(-1, dim)
