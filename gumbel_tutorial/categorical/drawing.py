r"""Draws from the categorical law by the algorithm that suits their number."""

from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from gumbel_tutorial.arrays import (
    Array,
    bits,
    from_memory,
    is_jax,
    memory,
    namespace,
    quiet,
    range_like,
    take_along,
    to_index,
    to_widest,
)
from gumbel_tutorial.categorical.alias import alias_sample, alias_table
from gumbel_tutorial.categorical.inverse_cdf import search
from gumbel_tutorial.categorical.perturbed import largest, largest_k, stream_for
from gumbel_tutorial.checks import (
    check_category_axis,
    check_count,
    check_floating,
    check_generator,
    check_open_categories,
    refuse,
)
from gumbel_tutorial.fused import kernels_for
from gumbel_tutorial.noise import uniform
from gumbel_tutorial.streams import FEW, MIDPOINT_OF_ZERO

if TYPE_CHECKING:
    from gumbel_tutorial.noise import Generator

# Where one way overtakes another, in categories: benchmarks/sampling.py.
_FEW_CATEGORIES = 64


def sample(
    logits: Array,
    *,
    generator: "Generator",
    num_samples: int = 1,
    replacement: bool = True,
    method: str | None = None,
) -> Array:
    r"""Draw categories from $\pi = \mathrm{softmax}(\ell)$, in place of ``torch.multinomial``.

    With replacement by

    * ``"gumbel-max"``: $\arg\max_i(\ell_i + G_i)$, K noises per draw;
    * ``"inverse-cdf"``: :func:`inverse_cdf_sample`, one softmax per row and one noise per draw;
    * ``"alias"``: :func:`alias_sample` from one table, for one law only: worth its making where it is kept;

    and without replacement, in the order in which categories are drawn, by

    * ``"top-k"``: the largest $\ell_i + G_i$, K noises per row;
    * ``"distinct"``: draws with replacement of which repeated ones are dropped; a row that runs out of them
      goes on by the largest $\ell_i + G_i$ of what is left, and keeps what it has.

    A single draw of CUDA tensors is made by :func:`gumbel_tutorial.kernels.sample` where no method is named.
    All ways of a kind draw from the same law, from noise of 53 bits; :func:`sampling_method` says which one
    is taken where ``method`` is None. The numbers of two ways, from one seed, are not the same.
    Source: Walker (1977) for the table; Yellott (1977) for the largest; dropping repeated draws is the
    definition of successive sampling.

    Args:
        logits: shape ``(..., K)``; -inf excludes a category.
        generator: of the library of ``logits`` and on their device, a key of ``jax.random`` for JAX.
        num_samples: draws per row; without replacement at most the open categories of every row.
        replacement: whether a category may be drawn twice.
        method: one of the names above; None chooses by the sizes.

    Returns:
        Integer categories, shape ``(..., num_samples)``.

    Raises:
        TypeError: ``logits`` is not a floating array, or ``generator`` of another kind.
        ValueError: NaN, +inf or a row of -inf among the logits; a ``num_samples`` below 1 or above the open
            categories; a ``method`` of another kind, or of another name; several laws for one table.

    Examples:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> sample(np.log([6.0, 3.0, 1.0]), generator=rng, num_samples=4).shape
        (4,)
        >>> sample(np.zeros((2, 3)), generator=rng, num_samples=3, replacement=False).sum(-1).tolist()
        [3, 3]
    """
    check_floating(logits, "logits")
    check_category_axis(logits, "logits")
    check_generator(generator, logits)
    num_samples = check_count(num_samples, "num_samples", 1)
    kernels = kernels_for(logits)
    if kernels and num_samples == 1 and replacement and method is None:
        return kernels.sample(logits, generator=generator)[..., None]
    if not replacement:
        check_open_categories(num_samples, "num_samples", logits)
    way = _WAYS[_checked_method(logits, num_samples, replacement, method)]
    rows = namespace(logits=logits).reshape(logits, (-1, logits.shape[-1]))
    found = way(rows, num_samples, generator)
    return namespace(found=found).reshape(found, (*logits.shape[:-1], num_samples))


def _checked_method(
    logits: Array, num_samples: int, replacement: bool, method: str | None
) -> str:
    if method is None:
        method = sampling_method(logits.shape, num_samples, replacement)
        return "top-k" if is_jax(logits) and method == "distinct" else method
    names = _WITH_REPLACEMENT if replacement else _WITHOUT_REPLACEMENT
    if method not in names:
        kind = "with" if replacement else "without"
        requirement = f"be {' or '.join(map(repr, names))} {kind} replacement"
        refuse("method", requirement, repr(method))
    if method == "alias" and logits.ndim != 1:
        refuse("logits", "have one axis", f"shape {tuple(logits.shape)}")
    if method == "distinct" and is_jax(logits):
        requirement = "be 'top-k' for JAX, whose shapes may not depend on what is drawn"
        refuse("method", requirement, "'distinct'")
    return method


