r"""Rao-Blackwellised straight-through Gumbel-Softmax."""

from typing import Any

import torch

from gumbel_tutorial import noise
from gumbel_tutorial.checks import check_count
from gumbel_tutorial.estimators.protocol import (
    Losses,
    check_arguments,
    check_divisor,
    draw,
    evaluate,
    repeat,
)
from gumbel_tutorial.nn.hard import carry
from gumbel_tutorial.nn.samplers import gumbel_rao_path


def gumbel_rao(
    f: Losses,
    logits: torch.Tensor,
    *,
    generator: torch.Generator | None = None,
    temperature: Any = 1.0,
    num_inner: int = 10,
) -> torch.Tensor:
    r"""Estimate by $\frac1M\sum_m J_\tau(y_m)^\top\nabla f(z)$, averaged given the winner z.

    $y_m = \mathrm{softmax}((\ell + G^{(m)})/\tau)$ with noise drawn given z, and held fixed in the
    derivative; the total derivative through the conditional draw, which the paper's text suggests, is
    another and much more biased estimator. The noise is drawn in log space, so that no logit is
    exponentiated.
    Source: Paulus, Maddison and Krause (2021), equation 9 and appendix A.
    Biased, exactly as straight-through Gumbel-Softmax is; the variance falls with M. Cost: one
    evaluation of f and of its derivative, whatever M, and M cheap softmaxes.

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
        >>> gumbel_rao(lambda z: z.max(-1).values, torch.zeros(3), num_inner=100).item()
        1.0
    """
    logits = check_arguments(logits, generator)
    num_inner = check_count(num_inner, "num_inner", 1)
    check_divisor(temperature, logits)
    sample = draw(logits, generator)
    free = noise.gumbel_like(repeat(logits, num_inner), generator=generator)
    path = gumbel_rao_path(logits, sample, free, temperature)
    return evaluate(f, carry(sample, path))
