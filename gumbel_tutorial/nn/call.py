"""Gumbel-Softmax in torch, in place of torch's own function."""

import warnings
from typing import Any

import torch
from torch.overrides import handle_torch_function, has_torch_function_variadic

from gumbel_tutorial import concrete, fused
from gumbel_tutorial.arrays import perturb
from gumbel_tutorial.checks import check_logits
from gumbel_tutorial.nn import gpu, plain, rows
from gumbel_tutorial.nn.arguments import (
    checked_logits,
    checked_tau,
    noise_for,
    refuse_rerun,
)
from gumbel_tutorial.nn.hard import carry, one_hot


def gumbel_softmax(
    logits: torch.Tensor,
    tau: float | torch.Tensor = 1,
    hard: bool = False,
    eps: float = 1e-10,
    dim: int = -1,
    *,
    generator: torch.Generator | None = None,
    mask: torch.Tensor | None = None,
    noise: torch.Tensor | None = None,
) -> torch.Tensor:
    r"""Draw a relaxed categorical sample, in place of ``torch.nn.functional.gumbel_softmax``.

    Soft: $y = \mathrm{softmax}((\ell + G)/\tau)$. Hard: the one-hot vector of $\arg\max_i(\ell_i + G_i)$ in
    the forward pass, also where a high temperature rounds the entries of $y$ to ties, and the derivative
    of $y$ in the backward pass (straight-through; biased).
    Source: Jang, Gu and Poole (2017), equation 2 and section 2.2; Maddison, Mnih and Teh (2017).

    It works wherever torch's own function does: under autocast, ``torch.compile(fullgraph=True)``,
    ``torch.export``, ``torch.jit.trace``, ``torch.fx``, fake and meta tensors, ``torch.func``,
    forward-mode derivatives, ``torch.utils.checkpoint`` and ``__torch_function__``. float16 and bfloat16
    are computed in float32 and rounded once. Four limits:

    * Code that torch compiles, exports or traces checks shapes and dtypes but no values, and neither does
      a call under ``vmap`` or on meta tensors.
    * torch takes no generator into a full graph, and its script compiler follows neither a generator nor
      keyword-only arguments. Hand in ``noise`` instead, or trace.
    * Activation checkpointing runs a function twice. It restores torch's default generators, and an
      explicit one draws other noise in the second run, whose gradient would belong to another sample: a
      generator inside ``torch.utils.checkpoint`` is refused. Draw ``noise`` outside and hand it in.
    * Whatever else runs a function again (``torch.func.linearize``, a closure of L-BFGS, a numerical
      derivative) draws again, torch's own function too: hand in ``noise``.

    Args:
        logits: unnormalised log-probabilities, not probabilities (of those take the logarithm); -inf
            excludes a category.
        tau: the temperature, positive; a number, or a tensor with size 1 along ``dim`` that gives every
            row its own and may itself be learned.
        hard: one-hot forward, relaxed backward.
        eps: taken because torch takes it, and ignored.
        dim: where the categories lie.
        generator: on the device of ``logits``; None takes torch's default generator of that device.
        mask: boolean, broadcastable to ``logits``, true where a category is allowed.
        noise: standard Gumbel noise, as ``gumbel_tutorial.gumbel_like(logits)`` draws it, in place of a
            generator; further leading axes give as many samples.

    Returns:
        The shape of ``logits`` (and ``noise``) and the dtype of ``logits``; every row sums to one, and in
        hard form is exactly one-hot.

    Raises:
        TypeError: ``logits`` is not a dense floating tensor, ``mask`` is not boolean, ``dim`` is not whole.
        ValueError: NaN, +inf, or a row without an open category among the logits; a ``tau`` that is not
            positive, has more than one value per row or does not broadcast to ``logits``; a ``mask`` or
            ``noise`` that does not; an argument on another device; a ``dim`` that is not there; noise and
            a generator at once; a generator inside activation checkpointing.

    Examples:
        >>> generator = torch.Generator().manual_seed(0)
        >>> gumbel_softmax(torch.zeros(3), hard=True, generator=generator).tolist()
        [0.0, 0.0, 1.0]
    """
    if has_torch_function_variadic(logits, tau, mask, noise):
        return handle_torch_function(
            gumbel_softmax,
            (logits, tau, mask, noise),
            logits,
            tau=tau,
            hard=hard,
            eps=eps,
            dim=dim,
            generator=generator,
            mask=mask,
            noise=noise,
        )
    if eps != 1e-10:
        message = "eps has no effect: the noise is finite without it"
        warnings.warn(message, DeprecationWarning, stacklevel=2)
    sample = None
    if noise is None and fused.is_on_gpu(logits):
        sample = gpu.sample(logits, tau, hard, dim, generator, mask)
    elif mask is None:
        sample = _plain(logits, tau, hard, dim, noise, generator)
    if sample is None:
        sample = _general(logits, tau, hard, dim, generator, mask, noise)
    return sample


def _general(
    logits: Any, tau: Any, hard: bool, dim: Any, generator: Any, mask: Any, noise: Any
) -> torch.Tensor:
    """Check the arguments, whatever they are, and return the sample."""
    if isinstance(logits, torch.Tensor) and logits.ndim == 0:
        # torch takes a scalar for the only category of the only row.
        return _general(logits[None], tau, hard, dim, generator, mask, noise)[..., 0]
    working, dim = checked_logits(logits, dim, mask)
    largest = check_logits(working, axis=dim)
    tau = checked_tau(tau, working, dim)
    # Other spellings of the arguments, a mask and half precision take the short way to the same numbers.
    sample = _plain(working, tau, hard, dim, noise, generator)
    if sample is None:
        gumbels = noise_for(working, noise, generator, dim)
        perturbed = perturb(working, gumbels, axis=dim, largest=largest)
        sample = _relaxed(perturbed, tau, hard, dim)
    return sample.to(logits.dtype)


def _plain(
    logits: Any, tau: Any, hard: bool, dim: Any, noise: Any, generator: Any
) -> torch.Tensor | None:
    """Return a sample by one of the two short ways, or None where neither is open."""
    if noise is not None or not plain.is_plain(logits, tau, dim, generator):
        return None
    if generator is not None:
        refuse_rerun()
    if logits.numel() <= plain.MOST:
        return plain.sample(logits, tau, hard, dim, generator)
    if dim not in (-1, logits.ndim - 1):
        return None
    return rows.sample(logits, tau, hard, generator)


def _relaxed(perturbed: torch.Tensor, tau: Any, hard: bool, dim: int) -> torch.Tensor:
    """Return the relaxed or hardened sample of perturbed logits; nothing is checked."""
    if not hard:
        return concrete.soften(perturbed, tau, axis=dim)
    sample = one_hot(perturbed, dim)
    if not _may_be_differentiated(perturbed, tau):
        return sample
    return carry(sample, concrete.soften(perturbed, tau, axis=dim))


def _may_be_differentiated(perturbed: torch.Tensor, tau: Any) -> bool:
    """Tell whether somebody may ask for a derivative: whoever traces a function may do so later."""
    if plain.is_watched() or type(perturbed) is not torch.Tensor:
        return True
    return perturbed.requires_grad or getattr(tau, "requires_grad", False)
