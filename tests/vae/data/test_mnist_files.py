"""MNIST: the original files against what is published of them, and small ones in their place."""

import hashlib
import re
import sys

import numpy as np
import pytest
import torch
from helpers.vae import idx, packed, real_mnist

from gumbel_tutorial.vae.data.mnist_files import FILES, MIRRORS, mnist

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


@pytest.mark.parametrize("validation", [-1, NUM_TRAIN, 0.1, 1.0, True, None, "1"])
def test_other_numbers_of_validation_images_are_refused(folder, validation):
    message = f"validation must be a whole number in 0 ... 11, got {validation!r}"
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
