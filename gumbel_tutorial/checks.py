"""What the public functions refuse, said once: the argument, the requirement, the value.

Shapes and dtypes are always checked. Values are read wherever they can be: not while torch compiles
or captures a CUDA graph, and not under ``torch.func.vmap``, where a tensor has no value to look at.
"""

import math
import operator
import sys
from typing import Any

from gumbel_tutorial.arrays import (
    Array,
    is_half,
    is_torch,
    logsumexp,
    namespace,
    stop_gradient,
    widen,
)


def first_true(mask: Array) -> tuple[int, ...] | None:
    """Return the index of the first true entry; None when there is none or values are unreadable."""
    if not _any(mask):
        return None
    xp = namespace(mask=mask)
    flat = int(xp.argmax(xp.astype(xp.reshape(mask, (-1,)), xp.int8)))
    index: list[int] = []
    for size in reversed(mask.shape):
        flat, position = divmod(flat, size)
        index.append(position)
    return tuple(reversed(index))


def _any(mask: Array) -> bool:
    """Tell whether an entry is true and readable, at the price of one wait for the device."""
    if not is_torch(mask):
        return bool(namespace(mask=mask).any(mask))
    torch = sys.modules["torch"]
    if torch.compiler.is_compiling() or mask.is_meta:
        return False
    if mask.is_cuda and torch.cuda.is_current_stream_capturing():
        return False
    try:
        return bool(mask.any())
    except RuntimeError as error:
        if "vmap" in str(error):
            return False
        raise


def _library(array: Array, name: str) -> Any:
    """Return the library of an argument for which a Python number will not do."""
    xp = namespace(**{name: array})
    if not hasattr(array, "dtype"):
        kind = type(array).__name__
        raise TypeError(f"{name} must be a NumPy array or a torch tensor, got {kind}")
    return xp


def check_floating(array: Array, name: str) -> None:
    """Require an array of a real floating dtype."""
    xp = _library(array, name)
    if not xp.isdtype(array.dtype, "real floating"):
        raise TypeError(f"{name} must have a floating dtype, got {array.dtype}")


def check_no_nan(array: Array, name: str) -> None:
    """Require numbers, infinite ones included."""
    xp = namespace(**{name: array})
    where = first_true(xp.isnan(stop_gradient(array)))
    if where is not None:
        raise ValueError(f"{name} must not be NaN, got nan at index {where}")


def check_finite(array: Array, name: str) -> None:
    """Require finite entries."""
    if 0 in array.shape:
        return
    xp = namespace(**{name: array})
    values = stop_gradient(array)
    # Two maxima cost a tenth of a mask, and hand NaN on.
    finite = xp.isfinite(xp.max(values)) & xp.isfinite(xp.min(values))
    if first_true(~finite) is None:
        return
    where = first_true(~xp.isfinite(values))
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
    largest = xp.max(stop_gradient(logits), axis=axis)
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
    values = widen(stop_gradient(array))
    _check(array, name, values > 0, "be positive in every category")
    total = xp.sum(values, axis=-1)
    row = first_true(xp.abs(total - 1) > _tolerance(array))
    if row is not None:
        raise ValueError(
            f"{name} must sum to one in every row, got {float(total[row])}"
        )


def check_log_simplex(array: Array, name: str) -> None:
    """Require logarithms of points of the open simplex: finite, their logsumexp 0 on the last axis."""
    check_floating(array, name)
    check_category_axis(array, name)
    check_finite(array, name)
    xp = namespace(**{name: array})
    total = logsumexp(widen(stop_gradient(array)))
    row = first_true(xp.abs(total) > _tolerance(array))
    if row is not None:
        raise ValueError(
            f"{name} must have logsumexp 0 in every row, got {float(total[row])}"
        )


def _tolerance(array: Array) -> float:
    # A rounded sample misses one by K roundings; the root of the spacing is far above that. A float64 array
    # may hold samples that were rounded to float32 before.
    finfo = namespace(array=array).finfo
    return max(float(finfo(array.dtype).eps), 2.0**-23) ** 0.5


def check_broadcast(
    first: Array, first_name: str, second: Array, second_name: str
) -> None:
    """Require two shapes that broadcast together."""
    if not _fit(first.shape, second.shape):
        raise ValueError(
            f"{first_name} must broadcast against {second_name} of shape "
            f"{tuple(second.shape)}, got shape {tuple(first.shape)}"
        )


