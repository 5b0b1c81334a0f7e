r"""The inverse distribution function: one uniform number per draw.

For few draws it is searched in two steps: the sums of blocks of categories say which block a number falls
in, and the logits of that block which category. So the only pass over all categories is the softmax, of
which the sums of the blocks are kept, and a small probability is added to its neighbours in the block and
not to everything before it, which keeps its digits. For many draws from one law all running sums are made,
and a table says where a search among them begins.
"""

from math import isqrt
from typing import Any

from gumbel_tutorial.arrays import (
    Array,
    below_largest,
    bits,
    count_not_above,
    guided_search,
    namespace,
    quiet,
    range_like,
    running_sum,
    slices_of_rows,
    softmax,
    take_along,
    to_widest,
    widen,
)
from gumbel_tutorial.checks import (
    check_batch,
    check_category_axis,
    check_floating,
    check_open_unit_interval,
    check_softmax,
)

# So many numbers of one kind are held at once, 32 MB of them.
_MOST = 2**22
# From so many categories and draws on, a law of its own is worth a loop over the laws.
_MANY = 2**12


@quiet
def inverse_cdf_sample(logits: Array, uniform: Array) -> Array:
    r"""Return the first i with $\pi_1 + \dots + \pi_i > u$: one uniform number per draw.

    The sums run in float64, since in float32 a sum over 50,000 categories leaves thousands of them with
    probability zero; only where there is no float64, as in JAX as it starts, are they float32. For few draws
    they are taken in two steps, over $\sqrt K$ blocks of $\sqrt K$ categories and then inside one block,
    whose own total takes the place of the block's sum. Each category's probability comes out right to
    $10^{-6}$ of itself, up to the grid of the uniform number.
    Source: Chen and Asau (1974) for the table that begins the search of many draws.

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
    check_floating(logits, "logits")
    check_category_axis(logits, "logits")
    check_open_unit_interval(uniform, "uniform")
    check_batch(uniform, "uniform", logits)
    num_categories = logits.shape[-1]
    if logits.ndim == 1:
        numbers = xp.reshape(uniform, (1, -1))
        return xp.reshape(search(logits[None, ...], numbers), uniform.shape)
    # The axes of the numbers in front of the batch are draws from the same rows.
    batch = xp.broadcast_to(uniform, _joint(uniform.shape, logits.shape[:-1])).shape
    own = batch[len(batch) - logits.ndim + 1 :]
    rows = xp.reshape(
        xp.broadcast_to(logits, (*own, num_categories)), (-1, num_categories)
    )
    numbers = xp.reshape(xp.broadcast_to(uniform, batch), (-1, rows.shape[0]))
    return xp.reshape(
        xp.matrix_transpose(search(rows, xp.matrix_transpose(numbers))), batch
    )


def _joint(first: tuple[int, ...], second: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of two that broadcast."""
    length = max(len(first), len(second))
    pairs = zip(
        (1,) * (length - len(first)) + tuple(first),
        (1,) * (length - len(second)) + tuple(second),
        strict=True,
    )
    return tuple(other if one == 1 else one for one, other in pairs)


