r"""Implicit differentiation by perturb-and-MAP: the winner, and the winner after a step down the slope."""

import torch

from gumbel_tutorial.checks import check_positive
from gumbel_tutorial.estimators.protocol import (
    Losses,
    along,
    as_one_hot,
    check_arguments,
    draw_with_noise,
    evaluate,
    losses_with_slope,
)
from gumbel_tutorial.nn.hard import carry


def imle(
    f: Losses,
    logits: torch.Tensor,
    *,
    generator: torch.Generator | None = None,
    step: float = 1.0,
) -> torch.Tensor:
    r"""Estimate by $\frac1\lambda(z - z')$, $z'$ the winner of the same noise at $\ell - \lambda\nabla f(z)$.

    For a slope g that does not depend on z the mean is
    $\frac1\lambda\big(\mathrm{softmax}(\ell) - \mathrm{softmax}(\ell - \lambda g)\big)$, a finite difference
    of the exact gradient. As $\lambda\to0$ that is exact, and of any f the mean tends to
    $\sum_z\sum_j\pi_z\pi_j(g_z - g_j)_+(e_z - e_j)$ with $g = \nabla f(z)$: a pair of categories is counted
    from the end whose slope points to the other one, so that already on quadratics something is lost.
    Source: Niepert, Minervini and Franceschi (2021), their perturbation-based implicit differentiation, with
    Gumbel noise, under which perturb-and-MAP is an exact sample.
    Biased, for linear f too unless $\lambda\to0$, and the variance grows as $1/\lambda$. Cost: one evaluation
    of f and of its derivative.

    Args:
        f: samples ``(..., K)`` to losses, differentiable.
        logits: shape ``(..., K)``.
        generator: draws the noise.
        step: $\lambda > 0$.

    Returns:
        Losses of the batch shape.

    Raises:
        ValueError: as every estimator; a step that is not positive.

    Examples:
        >>> imle(lambda z: z.max(-1).values, torch.zeros(3)).item()
        1.0
    """
    logits = check_arguments(logits, generator)
    check_positive(step, "step")
    sample, gumbels = draw_with_noise(logits, generator)
    if not torch.is_grad_enabled():
        return evaluate(f, sample)
    losses, slope = losses_with_slope(f, sample)
    moved = logits.detach() - step * slope + gumbels
    target = as_one_hot(moved.argmax(-1), logits)
    return carry(losses, along((sample - target) / step, logits, losses))
