"""The law of a categorical sampler, in float64, and sums of it over cells."""

import numpy as np

from gumbel_tutorial import categorical


def law(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Return the probabilities of logits of any dtype, in float64."""
    return categorical.probs(logits.astype(np.float64) / temperature)


def cell_probs(cells: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """Return the probability of each cell.

    Args:
        cells: the cell of each category, shape ``(K,)``.
        probs: of the categories, shape ``(K,)``.
    """
    return np.bincount(cells, weights=probs)
