"""Standard errors and tests of fit, shared by the chapters and the tests.

These take NumPy arrays. Everything that scipy has is scipy's.
"""

import numpy as np
from numpy.typing import ArrayLike

from gumbel_tutorial.checks import check_index, check_open_unit_interval

# Below five expected counts the chi-square approximation is off, and a test has no power anyway.
_LEAST_EXPECTED_COUNT = 5
# A law that was rounded to float32 misses one by some 1e-7.
_TOLERANCE = 1e-6


def standard_error(samples: ArrayLike, *, axis: int = 0) -> np.ndarray:
    r"""Return the standard error of the mean, $s/\sqrt n$ with the unbiased variance $s^2$.

    Args:
        samples: independent draws along ``axis``, at least two.
        axis: the axis of the draws.

    Raises:
        ValueError: fewer than two draws.

    Examples:
        >>> float(standard_error([1.0, 3.0]))
        1.0
    """
    samples = np.asarray(samples)
    if samples.shape[axis] < 2:
        raise ValueError(
            f"samples must hold at least two draws, got {samples.shape[axis]}"
        )
    return samples.std(axis=axis, ddof=1) / np.sqrt(samples.shape[axis])


def half_width(samples: ArrayLike, *, confidence: float = 0.95) -> float:
    r"""Return half the width of Student's interval for the mean, $t_{n-1}\,s/\sqrt n$.

    Exact for normal samples: of such intervals around the means of repeated samples a share of ``confidence``
    holds the mean.

    Args:
        samples: independent draws, shape ``(n,)`` with n at least 2.
        confidence: in (0, 1).

    Raises:
        ValueError: fewer than two draws, a confidence outside (0, 1).

    Examples:
        >>> round(half_width([1.0, 3.0]), 2)
        12.71
    """
    from scipy.stats import t as student

    check_open_unit_interval(np.asarray(confidence), "confidence")
    quantile = student.ppf((1 + confidence) / 2, len(np.asarray(samples)) - 1)
    return float(quantile * standard_error(samples))


def interval(samples: ArrayLike, spec: str = ".1f", *, confidence: float = 0.95) -> str:
    """Return the mean and the half width of Student's interval for it, as text.

    Args:
        samples: independent draws, shape ``(n,)`` with n at least 2.
        spec: a format specification of both numbers.
        confidence: in (0, 1).

    Raises:
        ValueError: fewer than two draws, a confidence outside (0, 1).

    Examples:
        >>> interval([1.0, 2.0, 3.0])
        '2.0 ± 2.5'
    """
    width = half_width(samples, confidence=confidence)
    return f"{np.asarray(samples).mean():{spec}} ± {width:{spec}}"


def residual_deviation(blocks: ArrayLike) -> float:
    r"""Return the standard deviation that rows leave which were measured side by side in the same blocks.

    $s^2 = \frac{1}{(r-1)(b-1)}\sum_{ij}(x_{ij} - \bar x_{i\cdot} - \bar x_{\cdot j} + \bar x)^2$: what shifts
    all rows of a block alike, such as a seed, does not count, as in paired differences.

    Args:
        blocks: shape ``(r, b)``, r rows measured in b blocks, at least two of each.

    Raises:
        ValueError: fewer than two rows or blocks.

    Examples:
        >>> residual_deviation([[1.0, 2.0], [3.0, 4.0]])  # the second block is one higher for both
        0.0
    """
    blocks = np.asarray(blocks, dtype=float)
    if blocks.ndim != 2 or min(blocks.shape) < 2:
        raise ValueError(
            f"blocks must have two rows and two blocks at least, got shape {blocks.shape}"
        )
    effects = blocks.mean(1, keepdims=True) + blocks.mean(0) - blocks.mean()
    freedom = (blocks.shape[0] - 1) * (blocks.shape[1] - 1)
    return float(np.sqrt(((blocks - effects) ** 2).sum() / freedom))


def honest_difference(blocks: ArrayLike, *, confidence: float = 0.95) -> float:
    r"""Return Tukey's honestly significant difference between means of rows, $q\,s/\sqrt b$.

    Where all rows truly have one mean, no two of their means are farther apart than this with probability
    ``confidence``, however many rows there are. Exact for normal errors of one variance.
    Source: Tukey (1953); q is the quantile of the studentized range of r means at $(r-1)(b-1)$ degrees of
    freedom, s the :func:`residual_deviation`.

    Args:
        blocks: shape ``(r, b)``, r rows measured in the same b blocks, at least two of each.
        confidence: in (0, 1).

    Raises:
        ValueError: fewer than two rows or blocks, a confidence outside (0, 1).

    Examples:
        >>> round(honest_difference([[1.0, 2.0, 3.5], [3.0, 4.0, 5.0]]), 2)  # of two rows: the paired t-test
        0.72
    """
    from scipy.stats import studentized_range

    check_open_unit_interval(np.asarray(confidence), "confidence")
    deviation = residual_deviation(blocks)
    rows, columns = np.shape(blocks)
    quantile = studentized_range.ppf(confidence, rows, (rows - 1) * (columns - 1))
    return float(quantile * deviation / np.sqrt(columns))


