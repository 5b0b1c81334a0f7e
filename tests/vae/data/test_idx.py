"""The idx format: what is sound is read, and every fault of a file is refused by name."""

import os
import pickle
import re
import tracemalloc

import numpy as np
import pytest
from helpers.vae import flipped, idx, packed

from gumbel_tutorial.vae.data.idx import read_idx

IMAGES = np.arange(2 * 784, dtype=np.uint8).reshape(2, 28, 28)
LABELS = np.array([3, 1, 4, 1, 5], dtype=np.uint8)
GOOD = packed(idx(IMAGES))


@pytest.mark.parametrize("array", [IMAGES, LABELS, IMAGES[:0], LABELS[:1]])
def test_a_sound_file_is_read(tmp_path, array):
    path = tmp_path / "file.gz"
    path.write_bytes(packed(idx(array)))
    result = read_idx(str(path), array.shape)
    np.testing.assert_array_equal(result, array, strict=True)
    assert not result.flags.writeable


GZIP = "intact gzip file, got: "
SHAPE = "of unsigned bytes of shape (2, 28, 28), got "
SIZE = "1568 bytes after its header, got "
FAULTS = {
    "an HTML page": (b"<html>404</html>", GZIP),
    "a pickle": (pickle.dumps(LABELS), GZIP),
    "idx without gzip": (idx(IMAGES), GZIP),
    "half of the gzip": (GOOD[: len(GOOD) // 2], GZIP),
    "a byte short": (GOOD[:-1], GZIP),
    "a bit flipped": (flipped(GOOD, len(GOOD) // 2), GZIP),
    "another checksum": (flipped(GOOD, -8), GZIP + "CRC"),
    "garbage after": (GOOD + b"garbage", GZIP),
    "empty": (b"", SHAPE + "one that starts with b''"),
    "a header cut in its magic": (packed(b"\0\0\x08"), r"\x00\x00\x08'"),
    "a header cut in its sizes": (packed(idx(IMAGES)[:5]), r"\x00\x00\x08\x03\x00'"),
    "another format": (packed(b"PK" + idx(IMAGES)[2:]), SHAPE + "one that starts with"),
    "another type": (packed(idx(IMAGES, kind=0x0D)), r"\x00\x00\r\x03"),
    "no dimension": (packed(idx(IMAGES, shape=())), SHAPE + "shape ()"),
    "labels": (packed(idx(LABELS)), SHAPE + "shape (5,)"),
    "two dimensions": (packed(idx(IMAGES, shape=(2, 784))), "got shape (2, 784)"),
    "255 dimensions": (packed(b"\0\0\x08\xff" + bytes(1020)), "got shape (0, 0, "),
    "no image": (packed(idx(IMAGES[:0])), SHAPE + "shape (0, 28, 28)"),
    "far too many images": (
        packed(idx(IMAGES, shape=(2**31 - 1, 28, 28))),
        SHAPE + "shape (2147483647, 28, 28)",
    ),
    "sizes in another order": (
        packed(idx(IMAGES, shape=(28, 28, 2))),
        "got shape (28, 28, 2)",
    ),
    "another shape": (packed(idx(IMAGES, shape=(2, 14, 56))), "got shape (2, 14, 56)"),
    "the lowest byte first": (
        packed(b"\0\0\x08\x03" + np.array([2, 28, 28], "<u4").tobytes()),
        "got shape (33554432, 469762048, 469762048)",
    ),
    "no payload": (packed(idx(IMAGES)[:16]), SIZE + "0"),
    "payload a byte short": (packed(idx(IMAGES)[:-1]), SIZE + "1567"),
    "a byte after": (packed(idx(IMAGES) + b"\0"), SIZE + "more"),
    "a second member": (GOOD + GOOD, SIZE + "more"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_file_is_refused_by_name(fault, tmp_path):
    content, message = FAULTS[fault]
    path = tmp_path / "images.gz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"images.gz must .*{re.escape(message)}"):
        read_idx(path, IMAGES.shape)


def test_every_bit_flipped_in_a_file_is_refused_or_changes_nothing(tmp_path):
    # The time in gzip's header and a few bits of padding mean nothing; all else is under the checksum.
    content, path = packed(idx(LABELS)), tmp_path / "labels.gz"
    refused = 0
    for position in range(len(content)):
        path.write_bytes(flipped(content, position))
        try:
            array = read_idx(path, LABELS.shape)
        except ValueError as error:
            assert "labels.gz must be" in str(error)  # noqa: PT017
            refused += 1
        else:
            np.testing.assert_array_equal(array, LABELS)
    assert refused > len(content) / 2


@pytest.mark.parametrize(
    ("shape", "message"), [((5,), "must hold 5 bytes"), ((6,), "of shape (6,)")]
)
def test_a_gzip_bomb_is_not_unpacked(tmp_path, shape, message):
    path = tmp_path / "bomb.gz"
    path.write_bytes(packed(idx(LABELS) + bytes(10_000_000)))
    tracemalloc.start()
    with pytest.raises(ValueError, match=re.escape(message)):
        read_idx(path, shape)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match="must be a gzip file, got a directory"):
        read_idx(tmp_path, (5,))
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_idx(tmp_path / "nowhere", (5,))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="pipe must be a gzip file, got something"):
        read_idx(tmp_path / "pipe", (5,))
