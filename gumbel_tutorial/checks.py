"""What the public functions refuse, said once: the argument, the requirement, the value.

Shapes and dtypes are always checked. Values are read wherever they can be: not while torch compiles,
exports or captures a CUDA graph, not of tensors without values (meta, fake), not while JAX traces, and not
under ``vmap``, where an array has no value to look at. :func:`check_values` turns reading off altogether.
"""

import math
import operator
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import combinations
from types import TracebackType
from typing import Any, NoReturn, TypeVar

import numpy as np

from gumbel_tutorial.arrays import (
    Array,
    bits,
    is_jax,
    is_number,
    is_torch,
    is_traced,
    logsumexp,
    namespace,
    require_dense,
    row_maxima,
    stop_gradient,
    to_index,
    widen,
)

R = TypeVar("R")

_reading = True


class check_values:
    """Turn the reading of array values on or off, in the whole process.

    Off, public functions check shapes, dtypes and plain numbers alone: NaN, a row without an open category
    or an index out of range goes unseen, and no call waits for the device to tell. ``with
    check_values(False):`` restores at its end what was set before.

    Args:
        enabled: whether values are read, as they are at the start.

    Raises:
        TypeError: ``enabled`` is not a bool.

    Examples:
        >>> import numpy as np
        >>> with check_values(False):
        ...     check_no_nan(np.array([np.nan]), "value")
        >>> check_no_nan(np.array([np.nan]), "value")
        Traceback (most recent call last):
        ValueError: value must not be NaN, got nan at index (0,)
    """

    def __init__(self, enabled: bool) -> None:
        """Set the switch."""
        global _reading
        if not isinstance(enabled, bool):
            refuse("enabled", "be a bool", type(enabled).__name__, TypeError)
        self._before = _reading
        _reading = enabled

    def __enter__(self) -> "check_values":
        """Keep what the call has set."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Restore what was set before the call."""
        global _reading
        _reading = self._before


def reads_values() -> bool:
    """Tell whether :func:`check_values` lets values be read."""
    return _reading


def refuse(
    name: str, requirement: str, got: object, error: type[Exception] = ValueError
) -> NoReturn:
    """Raise the error of an argument, with the requirement and the value it has instead."""
    raise error(f"{name} must {requirement}, got {got}")


@contextmanager
def needing(module: str, extra: str) -> Iterator[None]:
    """Say of a library that an import lacks which module needs it, and which extra brings it."""
    try:
        yield
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        message = f"{module} needs {library}: install gumbel-tutorial[{extra}]"
        raise ModuleNotFoundError(message, name=library) from error


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


def at_index(where: tuple[int, ...]) -> str:
    """Return ``" at index ..."`` for a message, or ``""`` for an empty index."""
    return f" at index {where}" if where else ""


def _any(mask: Array) -> bool:
    """Tell whether an entry is true and readable; reading synchronises the device."""
    if is_torch(mask):
        return bool(_any_of_tensor(mask))
    if not _reading:
        return False
    truth = namespace(mask=mask).any(mask)
    if not is_jax(mask):
        return bool(truth)
    try:
        return bool(truth)
    except sys.modules["jax"].errors.ConcretizationTypeError:
        return False


def none_is_true(mask: Any) -> bool:
    """Tell whether no entry of a tensor is true; False where reading it would wait or is off."""
    return mask.is_cpu and _any_of_tensor(mask) is False


def extremes(values: Any) -> tuple[float, float] | None:
    """Return the smallest and the largest entry of a tensor, both NaN if one entry is.

    None where there is no entry, or none that is to be read. One pass, a tenth of the time of a mask.
    """
    return _read(values, _extremes)


def _extremes(values: Any) -> tuple[float, float] | None:
    if values.numel() == 0:
        return None
    low, high = values.detach().aminmax()
    if not values.is_cpu:
        # Together, so that the device is waited for once.
        low, high = sys.modules["torch"].stack((low, high)).cpu()
    return low.item(), high.item()


def _any_of_tensor(mask: Any) -> bool | None:
    """Tell whether an entry is true; None where that is not to be read."""
    return _read(mask, lambda tensor: bool(tensor.any()))


def _read(tensor: Any, function: Callable[[Any], R]) -> R | None:
    """Return what a function reads of a tensor; None where nothing is to be read."""
    torch = sys.modules["torch"]
    # Compiled first, lest the switch become a guard: compiled code never reads.
    if is_traced() or not _reading or tensor.is_meta:
        return None
    if isinstance(tensor, torch._subclasses.FakeTensor):
        return None
    if tensor.is_cuda and torch.cuda.is_current_stream_capturing():
        return None
    try:
        return function(tensor)
    except RuntimeError as error:
        if _has_no_value(error):
            return None
        raise


