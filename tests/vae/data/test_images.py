"""Images: the digits, and the choice of a few labels."""

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
