r"""ReDGE and ReinDGE: a few steps of denoising in the place of Gumbel noise.

A one-hot vector z with Gaussian noise, $x_t = \alpha_tz + \sigma_t\varepsilon$, has the posterior
$\mathrm{softmax}(\ell + \alpha_tx_t/\sigma_t^2)$. DDIM walks from pure noise down to $x_1$ along these
posterior means, and the sample is drawn from the last posterior.
"""

from itertools import pairwise

import torch

from gumbel_tutorial import noise
from gumbel_tutorial.checks import check_count, refuse
from gumbel_tutorial.estimators.protocol import (
    Losses,
    check_arguments,
    draw,
    evaluate,
    log_prob_each,
)
from gumbel_tutorial.nn.hard import carry

# What is left of the one-hot vector in the first point of the walk.
_LEAST_ALPHA = 1e-4


def redge(
    f: Losses,
    logits: torch.Tensor,
    *,
    generator: torch.Generator | None = None,
    num_steps: int = 4,
    last_time: float = 0.5,
    hard: bool = True,
) -> torch.Tensor:
    r"""Estimate by the derivative of the last posterior, through all steps of the walk.

    z is drawn from $q = \mathrm{softmax}(\ell + \alpha_1x_1/\sigma_1^2)$, with $\sigma_t = 1 - \alpha_t$, and
    carries the derivative of q. Its law is not $\mathrm{softmax}(\ell)$: q has that for its mean only where
    $x_1$ has the law of a noisy one-hot vector, and a walk of finitely many steps of DDIM only comes near
    it. So the expectation that is descended is another one, however many estimates are averaged. Without
    ``hard`` the sample is q itself, a point inside the simplex, and the estimate its plain derivative.
    Source: Gourevitch et al. (2026), with the schedule of their package redge 0.1.0.
    Biased. With one step and $t_1 = 1$ it is straight-through. Cost: one evaluation of f and of its
    derivative, and as many softmaxes as steps.

    Args:
        f: samples ``(..., K)`` to losses, differentiable.
        logits: shape ``(..., K)``.
        generator: draws the Gaussian noise, then the sample.
        num_steps: how many posteriors, at least 1; the authors' count is one more.
        last_time: $t_1 = 1 - \alpha_1$ in (0, 1].
        hard: whether f sees a one-hot sample, and not q.

    Returns:
        Losses of the batch shape.

    Raises:
        ValueError: as every estimator; ``num_steps`` below 1; a ``last_time`` outside (0, 1].

    Examples:
        >>> redge(lambda z: z.max(-1).values, torch.zeros(3)).item()
        1.0
    """
    logits = check_arguments(logits, generator)
    tilt = _walk(logits, generator, num_steps, last_time)
    posterior = logits + tilt
    soft = posterior.softmax(-1)
    return evaluate(f, carry(draw(posterior, generator), soft) if hard else soft)


def reindge(
    f: Losses,
    logits: torch.Tensor,
    *,
    generator: torch.Generator | None = None,
    num_steps: int = 4,
    last_time: float = 0.5,
) -> torch.Tensor:
    r"""Estimate as :func:`redge` with ReinMax for what the last posterior takes from the logits directly.

    $\frac12\big(J(q)g + (z - q)(z - q)^\top g\big)$ with $g = \nabla f(z)$ in the place of $J(q)g$, which
    stays for the derivative through $x_1$.
    Source: Gourevitch et al. (2026), as their package redge 0.1.0 computes it.
    Biased, and z has the law of :func:`redge`, not $\mathrm{softmax}(\ell)$. With one step and $t_1 = 1$ it
    is ReinMax. Cost: one evaluation of f and of its derivative, and as many softmaxes as steps.

    Args:
        f: samples ``(..., K)`` to losses, differentiable.
        logits: shape ``(..., K)``.
        generator: draws the Gaussian noise, then the sample.
        num_steps: how many posteriors, at least 1.
        last_time: $t_1$ in (0, 1].

    Returns:
        Losses of the batch shape.

    Raises:
        ValueError: as :func:`redge`.

    Examples:
        >>> reindge(lambda z: z.max(-1).values, torch.zeros(3)).item()
        1.0
    """
    logits = check_arguments(logits, generator)
    tilt = _walk(logits, generator, num_steps, last_time)
    sample = draw(logits + tilt, generator)
    direct = logits + tilt.detach()
    probs = direct.softmax(-1)
    score = log_prob_each(direct, sample)[..., None]
    second_order = (probs + (sample - probs).detach() * score) / 2
    through_noise = (logits.detach() + tilt).softmax(-1)
    return evaluate(f, carry(sample, second_order + through_noise))


def _walk(
    logits: torch.Tensor,
    generator: torch.Generator | None,
    num_steps: int,
    last_time: float,
) -> torch.Tensor:
    r"""Return $\alpha_1x_1/\sigma_1^2$, which tilts the last posterior."""
    alphas = _alphas(num_steps, last_time)
    noisy = noise.normal_like(logits, generator=generator)
    for alpha, following in pairwise(alphas):
        mean = (logits + alpha * noisy / (1 - alpha) ** 2).softmax(-1)
        error = (noisy - alpha * mean) / (1 - alpha)
        noisy = following * mean + (1 - following) * error
    return alphas[-1] * noisy / (1 - alphas[-1]) ** 2


def _alphas(num_steps: int, last_time: float) -> list[float]:
    """Return what is left of the one-hot vector at each point of the walk, the noisiest first."""
    steps = check_count(num_steps, "num_steps", 1)
    if not 0 < last_time <= 1:
        refuse("last_time", "lie in (0, 1]", last_time)
    last = 1 - last_time
    shares = [i / max(steps - 1, 1) for i in range(steps)]
    return [last + share * (_LEAST_ALPHA - last) for share in reversed(shares)]
