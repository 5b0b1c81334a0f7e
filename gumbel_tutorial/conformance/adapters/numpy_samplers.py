"""Samplers of NumPy."""

import numpy as np

from gumbel_tutorial.arrays import softmax
from gumbel_tutorial.conformance.adapters.record import Adapter


def choice(logits: np.ndarray, num_draws: int, seed: int) -> np.ndarray:
    """Draw from the probabilities of every row, by search in their sums."""
    rng = np.random.default_rng(seed)
    draws = [rng.choice(len(p), num_draws, p=p) for p in _probs(logits)]
    return np.stack(draws, -1).reshape(num_draws, *logits.shape[:-1])


def choice_without_replacement(
    logits: np.ndarray, count: int, num_draws: int, seed: int
) -> np.ndarray:
    """Draw distinct categories, as often as asked for."""
    rng, (probs,) = np.random.default_rng(seed), _probs(logits)
    return np.stack(
        [
            rng.choice(len(probs), count, replace=False, p=probs)
            for _ in range(num_draws)
        ]
    )


def _probs(logits: np.ndarray) -> np.ndarray:
    rows = np.asarray(logits, np.float64).reshape(-1, logits.shape[-1])
    return softmax(rows)


_NAME = "numpy.random.Generator.choice"
ADAPTERS = (
    Adapter(_NAME, "categorical", choice),
    Adapter(
        f"{_NAME}/without-replacement",
        "without_replacement",
        choice_without_replacement,
    ),
)
