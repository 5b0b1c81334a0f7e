r"""What every estimator is made of.

An estimator is a function ``estimator(f, logits, *, generator, **options) -> loss``. ``logits`` has shape
``(..., K)``. ``f`` maps one-hot or relaxed samples of the shape of ``logits``, and of that shape with more
leading axes, to losses; the axes of ``logits`` that its losses lack are the variables and their
categories, the others are batch. The estimator's value is a loss of the batch shape; its backward pass
gives an estimate of $\nabla_\ell\,\mathbb E[f(z)]$ with $z_n \sim \mathrm{softmax}(\ell_n)$, and the ordinary
gradient of whatever else ``f`` closes over.
"""

from collections.abc import Callable
from typing import Any

import torch

from gumbel_tutorial import concrete, noise
from gumbel_tutorial.arrays import one_hot, perturb, widen
from gumbel_tutorial.checks import (
    check_broadcasts_to,
    check_floating,
    check_logits,
    check_temperature,
    check_torch_generator,
    smallest_divisor,
)

Losses = Callable[[torch.Tensor], torch.Tensor]
Estimator = Callable[..., torch.Tensor]


def check_arguments(logits: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Check what every estimator takes, and return the logits in float32 at least."""
    if not isinstance(logits, torch.Tensor):
        raise TypeError(f"logits must be a torch tensor, got {type(logits).__name__}")
    check_floating(logits, "logits")
    check_logits(logits)
    check_torch_generator(generator, logits.device)
    return widen(logits)


def evaluate(f: Losses, sample: torch.Tensor) -> torch.Tensor:
    """Return the losses of samples, in float32 at least, their shape checked.

    Differences of losses are what estimators live on, and half precision rounds them away.
    """
    losses = _call(f, sample)
    if losses.shape != sample.shape[: losses.ndim]:
        raise ValueError(
            "f must return losses of the leading shape of its samples, "
            f"{tuple(sample.shape)}, got shape {tuple(losses.shape)}"
        )
    return widen(losses) if losses.is_floating_point() else losses.to(sample.dtype)


def _call(f: Losses, sample: torch.Tensor) -> torch.Tensor:
    losses = f(sample)
    if not isinstance(losses, torch.Tensor):
        kind = type(losses).__name__
        raise TypeError(f"f must return a torch tensor of losses, got {kind}")
    return losses


def soften(logits: torch.Tensor, temperature: Any) -> torch.Tensor:
    r"""Return $\mathrm{softmax}(\ell/\tau)$, one temperature a row at most."""
    check_temperature(temperature, logits, least=smallest_divisor(logits))
    if isinstance(temperature, torch.Tensor):
        check_broadcasts_to(temperature, "temperature", logits)
    return concrete.scale(logits, temperature, axis=-1).softmax(-1)


def draw(logits: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return one-hot samples of the shape of the logits, by Gumbel-Max."""
    detached = logits.detach()
    gumbels = noise.gumbel_like(detached, generator=generator)
    return as_one_hot(perturb(detached, gumbels).argmax(-1), detached)


def as_one_hot(index: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """Return the one-hot vectors of indices, in the dtype of the logits."""
    return one_hot(index, logits.shape[-1], dtype=logits.dtype)


def repeat(logits: torch.Tensor, times: int) -> torch.Tensor:
    """Return the logits with a leading axis of independent samples."""
    return logits.expand(times, *logits.shape)


def batch_axes(f: Losses, logits: torch.Tensor) -> int:
    """Return how many leading axes of the logits are batch: those that the losses of f keep."""
    with torch.no_grad():
        try:
            # No sample at all tells the shape, and costs no evaluation.
            return _call(f, torch.zeros_like(repeat(logits, 0))).ndim - 1
        except RuntimeError:
            # A loss with a reshape to -1 needs one sample.
            return _call(f, as_one_hot(logits.argmax(-1), logits)).ndim


def sum_variables(values: torch.Tensor, losses: torch.Tensor) -> torch.Tensor:
    """Sum values of shape (batch, variables ...) over the variables, to the shape of the losses."""
    return values.flatten(losses.ndim).sum(-1) if values.ndim > losses.ndim else values


def log_prob_each(logits: torch.Tensor, sample: torch.Tensor) -> torch.Tensor:
    """Return the log-probability of each variable's sample, ``(..., K)`` to ``(...)``."""
    log_probs = logits.log_softmax(-1)
    # An excluded category has log-probability -inf and is never drawn: 0 * -inf is not meant.
    return torch.where(sample > 0, log_probs, torch.zeros_like(log_probs)).sum(-1)


def log_prob(
    logits: torch.Tensor, sample: torch.Tensor, losses: torch.Tensor
) -> torch.Tensor:
    """Return the log-probability of all variables together, in the shape of the losses."""
    return sum_variables(log_prob_each(logits, sample), losses)


def carry(value: torch.Tensor, path: torch.Tensor) -> torch.Tensor:
    """Return ``value``, with the derivative of ``path`` added to its own."""
    return value + (path - path.detach())


def per_variable(losses: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """Return losses with trailing axes of size one, to broadcast against the logits."""
    return losses.reshape(*losses.shape, *(1 for _ in range(logits.ndim - losses.ndim)))


def along(
    gradient: torch.Tensor, logits: torch.Tensor, losses: torch.Tensor
) -> torch.Tensor:
    """Return a path of the shape of the losses whose derivative in the logits is ``gradient``."""
    # An excluded category has gradient 0, and 0 * -inf is not meant.
    finite = torch.where(logits > -torch.inf, logits, torch.zeros_like(logits))
    return sum_variables((gradient.detach() * finite).sum(-1), losses)


def slope_at(f: Losses, sample: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return f at the sample and its gradient there, both cut off from everything else."""
    with torch.enable_grad():
        leaf = sample.detach().requires_grad_()
        losses = evaluate(f, leaf)
        slope = derivative(losses, leaf, "f")
    return losses.detach(), slope


def derivative(
    losses: torch.Tensor, leaf: torch.Tensor, name: str, *, keep: bool = False
) -> torch.Tensor:
    """Return the derivative of summed losses in a leaf; ``name`` is the function to blame for none."""
    if not losses.requires_grad:
        raise ValueError(
            f"{name} must be differentiable, got losses without a derivative"
        )
    (slope,) = torch.autograd.grad(losses.sum(), leaf, create_graph=keep)
    return slope
