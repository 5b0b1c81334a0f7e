"""The kernels in the form that the checks of samplers take."""

import numpy as np
import pytest

from gumbel_tutorial.book.statistics import chi_square_p_value
from gumbel_tutorial.conformance import adapters

pytestmark = pytest.mark.cuda
LOGITS = np.array([1.0, 0.5, -0.25, -1.5], np.float32)
PROBS = np.exp(LOGITS) / np.exp(LOGITS).sum()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", ["sample", "gumbel_max"])
def test_kernels_are_samplers_like_others(name, dtype, device):  # noqa: ARG001
    """Fails with a probability of 1e-6; the law in reverse is refused."""
    sample = adapters.by_name(f"gumbel_tutorial.kernels.{name}").load()
    # Logits that bfloat16 holds too.
    rows = np.tile(LOGITS, (2, 1))
    draws = sample(rows, 20_000, 3, dtype=dtype)
    assert draws.shape == (20_000, 2)
    counts = np.bincount(draws[:, 1], minlength=4)
    assert chi_square_p_value(counts, PROBS) > 1e-6
    assert chi_square_p_value(counts, PROBS[::-1]) < 1e-6
