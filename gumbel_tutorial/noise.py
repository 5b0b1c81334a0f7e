r"""Uniform, exponential and Gumbel noise: the one place in the package that draws.

A draw names its generator, a ``numpy.random.Generator``, a ``torch.Generator`` or a key of ``jax.random``,
which also fixes the array library and the device. A key draws the same noise every time: split it first.

Small exponentials come from 53 bits, so that small probabilities come out right: $\Pr(E < t)$ holds to about
$2^{-53}$ before $E$ is rounded. In NumPy they are those of :mod:`~gumbel_tutorial.streams`, and from 1,024
numbers on for torch on the CPU too, whose generator seeds the stream. A float32 uniform lies on a grid of
$2^{-24}$: a Gumbel made of it never passes 16.64, and a category with a share of the probability below
$10^{-8}$ is drawn hardly ever or much too often. Where there is no float64, on Apple's GPUs and in JAX as it
starts, the 53 bits are two words, of which float32 keeps the digits on both sides of one half. float16 and
bfloat16 noise is computed in float32 at least and rounded last.
"""

import math
import sys
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from gumbel_tutorial import streams
from gumbel_tutorial.arrays import (
    Array,
    bits,
    has_float64,
    is_jax,
    is_torch,
    is_transformed,
    namespace,
)
from gumbel_tutorial.checks import (
    check_count,
    check_floating,
    check_generator,
    is_key,
    is_torch_generator,
    refuse,
)
from gumbel_tutorial.streams import FEW, MIDPOINT_OF_ZERO

if TYPE_CHECKING:
    import jax
    import torch

    Generator = np.random.Generator | torch.Generator | jax.Array

# The 53 bits of a draw where there is no float64: what float32 holds, and the rest.
_HIGH_BITS, _LOW_BITS = 24, 29


def uniform(
    shape: int | tuple[int, ...], *, generator: "Generator", dtype: Any = None
) -> Array:
    r"""Draw $U \sim \mathcal U(0, 1)$, never 0 and never 1.

    Draws lie on a grid of $2^{-53}$ and are rounded to the nearest number of the dtype inside the open
    interval, so a float32 uniform resolves small values far below the usual $2^{-24}$.

    Args:
        shape: shape of the result.
        generator: a ``numpy.random.Generator``, a ``torch.Generator`` or a key of ``jax.random``.
        dtype: float64, float32, float16 or (torch, JAX) bfloat16, as a name or the library's own dtype; by
            default the library's own default, which is float64 in NumPy.

    Returns:
        An array of the generator's library, on the generator's device.

    Raises:
        TypeError: ``generator``, ``dtype`` or ``shape`` is of another kind.
        ValueError: a negative size.

    Examples:
        >>> uniform(2, generator=np.random.default_rng(0)).round(4).tolist()
        [0.637, 0.2698]
    """
    name = _dtype_name(dtype, generator)
    return _round_inside(_uniform(_sizes(shape), generator, name), name, below=1.0)


def exponential(
    shape: int | tuple[int, ...], *, generator: "Generator", dtype: Any = None
) -> Array:
    r"""Draw $E \sim \mathrm{Exp}(1)$, $\Pr(E > t) = e^{-t}$; always positive.

    Arguments, result and errors are those of :func:`uniform`. The values reach from $2^{-54}$ (float16:
    $2^{-24}$) to 36.7 at least, in float32 to 22.8.

    Examples:
        >>> exponential(2, generator=np.random.default_rng(0)).round(4).tolist()
        [0.6799, 1.0196]
    """
    name = _dtype_name(dtype, generator)
    draws = _exponential(_sizes(shape), generator, name)
    return _round_inside(draws, name, below=math.inf)


