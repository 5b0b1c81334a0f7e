"""The draws, in NumPy, a cache's worth at a time."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from gumbel_tutorial.streams import words

# A 53-bit draw of 0 stands for the cell [0, 2^-53). Its midpoint keeps the logarithm finite: the
# largest Gumbel is 54 log 2 = 37.4, and the cell itself comes up once in 9e15 draws.
MIDPOINT_OF_ZERO = 2.0**-54
# So many numbers torch has drawn by itself before a stream is seeded.
FEW = 1024
# So many numbers stay in a core's cache from the draw to the logarithm.
_CHUNK = 2**16


def exponential(
    rng: np.random.Generator, shape: tuple[int, ...], dtype: Any
) -> np.ndarray:
    """Draw E in float32 or float64, never 0."""
    draws = np.empty(shape, dtype)
    for part in _split(draws.reshape(-1)):
        _fill(rng, part)
    return draws


def gumbel(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Return -log of what :func:`exponential` draws."""
    draws = np.empty(shape, dtype)
    for part in _split(draws.reshape(-1)):
        _fill_log(rng, part)
        np.negative(part, out=part)
    return draws


class Logarithms:
    """The logs of so many draws of :func:`exponential`, the same numbers however they are asked for.

    Args:
        rng: what draws.
        count: how many there are in all.
        dtype: float32 or float64.
    """

    def __init__(self, rng: np.random.Generator, count: int, dtype: Any) -> None:
        self._parts = _log_parts(rng, count, dtype)
        self._left = np.empty(0, dtype)

    def fill(self, out: np.ndarray) -> None:
        """Write the next of them into a contiguous vector."""
        while out.size > 0:
            if self._left.size == 0:
                self._left = next(self._parts)
            size = min(out.size, self._left.size)
            out[:size] = self._left[:size]
            out, self._left = out[size:], self._left[size:]


def _log_parts(
    rng: np.random.Generator, count: int, dtype: Any
) -> Iterator[np.ndarray]:
    """Give the logs in parts, each of which the next one overwrites."""
    buffer = np.empty(min(_CHUNK, count), dtype)
    for start in range(0, count, _CHUNK):
        part = buffer[: count - start]
        _fill_log(rng, part)
        yield part


def _split(vector: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, vector.size, _CHUNK):
        yield vector[start : start + _CHUNK]


def _fill_log(rng: np.random.Generator, out: np.ndarray) -> None:
    _fill(rng, out)
    # NumPy's logarithm of float32 takes a third of the time of torch's.
    np.log(out, out=out)


def _fill(rng: np.random.Generator, out: np.ndarray) -> None:
    if out.dtype == np.float32:
        words.fill(rng, out)
        return
    rng.standard_exponential(out=out)
    # A minimum takes a fifth of the time of a maximum with a bound, which is hardly ever needed.
    if out.min() < MIDPOINT_OF_ZERO:
        np.maximum(out, MIDPOINT_OF_ZERO, out=out)
