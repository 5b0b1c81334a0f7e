"""The draws, in NumPy, a cache's worth at a time."""

from collections.abc import Iterator
from typing import Any

import numpy as np

# A 53-bit draw of 0 stands for the cell [0, 2^-53). Its midpoint keeps the logarithm finite: the
# largest Gumbel is 54 log 2 = 37.4, and the cell itself comes up once in 9e15 draws.
MIDPOINT_OF_ZERO = 2.0**-54
# So many numbers torch has drawn by itself before a stream is seeded.
FEW = 1024
# So many numbers stay in a core's cache from the draw to the logarithm.
_CHUNK = 2**15


def exponential(
    rng: np.random.Generator, shape: tuple[int, ...], dtype: Any
) -> np.ndarray:
    """Draw in float64, never 0, and round once to ``dtype``."""
    draws = np.empty(shape, dtype)
    for _ in _parts(rng, draws.reshape(-1)):
        pass
    return draws


def gumbel(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Return -log of what :func:`exponential` draws."""
    draws = np.empty(shape, dtype)
    flat = draws.reshape(-1)
    fill_log(rng, flat)
    np.negative(flat, out=flat)
    return draws


def fill_log(rng: np.random.Generator, out: np.ndarray) -> None:
    """Write the log of what :func:`exponential` draws into a contiguous vector."""
    for part in _parts(rng, out):
        # NumPy's logarithm of float32 takes a third of the time of torch's.
        np.log(part, out=part)


def _parts(rng: np.random.Generator, out: np.ndarray) -> Iterator[np.ndarray]:
    """Draw exponentials into a vector, and yield each part of it that is drawn."""
    buffer = np.empty(min(_CHUNK, out.size))
    for start in range(0, out.size, _CHUNK):
        part = out[start : start + _CHUNK]
        wide = buffer[: part.size]
        rng.standard_exponential(out=wide)
        np.copyto(part, wide, casting="same_kind")
        # A minimum takes a fifth of the time of a maximum with a bound, which is hardly ever needed.
        if part.min() < MIDPOINT_OF_ZERO:
            np.maximum(part, part.dtype.type(MIDPOINT_OF_ZERO), out=part)
        yield part
