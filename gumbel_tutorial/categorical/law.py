r"""The categorical law in terms of logits: probabilities, entropy, divergence, mode.

Logits $\ell$ are unnormalised: $\pi = \mathrm{softmax}(\ell)$. A logit of -inf excludes its category.
Categories lie on the last axis; every other axis is batch. float16 and bfloat16 are computed in float32
and rounded once.
"""

from typing import Any

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
    softmax,
    widen,
)
from gumbel_tutorial.checks import (
    check_count,
    check_floating,
    check_index,
    check_logits,
    check_mask,
    check_same_categories,
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
        num_categories: the number of categories, K.
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
