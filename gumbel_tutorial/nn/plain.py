r"""The shortest way to few samples, in eager code, of a plain tensor on the CPU.

Small calls cost what their operations cost to start, some microseconds each. This way starts half as many as
the general one, and gives the same numbers up to rounding, from the same noise. Its tricks are three: the
smallest and the largest number tell whether all rows are sound and need no shift, the temperature's
reciprocal is a tensor that is kept, which torch would make of a number in every call and again in the
backward pass, and a node of the graph keeps its derivative while its value is put in place.
"""

from functools import lru_cache
from typing import Any

import torch
from torch.autograd import forward_ad

from gumbel_tutorial.arrays import NEAR
from gumbel_tutorial.checks import reads_values
from gumbel_tutorial.noise import plain_exponential

# Above, what is done counts and not how often something is started.
MOST = 2048
_DTYPES = (torch.float32, torch.float64)
_KINDS = (torch.Tensor, torch.nn.Parameter)
# Beyond these a scaled logit might overflow, or lose its digits.
_COLDEST, _HOTTEST = 2.0**-60, 2.0**60


def is_watched() -> bool:
    """Tell whether something traces, transforms or differentiates forward what the code does."""
    # All but the last is arrays.is_transformed, asked here without the cost of its calls.
    return (
        torch.compiler.is_compiling()
        or torch._C._is_tracing()
        or torch._C._len_torch_dispatch_stack() > 0
        or torch._C._functorch.peek_interpreter_stack() is not None
        or forward_ad._current_level >= 0
    )


def is_plain(logits: Any, tau: Any, dim: Any, generator: Any) -> bool:
    """Tell whether the arguments, which may be anything, are those of an ordinary call on the CPU."""
    # Types first: of a tensor's values nothing may be asked where it has none.
    return (
        type(logits) in _KINDS
        and type(tau) in (float, int)
        and type(dim) is int
        and logits.is_cpu
        and logits.dtype in _DTYPES
        and logits.layout is torch.strided
        and not is_watched()
        and logits.numel() > 0
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
    log_noise = plain_exponential(logits, generator).log_()
    graph = logits.requires_grad and torch.is_grad_enabled()
    return (_hard if hard else _soft)(logits, log_noise, tau, dim, graph)


def _soft(
    logits: torch.Tensor, log_noise: torch.Tensor, tau: float, dim: int, graph: bool
) -> torch.Tensor | None:
    """Return the relaxed sample; its graph is a product with a constant and a softmax."""
    factor = _reciprocal(tau, logits.dtype)
    if graph:
        scaled = torch.mul(logits, factor)
        value = scaled.detach().sub_(log_noise, alpha=1 / tau)
    else:
        scaled = value = torch.sub(logits, log_noise).mul_(factor)
    near = is_near(value, NEAR)
    if not near:
        _shift(value, logits, log_noise, dim).mul_(factor)
    relaxed = _softmax(scaled, dim) if near and not graph else scaled.softmax(dim)
    return relaxed if near or _is_sound(relaxed) else None


def _hard(
    logits: torch.Tensor, log_noise: torch.Tensor, tau: float, dim: int, graph: bool
) -> torch.Tensor | None:
    """Return the corner of the largest perturbed logit, with the relaxed sample's derivative."""
    perturbed = torch.sub(logits, log_noise)
    value = perturbed.detach() if graph else perturbed
    near = is_near(value, NEAR * tau)
    if not (near or _is_sound(_shift(value, logits, log_noise, dim))):
        return None
    index = value.argmax(dim, True)
    if not graph:
        return perturbed.zero_().scatter_(dim, index, 1.0)
    factor = _reciprocal(tau, logits.dtype)
    value.mul_(factor)
    # The last product carries the temperature into the derivative, and its value is the corner.
    carrier = torch.mul(perturbed.softmax(dim), factor)
    carrier.detach().zero_().scatter_(dim, index, 1.0)
    return carrier


def is_near(values: torch.Tensor, bound: float) -> bool:
    """Tell whether every number lies within the bound; NaN does not."""
    smallest, largest = torch.aminmax(values)
    return smallest.item() > -bound and largest.item() < bound


def _shift(
    out: torch.Tensor, logits: torch.Tensor, log_noise: torch.Tensor, dim: int
) -> torch.Tensor:
    """Write into ``out`` the perturbed logits less the largest logit of their row, and return it."""
    fixed = logits.detach()
    return torch.sub(fixed, fixed.amax(dim, True), out=out).sub_(log_noise)


@lru_cache(maxsize=64)
def _reciprocal(tau: float, dtype: torch.dtype) -> torch.Tensor:
    # A tensor made in inference mode is of no use outside of it.
    with torch.inference_mode(False):
        return torch.tensor(1 / tau, dtype=dtype, device="cpu")


def _is_sound(values: torch.Tensor) -> bool:
    """Tell whether no entry is NaN, which a fault of its row makes of it; a NaN equals nothing.

    Noise of an exponential that was drawn as 0 makes one too, and is drawn again.
    """
    return not reads_values() or torch.equal(values, values)


def _softmax(scaled: torch.Tensor, dim: int) -> torch.Tensor:
    """Return the softmax of values that do not overflow an exponential; they may be overwritten."""
    # torch's own is slow where there are more rows than entries in a row.
    if scaled.numel() < 128 or scaled.shape[dim] >= 16:
        return scaled.softmax(dim)
    weights = scaled.exp_()
    return weights.div_(weights.sum(dim, True))
