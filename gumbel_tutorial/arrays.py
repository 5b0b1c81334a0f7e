"""The array library of an argument, and the operations that libraries do not spell alike.

Every transform of this package is written once, against the Python array API standard, and runs on
NumPy arrays, on torch tensors of any device and on JAX arrays; torch and JAX differentiate through it.
Functions here check nothing: arguments are checked by those who call them.
"""

import sys
from collections.abc import Callable
from functools import wraps
from math import inf, lgamma, prod
from typing import Any, ParamSpec, TypeAlias, TypeVar

import array_api_compat
import array_api_compat.numpy
import numpy as np

# The standard defines behaviour and no nominal type, so an annotation can promise no more than this.
Array: TypeAlias = Any

# Perturbed or scaled logits within this are taken as they are, right to 64 * 2^-24; others, and rows of which
# a category is excluded, relative to the largest of their row.
NEAR = 64.0
# So many numbers of rows, and so many draws, are taken at once: they stay in a core's cache.
_IN_CACHE, _DRAWS_IN_CACHE = 2**18, 2**14

P = ParamSpec("P")
R = TypeVar("R")

# Libraries whose arrays are taken, by the root of the module of their namespace, and their names.
_LIBRARIES = {
    "numpy": "NumPy",
    "torch": "torch",
    "jax": "JAX",
    "array_api_strict": "array-api-strict",
}

# torch and JAX are never imported here: absence from sys.modules proves that no argument is theirs.


def is_torch(value: object) -> bool:
    """Tell whether ``value`` is a torch tensor, without importing torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def is_traced() -> bool:
    """Tell whether torch compiles, exports or traces the code that runs: a size is a variable then."""
    torch = sys.modules.get("torch")
    return torch is not None and (
        torch.compiler.is_compiling() or torch.jit.is_tracing()
    )


def is_jax(value: object) -> bool:
    """Tell whether ``value`` is a JAX array, traced or not, without importing JAX."""
    jax = sys.modules.get("jax")
    return jax is not None and isinstance(value, jax.Array)


def is_number(value: object) -> bool:
    """Tell whether ``value`` is a single number of Python or NumPy, which goes with every library."""
    return isinstance(value, (int, float, np.integer, np.floating))


def namespace(**arguments: Array) -> Any:
    """Return the array API namespace that the named arguments share.

    Numbers belong to every library; when there is nothing else, the library is NumPy.

    Raises:
        TypeError: an argument is neither a dense array of a known library nor a number, or two libraries
            are mixed.

    Examples:
        >>> namespace(logits=np.zeros(3), temperature=0.5).__name__
        'array_api_compat.numpy'
        >>> namespace(logits=[0.0, 1.0])
        Traceback (most recent call last):
        TypeError: logits must be an array of NumPy, torch or JAX, got list
    """
    libraries = {}
    for name, value in arguments.items():
        if not is_number(value):
            libraries[_library_of(name, value)] = name
    if len(libraries) > 1:
        names = " and ".join(libraries.values())
        kinds = " and ".join(str(_title(library)) for library in libraries)
        raise TypeError(f"{names} must come from one array library, got {kinds}")
    return next(iter(libraries), array_api_compat.numpy)


def _library_of(name: str, value: Array) -> Any:
    # torch first and by hand: array_api_compat caches by type, which torch.compile warns about.
    if is_torch(value):
        require_dense(name, value)
        from array_api_compat import torch as library

        return library
    known = not isinstance(value, (np.ma.MaskedArray, np.matrix))
    if known and array_api_compat.is_array_api_obj(value):
        library = array_api_compat.array_namespace(value)
        if _title(library) is not None:
            return library
    raise TypeError(
        f"{name} must be an array of NumPy, torch or JAX, got {_kind(value)}"
    )


def require_dense(name: str, tensor: Any) -> None:
    """Refuse torch tensors that are sparse or nested."""
    torch = sys.modules["torch"]
    if tensor.layout is not torch.strided or tensor.is_nested:
        kind = "nested" if tensor.is_nested else str(tensor.layout)
        raise TypeError(f"{name} must be a dense tensor, got layout {kind}")


def _title(library: Any) -> str | None:
    root = library.__name__.removeprefix("array_api_compat.").partition(".")[0]
    return _LIBRARIES.get(root)


def _kind(value: object) -> str:
    kind = type(value)
    library = kind.__module__.partition(".")[0]
    known = library in ("builtins", "numpy", "__main__")
    return kind.__name__ if known else f"{library} {kind.__name__}"


def is_transformed() -> bool:
    """Tell whether torch compiles, traces, fakes or maps what runs."""
    torch = sys.modules["torch"]
    return (
        is_traced()
        or torch._C._len_torch_dispatch_stack() > 0
        or torch._C._functorch.peek_interpreter_stack() is not None
    )


def is_recorded() -> bool:
    """Tell whether something in torch, a mode of its functions too, must see every operation."""
    return is_transformed() or sys.modules["torch"]._C._len_torch_function_stack() > 0


def memory(array: Array) -> "np.ndarray | None":
    """Return what holds the numbers of an array as NumPy sees it, or None where it cannot.

    A plain float32 or float64 tensor on the CPU shares its memory, unless torch must see every operation.
    """
    if isinstance(array, np.ndarray):
        return array
    torch = sys.modules.get("torch")
    if torch is None or type(array) not in (torch.Tensor, torch.nn.Parameter):
        return None
    wide = array.dtype in (torch.float32, torch.float64)
    if not wide or not array.is_cpu or is_recorded():
        return None
    return array.detach().numpy()


def from_memory(numbers: np.ndarray, like: Array) -> Array:
    """Return NumPy's array as one of the library of ``like``, NumPy or torch, which shares its memory."""
    return sys.modules["torch"].from_numpy(numbers) if is_torch(like) else numbers


