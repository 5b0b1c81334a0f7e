r"""Exponential noise for the CPU: NumPy's float64 ziggurat, for torch too, whose own takes four times longer.

The float64 ziggurat resolves small values, which decide who wins an argmax; the float32 one returns exactly
0 once in $2^{23}$ draws. So numbers are drawn in float64 and rounded.
Source: Marsaglia and Tsang (2000), *The ziggurat method for generating random variables*.
"""

from gumbel_tutorial.ziggurat.draws import (
    FEW,
    MIDPOINT_OF_ZERO,
    exponential,
    fill_log,
    gumbel,
)

__all__ = ["FEW", "MIDPOINT_OF_ZERO", "exponential", "fill_log", "gumbel"]
