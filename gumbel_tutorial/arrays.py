"""The array library of an argument, and the operations that libraries do not spell alike.

Every transform of this package is written once, against the Python array API standard, and runs on
NumPy arrays and on torch tensors of any device; torch differentiates through it.
"""

import sys
from math import inf, lgamma
from typing import Any, TypeAlias

import array_api_compat
import array_api_compat.numpy
import numpy as np

# The standard defines behaviour and no nominal type, so an annotation can promise no more than this.
Array: TypeAlias = Any

# torch is never imported here: its absence from sys.modules proves that no argument is a tensor.


def is_torch(value: object) -> bool:
    """Tell whether ``value`` is a torch tensor, without importing torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def namespace(**arguments: Array) -> Any:
    """Return the array API namespace that the named arguments share.

    Python numbers belong to every library; when there is nothing else, the library is NumPy.

    Raises:
        TypeError: an argument is neither an array nor a number, or two libraries are mixed.

    Examples:
        >>> namespace(logits=np.zeros(3), temperature=0.5).__name__
        'array_api_compat.numpy'
        >>> namespace(logits=[0.0, 1.0])
        Traceback (most recent call last):
        TypeError: logits must be a NumPy array or a torch tensor, got list
    """
    libraries = {}
    for name, value in arguments.items():
        if isinstance(value, (int, float)):  # np.float64 is one, and goes with torch
            continue
        libraries[_library_of(name, value)] = name
    if len(libraries) > 1:
        names = " and ".join(libraries.values())
        kinds = " and ".join(
            library.__name__.rpartition(".")[2] for library in libraries
        )
        raise TypeError(f"{names} must come from one array library, got {kinds}")
    return next(iter(libraries), array_api_compat.numpy)


def _library_of(name: str, value: Array) -> Any:
    # torch first and by hand: array_api_compat caches by type, which torch.compile warns about.
    if is_torch(value):
        from array_api_compat import torch as library

        return library
    if not array_api_compat.is_array_api_obj(value):
        kind = type(value).__name__
        raise TypeError(f"{name} must be a NumPy array or a torch tensor, got {kind}")
    return array_api_compat.array_namespace(value)


def is_half(array: Array) -> bool:
    """Tell whether ``array`` holds float16 or bfloat16, which are too coarse to compute in."""
    return namespace(array=array).finfo(array.dtype).bits == 16


def widen(array: Array) -> Array:
    """Return ``array`` with float16 and bfloat16 raised to float32, other dtypes as they are.

    Perturbed logits in bfloat16 tie in 0.8 % of rows at K = 64, and argmax then prefers the first
    category. So sums, comparisons and softmax are done in float32 and rounded once at the end.
    """
    if not is_half(array):
        return array
    xp = namespace(array=array)
    return xp.astype(array, xp.float32)


def cast(array: Array, dtype: Any) -> Array:
    """Return ``array`` in ``dtype``, without a copy where it has that dtype already."""
    return namespace(array=array).astype(array, dtype, copy=False)


def stop_gradient(array: Array) -> Array:
    """Return the values of ``array``, constant to whoever differentiates."""
    return array.detach() if is_torch(array) else array


def below_largest(values: Array, *, axis: int = -1) -> Array:
    r"""Return $x - \max_j x_j$ along ``axis``, with the derivative of $x$: the shift is held constant.

    Whatever ignores a common offset, as argmax and softmax do, may take this instead of $x$.

    Examples:
        >>> below_largest(np.array([1e9, 1e9 - 1, -np.inf])).tolist()
        [0.0, -1.0, -inf]
    """
    xp = namespace(values=values)
    return values - xp.max(stop_gradient(values), axis=axis, keepdims=True)


def perturb(logits: Array, noise: Array, *, axis: int = -1) -> Array:
    r"""Return $\ell - \max_j \ell_j + G$ in float32 at least, which has the argmax of $\ell + G$.

    Added to logits with a common offset of 1e7, float32 noise would be rounded to whole numbers.
    """
    return below_largest(widen(logits), axis=axis) + widen(noise)


def _has_fast_softmax(logits: Array, axis: int) -> bool:
    """Tell whether the library's own softmax is the fast one.

    torch's, on a CPU, takes three times as long as its parts where a row has fewer entries than a vector
    register.
    """
    return is_torch(logits) and not (logits.is_cpu and logits.shape[axis] < 16)


def softmax(logits: Array, *, axis: int = -1, shifted: bool = False) -> Array:
    r"""Return $\mathrm{softmax}(\ell)_i = e^{\ell_i} / \sum_j e^{\ell_j}$ along ``axis``.

    Shifted logits have their largest entry at 0 already.

    Examples:
        >>> softmax(np.array([0.0, 0.0, -np.inf])).tolist()
        [0.5, 0.5, 0.0]
    """
    if _has_fast_softmax(logits, axis):
        return logits.softmax(axis)
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
    largest = xp.max(logits, axis=axis, keepdims=True)
    largest = xp.where(xp.isfinite(largest), largest, xp.zeros_like(largest))
    total = xp.sum(xp.exp(logits - largest), axis=axis, keepdims=True)
    # log 0 is the right answer for a row of -inf, not an accident to warn about.
    with np.errstate(divide="ignore"):
        result = xp.log(total) + largest
    return result if keepdims else xp.squeeze(result, axis=axis)


def log_softmax(logits: Array, *, axis: int = -1) -> Array:
    r"""Return $\log \mathrm{softmax}(\ell) = \ell - \log \sum_j e^{\ell_j}$ along ``axis``."""
    if is_torch(logits):
        return logits.log_softmax(axis)
    # Shifted first: the difference to the largest logit keeps its digits, the total would lose them.
    shifted = below_largest(logits, axis=axis)
    return shifted - logsumexp(shifted, axis=axis, keepdims=True)


def one_hot(index: Array, num_categories: int, *, dtype: Any = None) -> Array:
    """Return the one-hot vectors of integer indices.

    Args:
        index: categories in 0 ... K-1, any shape.
        num_categories: K.
        dtype: of the result; the default floating dtype of the library when omitted.

    Returns:
        Shape ``(*index.shape, K)``.

    Examples:
        >>> one_hot(np.array([2, 0]), 3).tolist()
        [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    xp = namespace(index=index)
    device = array_api_compat.device(index)
    # A narrow dtype of the index may be too small for the categories.
    categories = xp.arange(num_categories, dtype=xp.int64, device=device)
    hits = xp.expand_dims(xp.astype(index, xp.int64), axis=-1) == categories
    if dtype is None:
        dtype = xp.empty(0).dtype
    return xp.astype(hits, dtype)


def top_k(values: Array, k: int) -> Array:
    """Return the indices of the k largest entries on the last axis, largest first."""
    if is_torch(values):
        return values.topk(k, dim=-1).indices
    xp = namespace(values=values)
    return xp.argsort(values, axis=-1, descending=True)[..., :k]


def log_gamma(values: Array) -> Array:
    r"""Return $\log \Gamma(x)$ for positive x, entry by entry; +inf where it overflows."""
    if is_torch(values):
        return values.lgamma()
    return np.vectorize(_log_gamma, otypes=[values.dtype])(values)


def _log_gamma(value: float) -> float:
    try:
        return lgamma(value)
    except OverflowError:
        return inf
