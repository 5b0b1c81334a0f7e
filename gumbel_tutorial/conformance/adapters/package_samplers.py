"""Samplers of this package, on NumPy arrays."""

from collections.abc import Callable
from functools import partial

import numpy as np

from gumbel_tutorial import categorical, concrete, decoding, gumbel_max, noise
from gumbel_tutorial.conformance.adapters.record import Adapter, in_parts

_NUM_SHARDS = 4


def argmax_sample(logits: np.ndarray, num_draws: int, seed: int) -> np.ndarray:
    """Draw by Gumbel-Max in NumPy."""
    return _with_noise(gumbel_max.argmax_sample, logits, num_draws, seed)


def masked_sample(
    logits: np.ndarray,
    num_draws: int,
    seed: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    mask: np.ndarray | None = None,
) -> np.ndarray:
    """Draw from what a temperature and the masks leave, by the way that suits the sizes."""
    masked = np.asarray(logits) / np.float32(temperature)
    if mask is not None:
        masked = decoding.apply_mask(masked, mask)
    if top_k is not None:
        masked = decoding.apply_mask(masked, decoding.top_k_mask(masked, top_k))
    if top_p is not None:
        masked = decoding.apply_mask(masked, decoding.nucleus_mask(masked, top_p))
    if min_p is not None:
        masked = decoding.apply_mask(masked, decoding.min_p_mask(masked, min_p))
    return sample(masked, num_draws, seed, method=None)


def merged_maxima(logits: np.ndarray, num_draws: int, seed: int) -> np.ndarray:
    """Draw from shards that each send their largest perturbed logit."""
    shards, starts = _shards(logits)

    def draw(_: np.ndarray, gumbels: np.ndarray) -> np.ndarray:
        parts = np.split(gumbels, starts[1:], axis=-1)
        values = [shard + part for shard, part in zip(shards, parts, strict=True)]
        maxima = np.stack([each.max(-1) for each in values], -1)
        index = np.stack([each.argmax(-1) for each in values], -1) + starts
        return decoding.merge_maxima(maxima, index)[0]

    return _with_noise(draw, logits, num_draws, seed)


def merged_masses(logits: np.ndarray, num_draws: int, seed: int) -> np.ndarray:
    """Draw from shards that each send their mass and a draw of their own."""
    shards, starts = _shards(logits)
    masses = np.stack(
        [np.logaddexp.reduce(shard.astype(float), -1) for shard in shards], -1
    )

    def draw(_: np.ndarray, gumbels: np.ndarray) -> np.ndarray:
        parts = np.split(gumbels[..., len(shards) :], starts[1:], axis=-1)
        own = [
            (shard + part).argmax(-1) for shard, part in zip(shards, parts, strict=True)
        ]
        index = np.stack(own, -1) + starts
        return decoding.merge_masses(masses, index, gumbels[..., : len(shards)])[0]

    size = logits.shape[-1] + len(shards)
    return _with_noise(draw, logits, num_draws, seed, size=size)


