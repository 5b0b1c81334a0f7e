"""Images to train on, and what is required of them."""

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

import torch

from gumbel_tutorial.checks import (
    check_count,
    check_floating,
    check_index,
    check_probability,
    extremes,
)


class Images(NamedTuple):
    """Images as rows of pixels, binary or grey, and their classes where these are known."""

    pixels: torch.Tensor
    labels: torch.Tensor | None = None

    def to(self, device: torch.device) -> "Images":
        """Return the same images on a device."""
        labels = None if self.labels is None else self.labels.to(device)
        return Images(self.pixels.to(device), labels)

    def take(self, rows: torch.Tensor | slice) -> "Images":
        """Return the images of some rows."""
        labels = None if self.labels is None else _take(self.labels, rows)
        return Images(_take(self.pixels, rows), labels)


def _take(tensor: torch.Tensor, rows: torch.Tensor | slice) -> torch.Tensor:
    # Half the time of an index in brackets.
    return tensor[rows] if isinstance(rows, slice) else tensor.index_select(0, rows)


class Splits(NamedTuple):
    """Images to train on, to choose with, and to report on."""

    train: Images
    validation: Images
    test: Images


def digest(parts: Iterable[Images]) -> str:
    """Return the SHA-256 of pixels and labels, in hexadecimals: a resumed run compares it.

    Examples:
        >>> ones, zeros = Images(torch.ones(2, 4)), Images(torch.zeros(2, 4))
        >>> digest([ones]) == digest([zeros])
        False
    """
    found = hashlib.sha256()
    for images in parts:
        for tensor in images:
            if tensor is not None:
                found.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
                found.update(tensor.cpu().contiguous().numpy().data)
    return found.hexdigest()


def check_pixels(
    pixels: torch.Tensor, num_pixels: int | None = None, *, name: str = "pixels"
) -> None:
    """Require pixels in [0, 1], and so many of them in an image where that is known."""
    check_floating(pixels, name)
    if num_pixels is not None and (not pixels.ndim or pixels.shape[-1] != num_pixels):
        raise ValueError(
            f"{name} must be {num_pixels} per image, got shape {tuple(pixels.shape)}"
        )
    found = extremes(pixels)
    if found is not None and not (found[0] >= 0 and found[1] <= 1):
        check_probability(pixels, name)


def is_binary(pixels: torch.Tensor) -> bool:
    """Tell whether all pixels are 0 or 1: of grey ones the losses bound no log-probability of theirs.

    Examples:
        >>> is_binary(torch.tensor([0.0, 1.0])), is_binary(torch.tensor([0.0, 0.5]))
        (True, False)
    """
    return bool(((pixels == 0) | (pixels == 1)).all())


def check_labels(images: Images, num_categories: int) -> torch.Tensor:
    """Require images, and for each a whole number in 0 ... K - 1; return these numbers."""
    if images.labels is None:
        raise ValueError("labels must be given, got None")
    check_index(images.labels, num_categories, "labels")
    if not 1 <= len(images.labels) == len(images.pixels):
        raise ValueError(
            f"labels must be one for each of at least 1 image, got {len(images.labels)} "
            f"for {len(images.pixels)} images"
        )
    return images.labels


def choose_labelled(
    images: Images, labelled_per_class: int, *, seed: int, num_categories: int = 10
) -> Images:
    """Return a few images of every class, drawn without replacement; the seed decides.

    Args:
        images: to choose from, labels in 0 ... K - 1.
        labelled_per_class: how many of each class, at least 1.
        seed: seed of the draw, which is made on the CPU.
        num_categories: the number of categories, K.

    Returns:
        The chosen images, by class.

    Raises:
        TypeError: labels that are not whole numbers.
        ValueError: a count below 1; labels out of their range; a class has fewer images.
    """
    labelled_per_class = check_count(labelled_per_class, "labelled_per_class", 1)
    labels = check_labels(images, num_categories).cpu().long()
    least = int(labels.bincount(minlength=num_categories).min())
    if least < labelled_per_class:
        raise ValueError(
            f"labelled_per_class must be at most {least}, the images of the rarest class, "
            f"got {labelled_per_class}"
        )
    # A stream of its own: the order of the images begins with the seed itself.
    generator = torch.Generator().manual_seed(seed * 1_000_003 + 999_999)
    order = torch.randperm(len(labels), generator=generator)
    chosen = [
        order[labels[order] == label][:labelled_per_class]
        for label in range(num_categories)
    ]
    return images.take(torch.cat(chosen).to(images.pixels.device))


def digits(*, num_test: int = 297, grey: bool = False) -> tuple[Images, Images]:
    """Return scikit-learn's handwritten digits as binary images, for training and for testing.

    1797 images of 8 × 8 pixels with 17 grey levels come with the library; a pixel is set where the
    grey level is at least half. The last ones are the test images. The images stand in the order of their
    13 writers: of the default 297, the first 45 share a writer with the last training images, and the
    others come from two writers of no training image.

    Args:
        num_test: how many images to hold back, between 1 and 1796.
        grey: the grey levels themselves, divided by 16.

    Returns:
        Training and test images, pixels of shape ``(n, 64)`` in float32, labels of shape ``(n,)``.

    Raises:
        ValueError: ``num_test`` is outside its range.

    Examples:
        >>> train_images, test_images = digits()
        >>> tuple(train_images.pixels.shape), tuple(test_images.pixels.shape)
        ((1500, 64), (297, 64))
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    total = len(bunch.data)
    if not 1 <= num_test < total:
        raise ValueError(f"num_test must lie in 1 ... {total - 1}, got {num_test}")
    levels = bunch.data / bunch.data.max()
    pixels = torch.as_tensor(levels if grey else levels >= 0.5, dtype=torch.float32)
    labels = torch.as_tensor(bunch.target)
    train = Images(pixels[:-num_test], labels[:-num_test])
    return train, Images(pixels[-num_test:], labels[-num_test:])
