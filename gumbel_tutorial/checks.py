"""What the public functions refuse, said once: the argument, the requirement, the value.

Shapes and dtypes are always checked. Values are read wherever they can be: not while torch compiles
or captures a CUDA graph, and not under ``torch.func.vmap``, where a tensor has no value to look at.
"""

import math
import sys
from typing import Any

from gumbel_tutorial.arrays import Array, is_torch, namespace


def first_true(mask: Array) -> tuple[int, ...] | None:
    """Return the index of the first true entry; None when there is none or values are unreadable."""
    if is_torch(mask) and not _readable(mask):
        return None
    xp = namespace(mask=mask)
    if not bool(xp.any(mask)):
        return None
    flat = int(xp.argmax(xp.astype(xp.reshape(mask, (-1,)), xp.int8)))
    index: list[int] = []
    for size in reversed(mask.shape):
        flat, position = divmod(flat, size)
        index.append(position)
    return tuple(reversed(index))


def _readable(mask: Array) -> bool:
    torch = sys.modules["torch"]
    if torch.compiler.is_compiling() or mask.is_meta:
        return False
    if mask.is_cuda and torch.cuda.is_current_stream_capturing():
        return False
    try:
        bool(mask.any())
    except RuntimeError as error:
        if "vmap" in str(error):
            return False
        raise
    return True


def _values(array: Array) -> Array:
    return array.detach() if is_torch(array) else array


def check_floating(array: Array, name: str) -> None:
    """Require a real floating dtype."""
    xp = namespace(**{name: array})
    if not xp.isdtype(array.dtype, "real floating"):
        raise TypeError(f"{name} must have a floating dtype, got {array.dtype}")


def check_no_nan(array: Array, name: str) -> None:
    """Require numbers, infinite ones included."""
    xp = namespace(**{name: array})
    where = first_true(xp.isnan(_values(array)))
    if where is not None:
        raise ValueError(f"{name} must not be NaN, got nan at index {where}")


def check_finite(array: Array, name: str) -> None:
    """Require finite entries."""
    xp = namespace(**{name: array})
    where = first_true(~xp.isfinite(_values(array)))
    if where is not None:
        raise ValueError(
            f"{name} must be finite, got {float(array[where])} at index {where}"
        )


def check_category_axis(array: Array, name: str, *, axis: int = -1) -> None:
    """Require a category axis that exists and is not empty."""
    if not -array.ndim <= axis < array.ndim:
        raise ValueError(
            f"{name} must have axis {axis}, got shape {tuple(array.shape)}"
        )
    if array.shape[axis] == 0:
        raise ValueError(
            f"{name} must have at least one category on axis {axis}, got shape {tuple(array.shape)}"
        )


def check_logits(logits: Array, name: str = "logits", *, axis: int = -1) -> None:
    """Require floating logits below +inf, never NaN, with an open category in every row."""
    check_floating(logits, name)
    check_category_axis(logits, name, axis=axis)
    if 0 in logits.shape:
        return
    xp = namespace(**{name: logits})
    # One pass does for all three faults, since a maximum hands NaN on.
    largest = xp.max(_values(logits), axis=axis)
    row = first_true(~xp.isfinite(largest))
    if row is None:
        return
    check_no_nan(logits, name)
    at = f" at index {row}" if row else ""
    if float(largest[row]) > 0:
        raise ValueError(f"{name} must be below +inf, got inf in the row{at}")
    raise ValueError(
        f"{name} must leave a category open in every row, got only -inf in the row{at}"
    )


def check_noise(noise: Array, logits: Array, *, axis: int = -1) -> None:
    """Require finite floating noise, one value for each category of the logits."""
    namespace(logits=logits, noise=noise)
    check_floating(noise, "noise")
    check_category_axis(noise, "noise", axis=axis)
    check_same_categories(noise, "noise", logits, axis=axis)
    check_finite(noise, "noise")


