"""What the torch-facing calls refuse, and what they make of their arguments."""

import operator
import sys
from types import FrameType
from typing import Any

import torch

from gumbel_tutorial.arrays import is_number, is_traced, require_dense, widen
from gumbel_tutorial.checks import (
    check_broadcasts_to,
    check_floating,
    check_noise,
    check_probability,
    check_temperature,
    first_true,
    refuse,
    smallest_divisor,
)
from gumbel_tutorial.noise import gumbel_like


def checked_logits(logits: Any, dim: Any, mask: Any) -> tuple[torch.Tensor, int]:
    """Return the masked logits in float32 at least, and their category axis counted from the end."""
    check_dense(logits, "logits")
    dim = category_dim(logits, dim, "logits")
    working = widen(logits)
    return (working if mask is None else exclude(working, mask)), dim


def check_dense(tensor: Any, name: str) -> None:
    """Require a dense floating tensor."""
    if not isinstance(tensor, torch.Tensor):
        refuse(name, "be a torch tensor", type(tensor).__name__, TypeError)
    check_floating(tensor, name)


def whole_dim(dim: Any) -> int:
    """Return ``dim`` as a whole number of Python, which a bool is not."""
    if isinstance(dim, bool):
        refuse("dim", "be a whole number", dim, TypeError)
    try:
        return operator.index(dim)
    except TypeError:
        refuse("dim", "be a whole number", dim, TypeError)


def category_dim(tensor: torch.Tensor, dim: Any, name: str) -> int:
    """Return where the categories lie, counted from the end, where shapes are aligned."""
    index = whole_dim(dim)
    axes = tensor.ndim
    if not -axes <= index < axes:
        shape = tuple(tensor.shape)
        requirement = f"name one of the {axes} axes of {name} of shape {shape}"
        refuse("dim", requirement, index)
    if not is_traced() and tensor.shape[index] == 0:
        got = f"shape {tuple(tensor.shape)}"
        refuse(name, f"have at least one category on dim {dim}", got)
    return index if index < 0 else index - axes


def checked_tau(tau: Any, logits: torch.Tensor, dim: int, *, least: float = 0.0) -> Any:
    """Return a positive temperature: a number, or a floating tensor that broadcasts to the logits."""
    if isinstance(
        tau, (torch.SymInt, torch.SymFloat)
    ):  # known only when traced code runs
        return torch.mul(logits.new_ones(()), tau)  # type: ignore[arg-type]
    if type(tau).__module__ == "numpy" and not is_number(tau):
        tau = torch.as_tensor(tau, device=logits.device)
    if isinstance(tau, torch.Tensor):
        require_dense("tau", tau)
        if tau.dtype.is_complex:
            refuse("tau", "have a real dtype", tau.dtype, TypeError)
        tau = tau if tau.dtype.is_floating_point else tau.to(logits.dtype)
    elif not is_number(tau):
        kind = type(tau).__name__
        refuse("tau", "be a number or a tensor", kind, TypeError)
    least = max(least, smallest_divisor(logits))
    check_temperature(tau, logits, "tau", axis=dim, least=least)
    if isinstance(tau, torch.Tensor):
        check_broadcasts_to(tau, "tau", logits)
    return tau


def noise_for(
    logits: torch.Tensor, noise: Any, generator: torch.Generator | None, dim: int
) -> torch.Tensor:
    """Return the noise that is given, or as much as the logits need from the generator."""
    if noise is None:
        if generator is not None:
            refuse_rerun()
        return gumbel_like(logits, generator=generator)
    if generator is not None:
        refuse("generator", "be None where noise is given", "both")
    check_dense(noise, "noise")
    check_noise(noise, logits, axis=dim)
    _check_device(noise, "noise", logits)
    return noise


def refuse_rerun() -> None:
    """Refuse a generator where activation checkpointing will run the caller again.

    Both of its kinds have the caller below a frame of torch.utils.checkpoint, and nothing else tells.
    """
    if torch.compiler.is_compiling() or "torch.utils.checkpoint" not in sys.modules:
        return
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_globals.get("__name__") == "torch.utils.checkpoint":
            raise ValueError(
                "generator must be None inside torch.utils.checkpoint, whose second run would draw other "
                "noise: draw the noise outside and give it as noise"
            )
        frame = frame.f_back


def check_probs(probs: Any, dim: Any) -> int:
    """Require probabilities that sum to one, and return where the categories lie, from the end."""
    check_dense(probs, "probs")
    dim = category_dim(probs, dim, "probs")
    values = widen(probs.detach())
    check_probability(values, "probs")
    total = values.sum(dim)
    # K roundings of the dtype, and those of float32 in a float64 tensor that was float32 before.
    tolerance = max(torch.finfo(probs.dtype).eps, 2.0**-23) ** 0.5
    row = first_true((total - 1).abs() > tolerance)
    if row is not None:
        refuse("probs", "sum to one in every row", float(total[row]))
    return dim


def categories_last(noise: Any, dim: int) -> Any:
    """Return noise with its categories moved to the last axis, if it is a tensor that has them."""
    aligned = isinstance(noise, torch.Tensor) and noise.ndim >= -dim
    return noise.movedim(dim, -1) if aligned else noise


def exclude(logits: torch.Tensor, mask: Any) -> torch.Tensor:
    """Return the logits with -inf where a mask is false."""
    if not (isinstance(mask, torch.Tensor) and mask.dtype == torch.bool):
        kind = getattr(mask, "dtype", type(mask).__name__)
        refuse("mask", "be a boolean tensor", kind, TypeError)
    check_broadcasts_to(mask, "mask", logits)
    _check_device(mask, "mask", logits)
    return logits.masked_fill(~mask, -torch.inf)


def _check_device(tensor: torch.Tensor, name: str, logits: torch.Tensor) -> None:
    if tensor.device != logits.device:
        refuse(name, f"be on device {logits.device}", f"one on {tensor.device}")
