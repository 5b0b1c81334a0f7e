r"""The shortest way to a sample: few rows, in eager code, of a plain tensor on the CPU.

Small calls cost what their operations cost to start, some microseconds each. This way starts half as many as
the general one, and gives the same numbers up to rounding, from the same noise. Its tricks are three: a
result is compared with itself to tell whether all rows were sound, ``alpha`` scales without making a tensor
of the factor, and a node of the graph keeps its derivative while its value is put in place.
"""

from typing import Any

import torch
from torch.autograd import forward_ad

from gumbel_tutorial.arrays import is_traced
from gumbel_tutorial.checks import reads_values
from gumbel_tutorial.noise import plain_exponential

# Above, what is done counts and not how often something is started, and the general way does less.
_MOST = 2048
_DTYPES = (torch.float32, torch.float64)
# Beyond these a scaled logit might overflow, or lose its digits.
_COLDEST, _HOTTEST = 2.0**-60, 2.0**60
_ZERO = torch.zeros(())


def is_watched() -> bool:
    """Tell whether something traces, transforms or differentiates forward what the code does."""
    return (
        is_traced()
        or torch._C._len_torch_dispatch_stack() > 0
        or torch._C._functorch.peek_interpreter_stack() is not None
        or forward_ad._current_level >= 0
    )


def is_plain(logits: Any, tau: Any, dim: Any, generator: Any) -> bool:
    """Tell whether :func:`sample` may be asked, of arguments that may be anything."""
    # Types first: of a tensor's values nothing may be asked where it has none.
    return (
        type(logits) is torch.Tensor
        and type(tau) in (float, int)
        and type(dim) is int
        and logits.is_cpu
        and logits.dtype in _DTYPES
        and logits.layout is torch.strided
        and not is_watched()
        and 0 < logits.numel() <= _MOST
        and -logits.ndim <= dim < logits.ndim
        and _COLDEST <= tau <= _HOTTEST
        and (
            generator is None
            or (type(generator) is torch.Generator and generator.device.type == "cpu")
        )
    )


def sample(
    logits: torch.Tensor, tau: Any, hard: bool, dim: int, generator: Any
) -> torch.Tensor | None:
    """Return a relaxed or one-hot sample; None where something is not finite and has to be looked for."""
    graph = logits.requires_grad and torch.is_grad_enabled()
    fixed = logits.detach() if graph else logits
    log_noise = plain_exponential(fixed, generator).log_()
    perturbed = torch.sub(logits, fixed.amax(dim, True))
    (perturbed.detach() if graph else perturbed).sub_(log_noise)
    if hard and not graph:
        return _corner(perturbed, dim) if _is_sound(perturbed) else None
    scaled = perturbed if tau == 1 else torch.add(_ZERO, perturbed, alpha=1 / tau)
    relaxed = scaled.softmax(dim) if graph else _softmax(scaled, tau, dim)
    if not _is_sound(relaxed):
        return None
    if not hard:
        return relaxed
    carrier = relaxed.clone()
    carrier.detach().copy_(_corner(perturbed.detach(), dim))
    return carrier


def _is_sound(values: torch.Tensor) -> bool:
    """Tell whether no entry is NaN, which a fault of its row makes of it; a NaN equals nothing.

    Noise of an exponential that was drawn as 0 makes one too, and is drawn again.
    """
    return not reads_values() or torch.equal(values, values)


def _corner(perturbed: torch.Tensor, dim: int) -> torch.Tensor:
    index = perturbed.argmax(dim, True)
    return torch.zeros_like(perturbed).scatter_(dim, index, 1.0)


def _softmax(scaled: torch.Tensor, tau: float, dim: int) -> torch.Tensor:
    # torch's own is slow where there are more rows than entries in a row.
    if scaled.numel() < 128 or scaled.shape[dim] >= 16:
        return scaled.softmax(dim)
    # A logit below 0 and noise of 54 log 2 = 37.4 at most: twice that is no exponent to overflow in float32.
    shifted = scaled if tau >= 0.5 else torch.sub(scaled, scaled.amax(dim, True))
    weights = shifted.exp()
    return weights.div_(weights.sum(dim, True))