def gumbel(
    shape: int | tuple[int, ...], *, generator: "Generator", dtype: Any = None
) -> Array:
    r"""Draw $G = -\log E \sim \mathrm{Gumbel}(0, 1)$, always finite, in [-3.8, 37.5].

    Arguments, result and errors are those of :func:`uniform`.
    The minus-log of an exponential is preferred to $-\log(-\log U)$ because the winners of an argmax
    are the *small* values of $E$, which floating point resolves finely, and not values of $U$ near 1,
    which it does not.

    Examples:
        >>> gumbel(2, generator=np.random.default_rng(0)).round(4).tolist()
        [0.3858, -0.0194]
    """
    name = _dtype_name(dtype, generator)
    return _gumbel(_sizes(shape), generator, name)


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
        gumbel(shape, generator=each, dtype=_wide(name)) for each in _twice(generator)
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
    sizes = _sizes(shape)
    if isinstance(generator, np.random.Generator):
        return _cast(np.asarray(generator.standard_normal(sizes)), name)
    if is_key(generator):
        return _cast(
            sys.modules["jax"].random.normal(generator, sizes, _wide(name)), name
        )
    torch = sys.modules["torch"]
    device, dtype = generator.device, getattr(torch, _wide(name))
    draws = torch.randn(sizes, generator=generator, device=device, dtype=dtype)
    return _cast(draws, name)


def gumbel_like(array: Array, *, generator: "Generator | None" = None) -> Array:
    """Draw standard Gumbel noise of the shape and on the device of ``array``, in float32 at least.

    The dtype is that of ``array``, but float32 for float16 and bfloat16: rounded to those, noise ties, and
    an argmax then prefers the first category.

    Args:
        array: a NumPy array, a torch tensor or a JAX array of floating dtype.
        generator: one of the same library and on the same device; None stands for torch's default
            generator of that device, and is refused for NumPy and JAX, which have none.

    Raises:
        TypeError: ``array`` is not floating, or ``generator`` is of another kind or library.
        ValueError: ``generator`` lives on another device.

    Examples:
        >>> gumbel_like(np.zeros(2), generator=np.random.default_rng(0)).round(4).tolist()
        [0.3858, -0.0194]
    """
    name = _checked_name(array, generator)
    if is_torch(array):
        return _torch_gumbel(array.shape, generator, array.device, name, like=array)
    return _of_library(array, _gumbel(tuple(array.shape), generator, name))


def normal_like(array: Array, *, generator: "Generator | None" = None) -> Array:
    """Draw standard normal noise for ``array``; arguments and errors as :func:`gumbel_like`.

    Examples:
        >>> normal_like(np.zeros(2), generator=np.random.default_rng(0)).round(4).tolist()
        [0.1257, -0.1321]
    """
    name = _checked_name(array, generator)
    if is_torch(array):
        torch = sys.modules["torch"]
        options = {"device": array.device, "dtype": getattr(torch, name)}
        return torch.randn(array.shape, generator=generator, **options)
    draws = normal(tuple(array.shape), generator=cast(Any, generator), dtype=name)
    return _of_library(array, draws)


def logistic_like(array: Array, *, generator: "Generator | None" = None) -> Array:
    """Draw standard logistic noise for ``array``; arguments and errors as :func:`gumbel_like`."""
    first, second = (gumbel_like(array, generator=each) for each in _twice(generator))
    return first - second


def _checked_name(array: Array, generator: Any) -> str:
    """Check what noise like an array takes, and return the name of its dtype, float32 at least."""
    check_floating(array, "array")
    name = "float64" if bits(array) >= 64 else "float32"
    if generator is not None or not is_torch(array):
        check_generator(generator, array)
    return name


def _of_library(array: Array, draws: Array) -> Array:
    """Return draws of NumPy or JAX as an array of the library of another."""
    if is_jax(array) or isinstance(array, (np.ndarray, np.generic)):
        return draws
    return namespace(array=array).asarray(draws)


def plain_exponential(like: Array, generator: Any) -> Array:
    r"""Draw $E \sim \mathrm{Exp}(1)$ like a float32 or float64 tensor on the CPU; nothing is checked.

    The noise that :func:`gumbel_like` starts from, number for number up to rounding, in fewer operations
    where the tensor is small: torch's own exponential, which draws in float64 too, but is 0 once in 9e15
    draws.
    """
    torch = sys.modules["torch"]
    if like.numel() < FEW:
        draws = torch.empty_like(like, memory_format=torch.contiguous_format)
        return draws.exponential_(generator=generator)
    from gumbel_tutorial.streams import tensors

    return tensors.exponential(like.shape, generator, like.dtype)


def _twice(generator: Any) -> tuple[Any, Any]:
    """Return what two independent draws take: the generator, which moves on, or two keys."""
    if is_key(generator):
        first, second = sys.modules["jax"].random.split(generator)
        return first, second
    return generator, generator


def _name(dtype: Any) -> str:
    return str(getattr(dtype, "__name__", dtype)).removeprefix("torch.")


