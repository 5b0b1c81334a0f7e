r"""Leave-one-out with slopes: double control variates and discrete Stein operators.

Both take a linear function of each sample, its slope that of f at the other samples, for a further control
variate whose mean is known, so that f is evaluated at the samples alone.
"""

import math

import torch

from gumbel_tutorial.checks import check_count
from gumbel_tutorial.estimators.protocol import (
    Losses,
    check_arguments,
    draw,
    evaluate,
    log_prob,
    log_prob_each,
    losses_with_slope,
    per_variable,
    repeat,
    sum_variables,
)
from gumbel_tutorial.nn.hard import carry


def double_control_variates(
    f: Losses,
    logits: torch.Tensor,
    *,
    generator: torch.Generator | None = None,
    num_samples: int = 2,
    scale: float = 1.0,
) -> torch.Tensor:
    r"""Estimate by RLOO on $f(z_i) - \eta c_i$, and add the exact gradient of the control variate's mean.

    $c_i = \bar g_i\cdot(z_i - \pi)$ with $\bar g_i = \frac1{n-1}\sum_{j\ne i}\nabla f(z_j)$, the slope at
    the other samples. It enters twice: beside $f(z_i)$, for which $\eta J(\pi)\bar g_i$ is added back,
    and in the baseline of each other sample, where its mean is 0.
    Source: Titsias and Shi (2022), for bits, with $\alpha = -\eta$ learned by the variance.
    Unbiased for every $\eta$; without variance for linear f at $\eta = 1$; at $\eta = 0$ it is
    :func:`~gumbel_tutorial.estimators.score_function.rloo`, which varies less than $\eta = 1$ where the
    slopes at other samples say little of the one at hand. Cost: n evaluations of f and of its derivative.

    Args:
        f: samples ``(n, ..., K)`` to losses ``(n, ...)``, differentiable.
        logits: shape ``(..., K)``.
        generator: draws the samples.
        num_samples: n, at least 2.
        scale: $\eta$.

    Returns:
        Mean losses of the batch shape.

    Raises:
        ValueError: as every estimator; ``num_samples`` below 2.

    Examples:
        >>> logits = torch.tensor([6.0, 3.0, 1.0]).log().requires_grad_()
        >>> double_control_variates(lambda z: z @ torch.arange(3.0), logits).backward()
        >>> logits.grad  # without variance, since f is linear
        tensor([-0.3000,  0.1500,  0.1500])
    """
    logits, sample = _draw_several(logits, generator, num_samples)
    if not torch.is_grad_enabled():
        return evaluate(f, sample, several=True).mean(0)
    losses, slope = losses_with_slope(f, sample, several=True)
    probs = logits.softmax(-1)
    control = _sum(_others(slope) * (sample - probs.detach()), losses)
    reduced = losses.detach() - scale * control
    path = (reduced - _others(reduced)) * log_prob(logits, sample, losses)
    return carry(losses, path + scale * _sum(slope * probs, losses)).mean(0)


def rodeo(
    f: Losses,
    logits: torch.Tensor,
    *,
    generator: torch.Generator | None = None,
    num_samples: int = 2,
    scale: float | None = None,
) -> torch.Tensor:
    r"""Estimate by RLOO with control variates of mean zero, made by Gibbs' Stein operator.

    For each variable m, $(A_mh)(z) = \mathbb E_{y_m\sim\pi_m}h(z_{-m}, y_m) - h(z)$ has mean 0 whatever h.
    With $h_i(y) = \frac1{n-1}\sum_{j\ne i}\nabla f(z_j)\cdot(y - z_j)$ the estimate is
    $\frac1n\sum_i\big[(f(z_i) - b_i)\nabla\log p(z_i) + s\sum_mA_m(h_i\nabla\log p)(z_i)\big]$ with
    $b_i = \frac1{n-1}\sum_{j\ne i}\big(f(z_j) + (1 - s)\sum_mA_mh_j(z_j)\big)$, in closed form since h is
    linear. The default s leaves, where f is linear, nothing of the other samples and the least of the other
    variables: 1 for one variable, which leaves no variance at all, and 1/2 for more.
    Source: Shi et al. (2022), RODEO for bits with the average over m of Gibbs' operators; there a network
    that is learned by the variance takes h for its input, and the two factors are learned too.
    Unbiased for every s, and like double control variates at the mercy of the slopes: a smaller s is for f
    that is far from linear. Cost: n evaluations of f and of its derivative.

    Args:
        f: samples ``(n, ..., K)`` to losses ``(n, ...)``, differentiable.
        logits: shape ``(..., K)``.
        generator: draws the samples.
        num_samples: n, at least 2.
        scale: s.

    Returns:
        Mean losses of the batch shape.

    Raises:
        ValueError: as every estimator; ``num_samples`` below 2.

    Examples:
        >>> logits = torch.tensor([6.0, 3.0, 1.0]).log().requires_grad_()
        >>> rodeo(lambda z: z @ torch.arange(3.0), logits).backward()
        >>> logits.grad  # without variance, since f is linear
        tensor([-0.3000,  0.1500,  0.1500])
    """
    logits, sample = _draw_several(logits, generator, num_samples)
    if not torch.is_grad_enabled():
        return evaluate(f, sample, several=True).mean(0)
    losses, slope = losses_with_slope(f, sample, several=True)
    if scale is None:
        scale = 1.0 if math.prod(logits.shape[losses.ndim : -1]) == 1 else 0.5
    probs, others = logits.softmax(-1), _others(slope)
    # A_m h, and h, of each sample.
    each = (others * (probs.detach() - sample)).sum(-1)
    total = sum_variables(each, losses)
    surrogate = _sum(others * sample, losses) - _others(_sum(slope * sample, losses))
    advantage = losses.detach() - _others(losses.detach() + (1 - scale) * total)
    # A_m (h grad log p) is h's own for variable m, and A_m h of a factor that stays for every other.
    weight = per_variable(advantage + scale * (total - surrogate), sample)[..., 0]
    score = (weight - scale * each) * log_prob_each(logits, sample)
    path = sum_variables(score, losses) + scale * _sum(others * probs, losses)
    return carry(losses, path).mean(0)


def _draw_several(
    logits: torch.Tensor, generator: torch.Generator | None, num_samples: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return checked logits with a leading axis of samples, and the samples."""
    logits = check_arguments(logits, generator)
    logits = repeat(logits, check_count(num_samples, "num_samples", 2))
    return logits, draw(logits, generator)


def _sum(values: torch.Tensor, losses: torch.Tensor) -> torch.Tensor:
    """Sum over categories and variables, to the shape of the losses."""
    return sum_variables(values.sum(-1), losses)


def _others(values: torch.Tensor) -> torch.Tensor:
    """Return the mean over all other samples, along the first axis."""
    return (values.sum(0) - values) / (values.shape[0] - 1)
