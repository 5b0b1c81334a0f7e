r"""Pathwise estimators through a relaxation: a hard or soft sample forward, a soft derivative backward."""

from typing import Any

import torch

from gumbel_tutorial import concrete, nn, noise
from gumbel_tutorial.arrays import widen
from gumbel_tutorial.checks import (
    check_broadcasts_to,
    check_category_axis,
    check_positive,
)
from gumbel_tutorial.estimators.protocol import (
    Losses,
    check_arguments,
    check_divisor,
    check_tensor,
    draw,
    evaluate,
    log_prob_each,
)
from gumbel_tutorial.nn.hard import carry
from gumbel_tutorial.nn.samplers import gapped_path


def straight_through(
    f: Losses,
    logits: torch.Tensor,
    *,
    generator: torch.Generator | None = None,
    temperature: Any = 1.0,
) -> torch.Tensor:
    r"""Estimate by $J(\pi_\tau)^\top\nabla f(z)$: the derivative of the probabilities for that of the sample.

    $\pi_\tau = \mathrm{softmax}(\ell/\tau)$, $J(\pi) = \frac1\tau(\mathrm{diag}(\pi) - \pi\pi^\top)$ and
    $z \sim \mathrm{softmax}(\ell)$.
    Source: Hinton (2012), lecture 15b; Bengio, Léonard and Courville (2013), section 4: both pass the
    derivative on as if the threshold were the identity; the Jacobian of softmax is the form for categories.
    Biased; exact for linear f at temperature 1. Cost: one evaluation of f and of its derivative.

    Args:
        f: samples ``(..., K)`` to losses, differentiable.
        logits: shape ``(..., K)``.
        generator: draws the sample.
        temperature: $\tau > 0$ of the backward pass.

    Returns:
        Losses of the batch shape.

    Examples:
        >>> logits = torch.tensor([6.0, 3.0, 1.0]).log().requires_grad_()
        >>> straight_through(lambda z: z @ torch.arange(3.0), logits).backward()
        >>> logits.grad  # exact, since f is linear
        tensor([-0.3000,  0.1500,  0.1500])
    """
    logits = check_arguments(logits, generator)
    check_divisor(temperature, logits)
    soft = concrete.soften(logits, temperature)
    return evaluate(f, carry(draw(logits, generator), soft))


def slope_annealed(
    f: Losses,
    logits: torch.Tensor,
    *,
    generator: torch.Generator | None = None,
    slope: float = 1.0,
) -> torch.Tensor:
    r"""Estimate as :func:`straight_through` with the backward pass through $\mathrm{softmax}(s\,\ell)$.

    z is drawn from $\mathrm{softmax}(\ell)$ whatever s, so that the objective is that of all estimators,
    and a larger s sharpens the backward pass alone, which adds bias. Chung, Ahn and Bengio let s grow
    during training and sharpen both passes: multiply the logits by s for that.
    Source: Chung, Ahn and Bengio (2017), section 3.2.
    Biased; exact for linear f at slope 1. Cost: one evaluation of f and of its derivative.

    Args:
        f: samples ``(..., K)`` to losses, differentiable.
        logits: shape ``(..., K)``.
        generator: draws the sample.
        slope: s > 0.

    Returns:
        Losses of the batch shape.

    Examples:
        >>> logits = torch.tensor([6.0, 3.0, 1.0]).log().requires_grad_()
        >>> slope_annealed(lambda z: z @ torch.arange(3.0), logits, slope=2.0).backward()
        >>> logits.grad  # sharper than the exact one
        tensor([-0.3743,  0.2977,  0.0766])
    """
    check_positive(slope, "slope")
    return straight_through(f, logits, generator=generator, temperature=1.0 / slope)


def darn(
    f: Losses,
    logits: torch.Tensor,
    *,
    generator: torch.Generator | None = None,
    reference: torch.Tensor | float | None = None,
) -> torch.Tensor:
    r"""Estimate by $\nabla f(z)^\top(z - \bar z)\,\nabla\log p(z)$, a baseline without its correction.

    For each variable f is expanded about the sample, to first order, toward a reference point $\bar z$; an
    expansion about $\bar z$, whose slope is taken there, is another estimator, which
    :func:`~gumbel_tutorial.estimators.control_variates.muprop` corrects.
    Source: Gregor et al. (2014), section 3, with $\bar z = \frac12$ for bits; Shekhovtsov (2023) with the
    class probabilities, the default here. Biased; with the centre as reference exact for quadratics
    of bits. Cost: one evaluation of f and of its derivative.

    Args:
        f: samples ``(..., K)`` to losses, differentiable.
        logits: shape ``(..., K)``.
        generator: draws the sample.
        reference: $\bar z$, broadcastable to ``logits``, or a number for all its entries; None takes
            $\mathrm{softmax}(\ell)$.

    Returns:
        Losses of the batch shape.

    Examples:
        >>> logits = torch.zeros(2, requires_grad=True)
        >>> darn(lambda z: z[..., 1], logits, reference=0.5).backward()
        >>> logits.grad  # exact, since f is linear and the bit is fair
        tensor([-0.2500,  0.2500])
    """
    logits = check_arguments(logits, generator)
    if isinstance(reference, torch.Tensor):
        check_broadcasts_to(reference, "reference", logits)
    sample = draw(logits, generator)
    centre = logits.softmax(-1) if reference is None else reference
    step = (sample - centre).detach()
    return evaluate(f, carry(sample, step * log_prob_each(logits, sample)[..., None]))