def sampling_method(
    shape: tuple[int, ...], num_samples: int = 1, replacement: bool = True
) -> str:
    r"""Return the name of the way that :func:`sample` chooses for logits of a shape.

    Gumbel-Max for up to 64 categories and few draws, and else the inverse distribution function; without
    replacement distinct draws as long as the blocks that k of them read are a small part of a row,
    $k\sqrt K < K/2$. A table is never made for one call: by the time it is, the draws are done.

    Examples:
        >>> sampling_method((64, 10)), sampling_method((64, 50_257)), sampling_method((10,), 10_000)
        ('gumbel-max', 'inverse-cdf', 'inverse-cdf')
        >>> sampling_method((64, 50_257), 10, replacement=False)
        'distinct'
    """
    num_categories = shape[-1]
    if not replacement:
        return "distinct" if 4 * num_samples**2 < num_categories else "top-k"
    few = num_categories <= _FEW_CATEGORIES and num_samples <= num_categories
    return "gumbel-max" if few else "inverse-cdf"


@quiet
def _by_inverse_cdf(rows: Array, num_samples: int, generator: Any) -> Array:
    return search(rows, _uniform((rows.shape[0], num_samples), rows, generator))


def _by_table(rows: Array, num_samples: int, generator: Any) -> Array:
    numbers = _uniform((1, num_samples), rows, generator)
    return alias_sample(alias_table(rows[0, ...]), numbers)


@quiet
def _distinct(rows: Array, num_samples: int, generator: Any) -> Array:
    xp = namespace(rows=rows)
    draws = _by_inverse_cdf(rows, num_samples + 4, generator)
    found, number = _first_distinct(xp, draws, num_samples)
    short = number < num_samples
    if bool(xp.any(short)):
        # What is drawn stays: a row that were drawn anew would favour draws that seldom repeat.
        left, drawn = rows[short], draws[short]
        drawn = xp.concat(
            [drawn, _by_inverse_cdf(left, 4 * num_samples + 16, generator)], axis=1
        )
        found[short] = _completed(xp, left, drawn, num_samples, generator)
    return found


def _completed(
    xp: Any, rows: Array, draws: Array, num_samples: int, generator: Any
) -> Array:
    """Return distinct draws, with those of largest perturbed logits after them where they are too few."""
    found, number = _first_distinct(xp, draws, num_samples)
    short = number < num_samples
    if bool(xp.any(short)):
        left = _without(xp, rows[short], draws[short])
        more = largest_k(left, num_samples, generator)
        found[short] = _joined(xp, found[short], more, number[short])
    return found


def _first_distinct(xp: Any, draws: Array, num_samples: int) -> tuple[Array, Array]:
    """Return the first distinct draws of each row, and how many of the entries are such."""
    fresh = _is_first(xp, draws)
    place = range_like(draws.shape[-1], draws)
    order = xp.argsort(xp.where(fresh, place, place + draws.shape[-1]), axis=-1)
    found = take_along(draws, order[..., :num_samples])
    return found, xp.sum(to_index(fresh), axis=-1)


def _is_first(xp: Any, draws: Array) -> Array:
    """Tell of each draw whether none before it in its row is the same."""
    place = range_like(draws.shape[-1], draws)
    same = draws[..., :, None] == draws[..., None, :]
    return ~xp.any(same & (place[None, :] < place[:, None]), axis=-1)


def _without(xp: Any, logits: Array, drawn: Array) -> Array:
    """Exclude the categories that are drawn."""
    categories = range_like(logits.shape[-1], drawn)
    for position in range(drawn.shape[-1]):
        hit = categories == drawn[..., position, None]
        logits = xp.where(hit, -float("inf"), logits)
    return logits


def _joined(xp: Any, first: Array, second: Array, number: Array) -> Array:
    """Return ``number`` entries of each first row, and then those of the second."""
    place = range_like(first.shape[-1], first)
    after = place - number[..., None]
    rest = take_along(second, xp.maximum(after, 0 * after))
    return xp.where(after < 0, first, rest)


def _uniform(shape: tuple[int, ...], rows: Array, generator: Any) -> Array:
    """Draw uniform numbers in the widest dtype, on whose grid a small probability has its place."""
    if memory(rows) is not None and prod(shape) >= FEW:
        numbers = stream_for(rows, generator).random(shape)
        return from_memory(np.maximum(numbers, MIDPOINT_OF_ZERO, out=numbers), rows)
    dtype = f"float{bits(to_widest(rows[:0, ...]))}"
    numbers = uniform(shape, generator=generator, dtype=dtype)
    return namespace(rows=rows).asarray(numbers)


_Way = Callable[[Array, int, Any], Array]
_WITH_REPLACEMENT = ("gumbel-max", "inverse-cdf", "alias")
_WITHOUT_REPLACEMENT = ("top-k", "distinct")
_WAYS: dict[str, _Way] = {
    "gumbel-max": largest,
    "inverse-cdf": _by_inverse_cdf,
    "alias": _by_table,
    "top-k": largest_k,
    "distinct": _distinct,
}
