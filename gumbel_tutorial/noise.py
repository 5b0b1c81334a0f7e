r"""Uniform, exponential and Gumbel noise: the one place in the package that draws.

A draw names its generator, a ``numpy.random.Generator`` or a ``torch.Generator``, which also fixes the
array library and the device.

Everything starts from a 53-bit draw, so that small probabilities come out right:
$\Pr(E < t)$ holds to within $2^{-53}$. A float32 uniform lies on a grid of $2^{-24}$: a Gumbel made of it
never passes 16.64, and a category with a share of the probability below $10^{-8}$ is drawn never or much
too often. float16 and bfloat16 noise is computed in float32 and rounded once.
"""

import math
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from gumbel_tutorial.arrays import Array, is_torch
from gumbel_tutorial.checks import (
    check_floating,
    check_torch_generator,
    is_torch_generator,
)

if TYPE_CHECKING:
    import torch

    Generator = np.random.Generator | torch.Generator

# A 53-bit draw of 0 stands for the cell [0, 2^-53). Its midpoint keeps the logarithm finite: the
# largest Gumbel is 54 log 2 = 37.4, and the cell itself comes up once in 9e15 draws.
_MIDPOINT_OF_ZERO = 2.0**-54


def uniform(
    shape: int | tuple[int, ...], *, generator: "Generator", dtype: Any = None
) -> Array:
    r"""Draw $U \sim \mathcal U(0, 1)$, never 0 and never 1.

    Draws lie on a grid of $2^{-53}$ and are rounded to the nearest number of the dtype inside the open
    interval, so a float32 uniform resolves small values far below the usual $2^{-24}$.

    Args:
        shape: of the result.
        generator: a ``numpy.random.Generator`` or a ``torch.Generator``.
        dtype: float64, float32, float16 or (torch) bfloat16, as a name or the library's own dtype;
            by default float64 in NumPy and ``torch.get_default_dtype()`` in torch.

    Returns:
        An array of the generator's library, on the generator's device.

    Raises:
        TypeError: ``generator`` or ``dtype`` is of another kind.
        ValueError: a negative size.

    Examples:
        >>> uniform(2, generator=np.random.default_rng(0)).round(4).tolist()
        [0.637, 0.2698]
    """
    name = _dtype_name(dtype, generator)
    return _round_inside(_uniform64(shape, generator), name, below=1.0)


def exponential(
    shape: int | tuple[int, ...], *, generator: "Generator", dtype: Any = None
) -> Array:
    r"""Draw $E \sim \mathrm{Exp}(1)$, $\Pr(E > t) = e^{-t}$; always positive.

    Arguments, result and errors are those of :func:`uniform`. The values reach from $2^{-54}$ to 36.7
    at least.

    Examples:
        >>> exponential(2, generator=np.random.default_rng(0)).round(4).tolist()
        [0.6799, 1.0196]
    """
    name = _dtype_name(dtype, generator)
    return _round_inside(_exponential64(shape, generator), name, below=math.inf)


def gumbel(
    shape: int | tuple[int, ...], *, generator: "Generator", dtype: Any = None
) -> Array:
    r"""Draw $G = -\log E \sim \mathrm{Gumbel}(0, 1)$, always finite, in [-3.6, 37.5].

    Arguments, result and errors are those of :func:`uniform`.
    The minus-log of an exponential is preferred to $-\log(-\log U)$ because the winners of an argmax
    are the *small* values of $E$, which floating point resolves finely, and not values of $U$ near 1,
    which it does not.

    Examples:
        >>> gumbel(2, generator=np.random.default_rng(0)).round(4).tolist()
        [0.3858, -0.0194]
    """
    name = _dtype_name(dtype, generator)
    return _gumbel(_exponential64(shape, generator), name)


def logistic(
    shape: int | tuple[int, ...], *, generator: "Generator", dtype: Any = None
) -> Array:
    r"""Draw $L = G_1 - G_0 \sim \mathrm{Logistic}(0, 1)$, the difference of two independent Gumbels.

    Arguments, result and errors are those of :func:`uniform`. It is the noise of the binary case:
    $\Pr(\ell + L > 0) = \mathrm{sigmoid}(\ell)$.

    Examples:
        >>> logistic(2, generator=np.random.default_rng(0)).round(4).tolist()
        [-3.536, -6.1077]
    """
    name = _dtype_name(dtype, generator)
    first, second = (
        gumbel(shape, generator=generator, dtype=_wide(name)) for _ in range(2)
    )
    return _cast(first - second, name)


def normal(
    shape: int | tuple[int, ...], *, generator: "Generator", dtype: Any = None
) -> Array:
    r"""Draw $\epsilon \sim \mathcal N(0, 1)$.

    Arguments, result and errors are those of :func:`uniform`.

    Examples:
        >>> normal(2, generator=np.random.default_rng(0)).round(4).tolist()
        [0.1257, -0.1321]
    """
    name = _dtype_name(dtype, generator)
    _check_shape(shape)
    if isinstance(generator, np.random.Generator):
        return _cast(np.asarray(generator.standard_normal(shape)), name)
    torch = sys.modules["torch"]
    device, dtype = generator.device, getattr(torch, _wide(name))
    draws = torch.randn(shape, generator=generator, device=device, dtype=dtype)
    return _cast(draws, name)


