"""Rows of logits of a real language model, which tools/record_logits.py records."""

from typing import Any

import numpy as np

from gumbel_tutorial.book import records


def rows() -> np.ndarray:
    """Return the logits of every recorded position, float32, shape (positions, vocabulary).

    Each row is sorted, largest first, and less its largest entry, which makes that 0.
    """
    with np.load(records.RECORDED / "logits.npz") as file:
        ends = np.cumsum(file["lengths"])[:-1]
        parts = (np.split(file[name], ends) for name in ("values", "counts"))
        return np.stack(
            [
                np.repeat(values.astype(np.float32), counts)
                for values, counts in zip(*parts, strict=True)
            ]
        )


def origin() -> dict[str, Any]:
    """Return the model, its licence, the text and, of each row, what stood before it and the top tokens."""
    return records.read("logits")
