"""Own images: every kind of source is read, and what is wrong with one is refused by name."""

import io
import re
import zipfile

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset, IterableDataset, TensorDataset

from gumbel_tutorial.vae.data.images import Images, digest
from gumbel_tutorial.vae.data.sources import as_images, read_splits

LEVELS = np.arange(5 * 6, dtype=np.uint8).reshape(5, 2, 3) * 8
GREY = LEVELS.reshape(5, 6) / np.float32(255)
LABELS = np.array([0, 1, 2, 0, 1])


class Picture:
    """What an imaging library holds: NumPy makes an array of it."""

    def __init__(self, levels):
        self.levels = levels

    def __array__(self, dtype=None, copy=None):
        del copy
        return np.asarray(self.levels, dtype=dtype)


class Pictures(Dataset):
    """Raises no IndexError at its end, as some data sets do not."""

    def __len__(self):
        return len(LEVELS)

    def __getitem__(self, index):
        return Picture(LEVELS[index % 5]), int(LABELS[index % 5])


class Stream(IterableDataset):
    def __iter__(self):
        return iter(LEVELS)


def saved(path, **arrays):
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize(
    ("make", "labelled"),
    [
        (lambda _: LEVELS, False),
        (lambda _: torch.as_tensor(LEVELS), False),
        (lambda _: GREY, False),
        (lambda _: GREY.astype(np.float32).reshape(5, 1, 2, 3), False),
        (lambda _: Images(torch.as_tensor(GREY), torch.as_tensor(LABELS)), True),
        (lambda _: Pictures(), True),
        (lambda _: Stream(), False),
        (
            lambda _: TensorDataset(torch.as_tensor(GREY), torch.as_tensor(LABELS)),
            True,
        ),
        (lambda _: TensorDataset(torch.as_tensor(LEVELS)), False),
        (lambda path: np.save(path / "a.npy", LEVELS) or path / "a.npy", False),
        (lambda path: str(saved(path / "a.npz", images=LEVELS)), False),
        (lambda path: saved(path / "a.npz", images=GREY, labels=LABELS), True),
        (
            lambda path: saved(path / "a.npz", images=GREY, labels=LABELS[:, None]),
            True,
        ),
    ],
)
def test_every_kind_of_source_gives_the_same_images(make, labelled, tmp_path):
    found = as_images(make(tmp_path))
    torch.testing.assert_close(found.pixels, torch.as_tensor(GREY), rtol=0, atol=0)
    assert (found.labels is not None) is labelled
    if labelled:
        assert found.labels.tolist() == LABELS.tolist()
        assert found.labels.dtype == torch.int64


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.float16, np.float64])
def test_zeros_and_ones_stay_what_they_are(dtype):
    found = as_images(np.eye(4, dtype=dtype)).pixels
    assert torch.equal(found, torch.eye(4))
    assert found.dtype == torch.float32


def test_a_floating_tensor_keeps_its_dtype():
    for dtype in (torch.float64, torch.bfloat16):
        assert as_images(torch.eye(4, dtype=dtype)).pixels.dtype == dtype


WRONG_SOURCES = {
    "a list": ([[0.0]], TypeError, "images must be an array, .* got list"),
    "whole numbers": (LEVELS.astype(int), TypeError, "images must be floating.*int64"),
    "texts": (np.array([["a", "b"]]), TypeError, "images must be numbers, got <U1"),
    "one axis": (GREY[0], ValueError, r"images must have shape .*, got \(6,\)"),
    "no image": (GREY[:0], ValueError, r"n at least 1, got \(0, 6\)"),
    "above one": (GREY * 2, ValueError, r"pixels must lie in \[0, 1\], got 1."),
    "negative": (-GREY, ValueError, r"pixels must lie in \[0, 1\], got -"),
    "not a number": (GREY * np.nan, ValueError, "pixels must .*, got nan"),
    "labels of another number": (
        Images(torch.as_tensor(GREY), torch.arange(4)),
        ValueError,
        r"labels must be one for each of 5 images, got shape \(4,\)",
    ),
    "labels that are no numbers of classes": (
        Images(torch.as_tensor(GREY), torch.arange(5) / 2),
        TypeError,
        "labels must be whole numbers, got torch.float32",
    ),
    "negative labels": (
        Images(torch.as_tensor(GREY), torch.arange(5) - 1),
        ValueError,
        "labels must not be negative, got -1",
    ),
    "an empty data set": (TensorDataset(torch.zeros(0, 3)), ValueError, "images must"),
}


@pytest.mark.parametrize("wrong", WRONG_SOURCES)
def test_a_wrong_source_is_refused_by_name(wrong):
    source, error, message = WRONG_SOURCES[wrong]
    with pytest.raises(error, match=message):
        as_images(source)


