"""Gumbel-Softmax in torch: one call, soft or straight-through."""

from typing import Any

import torch

from gumbel_tutorial import concrete, noise
from gumbel_tutorial.arrays import perturb, softmax, widen
from gumbel_tutorial.checks import (
    check_broadcasts_to,
    check_floating,
    check_logits,
    check_temperature,
    smallest_divisor,
)


def gumbel_softmax(
    logits: torch.Tensor,
    tau: float | torch.Tensor = 1,
    hard: bool = False,
    dim: int = -1,
    *,
    generator: torch.Generator | None = None,
    mask: torch.Tensor | None = None,
) -> torch.Tensor:
    r"""Draw a relaxed categorical sample, a drop-in for ``torch.nn.functional.gumbel_softmax``.

    Soft: $y = \mathrm{softmax}((\ell + G)/\tau)$. Hard: the one-hot vector of $\arg\max_i(\ell_i + G_i)$ in
    the forward pass, also where a high temperature rounds the entries of $y$ to ties, and the derivative
    of $y$ in the backward pass (straight-through; biased).
    Source: Jang, Gu and Poole (2017), equation 2 and section 2.2; Maddison, Mnih and Teh (2017).

    It works under autocast, ``torch.compile``, ``torch.func.grad`` and ``torch.func.vmap`` (with
    ``randomness="different"`` or ``"same"``). float16 and bfloat16 are computed in float32 and rounded once.

    Args:
        logits: unnormalised log-probabilities; -inf excludes a category.
        tau: the temperature, positive; a number, or a tensor with size 1 along ``dim`` that gives every
            row its own and may itself be learned.
        hard: one-hot forward, relaxed backward.
        dim: where the categories lie.
        generator: on the device of ``logits``; None takes torch's default generator of that device.
        mask: boolean, broadcastable to ``logits``, true where a category is allowed.

    Returns:
        The shape and dtype of ``logits``; every row sums to one, and in hard form is exactly one-hot.

    Raises:
        TypeError: ``logits`` is not a floating tensor, ``mask`` is not boolean.
        ValueError: NaN, +inf, or a row without an open category among the logits; a ``tau`` that is not
            positive, has more than one value a row or does not broadcast to ``logits``; a mask that does
            not; a generator or a mask on another device.

    Examples:
        >>> generator = torch.Generator().manual_seed(0)
        >>> gumbel_softmax(torch.zeros(3), hard=True, generator=generator).tolist()
        [0.0, 0.0, 1.0]
    """
    if not isinstance(logits, torch.Tensor):
        raise TypeError(f"logits must be a torch tensor, got {type(logits).__name__}")
    check_floating(logits, "logits")
    working = widen(logits)
    if mask is not None:
        working = _exclude(working, mask)
    check_logits(working, axis=dim)
    check_temperature(tau, working, "tau", axis=dim, least=smallest_divisor(working))
    if isinstance(tau, torch.Tensor):
        check_broadcasts_to(tau, "tau", working)
    return _draw(working, tau, hard, dim, generator).to(logits.dtype)


def _draw(
    logits: torch.Tensor,
    tau: float | torch.Tensor,
    hard: bool,
    dim: int,
    generator: torch.Generator | None,
) -> torch.Tensor:
    """Return the sample of arguments that have been checked, in float32 at least."""
    gumbels = noise.gumbel_like(logits, generator=generator)
    perturbed = perturb(logits, gumbels, axis=dim)
    relaxed = softmax(concrete.scale(perturbed, tau, axis=dim), axis=dim)
    if hard:
        index = perturbed.argmax(dim, keepdim=True)
        relaxed = _one_hot_forward(relaxed, index, dim)
    return relaxed


def straight_through(relaxed: torch.Tensor, dim: int = -1) -> torch.Tensor:
    r"""Return the one-hot vector of the largest entry, with the derivative of ``relaxed``.

    $z + (y - \mathrm{stopgrad}(y))$. The bracket is exactly 0, so the value is exactly one-hot.
    Source: Bengio, Léonard and Courville (2013); Jang, Gu and Poole (2017), section 2.2.

    Args:
        relaxed: points of the simplex, any shape.
        dim: where the categories lie.

    Returns:
        The shape of ``relaxed``.

    Examples:
        >>> straight_through(torch.tensor([0.2, 0.5, 0.3])).tolist()
        [0.0, 1.0, 0.0]
    """
    return _one_hot_forward(relaxed, relaxed.argmax(dim, keepdim=True), dim)


def _one_hot_forward(
    relaxed: torch.Tensor, index: torch.Tensor, dim: int
) -> torch.Tensor:
    one_hot = torch.zeros_like(relaxed).scatter(dim, index, 1.0)
    return one_hot + (relaxed - relaxed.detach())


def _exclude(logits: torch.Tensor, mask: Any) -> torch.Tensor:
    if not (isinstance(mask, torch.Tensor) and mask.dtype == torch.bool):
        kind = getattr(mask, "dtype", type(mask).__name__)
        raise TypeError(f"mask must be a boolean tensor, got {kind}")
    check_broadcasts_to(mask, "mask", logits)
    if mask.device != logits.device:
        raise ValueError(
            f"mask must be on device {logits.device}, got one on {mask.device}"
        )
    return logits.masked_fill(~mask, -torch.inf)