def quiet(function: Callable[P, R]) -> Callable[P, R]:
    """Keep NumPy from warning of infinities that are the right limits, as exp of a large number.

    torch and JAX never warn, and a tensor's way leads past NumPy's switches, which torch.compile could
    not follow.
    """

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if any(is_torch(value) for value in (*args, *kwargs.values())):
            return function(*args, **kwargs)
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            return function(*args, **kwargs)

    return call


def bits(array: Array) -> int:
    """Return the width of the floating dtype of ``array``."""
    if is_torch(array):
        return 8 * array.dtype.itemsize
    return namespace(array=array).finfo(array.dtype).bits


def is_half(array: Array) -> bool:
    """Tell whether ``array`` holds float16 or bfloat16, which are too coarse to compute in."""
    return bits(array) == 16


def widen(array: Array) -> Array:
    """Return ``array`` with float16 and bfloat16 raised to float32, other dtypes as they are.

    Perturbed logits in bfloat16 tie in 0.8 % of rows at K = 64, and argmax then prefers the first
    category. So sums, comparisons and softmax are done in float32 and rounded once at the end.
    """
    if not is_half(array):
        return array
    return array.float() if is_torch(array) else _cast(array, "float32")


def to_widest(array: Array) -> Array:
    """Return ``array`` in float64, or in float32 where the library or the device has no float64."""
    if is_torch(array):
        return array.double() if has_float64(array.device) else array.float()
    wide = not is_jax(array) or sys.modules["jax"].config.jax_enable_x64
    return _cast(array, "float64" if wide else "float32")


def has_float64(device: Any) -> bool:
    """Tell whether a torch device computes in float64; Apple's GPUs do not."""
    return device.type != "mps"


def to_index(array: Array) -> Array:
    """Return integers in the widest signed dtype, which holds the number of every category."""
    if is_torch(array):
        return array.long()
    narrow = is_jax(array) and not sys.modules["jax"].config.jax_enable_x64
    return _cast(array, "int32" if narrow else "int64")


def _cast(array: Array, name: str) -> Array:
    xp = namespace(array=array)
    return xp.astype(array, getattr(xp, name), copy=False)


def cast(array: Array, dtype: Any) -> Array:
    """Return ``array`` in ``dtype``, without a copy where it has that dtype already."""
    if array.dtype == dtype:
        return array
    return (
        array.to(dtype)
        if is_torch(array)
        else namespace(array=array).astype(array, dtype)
    )


def common_dtype(first: Array, second: Array) -> Any:
    """Return the dtype of a result of two floating arrays."""
    if first.dtype == second.dtype:
        return first.dtype
    if is_torch(first):
        return sys.modules["torch"].promote_types(first.dtype, second.dtype)
    return namespace(first=first).result_type(first.dtype, second.dtype)


def sample_dtype(logits: Array, noise: Array) -> Any:
    """Return the dtype of a sample: half-precision logits keep theirs, although their noise is float32."""
    return logits.dtype if is_half(logits) else common_dtype(logits, noise)


