"""Samplers of JAX, whose noise has three precisions."""

from functools import cache, partial
from typing import Any

import numpy as np

from gumbel_tutorial.conformance.adapters.record import Adapter, in_parts


def categorical(
    logits: np.ndarray,
    num_draws: int,
    seed: int,
    *,
    mode: str,
    dtype: str = "float32",
) -> np.ndarray:
    """Draw by Gumbel-Max; each part has a key of its own."""
    import jax

    keys = _keys(seed)
    array = jax.numpy.asarray(logits, dtype)

    def draw(number: int) -> np.ndarray:
        shape = (number, *logits.shape[:-1])
        return np.asarray(_compiled(mode)(next(keys), array, shape))

    return in_parts(num_draws, logits.shape, draw)


def categorical_without_replacement(
    logits: np.ndarray, count: int, num_draws: int, seed: int
) -> np.ndarray:
    """Draw distinct categories by Gumbel-top-k, with a key for every draw."""
    import jax

    keys = _keys(seed)

    def one(key: Any) -> Any:
        return jax.random.categorical(key, logits, shape=(count,), replace=False)

    def draw(number: int) -> np.ndarray:
        return np.asarray(jax.vmap(one)(jax.random.split(next(keys), number)))

    return in_parts(num_draws, logits.shape, draw)


def _keys(seed: int) -> Any:
    import jax

    key = jax.random.key(seed)
    return (jax.random.fold_in(key, part) for part in range(2**31))


@cache
def _compiled(mode: str) -> Any:
    import jax

    def draw(key: Any, logits: Any, shape: tuple[int, ...]) -> Any:
        return jax.random.categorical(key, logits, shape=shape, mode=mode)

    return jax.jit(draw, static_argnames="shape")


_NAME, _LIBRARIES = "jax.random.categorical", ("jax", "jaxlib")
ADAPTERS = (
    *(
        Adapter(
            f"{_NAME}/{mode}",
            "categorical",
            partial(categorical, mode=mode),
            _LIBRARIES,
        )
        for mode in ("low", "high", "highest")
    ),
    Adapter(
        f"{_NAME}/without-replacement",
        "without_replacement",
        categorical_without_replacement,
        _LIBRARIES,
    ),
)
