"""The negative evidence lower bound and its two parts, in nats."""

import math

import torch
from torch.nn import functional as F

from gumbel_tutorial import categorical


def categorical_kl(logits: torch.Tensor) -> torch.Tensor:
    r"""Return $\mathrm{KL}(q(z\mid x) \,\|\, p(z))$ for the uniform prior.

    $\sum_n \big(\log K - H(\mathrm{softmax}(\ell_n))\big)$, between 0 and $N \log K$.

    Args:
        logits: of q, shape ``(..., N, K)``.

    Returns:
        Shape ``(...)``.

    Examples:
        >>> categorical_kl(torch.zeros(5, 3, 4)).tolist()
        [0.0, 0.0, 0.0, 0.0, 0.0]
    """
    return (math.log(logits.shape[-1]) - categorical.entropy(logits)).sum(-1)


def reconstruction_loss(
    pixel_logits: torch.Tensor, images: torch.Tensor
) -> torch.Tensor:
    r"""Return $-\log p(x \mid z)$ for independent Bernoulli pixels.

    Args:
        pixel_logits: of the pixels, shape ``(..., num_pixels)``.
        images: the pixels, in [0, 1], of a shape that broadcasts with it.

    Returns:
        The broadcast batch shape.
    """
    logits, targets = torch.broadcast_tensors(pixel_logits, images)
    return F.binary_cross_entropy_with_logits(logits, targets, reduction="none").sum(-1)


def negative_bound(
    pixel_logits: torch.Tensor, images: torch.Tensor, logits: torch.Tensor
) -> torch.Tensor:
    r"""Return $-\log p(x \mid z) + \mathrm{KL}(q(z\mid x) \,\|\, p(z))$, one sample of the negative bound.

    With one-hot codes drawn from q its expectation is at least $-\log p(x)$. With relaxed codes it is a
    number to train on, and no bound.

    Args:
        pixel_logits: of the pixels given the codes, shape ``(..., num_pixels)``.
        images: the pixels, in [0, 1].
        logits: of q, shape ``(..., N, K)``.

    Returns:
        Shape ``(...)``.
    """
    return reconstruction_loss(pixel_logits, images) + categorical_kl(logits)