def check_same_categories(
    array: Array, name: str, logits: Array, *, axis: int = -1
) -> None:
    """Require one entry for each category of the logits, and batch axes that broadcast."""
    if array.shape[axis] != logits.shape[axis]:
        raise ValueError(
            f"{name} must have one entry for each of the {logits.shape[axis]} categories, "
            f"got shape {tuple(array.shape)}"
        )
    check_broadcast(array, name, logits, "logits")


def check_open_simplex(array: Array, name: str) -> None:
    """Require points of the open simplex: positive entries that sum to one on the last axis."""
    check_floating(array, name)
    check_category_axis(array, name)
    xp = namespace(**{name: array})
    values = _values(array)
    _check(array, name, values > 0, "be positive in every category")
    total = xp.sum(values, axis=-1)
    # A rounded sample misses one by K roundings; the root of the spacing is far above that.
    tolerance = float(xp.finfo(array.dtype).eps) ** 0.5
    row = first_true(xp.abs(total - 1) > tolerance)
    if row is not None:
        raise ValueError(
            f"{name} must sum to one in every row, got {float(total[row])}"
        )


def check_broadcast(
    first: Array, first_name: str, second: Array, second_name: str
) -> None:
    """Require two shapes that broadcast together."""
    for one, other in zip(reversed(first.shape), reversed(second.shape), strict=False):
        if one != other and 1 not in (one, other):
            raise ValueError(
                f"{first_name} must broadcast against {second_name} of shape "
                f"{tuple(second.shape)}, got shape {tuple(first.shape)}"
            )


def check_positive(value: Any, name: str) -> None:
    """Require positive finite numbers, in an array or alone."""
    if isinstance(value, (int, float)):
        if not 0 < value < math.inf:
            raise ValueError(f"{name} must be positive, got {value}")
        return
    check_floating(value, name)
    values = _values(value)
    _check(value, name, (values > 0) & (values < math.inf), "be positive")


def check_probability(value: Array, name: str) -> None:
    """Require probabilities, 0 and 1 included."""
    _check(value, name, (value >= 0) & (value <= 1), "lie in [0, 1]")


def check_open_unit_interval(value: Array, name: str) -> None:
    """Require floating numbers in (0, 1), 0 and 1 excluded."""
    check_floating(value, name)
    _check(value, name, (value > 0) & (value < 1), "lie in (0, 1)")


def check_below_one(value: Array, name: str) -> None:
    """Require numbers below one."""
    _check(value, name, value < 1, "be below 1")


def check_above_minus_infinity(value: Array, name: str) -> None:
    """Require numbers above -inf; +inf is allowed, NaN is not."""
    _check(value, name, value > -math.inf, "be above -inf")


def _check(value: Array, name: str, holds: Array, requirement: str) -> None:
    where = first_true(~holds)
    if where is not None:
        raise ValueError(f"{name} must {requirement}, got {float(value[where])}")


def check_temperature(
    temperature: Any, logits: Array, name: str = "temperature", *, axis: int = -1
) -> None:
    """Require a positive temperature, one for each row: an array has size 1 on the category axis.

    An array of shape ``(K,)`` would broadcast too, and silently give every category its own.
    """
    check_positive(temperature, name)
    if isinstance(temperature, (int, float)):
        return
    namespace(logits=logits, **{name: temperature})
    from_right = axis if axis < 0 else axis - logits.ndim
    if temperature.ndim >= -from_right and temperature.shape[from_right] != 1:
        raise ValueError(
            f"{name} must have size 1 on the category axis {axis}, "
            f"got shape {tuple(temperature.shape)} for logits of shape {tuple(logits.shape)}"
        )
    check_broadcast(temperature, name, logits, "logits")


def check_index(index: Array, num_categories: int, name: str = "index") -> None:
    """Require integer categories in 0 ... K-1."""
    xp = namespace(**{name: index})
    if not xp.isdtype(index.dtype, "integral"):
        raise TypeError(f"{name} must have an integer dtype, got {index.dtype}")
    inside = (index >= 0) & (index < num_categories)
    where = first_true(~inside)
    if where is not None:
        last = num_categories - 1
        raise ValueError(f"{name} must lie in 0 ... {last}, got {int(index[where])}")
