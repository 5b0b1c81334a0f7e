r"""ReinMax-Rao and ReinMax-CV: Gumbel-Rao in ReinMax, as published.

Both condition Gumbel noise on the winner z at other logits than those that z was drawn from,
$\theta_z = \log\frac12(\pi + z)$. Averaging over noise given z keeps a mean only where z and the noise come
from one draw at the same logits, so neither keeps that of ReinMax, which is exact for linear f.
"""

from typing import Any

import torch

from gumbel_tutorial import concrete, noise
from gumbel_tutorial.arrays import finite_or_zero
from gumbel_tutorial.checks import check_count
from gumbel_tutorial.estimators.protocol import (
    Losses,
    check_arguments,
    check_divisor,
    draw_with_noise,
    evaluate,
    repeat,
)
from gumbel_tutorial.nn.hard import carry
from gumbel_tutorial.nn.samplers import gumbel_rao_path, reinmax_path


def reinmax_rao(
    f: Losses,
    logits: torch.Tensor,
    *,
    generator: torch.Generator | None = None,
    temperature: Any = 0.7,
    num_inner: int = 10,
) -> torch.Tensor:
    r"""Estimate by $2\bar J_\tau(\theta_z)g - \frac12J(\pi)g$ with $\bar J_\tau$ the Jacobian of Gumbel-Rao.

    $g = \nabla f(z)$, and $\bar J_\tau(\theta_z) = \frac1M\sum_mJ_\tau(y_m)$ for relaxed samples $y_m$ at
    $\theta_z = \log\frac12(\pi + z)$ whose noise is drawn given that z wins there. ReinMax has
    $J(\frac12(\pi + z))$ in its place, whose mean over z is $\frac34J(\pi)$; so it is exact for linear f.
    $\bar J_\tau(\theta_z)$ has another mean, for two reasons: the winner at $\theta_z$ would be z only with
    probability $\frac12(1 + \pi_z)$ and here always is, and $J_\tau$ of a relaxed sample has not the mean
    $J$ at any $\tau > 0$.
    Source: Wang and Bui (2026), ReinMax-Rao, as their public code computes it, where M is 100.
    Biased, for linear f too at every temperature. Cost: one evaluation of f and of its derivative, whatever
    M, and M cheap softmaxes.

    Args:
        f: samples ``(..., K)`` to losses, differentiable.
        logits: shape ``(..., K)``.
        generator: draws the noise.
        temperature: $\tau > 0$.
        num_inner: M, at least 1.

    Returns:
        Losses of the batch shape.

    Raises:
        ValueError: as every estimator; ``num_inner`` below 1.

    Examples:
        >>> reinmax_rao(lambda z: z.max(-1).values, torch.zeros(3)).item()
        1.0
    """
    logits, num_inner = _check(logits, generator, temperature, num_inner)
    sample, _ = draw_with_noise(logits, generator)
    averaged = _averaged(logits, sample, temperature, num_inner, generator)
    return evaluate(f, carry(sample, 2 * averaged - logits.softmax(-1) / 2))


def reinmax_cv(
    f: Losses,
    logits: torch.Tensor,
    *,
    generator: torch.Generator | None = None,
    temperature: Any = 0.7,
    num_inner: int = 10,
    scale: float = 1.0,
) -> torch.Tensor:
    r"""Estimate by ReinMax plus $\eta\big(\bar J_\tau(\theta_z) - J_\tau(y)\big)g$.

    $\bar J_\tau(\theta_z)$ as in :func:`reinmax_rao`, and y the relaxed sample at $\theta_z$ with the noise
    that drew z. That noise, given z, has the law that winning at $\ell$ gives, where $\bar J_\tau$ averages
    over the law that winning at $\theta_z$ gives: the difference has not the mean 0 of a control variate.
    With y's noise drawn given z at $\theta_z$ it would have, with noise drawn anew it has not either.
    Source: Wang and Bui (2026), ReinMax-CV, as their public code means it: there the relaxed sample itself
    is kept under the name of the noise, and its softmax lacks $\tau$.
    Biased, for linear f too; at $\eta = 0$ it is :func:`~gumbel_tutorial.estimators.second_order.reinmax`.
    Cost: one evaluation of f and of its derivative, whatever M, and M cheap softmaxes.

    Args:
        f: samples ``(..., K)`` to losses, differentiable.
        logits: shape ``(..., K)``.
        generator: draws the noise.
        temperature: $\tau > 0$ of the added term.
        num_inner: M, at least 1.
        scale: $\eta$.

    Returns:
        Losses of the batch shape.

    Raises:
        ValueError: as every estimator; ``num_inner`` below 1.

    Examples:
        >>> reinmax_cv(lambda z: z.max(-1).values, torch.zeros(3)).item()
        1.0
    """
    logits, num_inner = _check(logits, generator, temperature, num_inner)
    sample, gumbels = draw_with_noise(logits, generator)
    averaged = _averaged(logits, sample, temperature, num_inner, generator)
    plain = concrete.soften(middle_logits(logits, sample) + gumbels, temperature)
    path = reinmax_path(logits, sample, 1.0) + scale * (averaged - plain)
    return evaluate(f, carry(sample, path))


def middle_logits(logits: torch.Tensor, sample: torch.Tensor) -> torch.Tensor:
    r"""Return $\theta_z = \log\frac12(\pi + z)$ with the derivative of the logits; nothing is checked."""
    middle = ((logits.detach().softmax(-1) + sample) / 2).log()
    # An excluded category stays at -inf, and -inf - -inf is not meant.
    return carry(middle, finite_or_zero(logits))


def _averaged(
    logits: torch.Tensor,
    sample: torch.Tensor,
    temperature: Any,
    num_inner: int,
    generator: torch.Generator | None,
) -> torch.Tensor:
    free = noise.gumbel_like(repeat(logits, num_inner), generator=generator)
    return gumbel_rao_path(middle_logits(logits, sample), sample, free, temperature)


def _check(
    logits: torch.Tensor,
    generator: torch.Generator | None,
    temperature: Any,
    num_inner: int,
) -> tuple[torch.Tensor, int]:
    logits = check_arguments(logits, generator)
    num_inner = check_count(num_inner, "num_inner", 1)
    check_divisor(temperature, logits)
    return logits, num_inner