def _dtype_name(dtype: Any, generator: Any) -> str:
    """Return the name of the dtype to draw, once it and the kind of the generator are checked."""
    wide, halves = ["float64", "float32"], ["float16"]
    if isinstance(generator, np.random.Generator):
        library, default = "NumPy", "float64"
    elif is_torch_generator(generator):
        library, default = "torch", _name(sys.modules["torch"].get_default_dtype())
        wide = wide if has_float64(generator.device) else wide[1:]
        halves = ["bfloat16", "float16"]
    elif is_key(generator):
        wide = wide if sys.modules["jax"].config.jax_enable_x64 else wide[1:]
        library, default = "JAX", wide[0]
        halves = ["bfloat16", "float16"]
    else:
        requirement = (
            "be a numpy.random.Generator or a torch.Generator or a key of jax.random"
        )
        refuse("generator", requirement, type(generator).__name__, TypeError)
    name = default if dtype is None else _name(dtype)
    if name not in wide + halves:
        requirement = f"be one of {', '.join(wide + halves)} in {library}"
        refuse("dtype", requirement, name, TypeError)
    return name


def _sizes(shape: Any) -> tuple[int, ...]:
    """Return a shape as a tuple of sizes, once it is one."""
    sizes = shape if isinstance(shape, (tuple, list)) else (shape,)
    try:
        counts = tuple(check_count(size, "shape", -sys.maxsize) for size in sizes)
    except (TypeError, ValueError):
        requirement = "be a whole number or a tuple of whole numbers"
        refuse("shape", requirement, repr(shape), TypeError)
    if any(size < 0 for size in counts):
        refuse("shape", "not be negative", shape)
    return counts


def _uniform(shape: tuple[int, ...], generator: Any, name: str) -> Array:
    """Draw in float64, or from two words in float32 where there is no float64."""
    if isinstance(generator, np.random.Generator):
        return np.asarray(generator.random(shape))
    if is_key(generator):
        return _uniform_of_words(*_jax_words(shape, generator), _wide(name))
    if has_float64(generator.device):
        return _torch_uniform64(shape, generator, generator.device)
    words = _torch_words(shape, generator, generator.device)
    return _uniform_of_words(*words, "float32")


def _exponential(shape: tuple[int, ...], generator: Any, name: str) -> Array:
    """Draw for a dtype: in float64 unless it is float32, from two words where there is no float64."""
    if isinstance(generator, np.random.Generator):
        return streams.exponential(generator, shape, _drawn_in(name))
    if is_key(generator):
        return _exponential_of_words(*_jax_words(shape, generator), _wide(name))
    return _torch_exponential(shape, generator, generator.device, name)


def _torch_exponential(
    shape: Any, generator: Any, device: Any, name: str, *, like: Array = None
) -> Array:
    if not has_float64(device):
        words = _torch_words(shape, generator, device)
        return _exponential_of_words(*words, "float32")
    if _is_drawn_by_numpy(shape, device):
        from gumbel_tutorial.streams import tensors  # since torch is there

        dtype = getattr(sys.modules["torch"], _drawn_in(name))
        return tensors.exponential(shape, generator, dtype)
    # -log1p(-u) is small where u is small, and there the 53 bits resolve best.
    draws = _torch_uniform64(shape, generator, device, like=like)
    return draws.neg_().log1p_().neg_().clamp_min_(MIDPOINT_OF_ZERO)


def _drawn_in(name: str) -> str:
    """Return the dtype in which an exponential is drawn, so that it is rounded once."""
    return "float32" if name == "float32" else "float64"


def _is_drawn_by_numpy(shape: Any, device: Any) -> bool:
    """Tell whether the noise of torch comes from NumPy: on the CPU, where nothing records what torch does.

    A compiled graph takes the operation in; one that is exported or traced must run without this package,
    and vmap has its own rules for what is random.
    """
    torch = sys.modules["torch"]
    if device.type != "cpu" or torch.compiler.is_exporting():
        return False
    if not torch.compiler.is_compiling() and is_transformed():
        return False
    return math.prod(shape) >= FEW


