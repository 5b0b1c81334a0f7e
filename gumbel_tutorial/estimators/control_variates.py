r"""Unbiased estimators with a control variate whose mean's gradient is added back: MuProp, REBAR, RELAX.

The control variates look at f, or at a learned function, in the inside of the simplex. What they
look at there reaches the logits, and what is learned of the control variate, never the rest of what f
closes over.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch

from gumbel_tutorial import concrete, gumbel_max, noise
from gumbel_tutorial.checks import check_broadcasts_to, check_finite, refuse
from gumbel_tutorial.estimators.protocol import (
    Losses,
    along,
    check_arguments,
    check_divisor,
    differentiate,
    draw,
    draw_with_noise,
    evaluate,
    log_prob,
    per_variable,
    refuses_leaves,
    slope_at,
    sum_variables,
)
from gumbel_tutorial.nn.hard import carry

# A control variate of the perturbed logits, given the values of what is learned of it.
Control = Callable[[torch.Tensor, Sequence[Any]], torch.Tensor]


def muprop(
    f: Losses,
    logits: torch.Tensor,
    *,
    generator: torch.Generator | None = None,
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

    Examples:
        >>> logits = torch.tensor([6.0, 3.0, 1.0]).log().requires_grad_()
        >>> muprop(lambda z: z @ torch.arange(3.0), logits).backward()
        >>> logits.grad  # without variance, since f is linear
        tensor([-0.3000,  0.1500,  0.1500])
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
    generator: torch.Generator | None = None,
    temperature: Any = 0.5,
    scale: Any = 1.0,
) -> torch.Tensor:
    r"""Estimate with f at a relaxed sample for the control variate.

    $(f(z) - c(\tilde x))\nabla\log p(z) + \nabla c(x) - \nabla c(\tilde x)$ with
    $c(x) = \eta\,f(\mathrm{softmax}(x/\tau))$, perturbed logits $x = \ell + G$, their winner z, and
    $\tilde x$ drawn given z, through which the derivative does flow. Its noise is drawn anew here; the
    authors' code ties it to that of x, which leaves the mean as it is.
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

    Examples:
        >>> logits, tau = torch.zeros(5, 3), torch.tensor(0.5, requires_grad=True)
        >>> loss = rebar(lambda z: z[..., 0] ** 2, logits, temperature=tau)
        >>> loss.mean().backward()  # lowers the variance in tau
        >>> tau.grad is None
        False
    """
    logits = check_arguments(logits, generator)
    check_divisor(temperature, logits)

    def control(perturbed: torch.Tensor, learned: Sequence[Any]) -> torch.Tensor:
        tau, eta = learned
        losses = evaluate(f, concrete.soften(perturbed, tau))
        if isinstance(eta, torch.Tensor):
            check_broadcasts_to(eta, "scale", losses)
        return eta * losses

    return _relax(f, control, logits, generator, [temperature, scale], name="f")


def relax(
    f: Losses,
    logits: torch.Tensor,
    *,
    generator: torch.Generator | None = None,
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
            top of what they get from f if it shares them. None takes those of a ``torch.nn.Module``, which
            alone will do under torch.func and torch.compile.

    Returns:
        Losses of the batch shape.

    Raises:
        TypeError, ValueError: as every estimator; values of another shape than the losses, or without
            a finite derivative.

    Examples:
        >>> def control(x):
        ...     return x.softmax(-1)[..., 0]
        >>> relax(lambda z: (z[..., 0] > 0).float(), torch.zeros(5, 3), control=control).shape
        torch.Size([5])
    """
    logits = check_arguments(logits, generator)
    if parameters is None and isinstance(control, torch.nn.Module):
        learned: list[torch.Tensor] = list(control.parameters())
        call = _call_module(control)
    else:
        learned = list(parameters or [])
        call = _call_plainly(control, learned)
    return _relax(f, call, logits, generator, learned, name="control")


def _call_module(module: torch.nn.Module) -> Control:
    names = [name for name, _ in module.named_parameters()]

    def call(perturbed: torch.Tensor, learned: Sequence[Any]) -> torch.Tensor:
        if not refuses_leaves():
            return module(perturbed)
        values = dict(zip(names, learned, strict=True))
        return torch.func.functional_call(module, values, (perturbed,))

    return call


def _call_plainly(control: Losses, learned: Sequence[torch.Tensor]) -> Control:
    if any(map(_is_learned, learned)) and refuses_leaves():
        requirement = (
            "be None, and control a torch.nn.Module, under torch.func and torch.compile"
        )
        refuse("parameters", requirement, f"{len(learned)} tensors")
    return lambda perturbed, _: control(perturbed)


def _is_learned(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.requires_grad


def _relax(
    f: Losses,
    control: Control,
    logits: torch.Tensor,
    generator: torch.Generator | None,
    options: list[Any],
    name: str,
) -> torch.Tensor:
    fixed = logits.detach()
    sample, gumbels = draw_with_noise(fixed, generator)
    free = noise.gumbel_like(fixed, generator=generator)
    losses = evaluate(f, sample)
    if not torch.is_grad_enabled():
        return losses
    index, score = sample.argmax(-1), sample - fixed.softmax(-1)

    def estimate(options: Sequence[Any], *, keep: bool = False) -> torch.Tensor:
        def difference(leaf: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            given = leaf + gumbel_max.condition(leaf, index, free)
            at_free, at_given = (control(x, options) for x in (leaf + gumbels, given))
            if at_free.shape != losses.shape:
                requirement = f"return values of shape {tuple(losses.shape)}"
                refuse(name, requirement, f"shape {tuple(at_free.shape)}")
            return at_free - at_given, at_given

        at_given, path = differentiate(difference, fixed, name, keep=keep)
        check_finite(path, f"the derivative of {name}")
        return per_variable(losses.detach() - at_given, logits) * score + path

    drawn, slopes = _with_slopes_of_variance(estimate, options, losses)
    loss = carry(losses, along(drawn, logits, losses))
    for parameter, slope in slopes:
        path = (parameter * slope.detach()).sum().to(loss)
        loss = carry(loss, path.expand_as(loss))
    return loss


def _with_slopes_of_variance(
    estimate: Callable[..., torch.Tensor], options: list[Any], losses: torch.Tensor
) -> tuple[torch.Tensor, list[tuple[torch.Tensor, torch.Tensor]]]:
    r"""Return the estimate, and what is learned with its gradient of $\lVert\hat g\rVert^2$.

    The estimate's mean does not depend on what is learned, so this is the gradient of its variance.
    """
    learned = [value for value in options if _is_learned(value)]
    if not learned:
        return estimate(options), []

    def squared(*values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        given = iter(values)
        used = [next(given) if _is_learned(value) else value for value in options]
        drawn = estimate(used, keep=True)
        return drawn.square().sum() / max(losses.numel(), 1), drawn

    if refuses_leaves():
        positions = tuple(range(len(learned)))
        slopes, drawn = torch.func.grad(squared, positions, has_aux=True)(*learned)
    else:
        with torch.enable_grad():
            size, drawn = squared(*learned)
            slopes = torch.autograd.grad(size, learned, allow_unused=True)
    pairs = zip(learned, slopes, strict=True)
    return drawn, [(value, slope) for value, slope in pairs if slope is not None]