def search(rows: Array, numbers: Array) -> Array:
    """Return a category of its row for every number; of the arguments the values of the rows are checked.

    Args:
        rows: logits, shape ``(R, K)``.
        numbers: in (0, 1), shape ``(R, S)``.

    Returns:
        Integer categories, shape ``(R, S)``.
    """
    xp = namespace(rows=rows)
    size, num_draws = _size(rows), numbers.shape[1]
    worth_it = rows.shape[0] == 1 or rows.shape[1] + num_draws >= _MANY
    # Only in float64 does a sum over all categories keep the small ones.
    if (
        num_draws * size >= rows.shape[1]
        and worth_it
        and bits(to_widest(rows[:0, ...])) >= 64
    ):
        found = [
            _in_one_step(rows[i, ...], numbers[i, ...]) for i in range(rows.shape[0])
        ]
        return xp.stack(found)
    sums = _sums_of_blocks(xp, rows, size)
    step = max(1, _MOST // (rows.shape[0] * size))
    parts = [
        _in_two_steps(xp, rows, sums, numbers[:, start : min(start + step, num_draws)])
        for start in range(0, num_draws, step)
    ]
    return parts[0] if len(parts) == 1 else xp.concat(parts, axis=1)


def _in_one_step(logits: Array, numbers: Array) -> Array:
    running = running_sum(to_widest(softmax(widen(logits))))
    check_softmax(running[-1:], logits)
    return guided_search(running / running[-1:], to_widest(numbers))


def _in_two_steps(xp: Any, rows: Array, sums: Array, numbers: Array) -> Array:
    running = running_sum(sums)
    target = _below(to_widest(numbers) * running[:, -1:], running[:, -1:])
    block = count_not_above(running, target)
    before = take_along(running, xp.maximum(block - 1, 0 * block))
    rest = target - xp.where(block > 0, before, 0.0 * before)

    first, entries = _block_of(xp, rows, block)
    inside = running_sum(to_widest(xp.exp(below_largest(widen(entries)))))
    # A block's sum was rounded to float32 where its running sum was not: the latter has the last word.
    total = inside[..., -1]
    rest = _below(rest * (total / take_along(sums, block)), total)
    return first + count_not_above(inside, rest[..., None])[..., 0]


def _block_of(xp: Any, rows: Array, block: Array) -> tuple[Array, Array]:
    """Return the first member of the blocks of each row, and the logits of their members."""
    size, (num_rows, num_categories) = _size(rows), rows.shape
    if num_categories % size == 0:
        number = num_categories // size
        own = range_like(num_rows, block)[:, None] * number
        place = xp.reshape(own + block, (-1,))
        entries = xp.take(xp.reshape(rows, (-1, size)), place, axis=0)
        return block * size, xp.reshape(entries, (*block.shape, size))
    # The last block is shorter: it begins with members of the one before, which count nothing.
    first = xp.minimum(block * size, 0 * block + (num_categories - size))
    members = first[..., None] + range_like(size, block)
    entries = take_along(rows, xp.reshape(members, (num_rows, -1)))
    own = members >= (block * size)[..., None]
    return first, xp.where(own, xp.reshape(entries, members.shape), -float("inf"))


def _size(rows: Array) -> int:
    """Return the number of categories in a block, near the square root of all and if possible a divisor."""
    num_categories = int(rows.shape[1])
    root = isqrt(num_categories - 1) + 1
    divisors = (size for size in range(root, 2 * root) if num_categories % size == 0)
    return (
        next(divisors, 1 << (root - 1).bit_length())
        if num_categories > 8
        else num_categories
    )


def _sums_of_blocks(xp: Any, rows: Array, size: int) -> Array:
    """Return the sums of the blocks of each row of the softmax, of which the last may be shorter."""
    whole = rows.shape[1] // size * size
    parts = []
    for part in slices_of_rows(rows):
        weights = softmax(widen(rows[part, ...]))
        blocks = xp.reshape(weights[:, :whole], (weights.shape[0], -1, size))
        parts.append(xp.sum(blocks, axis=-1))
        if whole < rows.shape[1]:
            rest = xp.sum(weights[:, whole:], axis=-1, keepdims=True)
            parts[-1] = xp.concat([parts[-1], rest], axis=-1)
    sums = to_widest(parts[0] if len(parts) == 1 else xp.concat(parts))
    check_softmax(xp.sum(sums, axis=-1), rows)
    return sums


def _below(target: Array, total: Array) -> Array:
    """Return a target below the total, to which rounding may have lifted it: no running sum exceeds that."""
    xp = namespace(total=total)
    return xp.minimum(target, total * (1 - xp.finfo(total.dtype).eps / 2))