def _has_no_value(error: RuntimeError) -> bool:
    """Tell whether reading failed because the tensor wraps a fake one, is traced, or is a row under vmap."""
    fake_tensor = sys.modules["torch"]._subclasses.fake_tensor
    return (
        isinstance(error, fake_tensor.DataDependentOutputException)
        or "vmap" in str(error)
        or "value out of a tracing tensor" in str(error)
    )


def _library(array: Array, name: str) -> Any:
    """Return the library of an argument for which a number will not do."""
    xp = namespace(**{name: array})
    if not hasattr(array, "dtype"):
        kind = type(array).__name__
        refuse(name, "be an array of NumPy, torch or JAX", kind, TypeError)
    return xp


def check_floating(array: Array, name: str) -> None:
    """Require an array of a real floating dtype, of 16 bits at least."""
    if is_torch(array):
        require_dense(name, array)
        floating = array.dtype.is_floating_point
    else:
        floating = _library(array, name).isdtype(array.dtype, "real floating")
    if not floating or bits(array) < 16:
        refuse(name, "have a floating dtype", array.dtype, TypeError)


def check_no_nan(array: Array, name: str) -> None:
    """Require numbers, infinite ones included."""
    if is_number(array):
        _check(array, name, not math.isnan(array), "not be NaN")
        return
    xp = namespace(**{name: array})
    where = first_true(xp.isnan(stop_gradient(array)))
    if where is not None:
        refuse(name, "not be NaN", f"nan{at_index(where)}")


def check_finite(array: Array, name: str) -> None:
    """Require finite entries."""
    if is_number(array):
        _check(array, name, math.isfinite(array), "be finite")
        return
    values = stop_gradient(array)
    if not _may_be_infinite(values):
        return
    where = first_true(~namespace(**{name: array}).isfinite(values))
    if where is not None:
        refuse(name, "be finite", f"{float(values[where])}{at_index(where)}")


def _may_be_infinite(values: Array) -> bool:
    """Tell whether an entry is infinite or NaN: two extremes propagate NaN and cost a tenth of a mask."""
    if 0 in values.shape:
        return False
    if is_torch(values):
        # x - x is NaN where x is not finite, and NaN counts as true: one number to read instead of two.
        low, high = values.aminmax()
        return _any((low - low) + (high - high))
    xp = namespace(values=values)
    return _any(~(xp.isfinite(xp.max(values)) & xp.isfinite(xp.min(values))))


def check_category_axis(array: Array, name: str, *, axis: int = -1) -> None:
    """Require a category axis that exists and is not empty."""
    shape = tuple(array.shape)
    if not -array.ndim <= axis < array.ndim:
        refuse(name, f"have axis {axis}", f"shape {shape}")
    if not _sizes_vary() and shape[axis] == 0:
        refuse(name, f"have at least one category on axis {axis}", f"shape {shape}")


def check_logits(logits: Array, name: str = "logits", *, axis: int = -1) -> Array:
    """Require floating logits below +inf, never NaN, with an open category in every row.

    Returns:
        The maxima of the rows, size 1 on the category axis and constant under differentiation, so that
        :func:`gumbel_tutorial.arrays.perturb` need not look for them again.
    """
    check_floating(logits, name)
    check_category_axis(logits, name, axis=axis)
    largest = row_maxima(logits, axis=axis)
    # One pass does for all three faults, since a maximum propagates NaN.
    if is_torch(logits):
        sound = not _any(largest - largest)
    else:
        sound = not _any(~namespace(**{name: logits}).isfinite(largest))
    if not sound:
        _refuse_logits(logits, name, axis)
    return largest


def check_softmax(total: Array, logits: Array, name: str = "logits") -> None:
    """Require what :func:`check_logits` does, by sums of the softmax: NaN where a row has a fault."""
    if _any(total != total):
        check_logits(logits, name)


def _refuse_logits(logits: Array, name: str, axis: int) -> NoReturn:
    check_no_nan(logits, name)
    xp = namespace(**{name: logits})
    largest = xp.max(stop_gradient(logits), axis=axis)
    row = first_true(~xp.isfinite(largest)) or ()
    if float(largest[row]) > 0:
        refuse(name, "be below +inf", f"inf in the row{at_index(row)}")
    got = f"only -inf in the row{at_index(row)}"
    refuse(name, "leave a category open in every row", got)


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
        requirement = f"have one entry for each of the {logits.shape[axis]} categories"
        refuse(name, requirement, f"shape {tuple(array.shape)}")
    check_broadcast(array, name, logits, "logits")


