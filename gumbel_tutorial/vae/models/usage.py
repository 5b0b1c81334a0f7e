r"""How much of a code is used: which variables tell anything of the image, how much, in how many categories.

A variable whose law is the same for every image tells the decoder nothing. Where the divergence has driven
variables there, the posterior has collapsed. All functions take the logits of q for many images, and the
mean over these images of q is the aggregate posterior $\bar q_n$ of a variable.
"""

import torch

from gumbel_tutorial import categorical
from gumbel_tutorial.checks import check_logits, check_not_negative, refuse

#: The variance above which a variable counts as active, that of Burda, Grosse and Salakhutdinov (2016).
ACTIVE = 0.01


def unit_activity(logits: torch.Tensor) -> torch.Tensor:
    r"""Return $A_n = \tfrac12\sum_k \mathrm{Var}_x\big(q(z_n = k\mid x)\big)$, the variance over images.

    Of a bit it is the variance of its probability. An active variable informs: $I_n \ge 2 A_n$ for
    :func:`mutual_information`, by Pinsker's inequality.
    Source: Burda, Grosse and Salakhutdinov (2016), who take the variance over images of the posterior's mean;
    the mean of a one-hot code is the vector of its probabilities, and half the trace of their covariance is
    our reading for K categories.

    Args:
        logits: logits of q, shape ``(images, N, K)``; -inf excludes a category.

    Returns:
        Shape ``(N,)``, between 0 and $(1 - 1/K)/2$.

    Raises:
        TypeError, ValueError: logits that are +inf or NaN, leave a row no category, or have another shape.

    Examples:
        >>> always_first, by_image = torch.tensor([9.0, 0.0]), torch.tensor([[9.0, -9.0], [-9.0, 9.0]])
        >>> unit_activity(torch.stack([always_first.expand(2, 2), by_image], 1)).round(decimals=3)
        tensor([0.0000, 0.2500])
    """
    _check(logits)
    return logits.softmax(-1).var(0, correction=0).sum(-1) / 2


def active_units(logits: torch.Tensor, *, threshold: float = ACTIVE) -> torch.Tensor:
    """Return which variables are active: those whose :func:`unit_activity` exceeds a threshold.

    Args:
        logits: logits of q, shape ``(images, N, K)``; -inf excludes a category.
        threshold: not negative.

    Returns:
        Booleans, shape ``(N,)``.

    Raises:
        TypeError, ValueError: as :func:`unit_activity`; a negative threshold.

    Examples:
        >>> active_units(torch.zeros(5, 3, 4)).tolist()
        [False, False, False]
    """
    check_not_negative(threshold, "threshold")
    return unit_activity(logits) > threshold


def mutual_information(logits: torch.Tensor) -> torch.Tensor:
    r"""Return $I_n = H(\bar q_n) - \mathbb E_x H\big(q(z_n\mid x)\big)$, of one variable and the image.

    The mean divergence of a variable splits into it and that of the aggregate posterior:
    $\mathbb E_x\,\mathrm{KL}(q_n\,\|\,p_n) = I_n + \mathrm{KL}(\bar q_n\,\|\,p_n)$.
    Source: Hoffman and Johnson (2016).

    Args:
        logits: logits of q, shape ``(images, N, K)``; -inf excludes a category.

    Returns:
        Nats, shape ``(N,)``, between 0 and the logarithms of K and of the number of images.

    Raises:
        TypeError, ValueError: as :func:`unit_activity`.

    Examples:
        >>> by_image = torch.tensor([[[0.0, -torch.inf]], [[-torch.inf, 0.0]]])
        >>> round(mutual_information(by_image).item(), 4)  # log 2
        0.6931
    """
    _check(logits)
    return categorical.entropy(_aggregate(logits)) - categorical.entropy(logits).mean(0)


def code_perplexity(logits: torch.Tensor) -> torch.Tensor:
    r"""Return $e^{H(\bar q_n)}$, how many categories of each variable are in use over all images.

    Args:
        logits: logits of q, shape ``(images, N, K)``; -inf excludes a category.

    Returns:
        Shape ``(N,)``, between 1 and K.

    Raises:
        TypeError, ValueError: as :func:`unit_activity`.

    Examples:
        >>> code_perplexity(torch.zeros(5, 3, 4)).round(decimals=4).tolist()
        [4.0, 4.0, 4.0]
    """
    _check(logits)
    return categorical.perplexity(_aggregate(logits))


def _aggregate(logits: torch.Tensor) -> torch.Tensor:
    """Return the logarithms of the aggregate posterior."""
    return logits.softmax(-1).mean(0).log()


def _check(logits: torch.Tensor) -> None:
    check_logits(logits)
    if logits.ndim != 3 or len(logits) == 0:
        refuse("logits", "have shape (images, N, K)", f"shape {tuple(logits.shape)}")
