"""What the tests of the image files share: small files of every kind, and the way to the real ones."""

import gzip
import os
import struct
from pathlib import Path

import pytest


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