def check_open_simplex(array: Array, name: str) -> None:
    """Require points of the open simplex: positive entries that sum to one on the last axis."""
    check_floating(array, name)
    check_category_axis(array, name)
    xp = namespace(**{name: array})
    values = widen(stop_gradient(array))
    _check(array, name, values > 0, "be positive in every category")
    total = xp.sum(values, axis=-1)
    row = first_true(xp.abs(total - 1) > simplex_tolerance(array))
    if row is not None:
        refuse(name, "sum to one in every row", float(total[row]))


def check_log_simplex(array: Array, name: str) -> None:
    """Require logarithms of points of the open simplex: finite, their logsumexp 0 on the last axis."""
    check_floating(array, name)
    check_category_axis(array, name)
    check_finite(array, name)
    xp = namespace(**{name: array})
    total = logsumexp(widen(stop_gradient(array)))
    row = first_true(xp.abs(total) > simplex_tolerance(array))
    if row is not None:
        refuse(name, "have logsumexp 0 in every row", float(total[row]))


def simplex_tolerance(array: Array) -> float:
    """Return how far from one the sum of a rounded sample may lie."""
    # A rounded sample misses one by K roundings; the root of the spacing is far above that. A float64 array
    # may hold samples that were rounded to float32 before.
    finfo = namespace(array=array).finfo
    return max(float(finfo(array.dtype).eps), 2.0**-23) ** 0.5


def check_broadcast(
    first: Array, first_name: str, second: Array, second_name: str
) -> None:
    """Require two shapes that broadcast together."""
    if not _fit(first.shape, second.shape):
        requirement = f"broadcast against {second_name} of shape {tuple(second.shape)}"
        refuse(first_name, requirement, f"shape {tuple(first.shape)}")


def check_shapes(arrays: dict[str, Array]) -> None:
    """Require named arrays whose shapes broadcast together."""
    shapes = {name: tuple(array.shape) for name, array in arrays.items()}
    if not all(_fit(*pair) for pair in combinations(shapes.values(), 2)):
        got = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        refuse("shapes", "broadcast together", got)


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
        requirement = (
            "broadcast against the batch of "
            f"{logits_name} of shape {tuple(logits.shape)}"
        )
        refuse(name, requirement, f"shape {tuple(array.shape)}")


def _sizes_vary() -> bool:
    """Tell whether torch.jit.trace runs, which makes tensors of sizes and warns whoever reads one."""
    torch = sys.modules.get("torch")
    return torch is not None and bool(torch.jit.is_tracing())


def _fit(shape: tuple[int, ...], other_shape: tuple[int, ...]) -> bool:
    if _sizes_vary():
        return True
    pairs = zip(reversed(shape), reversed(other_shape), strict=False)
    return all(one == other or 1 in (one, other) for one, other in pairs)


def check_broadcasts_to(array: Array, name: str, logits: Array) -> None:
    """Require a shape that broadcasts to that of the logits, which it does not enlarge."""
    if _sizes_vary():
        return
    pairs = zip(reversed(array.shape), reversed(logits.shape), strict=False)
    if array.ndim > logits.ndim or any(one not in (1, other) for one, other in pairs):
        requirement = f"broadcast to logits of shape {tuple(logits.shape)}"
        refuse(name, requirement, f"shape {tuple(array.shape)}")


def check_mask(mask: Array, logits: Array) -> None:
    """Require a boolean array of the library of the logits, that broadcasts to their shape."""
    xp = namespace(logits=logits, mask=mask)
    if not hasattr(mask, "dtype") or not xp.isdtype(mask.dtype, "bool"):
        kind = getattr(mask, "dtype", type(mask).__name__)
        refuse("mask", "be a boolean array", kind, TypeError)
    check_broadcasts_to(mask, "mask", logits)


def check_positive(value: Any, name: str, *, least: float = 0.0) -> None:
    """Require positive finite numbers, none below ``least``, in an array or alone."""
    if is_number(value):
        bad = None if value > 0 and least <= value < math.inf else value
    else:
        check_floating(value, name)
        values = stop_gradient(value)
        holds = (values > 0) & (values >= least) & (values < math.inf)
        where = first_true(~holds)
        bad = None if where is None else float(values[where])
    if bad is not None:
        limit = "positive and finite" if bad == math.inf else "positive"
        refuse(name, f"be {f'at least {least:.4g}' if 0 < bad < least else limit}", bad)


def check_count(value: Any, name: str, least: int) -> int:
    """Return a whole number, of Python or of an array library, that is at least ``least``."""
    whole = _whole(value)
    if whole is None or whole < least:
        refuse(name, f"be a whole number of at least {least}", value)
    return whole