def check_batch(
    array: Array,
    name: str,
    logits: Array,
    logits_name: str = "logits",
    *,
    own_axes: int = 0,
) -> None:
    """Require a shape that, but for its last ``own_axes``, broadcasts against the batch of the logits."""
    if not _fit(array.shape[: array.ndim - own_axes], logits.shape[:-1]):
        raise ValueError(
            f"{name} must broadcast against the batch of {logits_name} of shape "
            f"{tuple(logits.shape)}, got shape {tuple(array.shape)}"
        )


def _fit(shape: tuple[int, ...], other_shape: tuple[int, ...]) -> bool:
    pairs = zip(reversed(shape), reversed(other_shape), strict=False)
    return all(one == other or 1 in (one, other) for one, other in pairs)


def check_broadcasts_to(array: Array, name: str, logits: Array) -> None:
    """Require a shape that broadcasts to that of the logits, which it does not enlarge."""
    pairs = zip(reversed(array.shape), reversed(logits.shape), strict=False)
    if array.ndim > logits.ndim or any(one not in (1, other) for one, other in pairs):
        raise ValueError(
            f"{name} must broadcast to logits of shape {tuple(logits.shape)}, "
            f"got shape {tuple(array.shape)}"
        )


def check_positive(value: Any, name: str, *, least: float = 0.0) -> None:
    """Require positive finite numbers, none below ``least``, in an array or alone."""
    if isinstance(value, (int, float)):
        bad = None if value > 0 and least <= value < math.inf else value
    else:
        check_floating(value, name)
        values = stop_gradient(value)
        holds = (values > 0) & (values >= least) & (values < math.inf)
        where = first_true(~holds)
        bad = None if where is None else float(values[where])
    if bad is not None:
        limit = "positive and finite" if bad == math.inf else "positive"
        requirement = f"at least {least:.4g}" if 0 < bad < least else limit
        raise ValueError(f"{name} must be {requirement}, got {bad}")


def check_count(value: Any, name: str, least: int) -> int:
    """Return a whole number, of Python or NumPy, that is at least ``least``."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < least:
        raise ValueError(
            f"{name} must be a whole number of at least {least}, got {value}"
        )
    return operator.index(value)


def check_not_negative(value: float, name: str) -> None:
    """Require a finite number that is zero or positive."""
    if not 0 <= value < math.inf:
        raise ValueError(f"{name} must be finite and not negative, got {value}")


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


def smallest_divisor(logits: Array) -> float:
    """Return the smallest normal number of the dtype of the logits, of float32 at least.

    What lies below rounds to 0, is read as 0 on some devices, or has no finite reciprocal.
    """
    xp = namespace(logits=logits)
    dtype = xp.float32 if is_half(logits) else logits.dtype
    return float(xp.finfo(dtype).smallest_normal)


def check_temperature(
    temperature: Any,
    logits: Array,
    name: str = "temperature",
    *,
    axis: int = -1,
    least: float = 0.0,
    logits_name: str = "logits",
) -> None:
    """Require a positive temperature, one for each row: an array has size 1 on the category axis.

    An array of shape ``(K,)`` would broadcast too, and silently give every category its own.
    """
    check_positive(temperature, name, least=least)
    if isinstance(temperature, (int, float)):
        return
    namespace(**{logits_name: logits, name: temperature})
    from_right = axis if axis < 0 else axis - logits.ndim
    if temperature.ndim >= -from_right and temperature.shape[from_right] != 1:
        raise ValueError(
            f"{name} must have size 1 on the category axis {axis}, "
            f"got shape {tuple(temperature.shape)} for {logits_name} of shape {tuple(logits.shape)}"
        )
    check_broadcast(temperature, name, logits, logits_name)


def check_index(index: Array, num_categories: int, name: str = "index") -> None:
    """Require an array of integer categories in 0 ... K-1."""
    xp = _library(index, name)
    if not xp.isdtype(index.dtype, "integral"):
        raise TypeError(f"{name} must have an integer dtype, got {index.dtype}")
    inside = (index >= 0) & (index < num_categories)
    where = first_true(~inside)
    if where is not None:
        last = num_categories - 1
        raise ValueError(f"{name} must lie in 0 ... {last}, got {int(index[where])}")


def is_torch_generator(generator: object) -> bool:
    """Tell whether ``generator`` is torch's, without importing torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(generator, torch.Generator)


def check_torch_generator(generator: Any, device: Any) -> None:
    """Require a ``torch.Generator`` that draws on the device."""
    if not is_torch_generator(generator):
        kind = type(generator).__name__
        raise TypeError(f"generator must be a torch.Generator, got {kind}")
    own = generator.device
    # A generator made for "cuda" names no index: it draws on the current device of that type.
    if own.type != device.type or own.index not in (None, device.index):
        raise ValueError(f"generator must be on device {device}, got one on {own}")
