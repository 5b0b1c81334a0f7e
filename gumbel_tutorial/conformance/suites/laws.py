"""The law of a categorical sampler, in float64 and by the logits that it is given."""

import numpy as np

from gumbel_tutorial import categorical


def law(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Return the probabilities of logits of any dtype, in float64."""
    return categorical.probs(logits.astype(np.float64) / temperature)
