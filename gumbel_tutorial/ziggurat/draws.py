"""The draws, in NumPy."""

from typing import Any

import numpy as np

# A 53-bit draw of 0 stands for the cell [0, 2^-53). Its midpoint keeps the logarithm finite: the
# largest Gumbel is 54 log 2 = 37.4, and the cell itself comes up once in 9e15 draws.
MIDPOINT_OF_ZERO = 2.0**-54
# So many numbers stay in a core's cache from the draw to its rounding.
_CHUNK = 2**14


def exponential(
    rng: np.random.Generator, shape: tuple[int, ...], dtype: Any
) -> np.ndarray:
    """Draw in float64, never 0, and round once to ``dtype``."""
    draws = np.empty(shape, dtype)
    fill(rng, draws.reshape(-1))
    return draws


def fill(rng: np.random.Generator, out: np.ndarray) -> None:
    """Draw into a contiguous vector, the next numbers of those that :func:`exponential` draws."""
    buffer = np.empty(min(_CHUNK, out.size))
    for start in range(0, out.size, _CHUNK):
        part = out[start : start + _CHUNK]
        wide = buffer[: part.size]
        rng.standard_exponential(out=wide)
        np.maximum(wide, MIDPOINT_OF_ZERO, out=part, casting="same_kind")
