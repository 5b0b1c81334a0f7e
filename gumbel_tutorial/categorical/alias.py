"""The alias table: many draws from one law, each in constant time."""

from typing import NamedTuple

from gumbel_tutorial.arrays import (
    Array,
    namespace,
    quiet,
    running_sum,
    searchsorted,
    softmax,
    to_index,
    to_widest,
)
from gumbel_tutorial.checks import check_logits, check_open_unit_interval, refuse


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