def test_images_of_several_sizes_are_refused():
    class Ragged(Dataset):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            return np.zeros((2, 2 + index))

    with pytest.raises(ValueError, match=r"one size, got shapes \(2, 2\), \(2, 3\)"):
        as_images(Ragged())


def as_npz(**arrays):
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


GOOD = as_npz(images=np.tile(GREY, (4, 1)), labels=np.tile(LABELS, 4))
WRONG_FILES = {
    "a page": (b"<html>", "must be a .npy or .npz file, got"),
    "nothing": (b"", "must be a .npy or .npz file, got"),
    "half a file": (GOOD[: len(GOOD) // 2], "must be a .npy or .npz file, got"),
    "a flipped bit": (
        GOOD[:100] + bytes([GOOD[100] ^ 1]) + GOOD[101:],
        "must be a .npy or .npz file, got",
    ),
    "objects": (as_npz(images=np.array([{}])), "must be a .npy or .npz file, got"),
    "other names": (as_npz(x=GREY), "must hold images, got x"),
    "no array": (as_npz(), "must hold images, got nothing"),
    "levels": (as_npz(images=LEVELS.astype(int)), "a.npz: images must be floating"),
    "out of range": (as_npz(images=GREY + 1), r"a.npz: pixels must lie in \[0, 1\]"),
    "short labels": (as_npz(images=GREY, labels=LABELS[1:]), "a.npz: labels must be"),
    "two images": (as_npz(images=GREY[:2]), "must hold at least 3 images to split"),
    "half of the splits": (as_npz(train_images=GREY), "must hold val_images, got tr"),
    "splits of two sizes": (
        as_npz(train_images=GREY, val_images=GREY, test_images=GREY[:, 1:]),
        r"must hold images of one size, got \[6, 6, 5\]",
    ),
}


@pytest.mark.parametrize("wrong", WRONG_FILES)
def test_a_wrong_file_is_refused_by_name(wrong, tmp_path):
    content, message = WRONG_FILES[wrong]
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(
        (ValueError, TypeError), match=f"{re.escape(str(path))}.*|{message}"
    ) as caught:
        read_splits(path)
    assert re.search(message, str(caught.value))
    assert str(path) in str(caught.value)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere.npy"):
        read_splits(tmp_path / "nowhere.npy")
    with pytest.raises(IsADirectoryError, match=str(tmp_path)):
        read_splits(tmp_path)


def test_a_file_that_does_not_fit_into_memory_is_named(tmp_path, monkeypatch):
    def full(*_, **__):
        raise MemoryError

    path = saved(tmp_path / "a.npz", images=GREY)
    monkeypatch.setattr(np, "load", full)
    with pytest.raises(MemoryError, match=r"a.npz must fit into memory"):
        read_splits(path)


def test_a_compressed_file_is_read(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", images=LEVELS)
    with zipfile.ZipFile(tmp_path / "a.npz") as file:
        assert file.infolist()[0].compress_type == zipfile.ZIP_DEFLATED
    torch.testing.assert_close(
        as_images(tmp_path / "a.npz").pixels, torch.as_tensor(GREY)
    )


def test_the_splits_of_a_file_are_its_own_or_a_fixed_draw(tmp_path):
    pixels, labels = (
        np.linspace(0, 1, 40, dtype=np.float32)[:, None],
        np.arange(40) // 10,
    )
    path = saved(tmp_path / "a.npz", images=pixels, labels=labels)
    splits = read_splits(path)
    assert [len(split.pixels) for split in splits] == [32, 4, 4]
    together = torch.cat([split.pixels for split in splits])[:, 0]
    assert together.sort().values.tolist() == pixels[:, 0].tolist()
    for split in splits:
        assert (
            split.labels.tolist() == ((split.pixels[:, 0] * 39).round() // 10).tolist()
        )
    # Images sorted by class are no trap.
    assert len(splits.train.labels.unique()) == 4
    assert torch.equal(read_splits(path).test.pixels, splits.test.pixels)
    named = {f"{name}_images": pixels for name in ("train", "val", "test")}
    own = read_splits(saved(tmp_path / "b.npz", **named, train_labels=labels))
    assert [len(split.pixels) for split in own] == [40, 40, 40]
    assert own.train.labels.tolist() == labels.tolist()
    assert own.test.labels is None


def test_a_digest_knows_pixels_labels_shapes_and_dtypes():
    pixels, labels = torch.eye(4), torch.arange(4)
    others = [
        Images(pixels, labels),
        Images(pixels),
        Images(pixels, labels + 1),
        Images(pixels.double(), labels),
        Images(pixels.reshape(2, 8), labels),
        Images(1 - pixels, labels),
    ]
    assert len({digest([images]) for images in others}) == len(others)
    assert digest([Images(pixels.clone(), labels)]) == digest(others[:1])
