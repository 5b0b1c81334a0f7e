"""Images: the digits, images of one's own, and the choice of a few labels."""

import numpy as np
import pytest
import torch

from gumbel_tutorial import vae
from gumbel_tutorial.vae.data.images import Images


def test_the_digits_are_binary_and_split_without_overlap():
    train, test = vae.digits()
    assert (tuple(train.pixels.shape), tuple(test.pixels.shape)) == (
        (1500, 64),
        (297, 64),
    )
    assert set(train.pixels.unique().tolist()) == {0.0, 1.0}
    assert set(train.labels.tolist()) == set(range(10))
    everything = torch.cat([train.pixels, test.pixels])
    other_train, other_test = vae.digits(num_test=100)
    assert torch.equal(everything, torch.cat([other_train.pixels, other_test.pixels]))
    with pytest.raises(ValueError, match=r"num_test must lie in 1 \.\.\. 1796, got 0"):
        vae.digits(num_test=0)
    grey, _ = vae.digits(grey=True)
    assert torch.equal((grey.pixels >= 0.5).float(), train.pixels)
    assert len(grey.pixels.unique()) == 17


def test_labels_are_chosen_evenly_by_the_seed():
    train, _ = vae.digits()
    first, again, other = (
        vae.choose_labelled(train, 7, seed=seed) for seed in (0, 0, 1)
    )
    assert first.labels.tolist() == [k for k in range(10) for _ in range(7)]
    assert torch.equal(first.pixels, again.pixels)
    assert not torch.equal(first.pixels, other.pixels)
    rows = {tuple(row) for row in train.pixels[train.labels == 3].tolist()}
    assert all(tuple(row) in rows for row in first.pixels[21:28].tolist())


@pytest.mark.parametrize(
    ("count", "message"),
    [
        (0, "labelled_per_class must be a whole number of at least 1, got 0"),
        (1000, "labelled_per_class must be at most 14., the images of the rarest"),
    ],
)
def test_labels_that_there_are_not_are_refused(count, message):
    train, _ = vae.digits()
    with pytest.raises(ValueError, match=message):
        vae.choose_labelled(train, count, seed=0)


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        ([0, 1, 3], ValueError, "labels must lie in 0 ... 2, got 3"),
        ([0, 1, -1], ValueError, "labels must lie in 0 ... 2, got -1"),
        ([0, 1], ValueError, "labels must be one for each of at least 1 image, got 2"),
        ([], ValueError, "labels must be one for each of at least 1 image, got 0"),
        ([0.0, 1.0, 2.0], TypeError, "labels must have an integer dtype"),
        ([0, 0, 1], ValueError, "labelled_per_class must be at most 0, the images of"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels, error, message):
    dtype = torch.long if not labels else None
    images = Images(torch.ones(3, 6), torch.tensor(labels, dtype=dtype))
    with pytest.raises(error, match=message):
        vae.choose_labelled(images, 1, seed=0, num_categories=3)


def test_labels_are_not_the_images_that_a_run_begins_with():
    train, _ = vae.digits()
    chosen = vae.choose_labelled(train, 10, seed=0).pixels
    first = torch.randperm(1500, generator=torch.Generator().manual_seed(0))[:100]
    shown = {tuple(row) for row in train.pixels[first].tolist()}
    assert sum(tuple(row) in shown for row in chosen.tolist()) < 30


GREY = np.linspace(0, 1, 24).reshape(3, 2, 4)


class Pairs(torch.utils.data.Dataset):
    def __init__(self, images, labels=None):
        self.images, self.labels = images, labels

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        if self.labels is None:
            return self.images[index]
        return self.images[index], self.labels[index]


def sources(folder):
    np.save(folder / "own.npy", GREY)
    np.savez(folder / "own.npz", images=GREY)
    np.savez(folder / "labelled.npz", images=GREY, labels=np.array([2, 0, 1]))
    return {
        "an array": GREY,
        "a tensor": torch.from_numpy(GREY),
        "images": Images(torch.from_numpy(GREY).flatten(1)),
        "a .npy file": folder / "own.npy",
        "the name of a .npz file": str(folder / "own.npz"),
        "a labelled .npz file": folder / "labelled.npz",
        "a dataset of arrays": Pairs(GREY),
        "a labelled dataset of tensors": Pairs(torch.from_numpy(GREY), [2, 0, 1]),
        "torch's own": torch.utils.data.TensorDataset(
            torch.from_numpy(GREY), torch.tensor([2, 0, 1])
        ),
    }


def test_every_source_gives_its_images(tmp_path):
    for name, source in sources(tmp_path).items():
        found = vae.as_images(source)
        np.testing.assert_array_equal(found.pixels, GREY.reshape(3, 8), err_msg=name)
        labels = [2, 0, 1] if "labelled" in name or "torch's" in name else None
        assert (None if found.labels is None else found.labels.tolist()) == labels, name


def test_levels_of_bytes_are_divided_and_bits_are_not():
    levels = np.array([[0, 51, 255]], np.uint8)
    assert vae.as_images(levels).pixels.tolist() == pytest.approx(
        np.array([[0, 0.2, 1]])
    )
    for bits in (np.array([[0, 1, 1]], np.uint8), np.array([[False, True, True]])):
        assert vae.as_images(bits).pixels.tolist() == [[0.0, 1.0, 1.0]]


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        (GREY - 0.1, ValueError, r"pixels must lie in \[0, 1\], got -0.1"),
        (GREY * 255, ValueError, r"pixels must lie in \[0, 1\], got 11.08"),
        (GREY * np.nan, ValueError, r"pixels must lie in \[0, 1\], got nan"),
        (
            GREY.ravel(),
            ValueError,
            r"images must have shape \(n, num_pixels\), n at least 1, got \(24",
        ),
        (
            GREY[:0],
            ValueError,
            r"images must have shape \(n, num_pixels\), n at least 1, got \(0, 2",
        ),
        (
            np.ones((3, 4), np.int64),
            TypeError,
            "pixels must have a floating dtype, got torch.int64",
        ),
        ([[0.0, 1.0]], TypeError, "images must be an array, a tensor, .* got list"),
        (
            Pairs(GREY[:0]),
            ValueError,
            r"images must have shape \(n, num_pixels\), n at least 1, got",
        ),
        (
            Images(torch.ones(3, 4), torch.ones(2)),
            ValueError,
            r"labels must be one for each of 3 images",
        ),
    ],
)
def test_sources_without_images_are_refused(source, error, message):
    with pytest.raises(error, match=message):
        vae.as_images(source)


def test_files_without_images_are_refused(tmp_path):
    (tmp_path / "text.npy").write_text("no array")
    np.savez(tmp_path / "other.npz", pictures=GREY)
    np.save(tmp_path / "objects.npy", np.array([{}]), allow_pickle=True)
    for name in ("text.npy", "other.npz", "objects.npy"):
        with pytest.raises(
            ValueError, match=f"{name} must be a .npy file, or a .npz file with"
        ):
            vae.as_images(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="none.npy"):
        vae.as_images(tmp_path / "none.npy")
