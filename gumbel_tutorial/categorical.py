r"""The categorical law in terms of logits, and the samplers that rival Gumbel-Max.

Logits $\ell$ are unnormalised: $\pi = \mathrm{softmax}(\ell)$. A logit of -inf excludes its category.
Categories lie on the last axis; every other axis is batch. float16 and bfloat16 are computed in float32
and rounded once.
"""

from typing import Any, NamedTuple

import array_api_compat
import numpy as np

from gumbel_tutorial import arrays
from gumbel_tutorial.arrays import Array, cast, log_softmax, namespace, softmax, widen
from gumbel_tutorial.checks import (
    check_batch,
    check_index,
    check_logits,
    check_open_unit_interval,
    check_same_categories,
)


def probs(logits: Array) -> Array:
    r"""Return $\pi_i = e^{\ell_i} / \sum_j e^{\ell_j}$.

    Args:
        logits: shape ``(..., K)``, below +inf; -inf excludes a category.

    Returns:
        Shape ``(..., K)``, each row sums to one.

    Raises:
        TypeError: ``logits`` is not a floating array.
        ValueError: NaN, +inf, no category, or a row of -inf.

    Examples:
        >>> probs(np.log([6.0, 3.0, 1.0])).round(2).tolist()
        [0.6, 0.3, 0.1]
    """
    check_logits(logits)
    return cast(softmax(widen(logits)), logits.dtype)


def log_probs(logits: Array) -> Array:
    r"""Return $\log \pi_i = \ell_i - \log \sum_j e^{\ell_j}$; arguments and errors as :func:`probs`."""
    check_logits(logits)
    return cast(log_softmax(widen(logits)), logits.dtype)


def entropy(logits: Array) -> Array:
    r"""Return $H(\pi) = -\sum_i \pi_i \log \pi_i$ in nats, with $0 \log 0 = 0$.

    Args:
        logits: shape ``(..., K)``; -inf excludes a category.

    Returns:
        Shape ``(...)``, in $[0, \log K]$.

    Raises:
        TypeError, ValueError: as :func:`probs`.

    Examples:
        >>> round(float(entropy(np.zeros(4))), 4)  # log 4
        1.3863
    """
    check_logits(logits)
    wide = widen(logits)
    return cast(-_expectation(wide, log_softmax(wide)), logits.dtype)


def kl(logits: Array, other_logits: Array) -> Array:
    r"""Return $\mathrm{KL}(\pi \,\|\, \rho) = \sum_i \pi_i (\log \pi_i - \log \rho_i)$ in nats.

    Categories with $\pi_i = 0$ count nothing; the result is +inf where $\pi_i > 0 = \rho_i$.

    Args:
        logits: of $\pi$, shape ``(..., K)``.
        other_logits: of $\rho$, broadcastable to ``logits``, same K.

    Returns:
        The broadcast batch shape.

    Raises:
        TypeError, ValueError: as :func:`probs`; shapes that do not match.

    Examples:
        >>> float(kl(np.array([0.0, -np.inf]), np.zeros(2)))  # log 2
        0.6931471805599453
    """
    xp = namespace(logits=logits, other_logits=other_logits)
    check_logits(logits)
    check_logits(other_logits, "other_logits")
    check_same_categories(other_logits, "other_logits", logits)
    wide = widen(logits)
    with np.errstate(
        invalid="ignore"
    ):  # -inf minus -inf, where a category is excluded twice
        ratio = log_softmax(wide) - log_softmax(widen(other_logits))
    # Put in at the end: a share of the probability that rounds to 0 would make it 0 * inf.
    infinite = xp.any(ratio == xp.inf, axis=-1)
    divergence = xp.where(infinite, xp.inf, _expectation(wide, ratio))
    return cast(divergence, xp.result_type(logits, other_logits))


