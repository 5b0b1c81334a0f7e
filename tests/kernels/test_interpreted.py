"""The laws of the kernels without a GPU: NumPy runs them, in one process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_every_kernel_has_its_law_in_the_interpreter():
    # Triton reads the variable when it is imported, and in this process the kernels are to be compiled.
    found = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "--quiet", "-m", "cuda"),
            *("-p", "no:cacheprovider", "-p", "no:xdist", Path(__file__).parent),
        ],
        env=os.environ | {"TRITON_INTERPRET": "1", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    assert "passed" in found.stdout