def _shards(logits: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """Return a few parts of the categories, and where each begins."""
    number = min(_NUM_SHARDS, logits.shape[-1])
    shards = np.array_split(np.asarray(logits), number, axis=-1)
    return shards, np.cumsum([0, *(shard.shape[-1] for shard in shards[:-1])])


def _with_noise(
    draw: Callable[[np.ndarray, np.ndarray], np.ndarray],
    logits: np.ndarray,
    num_draws: int,
    seed: int,
    *,
    size: int | None = None,
) -> np.ndarray:
    """Return draws of a function of logits and float32 Gumbel noise, of their size or another."""
    rng = np.random.default_rng(seed)
    shape = (*logits.shape[:-1], size or logits.shape[-1])

    def some(number: int) -> np.ndarray:
        gumbels = noise.gumbel((number, *shape), generator=rng, dtype="float32")
        return draw(logits, gumbels)

    return in_parts(num_draws, shape, some)


def sample(
    logits: np.ndarray, num_draws: int, seed: int, *, method: str | None
) -> np.ndarray:
    """Draw many times from every row, by a method or by the one that suits the sizes."""
    rng = np.random.default_rng(seed)

    def draw(number: int) -> np.ndarray:
        found = categorical.sample(
            logits, generator=rng, num_samples=number, method=method
        )
        return np.moveaxis(found, -1, 0)

    # Only Gumbel-Max makes noise for every category.
    shape = logits.shape if method == "gumbel-max" else logits.shape[:-1]
    return in_parts(num_draws, shape, draw)


def alias_sample(logits: np.ndarray, num_draws: int, seed: int) -> np.ndarray:
    """Draw many times from every row, each of which has a table of its own."""
    rng, rows = np.random.default_rng(seed), logits.reshape(-1, logits.shape[-1])
    found = [
        categorical.sample(row, generator=rng, num_samples=num_draws, method="alias")
        for row in rows
    ]
    return np.stack(found, -1).reshape(num_draws, *logits.shape[:-1])


def relax(
    logits: np.ndarray, num_draws: int, seed: int, temperature: float
) -> np.ndarray:
    """Draw relaxed rows in NumPy."""

    def draw(rows: np.ndarray, gumbels: np.ndarray) -> np.ndarray:
        return concrete.relax(rows, gumbels, temperature)

    return _with_noise(draw, logits, num_draws, seed)


def top_k_sample(
    logits: np.ndarray, count: int, num_draws: int, seed: int
) -> np.ndarray:
    """Draw the categories of the largest perturbed logits, in their order."""

    def draw(rows: np.ndarray, gumbels: np.ndarray) -> np.ndarray:
        return gumbel_max.top_k_sample(rows, gumbels, count)

    return _with_noise(draw, logits, num_draws, seed)


def distinct(logits: np.ndarray, count: int, num_draws: int, seed: int) -> np.ndarray:
    """Draw with replacement, and drop what was drawn before."""
    rng = np.random.default_rng(seed)

    def draw(number: int) -> np.ndarray:
        rows = np.broadcast_to(logits, (number, logits.shape[-1]))
        return categorical.sample(
            rows,
            generator=rng,
            num_samples=count,
            replacement=False,
            method="distinct",
        )

    return in_parts(num_draws, logits.shape, draw)


def speculative_step(
    draft_logits: np.ndarray,
    target_logits: np.ndarray,
    num_draws: int,
    seed: int,
    *,
    fresh: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Draft, and accept or draw again, from what is left of the draft's noise or from fresh noise."""
    rng = np.random.default_rng(seed)

    def draw(number: int) -> np.ndarray:
        shape = (number, draft_logits.shape[-1])
        gumbels = noise.gumbel(shape, generator=rng, dtype="float32")
        emitted, _ = decoding.speculative_step(
            draft_logits,
            target_logits,
            gumbels,
            noise.uniform(number, generator=rng),
            residual_noise=noise.gumbel(shape, generator=rng) if fresh else None,
        )
        return np.stack([gumbel_max.argmax_sample(draft_logits, gumbels), emitted], -1)

    drafted, emitted = in_parts(num_draws, draft_logits.shape, draw).T
    return drafted, emitted


_PACKAGE = "gumbel_tutorial"
_METHODS = ("gumbel-max", "inverse-cdf")
ADAPTERS = (
    Adapter(f"{_PACKAGE}.argmax_sample", "categorical", argmax_sample),
    Adapter(f"{_PACKAGE}.decoding.apply_mask", "categorical", masked_sample),
    Adapter(f"{_PACKAGE}.decoding.merge_maxima", "categorical", merged_maxima),
    Adapter(f"{_PACKAGE}.decoding.merge_masses", "categorical", merged_masses),
    *(
        Adapter(
            f"{_PACKAGE}.categorical.sample/{method}",
            "categorical",
            partial(sample, method=method),
        )
        for method in _METHODS
    ),
    Adapter(f"{_PACKAGE}.categorical.sample/alias", "categorical", alias_sample),
    Adapter(f"{_PACKAGE}.top_k_sample", "without_replacement", top_k_sample),
    Adapter(f"{_PACKAGE}.categorical.sample/distinct", "without_replacement", distinct),
    Adapter(f"{_PACKAGE}.relax", "relaxed", relax),
    Adapter(
        f"{_PACKAGE}.decoding.speculative_step",
        "speculative",
        partial(speculative_step, fresh=False),
    ),
    Adapter(
        f"{_PACKAGE}.decoding.speculative_step/fresh",
        "speculative",
        partial(speculative_step, fresh=True),
    ),
)