def holm(p_values: ArrayLike) -> np.ndarray:
    r"""Return p-values corrected for being many, of which the least may be picked.

    The i-th smallest of m becomes the largest of $\min(1, (m-j+1)\,p_{(j)})$ over $j\le i$. Where all that is
    at most a level is called told, any false one is among them with at most that probability, whatever the
    dependence of the tests.
    Source: Holm (1979).

    Args:
        p_values: in [0, 1], shape ``(m,)``.

    Raises:
        ValueError: another shape, a value outside [0, 1].

    Examples:
        >>> holm([0.01, 0.04, 0.03]).round(2).tolist()
        [0.03, 0.06, 0.06]
    """
    p_values = np.asarray(p_values, dtype=float)
    if p_values.ndim != 1:
        raise ValueError(f"p_values must be a vector, got shape {p_values.shape}")
    if not ((p_values >= 0) & (p_values <= 1)).all():
        raise ValueError(f"p_values must lie in [0, 1], got {p_values}")
    ascending = p_values.argsort()
    remaining = np.arange(len(p_values), 0, -1)
    corrected = np.empty_like(p_values)
    grown = np.maximum.accumulate(remaining * p_values[ascending])
    corrected[ascending] = grown.clip(max=1)
    return corrected


def frequencies(index: ArrayLike, num_categories: int) -> np.ndarray:
    """Return the share of each category among drawn indices of any shape.

    Raises:
        TypeError: indices that are not integers.
        ValueError: an index outside 0 ... K-1.

    Examples:
        >>> frequencies([0, 2, 2, 2], 3).tolist()
        [0.25, 0.0, 0.75]
    """
    index = np.asarray(index)
    check_index(index, num_categories)
    counts = np.bincount(index.reshape(-1), minlength=num_categories)
    return counts / counts.sum()


def by_group(
    index: ArrayLike, probs: ArrayLike, num_groups: int = 20
) -> tuple[np.ndarray, np.ndarray]:
    """Return counts and probabilities of groups of categories, for a chi-square test of many categories.

    The groups are runs of neighbours and hold about the same probability, if no category holds much more.

    Args:
        index: drawn indices of any shape.
        probs: the law under test, shape ``(K,)``.
        num_groups: how many groups, at most.

    Raises:
        TypeError: indices that are not integers.
        ValueError: an index outside 0 ... K-1.

    Examples:
        >>> counts, shares = by_group([0, 3, 3], [0.4, 0.1, 0.3, 0.2], 2)
        >>> counts.tolist(), shares.tolist()
        ([1, 2], [0.5, 0.5])
    """
    index, probs = np.asarray(index), np.asarray(probs, dtype=float)
    check_index(index, len(probs))
    centres = probs.cumsum() - probs / 2
    group = np.minimum(num_groups * centres, num_groups - 1).astype(int)
    shares = np.bincount(group, probs)
    counts = np.bincount(group[index.reshape(-1)], minlength=len(shares))
    return counts[shares > 0], shares[shares > 0]


def total_variation(probs: ArrayLike, other_probs: ArrayLike) -> np.ndarray:
    r"""Return $\frac12\sum_i |p_i - q_i|$ over the last axis: the largest gap in any event's probability.

    Examples:
        >>> float(total_variation([0.5, 0.5], [0.75, 0.25]))
        0.25
    """
    return np.abs(np.asarray(probs) - np.asarray(other_probs)).sum(axis=-1) / 2


def chi_square_p_value(counts: ArrayLike, probs: ArrayLike) -> float:
    """Return the p-value of Pearson's chi-square test that counts were drawn from probs.

    Args:
        counts: how often each category came up.
        probs: the law under test; categories of probability 0 must have no counts.

    Raises:
        ValueError: probabilities that do not sum to one; a category with fewer than five expected counts,
            for which the test does not hold.

    Examples:
        >>> round(chi_square_p_value([60, 40], [0.5, 0.5]), 4)
        0.0455
    """
    from scipy.stats import chisquare

    counts, probs = np.asarray(counts), np.asarray(probs, dtype=float)
    total = probs.sum()
    if not abs(total - 1) <= _TOLERANCE:
        raise ValueError(f"probs must sum to one, got {total:.6g}")
    if counts[probs == 0].any():
        return 0.0
    counts, expected = counts[probs > 0], probs[probs > 0] / total * counts.sum()
    if expected.min() < _LEAST_EXPECTED_COUNT:
        raise ValueError(
            f"counts must be expected at least {_LEAST_EXPECTED_COUNT} times in every category, "
            f"got {expected.min():.3g}"
        )
    return float(chisquare(counts, expected).pvalue)
