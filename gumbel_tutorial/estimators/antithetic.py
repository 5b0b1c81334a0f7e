r"""Antithetic pairs for binary variables: ARM and DisARM."""

import torch
from torch.nn.functional import softplus

from gumbel_tutorial import noise
from gumbel_tutorial.checks import refuse
from gumbel_tutorial.estimators.protocol import (
    Losses,
    along,
    as_one_hot,
    check_arguments,
    evaluate,
    per_variable,
)
from gumbel_tutorial.nn.hard import carry


def arm(
    f: Losses, logits: torch.Tensor, *, generator: torch.Generator | None = None
) -> torch.Tensor:
    r"""Estimate the derivative in $\alpha = \ell_2 - \ell_1$ by $(f(b) - f(\tilde b))(u - \frac12)$.

    $b = 1[u > \sigma(-\alpha)]$ and $\tilde b = 1[u < \sigma(\alpha)]$ share one uniform u per variable.
    Source: Yin and Zhou (2019), equation 5.
    Unbiased. Cost: two evaluations of f, no derivative of f, whatever the number of variables.

    Args:
        f: one-hot samples ``(..., 2)`` to losses; may be any function of the discrete sample.
        logits: shape ``(..., 2)``.
        generator: draws u.

    Returns:
        Mean losses of the pair, of the batch shape.

    Raises:
        TypeError, ValueError: as every estimator; a category axis of another size than 2.

    Examples:
        >>> logits = torch.tensor([[0.0, 1.0], [0.3, -2.0]])
        >>> arm(lambda z: z[..., 1].sum(-1), logits).shape  # two bits, one loss
        torch.Size([])
    """
    logits = _check_binary(logits, generator)
    centred, first, second = _pair(logits, generator)
    return _antithetic(f, logits, first, second, centred)


def disarm(
    f: Losses, logits: torch.Tensor, *, generator: torch.Generator | None = None
) -> torch.Tensor:
    r"""Estimate by :func:`arm` averaged over u given the pair.

    $\frac12(f(b) - f(\tilde b))\,(-1)^{\tilde b}\,1[b\neq\tilde b]\,\sigma(|\alpha|)$ with
    $\alpha = \ell_2 - \ell_1$.

    Source: Dong, Mnih and Tucker (2020), equation 7; found as well by Yin et al. (2020).
    Unbiased, with at most the variance of ARM. Cost: two evaluations of f, no derivative of f.

    Args:
        f: one-hot samples ``(..., 2)`` to losses; may be any function of the discrete sample.
        logits: shape ``(..., 2)``.
        generator: draws the pair.

    Returns:
        Mean losses of the pair, of the batch shape.

    Raises:
        TypeError, ValueError: as every estimator; a category axis of another size than 2.

    Examples:
        >>> disarm(lambda z: z[..., 1], torch.zeros(5, 2)).shape  # a loss per bit
        torch.Size([5])
    """
    logits = _check_binary(logits, generator)
    _, first, second = _pair(logits, generator)
    # (-1)^b~ 1[b != b~] is b - b~ for bits.
    difference = first.to(logits.dtype) - second.to(logits.dtype)
    size = (logits[..., 1] - logits[..., 0]).detach().abs().sigmoid()
    return _antithetic(f, logits, first, second, difference * size / 2)


def _check_binary(
    logits: torch.Tensor, generator: torch.Generator | None
) -> torch.Tensor:
    logits = check_arguments(logits, generator)
    if logits.shape[-1] != 2:
        refuse("logits", "have 2 categories", logits.shape[-1])
    return logits


def _pair(
    logits: torch.Tensor, generator: torch.Generator | None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    r"""Return $u - \frac12$, $b$ and $\tilde b$.

    In place of u and 1 - u, one of which is beside 1 where the other says whether a rare bit is set, the
    comparisons are of $E = -\log(1 - u)$ with $-\log\sigma(\pm\alpha)$, which keep their digits at both ends.
    """
    alpha = (logits[..., 1] - logits[..., 0]).detach()
    exponential = (-noise.gumbel_like(alpha, generator=generator)).exp()
    first, second = exponential > softplus(-alpha), exponential < softplus(alpha)
    return 0.5 - (-exponential).exp(), first, second


def _antithetic(
    f: Losses,
    logits: torch.Tensor,
    first: torch.Tensor,
    second: torch.Tensor,
    weight: torch.Tensor,
) -> torch.Tensor:
    pair = [as_one_hot(bits.long(), logits) for bits in (first, second)]
    losses = evaluate(f, torch.stack(pair), several=True)
    gap = per_variable((losses[0] - losses[1]).detach(), weight)
    slope = torch.stack([-gap * weight, gap * weight], -1)
    return carry(losses.mean(0), along(slope, logits, losses[0]))
