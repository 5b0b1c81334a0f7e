r"""Draws from the categorical law by the algorithm that suits their number."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gumbel_tutorial.arrays import (
    Array,
    argmax,
    bits,
    is_jax,
    namespace,
    perturb,
    quiet,
    range_like,
    take_along,
    to_index,
    to_widest,
    top_k,
)
from gumbel_tutorial.categorical.alias import alias_sample, alias_table
from gumbel_tutorial.categorical.inverse_cdf import inverse_cdf_sample
from gumbel_tutorial.checks import (
    check_count,
    check_generator,
    check_logits,
    check_open_categories,
    refuse,
)
from gumbel_tutorial.noise import gumbel_like, uniform

if TYPE_CHECKING:
    from gumbel_tutorial.noise import Generator

# Where one way overtakes another, in categories and draws: benchmarks/sampling.py.
_FEW_CATEGORIES = 64
_MANY_DRAWS_PER_CATEGORY = 4
_MANY_CATEGORIES = 10_000
_FEW_DRAWS = 16


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
    * ``"alias"``: :func:`alias_sample` from one table, for one law only;

    and without replacement, in the order in which categories are drawn, by

    * ``"top-k"``: the largest $\ell_i + G_i$, K noises per row;
    * ``"distinct"``: draws with replacement of which repeated ones are dropped; a row that runs out of them
      goes on by the largest $\ell_i + G_i$ of what is left, and keeps what it has.

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
    check_logits(logits)
    num_samples = check_count(num_samples, "num_samples", 1)
    if not replacement:
        check_open_categories(num_samples, "num_samples", logits)
    ways = _WITH_REPLACEMENT if replacement else _WITHOUT_REPLACEMENT
    if method is None:
        method = sampling_method(logits.shape, num_samples, replacement)
        if is_jax(logits) and method == "distinct":
            method = "top-k"
    if method not in ways:
        names = " or ".join(map(repr, ways))
        kind = "with" if replacement else "without"
        refuse("method", f"be {names} {kind} replacement", repr(method))
    return ways[method](logits, num_samples, generator)


def sampling_method(
    shape: tuple[int, ...], num_samples: int = 1, replacement: bool = True
) -> str:
    """Return the name of the way that :func:`sample` chooses for logits of a shape.

    Examples:
        >>> sampling_method((64, 10)), sampling_method((64, 50_257)), sampling_method((1000,), 10_000)
        ('gumbel-max', 'inverse-cdf', 'alias')
        >>> sampling_method((64, 50_257), 10, replacement=False)
        'distinct'
    """
    *batch, num_categories = shape
    if not replacement:
        few = num_samples <= _FEW_DRAWS
        return "distinct" if few and num_categories >= _MANY_CATEGORIES else "top-k"
    if not batch and num_samples >= _MANY_DRAWS_PER_CATEGORY * num_categories:
        return "alias"
    return "gumbel-max" if num_categories <= _FEW_CATEGORIES else "inverse-cdf"


@quiet
def _largest_of_each(logits: Array, num_samples: int, generator: Any) -> Array:
    xp = namespace(logits=logits)
    *batch, num_categories = logits.shape
    repeated = xp.broadcast_to(
        logits[..., None, :], (*batch, num_samples, num_categories)
    )
    return argmax(perturb(repeated, gumbel_like(repeated, generator=generator)))


@quiet
def _by_inverse_cdf(logits: Array, num_samples: int, generator: Any) -> Array:
    shape = (num_samples, *logits.shape[:-1])
    numbers = _uniform_like(logits, shape, generator)
    return namespace(logits=logits).moveaxis(inverse_cdf_sample(logits, numbers), 0, -1)


def _by_table(logits: Array, num_samples: int, generator: Any) -> Array:
    numbers = _uniform_like(logits, (num_samples,), generator)
    return alias_sample(alias_table(logits), numbers)


@quiet
def _largest(logits: Array, num_samples: int, generator: Any) -> Array:
    noise = gumbel_like(logits, generator=generator)
    return top_k(perturb(logits, noise), num_samples)


@quiet
def _distinct(logits: Array, num_samples: int, generator: Any) -> Array:
    if is_jax(logits):
        requirement = "be 'top-k' for JAX, whose shapes may not depend on what is drawn"
        refuse("method", requirement, "'distinct'")
    xp = namespace(logits=logits)
    rows = xp.reshape(logits, (-1, logits.shape[-1]))
    draws = _by_inverse_cdf(rows, 2 * num_samples + 8, generator)
    fresh = _is_first(xp, draws)
    place = range_like(draws.shape[-1], draws)
    order = xp.argsort(xp.where(fresh, place, place + draws.shape[-1]), axis=-1)
    found = take_along(draws, order[..., :num_samples])
    number = xp.sum(to_index(fresh), axis=-1)
    short = number < num_samples
    if bool(xp.any(short)):
        left = _without(xp, rows[short], draws[short])
        more = _largest(left, num_samples, generator)
        found[short] = _joined(xp, found[short], more, number[short])
    return xp.reshape(found, (*logits.shape[:-1], num_samples))


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


def _uniform_like(logits: Array, shape: tuple[int, ...], generator: Any) -> Array:
    """Draw uniform numbers in the widest dtype, on whose grid a small probability has its place."""
    check_generator(generator, logits)
    dtype = f"float{bits(to_widest(logits[..., :1]))}"
    numbers = uniform(shape, generator=generator, dtype=dtype)
    return namespace(logits=logits).asarray(numbers)


_Way = Callable[[Array, int, Any], Array]
_WITH_REPLACEMENT: dict[str, _Way] = {
    "gumbel-max": _largest_of_each,
    "inverse-cdf": _by_inverse_cdf,
    "alias": _by_table,
}
_WITHOUT_REPLACEMENT: dict[str, _Way] = {"top-k": _largest, "distinct": _distinct}
