r"""The largest perturbed logits of rows: Gumbel-Max and Gumbel top-k, noise drawn where it is used.

Where the numbers lie in memory, a cache's worth of rows at a time is drawn for and compared.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from gumbel_tutorial.arrays import (
    NEAR,
    Array,
    argmax,
    from_memory,
    is_torch,
    memory,
    namespace,
    perturb,
    quiet,
    top_k,
    widen,
)
from gumbel_tutorial.checks import check_logits
from gumbel_tutorial.noise import gumbel_like
from gumbel_tutorial.streams import FEW, Logarithms

# So many numbers at once: the noise, and the sum with the logits.
_IN_CACHE = 2**15


@quiet
def largest(rows: Array, num_samples: int, generator: Any) -> Array:
    r"""Return for each row $\arg\max_i(\ell_i + G_i)$ of ``num_samples`` noises, shape ``(R, S)``."""
    found = [argmax(values) for values in _perturbed(rows, num_samples, generator)]
    return namespace(rows=rows).reshape(_joined(found), (rows.shape[0], num_samples))


@quiet
def largest_k(rows: Array, k: int, generator: Any) -> Array:
    r"""Return for each row the k categories of largest $\ell_i + G_i$, the largest first."""
    return _joined([top_k(values, k) for values in _perturbed(rows, 1, generator)])


def _joined(parts: list[Array]) -> Array:
    return parts[0] if len(parts) == 1 else namespace(found=parts[0]).concat(parts)


def _perturbed(rows: Array, num_samples: int, generator: Any) -> Iterator[Array]:
    """Give each row of logits plus noise ``num_samples`` times, in parts that the next one overwrites."""
    rows = widen(rows)
    numbers = memory(rows)
    if numbers is not None and numbers.size * num_samples >= FEW:
        for values in _in_parts(numbers, num_samples, stream_for(rows, generator)):
            yield from_memory(values, rows)
        return
    maxima = check_logits(rows)
    xp = namespace(rows=rows)
    shape = (rows.shape[0], num_samples, rows.shape[1])
    repeated = xp.reshape(xp.broadcast_to(rows[:, None, :], shape), (-1, shape[-1]))
    maxima = xp.reshape(xp.broadcast_to(maxima, shape[:2]), (-1, 1))
    yield perturb(repeated, gumbel_like(repeated, generator=generator), largest=maxima)


def stream_for(rows: Array, generator: Any) -> np.random.Generator:
    """Return NumPy's generator for rows in memory: the one that is given, or one that torch's seeds."""
    if not is_torch(rows):
        return generator
    from gumbel_tutorial.streams import tensors  # since torch is there

    return tensors.stream(generator)


def _in_parts(
    rows: np.ndarray, num_samples: int, stream: np.random.Generator
) -> Iterator[np.ndarray]:
    num_rows, num_categories = rows.shape
    step = max(1, _IN_CACHE // num_categories)
    values = np.empty((step, num_categories), rows.dtype)
    noise = Logarithms(stream, rows.size * num_samples, rows.dtype)
    for start in range(0, num_rows * num_samples, step):
        place = np.arange(start, min(start + step, num_rows * num_samples))
        part = (
            rows[start : start + step]
            if num_samples == 1
            else rows[place // num_samples]
        )
        out = values[: len(part)]
        noise.fill(out.reshape(-1))
        np.subtract(_relative(part), out, out=out)
        yield out


def _relative(rows: np.ndarray) -> np.ndarray:
    """Return the rows, relative to their largest logits where one of those is far from 0."""
    maxima = rows.max(axis=-1, keepdims=True)
    if np.abs(maxima).max() <= NEAR:
        return rows
    return rows - check_logits(rows)