def constant_like(value: float, array: Array, dtype: Any = None) -> Array:
    """Return a number as an array without axes, in the library and on the device of ``array``."""
    dtype = array.dtype if dtype is None else dtype
    if is_torch(array):
        return array.new_full((), value, dtype=dtype)
    return namespace(array=array).asarray(value, dtype=dtype, **_on_device_of(array))


def range_like(stop: int, array: Array) -> Array:
    """Return 0 ... stop-1 in the library, in the dtype and on the device of ``array``."""
    xp = sys.modules["torch"] if is_torch(array) else namespace(array=array)
    return xp.arange(stop, dtype=array.dtype, **_on_device_of(array))


def _on_device_of(array: Array) -> dict[str, Any]:
    """Return the device of an array as an argument; JAX, where a traced array has none, needs none."""
    return {} if is_jax(array) else {"device": array.device}


def stop_gradient(array: Array) -> Array:
    """Return the values of ``array``, as a constant under differentiation."""
    if is_torch(array):
        return array.detach()
    return sys.modules["jax"].lax.stop_gradient(array) if is_jax(array) else array


def finite_or_zero(values: Array) -> Array:
    """Return ``values`` with 0 for whatever is infinite or NaN, and derivative 0 there.

    The logit of an excluded category is -inf, its weight 0, and their product is meant to be 0.

    Examples:
        >>> finite_or_zero(np.array([0.5, -np.inf])).tolist()
        [0.5, 0.0]
    """
    if is_torch(values):
        return values.masked_fill(~values.isfinite(), 0.0)
    xp = namespace(values=values)
    return xp.where(xp.isfinite(values), values, xp.zeros_like(values))


def row_maxima(values: Array, *, axis: int = -1) -> Array:
    r"""Return $\max_j x_j$ along ``axis``, kept with size 1, as a constant under differentiation."""
    if is_torch(values):
        return values.detach().amax(axis, keepdim=True)
    return namespace(values=values).max(stop_gradient(values), axis=axis, keepdims=True)


def below_largest(
    values: Array, *, axis: int = -1, largest: Array | None = None
) -> Array:
    r"""Return $x - \max_j x_j$ along ``axis``, with the derivative of $x$: the shift is held constant.

    Whatever ignores a common offset, as argmax and softmax do, may take this instead of $x$. Maxima that are
    known already, as :func:`gumbel_tutorial.checks.check_logits` returns them, are passed as ``largest``.

    Examples:
        >>> below_largest(np.array([1e9, 1e9 - 1, -np.inf])).tolist()
        [0.0, -1.0, -inf]
    """
    return values - (row_maxima(values, axis=axis) if largest is None else largest)


def perturb(
    logits: Array, noise: Array, *, axis: int = -1, largest: Array | None = None
) -> Array:
    r"""Return $\ell - \max_j \ell_j + G$ in float32 at least, which has the argmax of $\ell + G$.

    Added to logits with a common offset of 1e7, float32 noise would be rounded to whole numbers.
    """
    return below_largest(widen(logits), axis=axis, largest=largest) + widen(noise)


def argmax(values: Array, *, axis: int = -1) -> Array:
    """Return the index of the largest entry along ``axis``, the first of those that tie."""
    if is_torch(values):
        numbers = memory(values)
        if numbers is None or 0 in numbers.shape:
            return values.argmax(axis)
        # NumPy's takes a fifth of the time.
        return from_memory(np.asarray(numbers.argmax(axis)), values)
    return namespace(values=values).argmax(values, axis=axis)


def perturbed_argmax(logits: Array, noise: Array, largest: Array) -> Array:
    """Return the argmax of :func:`perturb` on the last axis, a cache's worth of rows at a time."""
    parts = slices_of_rows(logits) if logits.shape == noise.shape else []
    if len(parts) < 2:
        return argmax(perturb(logits, noise, largest=largest))
    found = [
        argmax(perturb(logits[part], noise[part], largest=largest[part]))
        for part in parts
    ]
    return namespace(logits=logits).concat(found)


def _has_fast_softmax(logits: Array, axis: int) -> bool:
    """Tell whether torch's own softmax is the fast one.

    On a CPU it takes three times as long as its parts where a row has fewer entries than a vector register.
    The compiler takes it apart itself, and must not bind a varying number of categories to either case.
    """
    if is_traced():
        return True
    return not (logits.is_cpu and logits.shape[axis] < 16)


