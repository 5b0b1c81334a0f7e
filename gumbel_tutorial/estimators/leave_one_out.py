r"""Leave-one-out with slopes: double control variates and discrete Stein operators.

Both take a linear function of each sample, its slope that of f at the other samples, for a further control
variate whose mean is known, so that f is evaluated at the samples alone.
"""

from typing import Any

import torch

from gumbel_tutorial.checks import check_broadcasts_to, check_count
from gumbel_tutorial.estimators.protocol import (
    Losses,
    along,
    check_arguments,
    draw,
    evaluate,
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
    scale: Any = 0.5,
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
        scale: $\eta$, a number or a tensor that broadcasts to the losses; one that requires a gradient gets
            that of the estimator's variance, so that an optimiser learns it.

    Returns:
        Mean losses of the batch shape.

    Raises:
        ValueError: as every estimator; ``num_samples`` below 2.

    Examples:
        >>> logits = torch.tensor([6.0, 3.0, 1.0]).log().requires_grad_()
        >>> double_control_variates(lambda z: z @ torch.arange(3.0), logits, scale=1.0).backward()
        >>> logits.grad  # without variance, since f is linear
        tensor([-0.3000,  0.1500,  0.1500])
    """
    logits, sample = _draw_several(logits, generator, num_samples)
    if not torch.is_grad_enabled():
        return evaluate(f, sample, several=True).mean(0)
    losses, slope = losses_with_slope(f, sample, several=True)
    probs = logits.detach().softmax(-1)
    step, others = sample - probs, _others(slope)
    control = _sum(others * step, losses)
    fixed = _less_others(losses.detach())
    moved = -per_variable(_less_others(control), sample)
    added = moved * step + _through(probs, slope)
    return _combine(losses, per_variable(fixed, sample) * step, added, scale, logits)


def rodeo(
    f: Losses,
    logits: torch.Tensor,
    *,
    generator: torch.Generator | None = None,
    num_samples: int = 2,
    scale: Any = 0.5,
) -> torch.Tensor:
    r"""Estimate by RLOO with control variates of mean zero, made by Gibbs' Stein operator.

    For each variable m, $(A_mh)(z) = \mathbb E_{y_m\sim\pi_m}h(z_{-m}, y_m) - h(z)$ has mean 0 whatever h.
    With $h_i(y) = \frac1{n-1}\sum_{j\ne i}\nabla f(z_j)\cdot(y - z_j)$ the estimate is
    $\frac1n\sum_i\big[(f(z_i) - b_i)\nabla\log p(z_i) + s\sum_mA_m(h_i\nabla\log p)(z_i)\big]$ with
    $b_i = \frac1{n-1}\sum_{j\ne i}\big(f(z_j) + (1 - s)\sum_mA_mh_j(z_j)\big)$, in closed form since h is
    linear. Where f is linear nothing of the other samples is left whatever s, at s = 1/2 nothing of the
    other variables, and with one variable at s = 1 no variance at all.
    Source: Shi et al. (2022), RODEO for bits with the average over m of Gibbs' operators; there a network
    that is learned by the variance takes h for its input, and the two factors are learned too.
    Unbiased for every s, and like double control variates at the mercy of the slopes: a smaller s is for f
    that is far from linear. Cost: n evaluations of f and of its derivative.

    Args:
        f: samples ``(n, ..., K)`` to losses ``(n, ...)``, differentiable.
        logits: shape ``(..., K)``.
        generator: draws the samples.
        num_samples: n, at least 2.
        scale: s, a number or a tensor that broadcasts to the losses; one that requires a gradient gets
            that of the estimator's variance, so that an optimiser learns it.

    Returns:
        Mean losses of the batch shape.

    Raises:
        ValueError: as every estimator; ``num_samples`` below 2.

    Examples:
        >>> logits = torch.tensor([6.0, 3.0, 1.0]).log().requires_grad_()
        >>> rodeo(lambda z: z @ torch.arange(3.0), logits, scale=1.0).backward()
        >>> logits.grad  # without variance, since f is linear
        tensor([-0.3000,  0.1500,  0.1500])
    """
    logits, sample = _draw_several(logits, generator, num_samples)
    if not torch.is_grad_enabled():
        return evaluate(f, sample, several=True).mean(0)
    losses, slope = losses_with_slope(f, sample, several=True)
    probs = logits.detach().softmax(-1)
    step, others = sample - probs, _others(slope)
    # A_m h, its sum, and h, of each sample.
    each = -(others * step).sum(-1, keepdim=True)
    total = sum_variables(each[..., 0], losses)
    surrogate = _sum(others * sample, losses) - _others(_sum(slope * sample, losses))
    fixed = losses.detach() - _others(losses.detach() + total)
    # A_m (h grad log p) is that of h for variable m, and A_m h by a factor that stays for every other.
    moved = per_variable(_others(total) + total - surrogate, sample) - each
    added = moved * step + _through(probs, others)
    return _combine(losses, per_variable(fixed, sample) * step, added, scale, logits)


def _draw_several(
    logits: torch.Tensor, generator: torch.Generator | None, num_samples: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return checked logits with a leading axis of samples, and the samples."""
    logits = check_arguments(logits, generator)
    logits = repeat(logits, check_count(num_samples, "num_samples", 2))
    return logits, draw(logits, generator)


def _combine(
    losses: torch.Tensor,
    fixed: torch.Tensor,
    added: torch.Tensor,
    scale: Any,
    logits: torch.Tensor,
) -> torch.Tensor:
    """Return mean losses with the gradient fixed + scale * added, and that of its square in the scale.

    The mean does not depend on the scale, so that is the gradient of the variance.
    """
    loss, logits = losses.mean(0), logits[0]
    fixed, added = fixed.mean(0), added.mean(0)
    if not isinstance(scale, torch.Tensor):
        return carry(loss, along(fixed + scale * added, logits, loss))
    check_broadcasts_to(scale, "scale", loss)
    factor = per_variable(scale.detach().expand_as(loss), logits)
    drawn = fixed + factor * added
    loss = carry(loss, along(drawn, logits, loss))
    steepness = 2 * _sum(drawn * added, loss) / max(loss.numel(), 1)
    return carry(loss, (scale * steepness).sum().expand_as(loss))


def _through(probs: torch.Tensor, slope: torch.Tensor) -> torch.Tensor:
    """Return the Jacobian of softmax times a slope."""
    return probs * (slope - (probs * slope).sum(-1, keepdim=True))


def _less_others(values: torch.Tensor) -> torch.Tensor:
    return values - _others(values)


def _sum(values: torch.Tensor, losses: torch.Tensor) -> torch.Tensor:
    """Sum over categories and variables, to the shape of the losses."""
    return sum_variables(values.sum(-1), losses)


def _others(values: torch.Tensor) -> torch.Tensor:
    """Return the mean over all other samples, along the first axis."""
    return (values.sum(0) - values) / (values.shape[0] - 1)
