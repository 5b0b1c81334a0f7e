r"""Gumbel-Max: the argmax of logits plus Gumbel noise is an exact categorical draw.

With $G_i$ independent standard Gumbels, $I = \arg\max_i(\ell_i + G_i)$ has $\Pr(I = i) = \pi_i$, and the
maximum is Gumbel($\mathrm{logsumexp}\,\ell$, 1), independent of $I$.
Source: Holman and Marley, in Luce and Suppes (1965); McFadden (1974); Yellott (1977); Maddison, Tarlow
and Minka (2014), *A\* Sampling*.

:func:`condition` and :func:`plackett_luce_log_prob` are formulas that check nothing, as are ``perturb``,
``argmax`` and ``top_k`` of :mod:`gumbel_tutorial.arrays`. Every other function checks its arguments once and
calls them.
"""

import math

from gumbel_tutorial import gumbel
from gumbel_tutorial.arrays import (
    Array,
    below_largest,
    cast,
    is_torch,
    log_softmax,
    logsumexp,
    namespace,
    one_hot,
    perturb,
    perturbed_argmax,
    quiet,
    sample_dtype,
    stop_gradient,
    top_k,
    widen,
)
from gumbel_tutorial.checks import (
    check_batch,
    check_category_axis,
    check_count,
    check_index,
    check_logits,
    check_noise,
    check_open_categories,
    first_true,
    refuse,
)


@quiet
def argmax_sample(logits: Array, noise: Array) -> Array:
    r"""Return $I = \arg\max_i (\ell_i + G_i)$, a draw from $\mathrm{softmax}(\ell)$.

    float16 and bfloat16 are added and compared in float32: in bfloat16 the maximum ties in 0.8 % of rows
    at K = 64, and a tie always favours the first category. A common offset of the logits is subtracted
    first, lest the noise lose its digits to it.

    Args:
        logits: shape ``(..., K)``; -inf excludes a category, which is then never drawn.
        noise: standard Gumbel noise, broadcastable to ``logits``, one value for each category.

    Returns:
        Integer categories of the broadcast batch shape.

    Raises:
        TypeError: an argument is not a floating array, or libraries are mixed.
        ValueError: NaN, +inf, a row of -inf, noise that is not finite, shapes that do not match.

    Examples:
        >>> import numpy as np
        >>> argmax_sample(np.log([0.6, 0.3, 0.1]), np.array([0.0, 2.0, 1.0])).tolist()
        1
    """
    largest = check_logits(logits)
    check_noise(noise, logits)
    return perturbed_argmax(logits, noise, largest)


@quiet
def max_location(logits: Array) -> Array:
    r"""Return the location of the law of the maximum, $\log\sum_i e^{\ell_i}$; its scale is 1.

    $\max_i(\ell_i + G_i) \sim \mathrm{Gumbel}(\mathrm{logsumexp}\,\ell, 1)$, the law in
    :mod:`gumbel_tutorial.gumbel`.

    Args:
        logits: shape ``(..., K)``.

    Returns:
        Shape ``(...)``.

    Raises:
        TypeError, ValueError: as :func:`argmax_sample`.

    Examples:
        >>> import numpy as np
        >>> float(max_location(np.zeros(4)))  # log 4
        1.3862943611198906
    """
    check_logits(logits)
    return cast(logsumexp(widen(logits)), logits.dtype)


@quiet
def noise_given_index(logits: Array, index: Array, noise: Array) -> Array:
    r"""Turn free Gumbel noise into a draw of the noise given that ``index`` won the argmax.

    The maximum is free: $Z = \mathrm{logsumexp}(\ell) + G_I$. Every other perturbed logit is a Gumbel
    truncated at $Z$, so its noise is a standard Gumbel truncated at $Z - \ell_i$. Only differences of logits
    are exponentiated, so nothing overflows until the winner lies further below the largest logit than the
    dtype can hold; its noise is then +inf.
    Source: Maddison, Tarlow and Minka (2014), top-down sampling; Paulus et al. (2021), appendix A.

    Args:
        logits: shape ``(..., K)``; -inf excludes a category, whose noise stays free.
        index: the winner, integers of the batch shape.
        noise: standard Gumbel noise, broadcastable to ``logits``, one value for each category.

    Returns:
        Noise of the broadcast shape; ``argmax_sample(logits, result)`` is ``index``, up to rounding
        of the sums, and averaged over categorical winners it is standard Gumbel noise again.

    Raises:
        TypeError: as :func:`argmax_sample`; an index that is not an integer array.
        ValueError: as :func:`argmax_sample`; an index outside 0 ... K-1, of an excluded category or
            for another batch.

    Examples:
        >>> import numpy as np
        >>> given = noise_given_index(np.zeros(2), np.array(1), np.array([3.0, 0.0]))
        >>> given.round(4).tolist()  # log 2 for the winner, less for the loser
        [0.5982, 0.6931]
    """
    xp = namespace(logits=logits, index=index, noise=noise)
    check_logits(logits)
    check_noise(noise, logits)
    num_categories = logits.shape[-1]
    check_index(index, num_categories)
    check_batch(index, "index", logits)
    check_batch(index, "index", noise, "noise")
    won = one_hot(index, num_categories, dtype=xp.bool)
    excluded = first_true(won & (logits == -xp.inf))
    if excluded is not None:
        refuse("index", "be a category above -inf", excluded[-1])
    return cast(condition(widen(logits), index, widen(noise)), noise.dtype)