def softmax(logits: Array, *, axis: int = -1, shifted: bool = False) -> Array:
    r"""Return $\mathrm{softmax}(\ell)_i = e^{\ell_i} / \sum_j e^{\ell_j}$ along ``axis``.

    With ``shifted`` the largest entry of every row must be 0 already.

    Examples:
        >>> softmax(np.array([0.0, 0.0, -np.inf])).tolist()
        [0.5, 0.5, 0.0]
    """
    if is_torch(logits):
        if _has_fast_softmax(logits, axis):
            return logits.softmax(axis)
        weights = (logits if shifted else below_largest(logits, axis=axis)).exp()
        return weights / weights.sum(axis, keepdim=True)
    xp = namespace(logits=logits)
    weights = xp.exp(logits if shifted else below_largest(logits, axis=axis))
    return weights / xp.sum(weights, axis=axis, keepdims=True)


def logsumexp(logits: Array, *, axis: int = -1, keepdims: bool = False) -> Array:
    r"""Return $\log \sum_i e^{\ell_i}$ along ``axis``; ``-inf`` where every entry is ``-inf``.

    Examples:
        >>> float(logsumexp(np.array([1000.0, -np.inf])))
        1000.0
    """
    if is_torch(logits):
        return logits.logsumexp(axis, keepdim=keepdims)
    xp = namespace(logits=logits)
    largest = finite_or_zero(row_maxima(logits, axis=axis))
    total = xp.sum(xp.exp(logits - largest), axis=axis, keepdims=True)
    # log 0 is the right answer for a row of -inf, not an accident to warn about.
    with np.errstate(divide="ignore"):
        result = xp.log(total) + largest
    return result if keepdims else xp.squeeze(result, axis=axis)


def log_softmax(logits: Array, *, axis: int = -1, shifted: bool = False) -> Array:
    r"""Return $\log \mathrm{softmax}(\ell) = \ell - \log \sum_j e^{\ell_j}$ along ``axis``.

    With ``shifted`` the largest entry of every row must be 0 already.

    Examples:
        >>> log_softmax(np.array([0.0, -1000.0])).tolist()
        [0.0, -1000.0]
    """
    if is_torch(logits) and _has_fast_softmax(logits, axis):
        return logits.log_softmax(axis)
    # Shifted first: a difference to the largest logit keeps its digits, and a total of large ones would not.
    below = logits if shifted else below_largest(logits, axis=axis)
    if is_torch(logits):
        return below - below.exp().sum(axis, keepdim=True).log()
    xp = namespace(logits=logits)
    return below - xp.log(xp.sum(xp.exp(below), axis=axis, keepdims=True))


