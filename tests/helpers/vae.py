"""What the tests share: small image files of every kind, the way to the real ones, commands."""

import gzip
import os
import signal
import struct
import subprocess
import time
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import pytest
import torch

from gumbel_tutorial.vae.runs.build import make_splits, make_trainer
from gumbel_tutorial.vae.runs.config import Config

SMALL = {
    "num_latents": 3,
    "num_categories": 2,
    "hidden": (),
    "batch_size": 20,
    "steps": 1000,
    "learning_rate": 3e-3,
}
CLASSES = {"model": "semi-supervised", "num_categories": 10, "hidden": (7,)}


@cache
def training_digits():
    """Return the binary digits that runs train on."""
    return make_splits(Config(), None, download=False).train


def trainer(images=None, **settings):
    """Return a trainer of a small model, by default on the digits."""
    images = training_digits() if images is None else images
    config = Config(**{**SMALL, **settings})
    return make_trainer(config, images, torch.device("cpu"))


def seeded(seed=0):
    """Return torch's generator, seeded."""
    return torch.Generator().manual_seed(seed)


@contextmanager
def running(arguments, **options):
    """Start a command with a group of its own; no process of it outlives the context."""
    with subprocess.Popen(
        arguments,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        start_new_session=True,
        **options,
    ) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def wait_until(condition, seconds=240):
    """Wait for a condition, and fail if it does not come true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"did not come true in {seconds} seconds"
        time.sleep(0.05)


def real_mnist():
    """Return the folder of the original files, or skip the test that asks."""
    named = os.environ.get("GUMBEL_TUTORIAL_MNIST")
    beside = Path(__file__).parents[3] / "shared" / "data" / "mnist"
    folder = Path(named) if named else beside
    if not folder.is_dir():
        pytest.skip("GUMBEL_TUTORIAL_MNIST names no folder with the files of MNIST")
    return folder


def idx(array, *, kind=0x08, shape=None):
    """Return the bytes of an idx file, whose header may declare another type and shape."""
    shape = array.shape if shape is None else shape
    header = bytes([0, 0, kind, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)
    return header + array.tobytes()


def packed(payload):
    """Return gzip of some bytes, the same every time."""
    return gzip.compress(payload, mtime=0)


def flipped(content, position):
    """Return the content with one bit of one byte flipped."""
    changed = bytearray(content)
    changed[position] ^= 0x10
    return bytes(changed)