def gumbel_softmax(
    f: Losses,
    logits: torch.Tensor,
    *,
    generator: torch.Generator | None = None,
    temperature: Any = 1.0,
) -> torch.Tensor:
    r"""Estimate by the pathwise gradient of $f(y)$, $y = \mathrm{softmax}((\ell + G)/\tau)$.

    Source: Jang, Gu and Poole (2017), equation 2; Maddison, Mnih and Teh (2017).
    Biased; the bias vanishes as $\tau\to0$ for continuous f, while the variance grows as $1/\tau$. Cost: one
    evaluation of f, at a relaxed sample, and of its derivative.

    Args:
        f: relaxed samples ``(..., K)`` to losses, differentiable.
        logits: shape ``(..., K)``.
        generator: draws the noise.
        temperature: $\tau > 0$.

    Returns:
        Losses at relaxed samples, of the batch shape.

    Examples:
        >>> generator = torch.Generator().manual_seed(0)
        >>> gumbel_softmax(lambda y: y.square().sum(-1), torch.zeros(3), generator=generator)
        tensor(0.4563)
    """
    return evaluate(f, _relaxed(logits, temperature, generator, hard=False))


def straight_through_gumbel_softmax(
    f: Losses,
    logits: torch.Tensor,
    *,
    generator: torch.Generator | None = None,
    temperature: Any = 1.0,
) -> torch.Tensor:
    r"""Estimate by $J_\tau(y)^\top\nabla f(z)$, z the one-hot vector of the relaxed sample y.

    Source: Jang, Gu and Poole (2017), section 2.2.
    Biased, also as $\tau\to0$, where its mean is that of ZGR. Cost: one evaluation of f and of its
    derivative.

    Args:
        f: samples ``(..., K)`` to losses, differentiable.
        logits: shape ``(..., K)``.
        generator: draws the noise.
        temperature: $\tau > 0$.

    Returns:
        Losses of the batch shape.

    Examples:
        >>> straight_through_gumbel_softmax(lambda z: z.max(-1).values, torch.zeros(3)).item()
        1.0
    """
    return evaluate(f, _relaxed(logits, temperature, generator, hard=True))


def _relaxed(
    logits: torch.Tensor,
    temperature: Any,
    generator: torch.Generator | None,
    *,
    hard: bool,
) -> torch.Tensor:
    """Return the relaxed sample in float32 at least, in hard form its corner."""
    # What else can be wrong with the logits is refused by the call itself.
    check_tensor(logits)
    check_category_axis(logits, "logits")
    check_divisor(temperature, logits)
    return nn.gumbel_softmax(widen(logits), temperature, hard, generator=generator)


def decoupled_straight_through(
    f: Losses,
    logits: torch.Tensor,
    *,
    generator: torch.Generator | None = None,
    forward_temperature: Any = 0.3,
    temperature: Any = 1.0,
) -> torch.Tensor:
    r"""Estimate with the relaxed sample at one temperature forward and at another backward.

    $J_{\tau_b}(y_b)^\top\nabla f(y_f)$ on the same noise. Source: Shah et al. (2024), arXiv:2410.13331.
    Biased. Cost: one evaluation of f, at a relaxed sample, and of its derivative.

    Args:
        f: relaxed samples ``(..., K)`` to losses, differentiable.
        logits: shape ``(..., K)``.
        generator: draws the noise.
        forward_temperature: $\tau_f > 0$.
        temperature: $\tau_b > 0$ of the backward pass.

    Returns:
        Losses at relaxed samples, of the batch shape.

    Examples:
        >>> generator = torch.Generator().manual_seed(0)
        >>> decoupled_straight_through(lambda y: y.square().sum(-1), torch.zeros(3), generator=generator)
        tensor(0.8313)
    """
    logits = check_arguments(logits, generator)
    check_divisor(forward_temperature, logits, "forward_temperature")
    check_divisor(temperature, logits)
    gumbels = noise.gumbel_like(logits, generator=generator)
    perturbed = logits + gumbels
    forward = concrete.soften(perturbed.detach(), forward_temperature)
    return evaluate(f, carry(forward, concrete.soften(perturbed, temperature)))


def gapped_straight_through(
    f: Losses,
    logits: torch.Tensor,
    *,
    generator: torch.Generator | None = None,
    temperature: Any = 1.0,
    gap: float = 1.0,
) -> torch.Tensor:
    r"""Estimate as :func:`straight_through_gumbel_softmax` with the noise replaced by a fixed displacement.

    The drawn category is raised to the largest logit, and every other logit is lowered until it lies
    at least ``gap`` below: $y = \mathrm{softmax}((\ell + m_1 - m_2)/\tau)$ with
    $m_1 = (\max\ell - \ell_z)\,z$ and $m_2 = (\ell + g - \max\ell)_+ (1 - z)$, through which no derivative
    flows.
    Source: Fan et al. (2022), section 4.
    Biased. Cost: one evaluation of f and of its derivative.

    Args:
        f: samples ``(..., K)`` to losses, differentiable.
        logits: shape ``(..., K)``.
        generator: draws the sample.
        temperature: $\tau > 0$.
        gap: g > 0.

    Returns:
        Losses of the batch shape.

    Examples:
        >>> gapped_straight_through(lambda z: z.max(-1).values, torch.zeros(3)).item()
        1.0
    """
    logits = check_arguments(logits, generator)
    check_divisor(temperature, logits)
    check_positive(gap, "gap")
    sample = draw(logits, generator)
    return evaluate(f, carry(sample, gapped_path(logits, sample, temperature, gap)))
