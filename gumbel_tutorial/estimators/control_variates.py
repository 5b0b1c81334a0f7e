r"""Unbiased estimators with a control variate whose mean's gradient is added back: MuProp, REBAR, RELAX.

The control variates look at f, or at a learned function, in the inside of the simplex. What they
look at there reaches the logits, and what is learned of the control variate, never the rest of what f
closes over.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch

from gumbel_tutorial import gumbel_max, noise
from gumbel_tutorial.arrays import below_largest
from gumbel_tutorial.checks import (
    check_broadcasts_to,
    check_finite,
    check_temperature,
)
from gumbel_tutorial.estimators.protocol import (
    Losses,
    along,
    as_one_hot,
    carry,
    check_arguments,
    derivative,
    draw,
    evaluate,
    log_prob,
    per_variable,
    slope_at,
    soften,
    sum_variables,
)


def muprop(
    f: Losses,
    logits: torch.Tensor,
    *,
    generator: torch.Generator,
    baseline: float | torch.Tensor = 0.0,
) -> torch.Tensor:
    r"""Estimate with the expansion of f at the mean $\pi$ for the control variate.

    $\big(f(z) - f(\pi) - \nabla f(\pi)^\top(z - \pi) - b\big)\nabla\log p(z) + J(\pi)^\top\nabla f(\pi)$,
    the last term the exact gradient of the expansion's mean.
    Source: Gu et al. (2016), equation 4.
    Unbiased. Cost: two evaluations of f and one of its derivative, at $\pi$.

    Args:
        f: one-hot or mean samples ``(..., K)`` to losses, differentiable.
        logits: shape ``(..., K)``.
        generator: draws the sample.
        baseline: b, a further baseline that must not depend on z.

    Returns:
        Losses of the batch shape.
    """
    logits = check_arguments(logits, generator)
    sample = draw(logits, generator)
    losses, probs = evaluate(f, sample), logits.softmax(-1)
    if isinstance(baseline, torch.Tensor):
        check_broadcasts_to(baseline, "baseline", losses)
    if not torch.is_grad_enabled():
        return losses
    at_mean, slope = slope_at(f, probs)
    expansion = at_mean + sum_variables((slope * (sample - probs)).sum(-1), losses)
    advantage = (losses - expansion - baseline).detach()
    mean_path = sum_variables((slope * probs).sum(-1), losses)
    return carry(losses, advantage * log_prob(logits, sample, losses) + mean_path)


def rebar(
    f: Losses,
    logits: torch.Tensor,
    *,
    generator: torch.Generator,
    temperature: Any = 0.5,
    scale: Any = 1.0,
) -> torch.Tensor:
    r"""Estimate with f at a relaxed sample for the control variate.

    $(f(z) - c(\tilde x))\nabla\log p(z) + \nabla c(x) - \nabla c(\tilde x)$ with
    $c(x) = \eta\,f(\mathrm{softmax}(x/\tau))$, perturbed logits $x = \ell + G$, their winner z, and
    $\tilde x$ drawn given z, through which the derivative does flow.
    Source: Tucker et al. (2017), equation 8.
    Unbiased for every $\tau$ and $\eta$; at $\eta = 0$ it is REINFORCE. Cost: three evaluations of f and two
    of its derivative.

    Args:
        f: one-hot or relaxed samples ``(..., K)`` to losses, differentiable.
        logits: shape ``(..., K)``.
        generator: draws the noise.
        temperature: $\tau > 0$. A tensor that requires a gradient gets that of the estimator's variance,
            so that an optimiser learns it; take the exponential of a free parameter.
        scale: $\eta$, a number or a tensor, learned in the same way.

    Returns:
        Losses of the batch shape.
    """
    logits = check_arguments(logits, generator)
    check_temperature(temperature, logits)

    def control(perturbed: torch.Tensor) -> torch.Tensor:
        losses = evaluate(f, soften(perturbed, temperature))
        if isinstance(scale, torch.Tensor):
            check_broadcasts_to(scale, "scale", losses)
        return scale * losses

    learned = _learned([temperature, scale])
    return _relax(f, control, logits, generator, learned, name="f")


def relax(
    f: Losses,
    logits: torch.Tensor,
    *,
    generator: torch.Generator,
    control: Callable[[torch.Tensor], torch.Tensor],
    parameters: Iterable[torch.Tensor] | None = None,
) -> torch.Tensor:
    r"""Estimate as :func:`rebar` with a free control variate c of the perturbed logits.

    Source: Grathwohl et al. (2018), equation 7; f may be a black box.
    Unbiased for every smooth c. Cost: one evaluation of f, no derivative; two of c and of its
    derivative.

    Args:
        f: samples ``(..., K)`` to losses.
        logits: shape ``(..., K)``.
        generator: draws the noise.
        control: c, perturbed logits ``(..., K)`` to values of the shape of the losses, differentiable;
            excluded categories reach it as -inf.
        parameters: those of c that are learned; they get the gradient of the estimator's variance, on
            top of what they get from f if it shares them. None takes those of a ``torch.nn.Module``.

    Returns:
        Losses of the batch shape.

    Raises:
        TypeError, ValueError: as every estimator; values of another shape than the losses, or without
            a finite derivative.
    """
    logits = check_arguments(logits, generator)
    if parameters is None:
        parameters = (
            control.parameters() if isinstance(control, torch.nn.Module) else []
        )
    learned = _learned(parameters)
    return _relax(f, control, logits, generator, learned, name="control")


def _learned(values: Iterable[Any]) -> list[torch.Tensor]:
    return [v for v in values if isinstance(v, torch.Tensor) and v.requires_grad]


def _relax(
    f: Losses,
    control: Losses,
    logits: torch.Tensor,
    generator: torch.Generator,
    learned: list[torch.Tensor],
    name: str,
) -> torch.Tensor:
    fixed = below_largest(logits.detach())
    gumbels = noise.gumbel_like(fixed, generator=generator)
    free = noise.gumbel_like(fixed, generator=generator)
    index = (fixed + gumbels).argmax(-1)
    sample = as_one_hot(index, fixed)
    losses = evaluate(f, sample)
    if not torch.is_grad_enabled():
        return losses
    with torch.enable_grad():
        leaf = fixed.clone().requires_grad_()
        given = leaf + gumbel_max.noise_given_index(leaf, index, free)
        at_free, at_given = control(leaf + gumbels), control(given)
        if at_free.shape != losses.shape:
            shapes = f"shape {tuple(losses.shape)}, got shape {tuple(at_free.shape)}"
            raise ValueError(f"{name} must return values of {shapes}")
        path = derivative(at_free - at_given, leaf, name, keep=bool(learned))
        check_finite(path, f"the derivative of {name}")
        advantage = per_variable(losses.detach() - at_given, logits)
        estimate = advantage * (sample - fixed.softmax(-1)) + path
    loss = carry(losses, along(estimate, logits, losses))
    return _attach_variance(loss, estimate, learned)


def _attach_variance(
    loss: torch.Tensor, estimate: torch.Tensor, learned: list[torch.Tensor]
) -> torch.Tensor:
    r"""Give the learned parameters the gradient of $\lVert\hat g\rVert^2$, and nothing else of it to anybody.

    The estimate's mean does not depend on them, so this is the gradient of its variance.
    """
    if not learned:
        return loss
    squared = estimate.square().sum() / max(loss.numel(), 1)
    slopes = torch.autograd.grad(squared, learned, allow_unused=True)
    for parameter, slope in zip(learned, slopes, strict=True):
        if slope is not None:
            path = (parameter * slope).sum().to(loss)
            loss = carry(loss, path.expand_as(loss))
    return loss