def condition(logits: Array, index: Array, noise: Array) -> Array:
    r"""Return the noise given the winner, the formula of :func:`noise_given_index`; nothing is checked.

    Args:
        logits: shape ``(..., K)``, float32 at least.
        index: the winner, integers of the batch shape, of a category above -inf.
        noise: standard Gumbel noise in the dtype of the logits.

    Examples:
        >>> import numpy as np
        >>> condition(np.zeros(2), np.array(1), np.array([3.0, 0.0])).round(4).tolist()
        [0.5982, 0.6931]
    """
    xp = namespace(logits=logits)
    won = one_hot(index, logits.shape[-1], dtype=xp.bool)
    # Relative to the winner's noise: log pi is all that enters, so the logits' offset cancels here.
    log_prob = log_softmax(logits)
    maximum = xp.sum(xp.where(won, noise, xp.zeros_like(noise)), axis=-1, keepdims=True)
    upper = maximum - log_prob
    return xp.where(won, upper, gumbel.below(noise, upper))


@quiet
def top_k_sample(logits: Array, noise: Array, k: int) -> Array:
    r"""Return the k categories of largest $\ell_i + G_i$, the largest first.

    An ordered sample without replacement, whose law is that of Plackett and Luce: each next category
    is drawn from the softmax of those that are left.
    Source: Yellott (1977); Kool, van Hoof and Welling (2019), section 3.

    Args:
        logits: shape ``(..., K)``; -inf excludes a category.
        noise: standard Gumbel noise, broadcastable to ``logits``, one value for each category.
        k: how many, in 1 ... the number of open categories of every row.

    Returns:
        Integer categories, shape ``(..., k)``.

    Raises:
        TypeError, ValueError: as :func:`argmax_sample`; ``k`` below 1 or above the open categories.

    Examples:
        >>> import numpy as np
        >>> top_k_sample(np.log([0.6, 0.3, 0.1]), np.array([0.0, 2.0, 1.0]), 2).tolist()
        [1, 0]
    """
    largest = check_logits(logits)
    check_noise(noise, logits)
    k = check_count(k, "k", 1)
    check_open_categories(k, "k", logits)
    return top_k(perturb(logits, noise, largest=largest), k)


@quiet
def top_k_weights(logits: Array, noise: Array, k: int) -> Array:
    r"""Return weights of the k categories of :func:`top_k_sample` whose means are the probabilities.

    With $\kappa$ the (k+1)-th largest of all $\ell_j + G_j$, category $i$ of the k largest weighs
    $W_i = \pi_i / \Pr(\ell_i + G > \kappa) = \pi_i / (1 - \exp(-e^{\ell_i - \kappa}))$ and every other 0.
    Then $\mathbb E[W_i] = \pi_i$, so $\sum_i W_i f(i)$ estimates $\mathbb E[f(I)]$ without bias from k values
    of f. The weights do not sum to one: subtract a constant from f that is near its mean. At k = 1 their
    variance is infinite. Under differentiation the denominator is constant, which makes the derivative of the
    estimate unbiased too.
    Source: Duffield, Lund and Thorup (2007), priority sampling; Vieira (2017); Kool, van Hoof and Welling
    (2019), section 4.

    Args:
        logits: shape ``(..., K)``; -inf excludes a category.
        noise: standard Gumbel noise, broadcastable to ``logits``, one value for each category.
        k: how many, in 1 ... the number of open categories of every row; with all of them
            $\kappa = -\infty$ and $W = \pi$.

    Returns:
        Weights of the broadcast shape, at most k of them positive in a row.

    Raises:
        TypeError, ValueError: as :func:`top_k_sample`.

    Examples:
        >>> import numpy as np
        >>> logits, noise = np.log([0.6, 0.3, 0.1]), np.array([0.0, 2.0, 1.0])
        >>> top_k_weights(logits, noise, 2).round(4).tolist()
        [0.6742, 0.4489, 0.0]
    """
    largest = check_logits(logits)
    check_noise(noise, logits)
    k = check_count(k, "k", 1)
    check_open_categories(k, "k", logits)
    below = below_largest(widen(logits), largest=largest)
    values = stop_gradient(perturb(logits, noise, largest=largest))
    threshold = _threshold(values, k)
    drawn = values > threshold
    xp = namespace(logits=logits)
    gap = xp.where(drawn, stop_gradient(below) - threshold, xp.inf)
    log_weights = log_softmax(below, shifted=True) - _log_survival(gap)
    weights = xp.where(drawn, xp.exp(log_weights), xp.zeros_like(log_weights))
    return cast(weights, sample_dtype(logits, noise))


