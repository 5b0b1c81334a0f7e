"""The draws as tensors of the CPU, seeded by a generator of torch, and as one operation for its compiler.

Importing the module registers the operation, ``gumbel_tutorial::exponential``.
"""

from collections.abc import Sequence

import numpy as np
import torch

from gumbel_tutorial.streams import parts

# Two words of 62 bits seed a stream: among 2^50 calls two share one with probability 2^-25.
_SEED_BITS = 62


def exponential(
    shape: Sequence[int], generator: torch.Generator | None, dtype: torch.dtype
) -> torch.Tensor:
    """Draw from a generator of the CPU, or from torch's default one."""
    if not torch.compiler.is_compiling():
        return draws_of(_seed(generator), shape, dtype)
    return torch.ops.gumbel_tutorial.exponential(_seed(generator), shape, dtype)


def gumbel(
    shape: Sequence[int], generator: torch.Generator | None, dtype: torch.dtype
) -> torch.Tensor:
    """Return -log of what :func:`exponential` draws, in eager code."""
    drawn = parts.gumbel(stream(generator), tuple(shape), _name(dtype))
    return torch.from_numpy(drawn)


def stream(generator: torch.Generator | None) -> np.random.Generator:
    """Return the generator of NumPy that draws what :func:`exponential` draws."""
    return _stream_of(_seed(generator))


def logarithms(
    generator: torch.Generator | None, count: int, dtype: torch.dtype
) -> parts.Logarithms:
    """Return the logs of what :func:`exponential` draws, to be asked for one vector after another."""
    return parts.Logarithms(stream(generator), count, _name(dtype))


def draws_of(
    seed: torch.Tensor, shape: Sequence[int], dtype: torch.dtype
) -> torch.Tensor:
    """Return the draws that belong to a seed."""
    drawn = parts.exponential(_stream_of(seed), tuple(shape), _name(dtype))
    return torch.from_numpy(drawn)


# A function of its seed: the same seed gives the same draws, so the compiler may treat it like any other.
_operation = torch.library.custom_op(
    "gumbel_tutorial::exponential", draws_of, mutates_args=()
)


@_operation.register_fake
def _(seed: torch.Tensor, shape: Sequence[int], dtype: torch.dtype) -> torch.Tensor:
    return seed.new_empty(shape, dtype=dtype)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _seed(generator: torch.Generator | None) -> torch.Tensor:
    # A graph takes no generator in, not even None by name.
    options = {} if generator is None else {"generator": generator}
    # torch's default device is another's business.
    return torch.randint(2**_SEED_BITS, (2,), device="cpu", **options)  # type: ignore[call-overload]


def _stream_of(seed: torch.Tensor) -> np.random.Generator:
    # The fastest of NumPy's bit generators; NumPy mixes the seed before it becomes its state.
    return np.random.Generator(np.random.SFC64(seed.tolist()))