def check_open_categories(number: int, name: str, logits: Array) -> None:
    """Require that every row of the logits has so many categories that are not excluded."""
    xp = namespace(logits=logits)
    # Where nothing is excluded, as mostly, one pass is enough.
    if number <= logits.shape[-1] and not _any(xp.min(logits) == -xp.inf):
        return
    open_categories = xp.sum(xp.astype(logits > -xp.inf, xp.int32), axis=-1)
    row = first_true(open_categories < number)
    if row is not None:
        of = f" of row {row}" if row else ""
        most = int(open_categories[row])
        refuse(name, f"be at most the {most} open categories{of}", number)
    if number > logits.shape[-1]:  # checked even where no value can be read
        refuse(name, f"be at most the {logits.shape[-1]} categories", number)


def check_whole(value: Any, name: str) -> int:
    """Return a whole number, of Python or of an array library."""
    whole = _whole(value)
    if whole is None:
        refuse(name, "be a whole number", repr(value), TypeError)
    return whole


def _whole(value: Any) -> int | None:
    try:
        return None if _is_bool(value) else operator.index(value)
    except TypeError:
        return None


def _is_bool(value: Any) -> bool:
    # Boolean arrays of torch and JAX would pass for the whole numbers 0 and 1.
    return isinstance(value, bool) or str(getattr(value, "dtype", "")).endswith("bool")


def check_not_negative(value: float, name: str) -> None:
    """Require a finite number that is zero or positive."""
    if not 0 <= value < math.inf:
        refuse(name, "be finite and not negative", value)


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
    if is_number(value):
        if not holds:
            refuse(name, requirement, float(value))
        return
    where = first_true(~holds)
    if where is not None:
        refuse(name, requirement, float(stop_gradient(value)[where]))


def smallest_divisor(logits: Array) -> float:
    """Return the smallest normal number of the dtype of the logits, of float32 at least.

    What lies below rounds to 0, is read as 0 on some devices, or has no finite reciprocal.
    """
    return 2.0**-1022 if bits(logits) >= 64 else 2.0**-126


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
    if is_number(temperature):
        return
    namespace(**{logits_name: logits, name: temperature})
    from_right = axis if axis < 0 else axis - logits.ndim
    shape = tuple(temperature.shape)
    if temperature.ndim >= -from_right and shape[from_right] != 1:
        got = f"shape {shape} for {logits_name} of shape {tuple(logits.shape)}"
        refuse(name, f"have size 1 on the category axis {axis}", got)
    check_broadcast(temperature, name, logits, logits_name)


def check_index(index: Array, num_categories: int, name: str = "index") -> None:
    """Require an array of integer categories in 0 ... K-1."""
    xp = _library(index, name)
    if not xp.isdtype(index.dtype, "integral"):
        refuse(name, "have an integer dtype", index.dtype, TypeError)
    # In its own dtype an index may not be comparable with K: torch reads 256 in uint8 as 0.
    wide = to_index(index)
    where = first_true((wide < 0) | (wide >= num_categories))
    if where is not None:
        refuse(name, f"lie in 0 ... {num_categories - 1}", int(index[where]))


def is_torch_generator(generator: object) -> bool:
    """Tell whether ``generator`` is torch's, without importing torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(generator, torch.Generator)


def check_torch_generator(generator: Any, device: Any) -> None:
    """Require a ``torch.Generator`` that draws on the device."""
    if not is_torch_generator(generator):
        kind = type(generator).__name__
        refuse("generator", "be a torch.Generator", kind, TypeError)
    own = generator.device
    # A generator made for "cuda" names no index: it draws on the current device of that type.
    if own.type != device.type or own.index not in (None, device.index):
        refuse("generator", f"be on device {device}", f"one on {own}")


def check_generator(generator: Any, array: Array) -> None:
    """Require a generator of the library of ``array``, and of its device."""
    kind = type(generator).__name__
    if is_torch(array):
        check_torch_generator(generator, array.device)
    elif is_jax(array) and not is_key(generator):
        refuse("generator", "be a key of jax.random", kind, TypeError)
    elif not is_jax(array) and not isinstance(generator, np.random.Generator):
        refuse("generator", "be a numpy.random.Generator", kind, TypeError)


def is_key(generator: Any) -> bool:
    """Tell whether ``generator`` is one key of ``jax.random``, of the typed or of the older kind."""
    if not is_jax(generator):
        return False
    jax = sys.modules["jax"]
    if jax.numpy.issubdtype(generator.dtype, jax.dtypes.prng_key):
        return generator.ndim == 0
    return generator.dtype == np.uint32 and generator.ndim == 1