def one_hot(index: Array, num_categories: int, *, dtype: Any = None) -> Array:
    """Return the one-hot vectors of integer indices.

    Args:
        index: categories in 0 ... K-1, any shape, in an integer dtype of any width.
        num_categories: the number of categories, K.
        dtype: dtype of the result; the default floating dtype of the library when omitted.

    Returns:
        Shape ``(*index.shape, K)``.

    Examples:
        >>> one_hot(np.array([2, 0]), 3).tolist()
        [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    xp = sys.modules["torch"] if is_torch(index) else namespace(index=index)
    # A narrow dtype of the index may be too small for the categories.
    index = to_index(index)
    hits = index[..., None] == range_like(num_categories, index)
    return cast(hits, xp.empty(0).dtype if dtype is None else dtype)


def take_along(values: Array, index: Array) -> Array:
    """Return the entries of the last axis at ``index``, which the other axes are broadcast to.

    Examples:
        >>> take_along(np.array([5.0, 6.0, 7.0]), np.array([[2, 0], [1, 1]])).tolist()
        [[7.0, 5.0], [6.0, 6.0]]
    """
    values = values[(None,) * (index.ndim - values.ndim) + (...,)]
    if is_torch(values):
        return sys.modules["torch"].take_along_dim(values, index, -1)
    return namespace(values=values).take_along_axis(values, index, axis=-1)


def top_k(values: Array, k: int) -> Array:
    """Return the indices of the k largest entries on the last axis, largest first."""
    if is_torch(values):
        return values.topk(k, dim=-1).indices
    if is_jax(values):
        return sys.modules["jax"].lax.top_k(values, k)[1]
    if isinstance(values, np.ndarray) and k < values.shape[-1]:
        # To find them takes less time than to sort the others too.
        largest = np.argpartition(values, -k, axis=-1)[..., -k:]
        return take_along(largest, top_k(take_along(values, largest), k))
    xp = namespace(values=values)
    return xp.argsort(values, axis=-1, descending=True)[..., :k]


def slices_of_rows(rows: Array) -> list[slice]:
    """Cut the first axis into parts that fit in a cache, where the numbers lie in memory."""
    if rows.ndim < 2 or memory(rows) is None:
        return [slice(None)]
    step = max(1, _IN_CACHE // max(1, prod(rows.shape[1:])))
    return [slice(start, start + step) for start in range(0, rows.shape[0], step)]


def running_sum(values: Array) -> Array:
    """Return the sums of all entries up to each, along the last axis."""
    if is_torch(values):
        return values.cumsum(-1)
    return namespace(values=values).cumulative_sum(values, axis=-1)


def searchsorted(ordered: Array, values: Array, *, right: bool) -> Array:
    """Return how many of some ordered numbers are below each value, or not above it if ``right``."""
    if is_torch(values):
        search = sys.modules["torch"].searchsorted
        return search(ordered, values.contiguous(), right=right)
    side = "right" if right else "left"
    return to_index(namespace(values=values).searchsorted(ordered, values, side=side))


def count_not_above(ordered: Array, values: Array) -> Array:
    """Return how many of the ordered numbers of the last axis do not exceed each of the values there.

    Args:
        ordered: shape ``(..., N)``.
        values: shape ``(..., S)``, of the same batch.

    Examples:
        >>> count_not_above(np.array([[1.0, 2.0, 3.0]]), np.array([[0.5, 2.0]])).tolist()
        [[0, 2]]
    """
    if is_torch(values) and not is_recorded():
        search = sys.modules["torch"].searchsorted
        return search(ordered.contiguous(), values.contiguous(), right=True)
    xp = namespace(values=values)
    counts = [
        _count_true(ordered <= values[..., draw, None])
        for draw in range(values.shape[-1])
    ]
    return counts[0][..., None] if len(counts) == 1 else xp.stack(counts, axis=-1)


def _count_true(mask: Array) -> Array:
    if isinstance(mask, np.ndarray):
        return np.count_nonzero(mask, axis=-1)
    return namespace(mask=mask).sum(to_index(mask), axis=-1)


def guided_search(ordered: Array, values: Array) -> Array:
    """Return ``searchsorted(ordered, values, right=True)`` for many values in [0, 1).

    Where the numbers lie in memory a table gives, for each of 2N equal cells or more, how many surely lie
    below: most values are then found in one step, and the few that are not by bisection.
    Source: Chen and Asau (1974), *On generating random variates from an empirical distribution*.

    Args:
        ordered: not decreasing, not negative, the last one 1, float64, shape ``(N,)``.
        values: float64, shape ``(S,)``.

    Examples:
        >>> guided_search(np.array([0.6, 0.9, 1.0]), np.array([0.5, 0.6, 0.95])).tolist()
        [0, 1, 2]
    """
    numbers, wanted = memory(ordered), memory(values)
    if numbers is None or wanted is None:
        return searchsorted(ordered, values, right=True)
    return from_memory(_search_in_cells(numbers, wanted), values)


def _search_in_cells(ordered: np.ndarray, values: np.ndarray) -> np.ndarray:
    # A power of two: a product with it is exact. Twice as many would do in one step more, and miss the cache.
    num_cells = (4 if len(ordered) < 2**15 else 2) << (len(ordered) - 1).bit_length()
    cells = (ordered * num_cells).astype(np.int64) + 1
    counts = np.bincount(cells, minlength=num_cells + 2)[:num_cells]
    below = np.cumsum(counts, dtype=np.int32)
    found = np.empty(values.shape, np.int64)
    for start in range(0, len(values), _DRAWS_IN_CACHE):
        wanted = values[start : start + _DRAWS_IN_CACHE]
        index = below.take((wanted * num_cells).astype(np.int64))
        index += ordered.take(index) <= wanted
        left = np.flatnonzero(ordered.take(index) <= wanted)
        index[left] = np.searchsorted(ordered, wanted[left], side="right")
        found[start : start + _DRAWS_IN_CACHE] = index
    return found


def log_gamma(values: Array) -> Array:
    r"""Return $\log \Gamma(x)$ for positive x, entry by entry; +inf where it overflows."""
    if is_torch(values):
        return values.lgamma()
    if is_jax(values):
        return sys.modules["jax"].lax.lgamma(values)
    numbers = np.vectorize(_log_gamma, otypes=[float])(np.asarray(values))
    return namespace(values=values).asarray(numbers, dtype=values.dtype)


def _log_gamma(value: float) -> float:
    try:
        return lgamma(value)
    except OverflowError:
        return inf
