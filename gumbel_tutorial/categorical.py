r"""The categorical law in terms of logits, and the samplers that rival Gumbel-Max.

Logits $\ell$ are unnormalised: $\pi = \mathrm{softmax}(\ell)$. A logit of -inf excludes its category.
Categories lie on the last axis; every other axis is batch. float16 and bfloat16 are computed in float32
and rounded once.
"""

from typing import Any, NamedTuple

from gumbel_tutorial import arrays
from gumbel_tutorial.arrays import (
    Array,
    argmax,
    cast,
    common_dtype,
    finite_or_zero,
    is_number,
    log_softmax,
    namespace,
    quiet,
    running_sum,
    searchsorted,
    softmax,
    to_index,
    to_widest,
    widen,
)
from gumbel_tutorial.checks import (
    check_batch,
    check_count,
    check_floating,
    check_index,
    check_logits,
    check_mask,
    check_open_unit_interval,
    check_same_categories,
    refuse,
)


@quiet
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
        >>> import numpy as np
        >>> probs(np.log([6.0, 3.0, 1.0])).round(2).tolist()
        [0.6, 0.3, 0.1]
    """
    check_logits(logits)
    return cast(softmax(widen(logits)), logits.dtype)


@quiet
def log_probs(logits: Array) -> Array:
    r"""Return $\log \pi_i = \ell_i - \log \sum_j e^{\ell_j}$; arguments and errors as :func:`probs`."""
    check_logits(logits)
    return cast(log_softmax(widen(logits)), logits.dtype)


@quiet
def entropy(logits: Array) -> Array:
    r"""Return $H(\pi) = -\sum_i \pi_i \log \pi_i$ in nats, with $0 \log 0 = 0$.

    Args:
        logits: shape ``(..., K)``; -inf excludes a category.

    Returns:
        Shape ``(...)``, in $[0, \log K]$ up to rounding.

    Raises:
        TypeError, ValueError: as :func:`probs`.

    Examples:
        >>> import numpy as np
        >>> round(float(entropy(np.zeros(4))), 4)  # log 4
        1.3863
    """
    check_logits(logits)
    return cast(shannon_entropy(widen(logits)), logits.dtype)


@quiet
def perplexity(logits: Array) -> Array:
    r"""Return $e^{H(\pi)}$, the number of equally likely categories of the same entropy.

    Args:
        logits: shape ``(..., K)``; -inf excludes a category.

    Returns:
        Shape ``(...)``, in $[1, K]$ up to rounding.

    Raises:
        TypeError, ValueError: as :func:`probs`.

    Examples:
        >>> import numpy as np
        >>> round(float(perplexity(np.array([1.0, 1.0, 1.0, -np.inf]))), 4)
        3.0
    """
    check_logits(logits)
    number = namespace(logits=logits).exp(shannon_entropy(widen(logits)))
    return cast(number, logits.dtype)


def shannon_entropy(logits: Array) -> Array:
    """Return the formula of :func:`entropy`, of logits in float32 at least; nothing is checked."""
    return -_expectation(logits, log_softmax(logits))


@quiet
def mode(logits: Array, mask: Array | None = None) -> Array:
    r"""Return the most probable category, $\arg\max_i \ell_i$, the first of those that tie.

    Args:
        logits: shape ``(..., K)``; -inf excludes a category.
        mask: boolean, broadcastable to ``logits``, true where a category is allowed; None allows all.

    Returns:
        Integer categories, shape ``(...)``.

    Raises:
        TypeError: as :func:`probs`; ``mask`` is not a boolean array.
        ValueError: as :func:`probs`, of the allowed categories; a mask of another shape.

    Examples:
        >>> import numpy as np
        >>> logits = np.log([6.0, 3.0, 1.0])
        >>> int(mode(logits)), int(mode(logits, np.array([False, True, True])))
        (0, 1)
    """
    if mask is not None:
        check_floating(logits, "logits")
        check_mask(mask, logits)
        logits = namespace(logits=logits).where(mask, logits, -float("inf"))
    check_logits(logits)
    return argmax(logits)


@quiet
def kl(logits: Array, other_logits: Array) -> Array:
    r"""Return $\mathrm{KL}(\pi \,\|\, \rho) = \sum_i \pi_i (\log \pi_i - \log \rho_i)$ in nats.

    Categories with $\pi_i = 0$ contribute nothing; the result is +inf where $\pi_i > 0 = \rho_i$.

    Args:
        logits: logits of $\pi$, shape ``(..., K)``.
        other_logits: logits of $\rho$, broadcastable to ``logits``, same K.

    Returns:
        The broadcast batch shape.

    Raises:
        TypeError, ValueError: as :func:`probs`; shapes that do not match.

    Examples:
        >>> import numpy as np
        >>> float(kl(np.array([0.0, -np.inf]), np.zeros(2)))  # log 2
        0.6931471805599453
    """
    namespace(logits=logits, other_logits=other_logits)
    check_logits(logits)
    check_logits(other_logits, "other_logits")
    check_same_categories(other_logits, "other_logits", logits)
    own, other = (log_softmax(widen(each)) for each in (logits, other_logits))
    return cast(divergence(own, other), common_dtype(logits, other_logits))


@quiet
def divergence(log_probs: Array, other_log_probs: Array | float) -> Array:
    r"""Return :func:`kl` by $\log\pi$ and $\log\rho$, a number where uniform; nothing is checked."""
    xp = namespace(log_probs=log_probs)
    ratio = log_probs - other_log_probs
    expected = xp.sum(xp.exp(log_probs) * finite_or_zero(ratio), axis=-1)
    if is_number(other_log_probs):
        return expected
    # Put in at the end: a share of the probability that rounds to 0 would make it 0 * inf.
    return xp.where(xp.any(ratio == xp.inf, axis=-1), xp.inf, expected)


def one_hot(index: Array, num_categories: int, *, dtype: Any = None) -> Array:
    r"""Return the corners of the simplex that stand for categories, $e_i$ with a 1 at $i$.

    Args:
        index: integer categories in 0 ... K-1, any shape.
        num_categories: K.
        dtype: dtype of the result; the default floating dtype of the library when omitted.

    Returns:
        Shape ``(*index.shape, K)``.

    Raises:
        TypeError: ``index`` is not an integer array.
        ValueError: ``index`` is outside 0 ... K-1; K is not a whole number of at least 1.

    Examples:
        >>> import numpy as np
        >>> one_hot(np.array([2, 0]), 3).tolist()
        [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    num_categories = check_count(num_categories, "num_categories", 1)
    check_index(index, num_categories)
    return arrays.one_hot(index, num_categories, dtype=dtype)


def _expectation(logits: Array, values: Array) -> Array:
    """Return sum_i pi_i values_i over the finite values: an excluded category counts 0, not 0 * inf."""
    xp = namespace(logits=logits)
    return xp.sum(softmax(logits) * finite_or_zero(values), axis=-1)


@quiet
def inverse_cdf_sample(logits: Array, uniform: Array) -> Array:
    r"""Return the first i with $\pi_1 + \dots + \pi_i > u$: one uniform number per sample.

    The running sum is kept in float64, since in float32 a sum over 50,000 categories leaves thousands
    of them with probability zero; only where there is no float64, as in JAX as it starts, is it float32.

    Args:
        logits: shape ``(..., K)``; -inf excludes a category.
        uniform: in (0, 1), shape ``(...)`` broadcastable to the batch of ``logits``; any shape when
            ``logits`` has shape ``(K,)``.

    Returns:
        Integer categories of the broadcast batch shape.

    Raises:
        TypeError, ValueError: as :func:`probs`; ``uniform`` outside (0, 1) or for another batch.

    Examples:
        >>> import numpy as np
        >>> inverse_cdf_sample(np.log([6.0, 3.0, 1.0]), np.array([0.5, 0.7, 0.95])).tolist()
        [0, 1, 2]
    """
    xp = namespace(logits=logits, uniform=uniform)
    check_logits(logits)
    check_open_unit_interval(uniform, "uniform")
    check_batch(uniform, "uniform", logits)
    running = running_sum(softmax(to_widest(logits)))
    total = running[..., -1]
    target = to_widest(uniform) * total
    if logits.ndim == 1:
        index = searchsorted(running, xp.reshape(target, (-1,)), right=True)
        index = xp.reshape(index, target.shape)
    else:
        index = xp.sum(to_index(running <= target[..., None]), axis=-1)
    # Rounding may lift the target to the total, which no running sum exceeds: the last open one has it.
    last = xp.sum(to_index(running < total[..., None]), axis=-1)
    return xp.minimum(index, last)


class AliasTable(NamedTuple):
    """Column i keeps its own category below ``threshold[i]`` and yields ``alias[i]`` above.

    It is a pair of arrays. ``torch.save(tuple(table), path)`` keeps it as such, and
    ``AliasTable(*torch.load(path))`` restores it.
    """

    threshold: Array
    alias: Array


@quiet
def alias_table(logits: Array) -> AliasTable:
    r"""Build the alias table of one categorical law, in O(K log K), by operations on whole arrays.

    K columns of equal mass 1/K are filled with at most two categories each. Light categories, below 1/K,
    take what they lack from the heavy ones in their order; a heavy one that has given away what it had above
    1/K becomes a column itself, filled by the next. Both orders are running sums, so where they cross tells
    who gives to whom.
    Source: Walker (1977); in parallel, Hübschle-Schneider and Sanders (2019), *Parallel Weighted Random
    Sampling*, section 4.

    Args:
        logits: shape ``(K,)``.

    Returns:
        The table, in the array library and on the device of ``logits``.

    Raises:
        TypeError, ValueError: as :func:`probs`; more than one axis.

    Examples:
        >>> import numpy as np
        >>> table = alias_table(np.log([6.0, 3.0, 1.0]))
        >>> table.threshold.round(2).tolist(), table.alias.tolist()
        ([1.0, 0.9, 0.3], [0, 0, 0])
    """
    check_logits(logits)
    if logits.ndim != 1:
        refuse("logits", "have one axis", f"shape {tuple(logits.shape)}")
    xp = namespace(logits=logits)
    num_categories = logits.shape[0]
    mass = softmax(to_widest(logits)) * num_categories
    zero = xp.zeros_like(mass)
    lacking = running_sum(xp.where(mass < 1, 1 - mass, zero))
    spare = running_sum(xp.where(mass > 1, mass - 1, zero))
    own = running_sum(to_index(xp.ones_like(mass))) - 1

    # A light category takes from the first heavy one that has mass left.
    before = xp.where(own == 0, zero, xp.roll(lacking, 1))
    last = searchsorted(spare, spare[-1:], right=False)
    donor = xp.minimum(searchsorted(spare, before, right=True), last)

    # A heavy one gives until the light ones have taken its spare mass; the next heavy one fills it up.
    crossing = searchsorted(lacking, spare, right=False)
    heir = searchsorted(spare, spare, right=True)
    # A spare mass too small to move the running sum is not given.
    gives = spare > xp.where(own == 0, zero, xp.roll(spare, 1))
    asks = gives & (crossing < num_categories) & (heir < num_categories)
    crossed = xp.take(lacking, xp.where(asks, crossing, own), axis=0)
    rest = xp.where(asks, 1 + spare - crossed, xp.ones_like(mass))
    return AliasTable(
        xp.where(mass < 1, mass, rest),
        xp.where(mass < 1, donor, xp.where(asks, heir, own)),
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
        >>> import numpy as np
        >>> alias_sample(alias_table(np.log([6.0, 3.0, 1.0])), np.array([0.1, 0.3, 0.9])).tolist()
        [0, 0, 0]
    """
    xp = namespace(table=table.threshold, uniform=uniform)
    check_open_unit_interval(uniform, "uniform")
    position = to_widest(uniform) * table.threshold.shape[0]
    column = xp.floor(position)
    index = to_index(column)
    flat = xp.reshape(index, (-1,))
    threshold, alias = (
        xp.reshape(xp.take(part, flat, axis=0), index.shape) for part in table
    )
    return xp.where(position - column < threshold, index, alias)
