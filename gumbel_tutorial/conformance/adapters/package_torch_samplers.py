"""Samplers of this package, on tensors, and its kernels where a device runs them."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from gumbel_tutorial import categorical
from gumbel_tutorial.conformance.adapters.record import Adapter, in_parts
from gumbel_tutorial.conformance.adapters.torch_samplers import (
    as_tensor,
    of_copies,
    seeded,
)

if TYPE_CHECKING:
    import torch


def sample(
    logits: np.ndarray, num_draws: int, seed: int, *, dtype: str = "float32"
) -> np.ndarray:
    """Draw many times from every row."""
    generator, tensor = seeded(seed), as_tensor(logits, dtype)

    def draw(number: int) -> np.ndarray:
        found = categorical.sample(tensor, generator=generator, num_samples=number)
        return np.moveaxis(found.numpy(), -1, 0)

    return in_parts(num_draws, logits.shape, draw)


def gumbel_softmax_hard(
    logits: np.ndarray, num_draws: int, seed: int, *, dtype: str = "float32"
) -> np.ndarray:
    """Draw one-hot rows, and return where they are 1."""
    return _gumbel_softmax(logits, num_draws, seed, 1.0, True, dtype).argmax(-1)


def gumbel_softmax(
    logits: np.ndarray,
    num_draws: int,
    seed: int,
    temperature: float,
    *,
    hard: bool = False,
    dtype: str = "float32",
) -> np.ndarray:
    """Draw relaxed rows, or one-hot ones."""
    return _gumbel_softmax(logits, num_draws, seed, temperature, hard, dtype)


def _gumbel_softmax(
    logits: np.ndarray,
    num_draws: int,
    seed: int,
    temperature: float,
    hard: bool,
    dtype: str,
) -> np.ndarray:
    from gumbel_tutorial import nn

    draw = partial(
        nn.gumbel_softmax, tau=temperature, hard=hard, generator=seeded(seed)
    )
    tensor = as_tensor(logits, dtype)
    return of_copies(tensor, num_draws, lambda rows: draw(rows).float())


def relaxed_one_hot_categorical(
    logits: np.ndarray, num_draws: int, seed: int, temperature: float
) -> np.ndarray:
    """Draw from the relaxed distribution of the logits."""
    from gumbel_tutorial.distributions import RelaxedOneHotCategorical

    law = RelaxedOneHotCategorical(temperature, logits=as_tensor(logits))
    return _of_law(law, num_draws, logits, seed)


def one_hot_straight_through(
    logits: np.ndarray,
    num_draws: int,
    seed: int,
    temperature: float,
    *,
    hard: bool = True,
    dtype: str = "float32",
) -> np.ndarray:
    """Draw one-hot rows that are relaxed backwards; the law has no soft form."""
    from gumbel_tutorial.distributions import OneHotStraightThrough

    if not hard:
        raise NotImplementedError("the law has no soft form")
    law = OneHotStraightThrough(temperature, logits=as_tensor(logits, dtype))
    return _of_law(law, num_draws, logits, seed)


def _of_law(law: Any, num_draws: int, logits: np.ndarray, seed: int) -> np.ndarray:
    generator = seeded(seed)

    def draw(number: int) -> np.ndarray:
        return law.rsample((number,), generator=generator).float().numpy()

    return in_parts(num_draws, logits.shape, draw)


def kernel_sample(
    logits: np.ndarray, num_draws: int, seed: int, *, dtype: str = "float32"
) -> np.ndarray:
    """Draw by one Gumbel for every cell of a row."""
    from gumbel_tutorial import kernels

    return _by_kernel(kernels.sample, logits, num_draws, seed, dtype)


def kernel_gumbel_max(
    logits: np.ndarray, num_draws: int, seed: int, *, dtype: str = "float32"
) -> np.ndarray:
    """Draw by one Gumbel for every category."""
    from gumbel_tutorial import kernels

    def call(rows: "torch.Tensor", *, generator: "torch.Generator") -> "torch.Tensor":
        return kernels.gumbel_max(rows, generator=generator)[0]

    return _by_kernel(call, logits, num_draws, seed, dtype)


def _by_kernel(
    call: Callable[..., "torch.Tensor"],
    logits: np.ndarray,
    num_draws: int,
    seed: int,
    dtype: str,
) -> np.ndarray:
    """Draw on a CUDA device, or on the CPU with TRITON_INTERPRET=1 set before Triton is imported."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    tensor = as_tensor(logits, dtype).to(device)
    return of_copies(tensor, num_draws, partial(call, generator=seeded(seed, device)))


_PACKAGE, _TORCH, _TRITON = "gumbel_tutorial", ("torch",), ("torch", "triton")
ADAPTERS = (
    Adapter(f"{_PACKAGE}.categorical.sample/torch", "categorical", sample, _TORCH),
    Adapter(
        f"{_PACKAGE}.gumbel_softmax/hard", "categorical", gumbel_softmax_hard, _TORCH
    ),
    Adapter(f"{_PACKAGE}.kernels.sample", "categorical", kernel_sample, _TRITON),
    Adapter(
        f"{_PACKAGE}.kernels.gumbel_max", "categorical", kernel_gumbel_max, _TRITON
    ),
    Adapter(f"{_PACKAGE}.gumbel_softmax", "relaxed", gumbel_softmax, _TORCH),
    Adapter(
        f"{_PACKAGE}.distributions.RelaxedOneHotCategorical",
        "relaxed",
        relaxed_one_hot_categorical,
        _TORCH,
    ),
    Adapter(
        f"{_PACKAGE}.distributions.OneHotStraightThrough",
        "relaxed",
        one_hot_straight_through,
        _TORCH,
    ),
)
