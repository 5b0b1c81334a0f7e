"""MNIST: the original files against what is published of them, and small ones in their place."""

import hashlib
import os
import pickle
import re
import sys
import tracemalloc

import numpy as np
import pytest
import torch
from helpers.vae import flipped, idx, packed, real_mnist

from gumbel_tutorial.vae.data.mnist_files import FILES, MIRRORS, mnist, read_idx

# Not by attribute: a function of the package may bear the name of the module.
MODULE = sys.modules[mnist.__module__]
NUM_TRAIN, NUM_TEST = 12, 9
TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = (file.name for file in FILES)


@pytest.fixture
def arrays(rng):
    """Return a small data set, in the order of the files."""
    return [
        rng.integers(256, size=(NUM_TRAIN, 28, 28), dtype=np.uint8),
        rng.integers(10, size=NUM_TRAIN, dtype=np.uint8),
        rng.integers(256, size=(NUM_TEST, 28, 28), dtype=np.uint8),
        rng.integers(10, size=NUM_TEST, dtype=np.uint8),
    ]


@pytest.fixture
def contents(arrays, monkeypatch):
    """Return the small data set as files by name, and have the package expect their sizes."""
    monkeypatch.setattr(MODULE, "_NUM_TRAIN", NUM_TRAIN)
    monkeypatch.setattr(MODULE, "_NUM_TEST", NUM_TEST)
    return {
        file.name: packed(idx(array)) for file, array in zip(FILES, arrays, strict=True)
    }


def write(folder, contents):
    for name, content in contents.items():
        (folder / name).write_bytes(content)


@pytest.fixture
def folder(tmp_path, contents):
    """Return a folder with the small data set."""
    write(tmp_path, contents)
    return tmp_path


def test_the_original_files_are_read_as_published():
    folder = real_mnist()
    for name, size, sha256 in FILES:
        content = (folder / name).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (size, sha256)
    splits = mnist(folder)
    assert [split.pixels.shape[0] for split in splits] == [50_000, 10_000, 10_000]
    levels = [sum_of_levels(split.pixels) for split in splits]
    assert levels == [1_309_089_051, 258_209_494, 264_923_200]
    # The published mean grey level of the training images, which everyone normalises with.
    assert sum(levels[:2]) / 255 / 60_000 / 784 == pytest.approx(0.1307, abs=5e-5)
    assert splits.train.pixels.min() == 0
    assert splits.train.pixels.max() == 1
    train = splits.train.labels.bincount() + splits.validation.labels.bincount()
    assert train.tolist() == [
        *(5923, 6742, 5958, 6131, 5842),
        *(5421, 5918, 6265, 5851, 5949),
    ]
    test = splits.test.labels.bincount().tolist()
    assert test == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert splits.train.labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert splits.test.labels[:5].tolist() == [7, 2, 1, 0, 4]


def sum_of_levels(pixels):
    # As bytes, of which a copy is small.
    return int((pixels * 255).round().to(torch.uint8).sum())


def test_the_splits_hold_the_images_in_their_order(folder, arrays):
    splits = mnist(folder, validation=4)
    pixels = torch.cat([splits.train.pixels, splits.validation.pixels])
    expected = torch.tensor(arrays[0].reshape(NUM_TRAIN, 784)) / 255
    torch.testing.assert_close(pixels, expected, rtol=0, atol=0)
    labels = torch.cat([splits.train.labels, splits.validation.labels])
    assert labels.tolist() == arrays[1].tolist()
    test_pixels = torch.tensor(arrays[2].reshape(NUM_TEST, 784)) / 255
    torch.testing.assert_close(splits.test.pixels, test_pixels, rtol=0, atol=0)
    assert splits.test.labels.tolist() == arrays[3].tolist()
    assert [len(split.labels) for split in splits] == [8, 4, NUM_TEST]
    assert {split.pixels.dtype for split in splits} == {torch.float32}
    assert {split.labels.dtype for split in splits} == {torch.int64}


@pytest.mark.parametrize("validation", [0, np.int64(1), NUM_TRAIN - 1])
def test_from_none_to_all_but_one_may_validate(folder, validation):
    splits = mnist(str(folder), validation=validation)
    assert splits.train.pixels.shape == (NUM_TRAIN - validation, 784)
    assert splits.validation.pixels.shape == (validation, 784)


@pytest.mark.parametrize("validation", [-1, NUM_TRAIN, 1.0, True])
def test_other_numbers_of_validation_images_are_refused(folder, validation):
    message = f"validation must be (a whole number of at least 0|below 12.*), got {validation}"
    with pytest.raises(ValueError, match=message):
        mnist(folder, validation=validation)


# Faulty files