def one_hot(index: Array, num_categories: int, *, dtype: Any = None) -> Array:
    r"""Return the corners of the simplex that stand for categories, $e_i$ with a 1 at $i$.

    Args:
        index: integer categories in 0 ... K-1, any shape.
        num_categories: K.
        dtype: of the result; the default floating dtype of the library when omitted.

    Returns:
        Shape ``(*index.shape, K)``.

    Raises:
        TypeError: ``index`` is not an integer array.
        ValueError: ``index`` is outside 0 ... K-1.

    Examples:
        >>> one_hot(np.array([2, 0]), 3).tolist()
        [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    check_index(index, num_categories)
    return arrays.one_hot(index, num_categories, dtype=dtype)


def _expectation(logits: Array, values: Array) -> Array:
    """Return sum_i pi_i values_i over the finite values: an excluded category counts 0, not 0 * inf."""
    xp = namespace(logits=logits, values=values)
    counted = xp.where(xp.isfinite(values), values, xp.zeros_like(values))
    return xp.sum(softmax(logits) * counted, axis=-1)


def inverse_cdf_sample(logits: Array, uniform: Array) -> Array:
    r"""Return the first i with $\pi_1 + \dots + \pi_i > u$: one uniform number a sample.

    The running sum is kept in float64, since in float32 a sum over 50,000 categories leaves thousands
    of them with probability zero.

    Args:
        logits: shape ``(..., K)``; -inf excludes a category.
        uniform: in (0, 1), shape ``(...)`` broadcastable to the batch of ``logits``; any shape when
            ``logits`` has shape ``(K,)``.

    Returns:
        Integer categories of the broadcast batch shape.

    Raises:
        TypeError, ValueError: as :func:`probs`; ``uniform`` outside (0, 1) or for another batch.

    Examples:
        >>> inverse_cdf_sample(np.log([6.0, 3.0, 1.0]), np.array([0.5, 0.7, 0.95])).tolist()
        [0, 1, 2]
    """
    xp = namespace(logits=logits, uniform=uniform)
    check_logits(logits)
    check_open_unit_interval(uniform, "uniform")
    check_batch(uniform, "uniform", logits)
    running = xp.cumulative_sum(softmax(xp.astype(logits, xp.float64)), axis=-1)
    target = xp.astype(uniform, xp.float64) * running[..., -1]
    if logits.ndim == 1:
        index = xp.searchsorted(running, xp.reshape(target, (-1,)), side="right")
        return xp.reshape(index, target.shape)
    return xp.sum(xp.astype(running <= target[..., None], xp.int64), axis=-1)


class AliasTable(NamedTuple):
    """Column i keeps its own category below ``threshold[i]`` and yields ``alias[i]`` above."""

    threshold: Array
    alias: Array


def alias_table(logits: Array) -> AliasTable:
    r"""Build the alias table of one categorical law, in O(K) steps.

    K columns of equal mass 1/K are filled with at most two categories each.
    Source: Walker (1977); the construction is that of Vose (1991).

    Args:
        logits: shape ``(K,)``.

    Returns:
        The table, in the array library and on the device of ``logits``.

    Raises:
        TypeError, ValueError: as :func:`probs`; more than one axis.
    """
    check_logits(logits)
    if logits.ndim != 1:
        raise ValueError(f"logits must have one axis, got shape {tuple(logits.shape)}")
    xp = namespace(logits=logits)
    mass = [
        float(prob) * logits.shape[0] for prob in softmax(xp.astype(logits, xp.float64))
    ]
    threshold, alias = [1.0] * len(mass), list(range(len(mass)))
    small = [i for i, m in enumerate(mass) if m < 1]
    large = [i for i, m in enumerate(mass) if m >= 1]
    while small and large:
        column, donor = small.pop(), large[-1]
        threshold[column], alias[column] = mass[column], donor
        mass[donor] -= 1 - mass[column]
        if mass[donor] < 1:
            small.append(large.pop())
    device = array_api_compat.device(logits)
    return AliasTable(
        xp.asarray(threshold, dtype=xp.float64, device=device),
        xp.asarray(alias, dtype=xp.int64, device=device),
    )


def alias_sample(table: AliasTable, uniform: Array) -> Array:
    """Draw from an alias table in O(1): the uniform number picks the column, its rest the category.

    Args:
        table: from :func:`alias_table`.
        uniform: in (0, 1), any shape; float64, since the column takes up log2 K of its bits.

    Returns:
        Integer categories of the shape of ``uniform``.

    Raises:
        TypeError, ValueError: ``uniform`` is not floating or outside (0, 1).

    Examples:
        >>> alias_sample(alias_table(np.log([6.0, 3.0, 1.0])), np.array([0.1, 0.3, 0.9])).tolist()
        [0, 0, 0]
    """
    xp = namespace(table=table.threshold, uniform=uniform)
    check_open_unit_interval(uniform, "uniform")
    position = xp.astype(uniform, xp.float64) * table.threshold.shape[0]
    column = xp.astype(xp.floor(position), xp.int64)
    keep = position - column < table.threshold[column]
    return xp.where(keep, column, table.alias[column])
