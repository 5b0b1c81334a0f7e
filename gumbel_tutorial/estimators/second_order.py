r"""ReinMax and ZGR: straight-through estimators that are exact for quadratics."""

from typing import Any

import torch

from gumbel_tutorial.estimators.protocol import (
    Losses,
    check_arguments,
    check_divisor,
    draw,
    evaluate,
    log_prob_each,
)
from gumbel_tutorial.nn.hard import carry
from gumbel_tutorial.nn.samplers import reinmax_path


def reinmax(
    f: Losses,
    logits: torch.Tensor,
    *,
    generator: torch.Generator | None = None,
    temperature: Any = 1.0,
) -> torch.Tensor:
    r"""Estimate by $2J(\bar\pi)^\top\nabla f(z) - \frac12J(\pi)^\top\nabla f(z)$.

    $\bar\pi = \frac12\big(z + \mathrm{softmax}(\ell/\tau)\big)$ and
    $J(\pi) = \mathrm{diag}(\pi) - \pi\pi^\top$: Heun's rule for the differences of f that the gradient is
    made of.
    Source: Liu et al. (2023), algorithm 2.
    Biased; at $\tau = 1$ exact for f quadratic in each variable, and equal to :func:`zgr` sample by
    sample. Cost: one evaluation of f and of its derivative.

    Args:
        f: samples ``(..., K)`` to losses, differentiable.
        logits: shape ``(..., K)``.
        generator: draws the sample.
        temperature: $\tau \ge 1$, a number or one per row.

    Returns:
        Losses of the batch shape.

    Raises:
        ValueError: as every estimator; a temperature below 1.

    Examples:
        >>> reinmax(lambda z: z.max(-1).values, torch.zeros(3)).item()
        1.0
    """
    logits = check_arguments(logits, generator)
    check_divisor(temperature, logits, least=1.0)
    sample = draw(logits, generator)
    return evaluate(f, carry(sample, reinmax_path(logits, sample, temperature)))


def zgr(
    f: Losses, logits: torch.Tensor, *, generator: torch.Generator | None = None
) -> torch.Tensor:
    r"""Estimate by half the sum of straight-through and DARN, both with the class probabilities.

    $\frac12\big(\pi\circ g + g_z z - g_z\pi - (\pi\cdot g)\,z\big)$ with $g = \nabla f(z)$, the limit of
    Gumbel-Rao as $\tau\to0$.
    Source: Shekhovtsov (2023), equation 9.
    Biased; exact for f quadratic in each variable. Cost: one evaluation of f and of its derivative.

    Args:
        f: samples ``(..., K)`` to losses, differentiable.
        logits: shape ``(..., K)``.
        generator: draws the sample.

    Returns:
        Losses of the batch shape.

    Examples:
        >>> zgr(lambda z: z.max(-1).values, torch.zeros(3)).item()
        1.0
    """
    logits = check_arguments(logits, generator)
    sample = draw(logits, generator)
    probs = logits.softmax(-1)
    score = log_prob_each(logits, sample)[..., None]
    return evaluate(f, carry(sample, (probs + (sample - probs).detach() * score) / 2))
