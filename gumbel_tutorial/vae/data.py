"""Images to train on."""

from typing import NamedTuple

import torch

from gumbel_tutorial.estimators.protocol import check_count


class Images(NamedTuple):
    """Images as rows of pixels, binary or grey, and their classes."""

    pixels: torch.Tensor
    labels: torch.Tensor

    def to(self, device: torch.device) -> "Images":
        """Return the same images on a device."""
        return Images(self.pixels.to(device), self.labels.to(device))


class Splits(NamedTuple):
    """Images to train on, to choose with, and to report on."""

    train: Images
    validation: Images
    test: Images


def choose_labelled(images: Images, per_class: int, *, seed: int) -> Images:
    """Return a few images of every class, drawn without replacement; the seed decides.

    Args:
        images: to choose from, labels in 0 ... K - 1.
        per_class: how many of each class, at least 1.
        seed: of the draw, made on the CPU.

    Returns:
        The chosen images, by class.

    Raises:
        ValueError: a count below 1; a class has fewer images.
    """
    check_count(per_class, "per_class", 1)
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(images.labels), generator=generator)
    counts = images.labels.bincount()
    if counts.min() < per_class:
        least = int(counts.min())
        raise ValueError(
            f"per_class must be at most {least}, the images of the rarest class, got {per_class}"
        )
    shuffled = images.labels.cpu()[order]
    rows = torch.cat(
        [order[shuffled == label][:per_class] for label in range(len(counts))]
    )
    rows = rows.to(images.labels.device)
    return Images(images.pixels[rows], images.labels[rows])


def digits(*, num_test: int = 297, grey: bool = False) -> tuple[Images, Images]:
    """Return scikit-learn's handwritten digits as binary images, for training and for testing.

    1797 images of 8 x 8 pixels with 17 grey levels come with the library; a pixel is set where the
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
