"""Fixtures: seeded generators, the two array libraries, the running example."""

import os

import numpy as np
import pytest
import torch

# One thread, here and in the processes that tests start, unless the environment says otherwise: the tensors
# are small, two threads beside another busy process wait for each other, and a run keeps its number.
torch.set_num_threads(int(os.environ.setdefault("OMP_NUM_THREADS", "1")))


@pytest.fixture
def rng() -> np.random.Generator:
    """Return NumPy's generator, seeded."""
    return np.random.default_rng(20170424)


@pytest.fixture
def torch_generator() -> torch.Generator:
    """Return torch's generator, seeded."""
    return torch.Generator().manual_seed(20170424)


@pytest.fixture(params=["numpy", "torch"])
def to_array(request):
    """Return a function that puts values into one of the two libraries, in float64 by default."""
    if request.param == "numpy":
        return lambda values, dtype="float64": np.asarray(values, dtype=dtype)
    return lambda values, dtype="float64": torch.as_tensor(
        values, dtype=getattr(torch, dtype)
    )


@pytest.fixture(params=["numpy", "torch"])
def generator(request, rng, torch_generator):
    """Return the generator of one of the two libraries."""
    return rng if request.param == "numpy" else torch_generator


@pytest.fixture
def example_logits() -> np.ndarray:
    """Return unnormalised logits of (0.6, 0.3, 0.1)."""
    return np.log([6.0, 3.0, 1.0])
