r"""Exponential noise from a stream of NumPy, for torch on the CPU too, whose own takes several times longer.

Small values decide who wins an argmax, so both dtypes resolve them to $2^{-53}$. A float64 exponential is
NumPy's ziggurat; its float32 one returns exactly 0 once in $2^{23}$ draws. A float32 exponential is made of a
word of 32 bits, and of 21 more where it is small, which is faster than rounding the float64 ziggurat.
Source: Marsaglia and Tsang (2000), *The ziggurat method for generating random variables*.
"""

from gumbel_tutorial.streams.parts import (
    FEW,
    MIDPOINT_OF_ZERO,
    Logarithms,
    exponential,
    gumbel,
)

__all__ = ["FEW", "MIDPOINT_OF_ZERO", "Logarithms", "exponential", "gumbel"]