def _threshold(values: Array, k: int) -> Array:
    """Return the (k+1)-th largest value of every row, and -inf where a row has but k."""
    xp = namespace(values=values)
    if k == values.shape[-1]:
        return xp.full_like(values[..., :1], -xp.inf)
    return xp.sort(values, axis=-1)[..., -k - 1 : -k]


def _log_survival(gap: Array) -> Array:
    r"""Return $\log\Pr(G > -x) = \log(1 - \exp(-e^x))$ without the underflow of $e^x$."""
    xp = namespace(gap=gap)
    # Below the spacing of the dtype 1 - exp(-e^x) is e^x, which may itself round to 0.
    tiny = gap < math.log(xp.finfo(gap.dtype).eps)
    share = -xp.expm1(-xp.exp(xp.where(tiny, xp.zeros_like(gap), gap)))
    return xp.where(tiny, gap, xp.log(share))


@quiet
def top_k_log_prob(logits: Array, indices: Array) -> Array:
    r"""Return the log-probability of an ordered sample without replacement.

    $\sum_{j=1}^{k} \big(\ell_{i_j} - \log \sum_{m \notin \{i_1, \dots, i_{j-1}\}} e^{\ell_m}\big)$, the law
    of Plackett and Luce; each normaliser is summed over what is left, never by subtraction.

    Args:
        logits: shape ``(..., K)``.
        indices: distinct categories in their order, shape ``(..., k)``, batch broadcastable.

    Returns:
        The broadcast batch shape; -inf for an excluded category.

    Raises:
        TypeError: logits not floating or indices not integer arrays.
        ValueError: as :func:`argmax_sample`; indices outside 0 ... K-1, repeated or for another batch.

    Examples:
        >>> import numpy as np
        >>> round(float(np.exp(top_k_log_prob(np.log([0.6, 0.3, 0.1]), np.array([1, 0])))), 4)
        0.2571
    """
    namespace(logits=logits, indices=indices)
    check_logits(logits)
    check_index(indices, logits.shape[-1], "indices")
    check_category_axis(indices, "indices")
    check_batch(indices, "indices", logits, own_axes=1)
    _check_distinct(indices)
    return cast(plackett_luce_log_prob(widen(logits), indices), logits.dtype)


def plackett_luce_log_prob(logits: Array, indices: Array) -> Array:
    """Return the formula of :func:`top_k_log_prob`; nothing is checked.

    Args:
        logits: shape ``(..., K)``, float32 at least.
        indices: distinct categories in their order, shape ``(..., k)``, batch broadcastable.
    """
    xp = namespace(logits=logits)
    drawn = xp.zeros_like(logits, dtype=xp.bool)
    total = xp.zeros_like(logits[..., 0])
    for position in range(indices.shape[-1]):
        chosen = one_hot(indices[..., position], logits.shape[-1], dtype=xp.bool)
        left = xp.where(drawn, -xp.inf, logits)
        logit = xp.sum(xp.where(chosen, logits, xp.zeros_like(logits)), axis=-1)
        # An excluded category has probability 0, even if only excluded ones are left: the derivative of
        # their sum would be NaN.
        possible = logit > -xp.inf
        left = xp.where(possible[..., None], left, xp.zeros_like(left))
        normaliser = xp.where(possible, logsumexp(left), xp.zeros_like(logit))
        total = total + (logit - normaliser)
        drawn = drawn | chosen
    return total


def _check_distinct(indices: Array) -> None:
    xp = namespace(indices=indices)
    ordered = xp.sort(indices, axis=-1)
    if is_torch(indices):
        ordered = ordered.long()
    repeated = first_true(ordered[..., 1:] == ordered[..., :-1])
    if repeated is not None:
        refuse("indices", "be distinct in every row", f"{int(ordered[repeated])} twice")
