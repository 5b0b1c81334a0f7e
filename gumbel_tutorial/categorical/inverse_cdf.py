r"""The inverse distribution function: one uniform number per draw, in two steps.

The first step finds a block of categories by the sums of all blocks, the second a category inside it. So the
only pass over all categories is the softmax with its block sums, and a small probability is added to its
neighbours in the block and not to everything before it, which keeps its digits.
"""

from typing import Any

from gumbel_tutorial.arrays import (
    Array,
    namespace,
    quiet,
    range_like,
    running_sum,
    searchsorted,
    softmax,
    take_along,
    to_index,
    to_widest,
    widen,
)
from gumbel_tutorial.checks import (
    check_batch,
    check_logits,
    check_open_unit_interval,
)

# A draw reads the sums of all blocks and one whole block: so many numbers at once take 32 MB.
_MOST = 2**22


@quiet
def inverse_cdf_sample(logits: Array, uniform: Array) -> Array:
    r"""Return the first i with $\pi_1 + \dots + \pi_i > u$: one uniform number per draw.

    The sum is taken in two steps, over $\sqrt K$ blocks of $\sqrt K$ categories and then inside one block,
    whose own total takes the place of the block's sum. Both are running sums in float64, since in float32 a
    sum over 50,000 categories leaves thousands of them with probability zero; only where there is no float64,
    as in JAX as it starts, are they float32. Each category's probability comes out right to $10^{-6}$ of
    itself, up to the grid of the uniform number.

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
    weights = softmax(widen(logits))
    if logits.ndim > 1:
        return _draw(xp, weights, uniform)
    flat = xp.reshape(uniform, (-1,))
    step = max(1, _MOST // _size(weights))
    parts = [
        _draw(xp, weights, flat[start : min(start + step, flat.shape[0])])
        for start in range(0, flat.shape[0], step)
    ]
    index = parts[0] if len(parts) == 1 else xp.concat(parts)
    return xp.reshape(index, uniform.shape)


def _size(weights: Array) -> int:
    """Return the number of categories in a block, a power of two near the square root of all."""
    return 1 << ((int(weights.shape[-1]) - 1).bit_length() + 1) // 2


def _block_sums(xp: Any, weights: Array, size: int) -> Array:
    """Return the sums of the blocks, of which the last may be shorter."""
    whole = weights.shape[-1] // size * size
    blocks = xp.reshape(weights[..., :whole], (*weights.shape[:-1], -1, size))
    sums = to_widest(xp.sum(blocks, axis=-1))
    if whole == weights.shape[-1]:
        return sums
    rest = to_widest(xp.sum(weights[..., whole:], axis=-1, keepdims=True))
    return xp.concat([sums, rest], axis=-1)


def _first_above(xp: Any, running: Array, target: Array) -> Array:
    """Return where the running sum first exceeds the target, or else the last place that has mass.

    Rounding may lift the target to the total, which no running sum exceeds.
    """
    last = xp.sum(to_index(running < running[..., -1:]), axis=-1)
    if running.ndim == 1:
        index = searchsorted(running, target, right=True)
    else:
        index = xp.sum(to_index(running <= target[..., None]), axis=-1)
    return xp.minimum(index, last)


def _draw(xp: Any, weights: Array, uniform: Array) -> Array:
    """Return a category per number, from one row of weights or from the row that it is broadcast to."""
    size, num_categories = _size(weights), weights.shape[-1]
    sums = _block_sums(xp, weights, size)
    running = running_sum(sums)
    target = to_widest(uniform) * running[..., -1]
    block = _first_above(xp, running, target)[..., None]

    before = take_along(running, xp.maximum(block - 1, 0 * block))
    rest = target[..., None] - xp.where(block > 0, before, 0.0 * before)
    members = block * size + range_like(size, block)
    entries = to_widest(take_along(weights, members % num_categories))
    inside = running_sum(xp.where(members < num_categories, entries, 0.0 * entries))
    # A block's sum was rounded to float32 where its running sum was not: the latter has the last word.
    rest = rest * (inside[..., -1:] / take_along(sums, block))
    return block[..., 0] * size + _first_above(xp, inside, rest[..., 0])
