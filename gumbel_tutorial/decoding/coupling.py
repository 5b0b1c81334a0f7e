r"""Two laws drawn from with one noise: how often do they agree?

$I = \arg\max_i(\log p_i + G_i)$ and $J = \arg\max_i(\log q_i + G_i)$ have the laws p and q, and agree
more often than independent draws, though less often than the best coupling, whose share is $1 -
\mathrm{TV}(p, q)$.
"""

from typing import Any

from gumbel_tutorial.arrays import (
    Array,
    argmax,
    cast,
    common_dtype,
    log_softmax,
    namespace,
    perturb,
    quiet,
    running_sum,
    softmax,
    take_along,
    to_widest,
    widen,
)
from gumbel_tutorial.checks import (
    check_logits,
    check_noise,
    check_same_categories,
    refuse,
)


@quiet
def coupled_sample(
    logits: Array, other_logits: Array, noise: Array
) -> tuple[Array, Array]:
    r"""Return $\arg\max_i(\ell_i + G_i)$ of both logits, for one noise.

    Args:
        logits: shape ``(..., K)``; -inf excludes a category.
        other_logits: broadcastable to ``logits``, same K.
        noise: standard Gumbel noise, broadcastable to the logits, one value for each category.

    Returns:
        Two arrays of integer categories.

    Raises:
        TypeError: an argument is not a floating array, or libraries are mixed.
        ValueError: NaN, +inf, a row of -inf, shapes that do not match.

    Examples:
        >>> import numpy as np
        >>> pair = coupled_sample(np.log([0.9, 0.1]), np.log([0.5, 0.5]), np.array([0.0, 1.0]))
        >>> [int(index) for index in pair]
        [0, 1]
    """
    _check_pair(logits, other_logits)
    pair = []
    for each in (logits, other_logits):
        check_noise(noise, each)
        pair.append(argmax(perturb(each, noise)))
    return pair[0], pair[1]


@quiet
def total_variation(logits: Array, other_logits: Array) -> Array:
    r"""Return $\mathrm{TV}(p, q) = \frac12\sum_i|p_i - q_i|$.

    Args:
        logits: logits of p, shape ``(..., K)``.
        other_logits: logits of q, broadcastable to ``logits``, same K.

    Returns:
        The broadcast batch shape, in [0, 1] up to rounding.

    Raises:
        TypeError, ValueError: as :func:`coupled_sample`.

    Examples:
        >>> import numpy as np
        >>> round(float(total_variation(np.log([0.9, 0.1]), np.log([0.5, 0.5]))), 4)
        0.4
    """
    xp = _check_pair(logits, other_logits)
    gap = softmax(widen(logits)) - softmax(widen(other_logits))
    half = xp.sum(xp.abs(gap), axis=-1) / 2
    return cast(half, common_dtype(logits, other_logits))


@quiet
def agreement(logits: Array, other_logits: Array) -> Array:
    r"""Return the probability that the draws of :func:`coupled_sample` agree.

    $\Pr(I = J) = \sum_k \big(\sum_m \max(p_m/p_k, q_m/q_k)\big)^{-1}$: category k has to win both races,
    which is one race at the rates $\max(p_m/p_k, q_m/q_k)$. The sum needs no K by K table: $p_m/p_k$ is
    the larger where $q_m/p_m \le q_k/p_k$, so that running sums in the order of the ratio give all of it.
    Source: Daliri, Musco and Suresh (2024), *Coupling without communication*.

    Args:
        logits: logits of p, shape ``(..., K)``.
        other_logits: logits of q, of the same shape.

    Returns:
        The batch shape, in [0, 1] up to rounding.

    Raises:
        TypeError, ValueError: as :func:`coupled_sample`; shapes that differ.

    Examples:
        >>> import numpy as np
        >>> round(float(agreement(np.log([0.9, 0.1]), np.log([0.5, 0.5]))), 4)  # two: 1 - TV
        0.6
    """
    xp = _check_pair(logits, other_logits)
    if logits.shape != other_logits.shape:
        requirement = f"have the shape {tuple(logits.shape)} of logits"
        refuse("other_logits", requirement, tuple(other_logits.shape))
    own, other = (log_softmax(to_widest(each)) for each in (logits, other_logits))
    open_here = own > -xp.inf
    ratio = xp.where(open_here, other - xp.where(open_here, own, 0.0), xp.inf)
    order = xp.argsort(ratio, axis=-1)
    p, q = (xp.exp(take_along(each, order)) for each in (own, other))
    up_to = running_sum(p)
    beyond = xp.sum(q, axis=-1, keepdims=True) - running_sum(q)
    # Where one law excludes the category it cannot win both races, and both products are 0.
    possible = (p > 0) & (q > 0)
    rate = xp.where(possible, up_to * q + beyond * p, 1.0)
    share = xp.sum(xp.where(possible, p * q, 0.0) / rate, axis=-1)
    return cast(share, common_dtype(logits, other_logits))


@quiet
def agreement_bounds(logits: Array, other_logits: Array) -> tuple[Array, Array]:
    r"""Return the bounds of :func:`agreement`, $(1 - \mathrm{TV})/(1 + \mathrm{TV})$ and $1 - \mathrm{TV}$.

    The upper bound is that of every coupling, and is reached with two categories.
    Source: Daliri, Musco and Suresh (2024).

    Args:
        logits: logits of p, shape ``(..., K)``.
        other_logits: logits of q, broadcastable to ``logits``, same K.

    Returns:
        Two arrays of the broadcast batch shape.

    Raises:
        TypeError, ValueError: as :func:`coupled_sample`.

    Examples:
        >>> import numpy as np
        >>> bounds = agreement_bounds(np.log([0.9, 0.1]), np.log([0.5, 0.5]))
        >>> [round(float(bound), 4) for bound in bounds]
        [0.4286, 0.6]
    """
    distance = total_variation(logits, other_logits)
    return (1 - distance) / (1 + distance), 1 - distance


def _check_pair(logits: Array, other_logits: Array) -> Any:
    """Require two laws over the same categories, and return their namespace."""
    xp = namespace(logits=logits, other_logits=other_logits)
    check_logits(logits)
    check_logits(other_logits, "other_logits")
    check_same_categories(other_logits, "other_logits", logits)
    return xp
