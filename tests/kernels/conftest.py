"""Where the kernels run: on a CUDA device, or where TRITON_INTERPRET asks for it by NumPy."""

import os

import pytest
import torch

pytest.importorskip("triton", reason="triton has wheels for Linux alone")


@pytest.fixture
def device():
    if os.environ.get("TRITON_INTERPRET") == "1":
        return torch.device("cpu")
    if torch.cuda.is_available():
        return torch.device("cuda")
    pytest.skip("needs a CUDA device; test_interpreted.py runs this test without one")


@pytest.fixture
def generator(device):
    return torch.Generator(device).manual_seed(20170424)


@pytest.fixture
def seed(device, generator):
    from gumbel_tutorial.kernels.launch import new_seed

    return new_seed(device, generator)