def _torch_uniform64(
    shape: Any, generator: Any, device: Any, *, like: Array = None
) -> Array:
    torch = sys.modules["torch"]
    options = {"device": device}
    if generator is not None:
        # Naming no generator picks the overload that torch.compile can give a varying shape.
        options["generator"] = generator
    if torch.compiler.is_compiling():
        # The compiler's own float64 uniform is its float32 one, of 31 bits, cast; its integers are whole.
        words = torch.randint(0, 2**53, shape, dtype=torch.int64, **options)
        return words.double().mul_(2.0**-53)
    if like is not None and generator is None:
        # Of a fake tensor, fake; and the shortest way in torch.
        layout = torch.contiguous_format
        return torch.rand_like(like, dtype=torch.float64, memory_format=layout)
    return torch.rand(shape, dtype=torch.float64, **options)


def _torch_words(shape: Any, generator: Any, device: Any) -> tuple[Array, Array]:
    torch = sys.modules["torch"]
    options = {"dtype": torch.int32, "device": device}
    if generator is not None:
        options["generator"] = generator
    high = torch.randint(0, 2**_HIGH_BITS, shape, **options)
    return high, torch.randint(0, 2**_LOW_BITS, shape, **options)


def _jax_words(shape: tuple[int, ...], key: Any) -> tuple[Array, Array]:
    jax = sys.modules["jax"]
    high, low = jax.random.bits(key, (2, *shape), jax.numpy.uint32)
    return high >> (32 - _HIGH_BITS), low >> (32 - _LOW_BITS)


def _uniform_of_words(high: Array, low: Array, name: str) -> Array:
    below_half, near = _distance_to_the_nearer_end(high, low, name)
    return namespace(near=near).where(below_half, near, 1 - near)


def _exponential_of_words(high: Array, low: Array, name: str) -> Array:
    """Return -log(1 - U) for the 53-bit U of two words, both tails right in float32 too."""
    below_half, near = _distance_to_the_nearer_end(high, low, name)
    xp = namespace(near=near)
    near = near.clip(MIDPOINT_OF_ZERO)
    return xp.where(below_half, -xp.log1p(-near), -xp.log(near))


def _distance_to_the_nearer_end(
    high: Array, low: Array, name: str
) -> tuple[Array, Array]:
    """Return whether U = high 2^-24 + low 2^-53 is below one half, and U or else 1 - U, rounded once."""
    xp = namespace(high=high)
    below_half = high < 2 ** (_HIGH_BITS - 1)
    high = xp.where(below_half, high, 2**_HIGH_BITS - 1 - high)
    low = xp.where(below_half, low, 2**_LOW_BITS - low)
    near = _cast(high, name) * 2.0**-_HIGH_BITS + _cast(low, name) * 2.0**-53
    return below_half, near


def _gumbel(shape: tuple[int, ...], generator: Any, name: str) -> Array:
    """Draw in float32 at least, and round once more where the dtype is narrower."""
    wide = _wide(name)
    if isinstance(generator, np.random.Generator):
        return _cast(streams.gumbel(generator, shape, wide), name)
    if is_key(generator):
        draws = _exponential(shape, generator, wide)
        return _cast(-namespace(draws=draws).log(draws), name)
    return _cast(_torch_gumbel(shape, generator, generator.device, wide), name)


def _torch_gumbel(
    shape: Any, generator: Any, device: Any, name: str, *, like: Array = None
) -> Array:
    torch = sys.modules["torch"]
    if not torch.compiler.is_compiling() and _is_drawn_by_numpy(shape, device):
        from gumbel_tutorial.streams import tensors

        return tensors.gumbel(shape, generator, getattr(torch, name))
    draws = _torch_exponential(shape, generator, device, name, like=like)
    return _cast(draws, name).log_().neg_()


def _wide(name: str) -> str:
    return name if name in ("float64", "float32") else "float32"


def _round_inside(draws: Array, name: str, *, below: float) -> Array:
    """Round draws to the nearest number of the dtype strictly between 0 and ``below``."""
    digits = {"float64": 53, "float32": 24, "float16": 11, "bfloat16": 8}[name]
    smallest = 2.0**-24 if name == "float16" else MIDPOINT_OF_ZERO
    return _cast(draws.clip(smallest, min(below - 2.0**-digits, below)), name)


def _cast(array: Array, name: str) -> Array:
    if is_torch(array):
        return array.to(getattr(sys.modules["torch"], name))
    if is_jax(array):
        return array.astype(getattr(sys.modules["jax"].numpy, name))
    return array.astype(name, copy=False)