@pytest.mark.parametrize("name", [file.name for file in FILES])
def test_a_missing_file_is_named_with_the_way_to_get_it(folder, name):
    message = f"folder must hold {name} unless download is true, got {folder}"
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=re.escape(message)):
        mnist(folder, validation=1)
    (folder / name).symlink_to("nowhere")
    with pytest.raises(FileNotFoundError, match=re.escape(message)):
        mnist(folder, validation=1)


def test_a_missing_folder_and_a_directory_for_a_file_are_refused(folder):
    with pytest.raises(FileNotFoundError, match=f"must hold {TRAIN_IMAGES} .*nowhere"):
        mnist(folder / "nowhere", validation=1)
    (folder / TRAIN_LABELS).unlink()
    (folder / TRAIN_LABELS).mkdir()
    with pytest.raises(ValueError, match=f"{TRAIN_LABELS} must be .* got a directory"):
        mnist(folder, validation=1)


SWAPS = {
    (TRAIN_IMAGES, TRAIN_LABELS): (TRAIN_LABELS, "(12,)", "(12, 28, 28)"),
    (TEST_IMAGES, TEST_LABELS): (TEST_LABELS, "(9,)", "(9, 28, 28)"),
    (TRAIN_IMAGES, TEST_IMAGES): (TRAIN_IMAGES, "(12, 28, 28)", "(9, 28, 28)"),
    (TRAIN_LABELS, TEST_LABELS): (TRAIN_LABELS, "(12,)", "(9,)"),
}


@pytest.mark.parametrize("pair", SWAPS, ids=str)
def test_swapped_files_are_refused(folder, contents, pair):
    first, second = pair
    write(folder, {first: contents[second], second: contents[first]})
    with pytest.raises(ValueError, match=refusal(*SWAPS[pair])):
        mnist(folder, validation=1)


def refusal(name, wanted, found):
    return (
        rf"{name} must be .* of shape {re.escape(wanted)}, got shape {re.escape(found)}"
    )


@pytest.mark.parametrize(
    ("position", "wanted", "found"),
    [
        (0, "(12, 28, 28)", "(11, 28, 28)"),
        (1, "(12,)", "(11,)"),
        (2, "(9, 28, 28)", "(8, 28, 28)"),
        (3, "(9,)", "(8,)"),
    ],
)
def test_counts_that_differ_are_refused(folder, arrays, position, wanted, found):
    name = FILES[position].name
    (folder / name).write_bytes(packed(idx(arrays[position][:-1])))
    with pytest.raises(ValueError, match=refusal(name, wanted, found)):
        mnist(folder, validation=1)


@pytest.mark.parametrize("label", [10, 255])
@pytest.mark.parametrize("position", [1, 3])
def test_labels_that_are_no_digits_are_refused(folder, arrays, position, label):
    name = FILES[position].name
    arrays[position][3] = label
    (folder / name).write_bytes(packed(idx(arrays[position])))
    with pytest.raises(
        ValueError, match=f"labels in .*{name} must lie in 0 ... 9, got {label}"
    ):
        mnist(folder, validation=1)


# Fetching


@pytest.fixture
def fetches(contents, monkeypatch):
    """Return the list of what is asked of ``fetch``, which writes the small data set instead."""
    asked = []

    def fetch_small(folder, files, mirrors):
        asked.append((folder, files, mirrors))
        write(folder, contents)

    monkeypatch.setattr(MODULE, "fetch", fetch_small)
    return asked


def test_the_original_files_are_fetched_before_they_are_read(tmp_path, fetches):
    splits = mnist(tmp_path, download=True, validation=4)
    assert [len(split.labels) for split in splits] == [8, 4, NUM_TEST]
    mnist(tmp_path, download=True, validation=4, mirrors=["http://x"])
    assert fetches == [(tmp_path, FILES, MIRRORS), (tmp_path, FILES, ["http://x"])]


def test_nothing_is_fetched_unasked_or_for_a_wrong_call(tmp_path, fetches):
    with pytest.raises(FileNotFoundError):
        mnist(tmp_path, validation=4)
    with pytest.raises(ValueError, match="validation must"):
        mnist(tmp_path, download=True, validation=-1)
    assert fetches == []


def test_the_known_mirrors_are_two_and_encrypted():
    assert len(MIRRORS) == 2
    assert all(mirror.startswith("https://") for mirror in MIRRORS)


# The idx format

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
IDX_FAULTS = {
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


@pytest.mark.parametrize("fault", IDX_FAULTS)
def test_a_faulty_file_is_refused_by_name(fault, tmp_path):
    content, message = IDX_FAULTS[fault]
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


def test_a_file_that_does_not_fit_into_memory_is_named(folder, monkeypatch):
    def full(*_):
        raise MemoryError

    monkeypatch.setattr(MODULE.gzip.GzipFile, "read", full)
    with pytest.raises(MemoryError, match=f"{TRAIN_LABELS} must fit into memory"):
        mnist(folder, validation=1)