def gumbel_like(array: Array, *, generator: "Generator | None" = None) -> Array:
    """Draw standard Gumbel noise of the shape, dtype and device of ``array``.

    Args:
        array: a NumPy array or a torch tensor of floating dtype.
        generator: of the same library and on the same device; None stands for torch's default
            generator of that device, and is refused for NumPy, which has none.

    Raises:
        TypeError: ``array`` is not floating, or ``generator`` is of another kind or library.
        ValueError: ``generator`` lives on another device.
    """
    check_floating(array, "array")
    if is_torch(array):
        if generator is not None:
            check_torch_generator(generator, array.device)
        draws = _torch_exponential64(array.shape, generator, array.device)
    else:
        if not isinstance(generator, np.random.Generator):
            kind = type(generator).__name__
            raise TypeError(f"generator must be a numpy.random.Generator, got {kind}")
        draws = _exponential64(array.shape, generator)
    return _gumbel(draws, _name(array.dtype))


def logistic_like(array: Array, *, generator: "Generator | None" = None) -> Array:
    """Draw standard logistic noise for ``array``; arguments and errors as :func:`gumbel_like`."""
    first, second = (gumbel_like(array, generator=generator) for _ in range(2))
    return first - second


def _name(dtype: Any) -> str:
    return str(getattr(dtype, "__name__", dtype)).removeprefix("torch.")


def _dtype_name(dtype: Any, generator: Any) -> str:
    """Return the name of the dtype to draw, once it and the kind of the generator are checked."""
    if isinstance(generator, np.random.Generator):
        library, default = "NumPy", "float64"
        allowed = ["float64", "float32", "float16"]
    elif is_torch_generator(generator):
        library, default = "torch", _name(sys.modules["torch"].get_default_dtype())
        allowed = ["float64", "float32", "bfloat16", "float16"]
    else:
        kind = type(generator).__name__
        raise TypeError(
            f"generator must be a numpy.random.Generator or a torch.Generator, got {kind}"
        )
    name = default if dtype is None else _name(dtype)
    if name not in allowed:
        raise TypeError(
            f"dtype must be one of {', '.join(allowed)} in {library}, got {name}"
        )
    return name


def _check_shape(shape: Any) -> None:
    sizes = shape if isinstance(shape, (tuple, list)) else (shape,)
    if any(size < 0 for size in sizes):
        raise ValueError(f"shape must not be negative, got {shape}")


def _uniform64(shape: Any, generator: Any) -> Array:
    _check_shape(shape)
    if isinstance(generator, np.random.Generator):
        return np.asarray(generator.random(shape))
    return _torch_uniform64(shape, generator, generator.device)


def _exponential64(shape: Any, generator: Any) -> Array:
    _check_shape(shape)
    if isinstance(generator, np.random.Generator):
        # The float64 ziggurat resolves small values; the float32 one returns 0 in 2^-23 of draws.
        draws = np.asarray(generator.standard_exponential(shape))
        return np.maximum(draws, _MIDPOINT_OF_ZERO)
    return _torch_exponential64(shape, generator, generator.device)


def _torch_uniform64(shape: Any, generator: Any, device: Any) -> Array:
    torch = sys.modules["torch"]
    if generator is None:
        # Naming no generator picks the overload that torch.compile can give a varying shape.
        return torch.rand(shape, device=device, dtype=torch.float64)
    return torch.rand(shape, generator=generator, device=device, dtype=torch.float64)


def _torch_exponential64(shape: Any, generator: Any, device: Any) -> Array:
    # -log1p(-u) is small where u is small, and there the 53 bits resolve best.
    draws = _torch_uniform64(shape, generator, device)
    return draws.neg_().log1p_().neg_().clamp(min=_MIDPOINT_OF_ZERO)


def _gumbel(draws: Array, name: str) -> Array:
    """Return -log of draws that nobody else holds, so that torch may work in place."""
    wide = _cast(draws, _wide(name))
    return _cast(wide.log_().neg_() if is_torch(wide) else -np.log(wide), name)


def _wide(name: str) -> str:
    return name if name in ("float64", "float32") else "float32"


def _round_inside(draws: Array, name: str, *, below: float) -> Array:
    """Round float64 draws to the nearest number of the dtype strictly between 0 and ``below``."""
    digits = {"float64": 53, "float32": 24, "float16": 11, "bfloat16": 8}[name]
    smallest = 2.0**-24 if name == "float16" else _MIDPOINT_OF_ZERO
    return _cast(draws.clip(smallest, min(below - 2.0**-digits, below)), name)


def _cast(array: Array, name: str) -> Array:
    if is_torch(array):
        return array.to(getattr(sys.modules["torch"], name))
    return array.astype(name, copy=False)
