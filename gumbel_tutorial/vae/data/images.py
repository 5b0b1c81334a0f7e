"""Images to train on."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from gumbel_tutorial.checks import (
    check_count,
    check_floating,
    check_index,
    check_probability,
    first_true,
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
        labels = None if self.labels is None else self.labels[rows]
        return Images(self.pixels[rows], labels)


class Splits(NamedTuple):
    """Images to train on, to choose with, and to report on."""

    train: Images
    validation: Images
    test: Images


def as_images(source: Any) -> Images:
    """Return the images that a source holds, as rows of pixels in [0, 1].

    Levels of uint8 are divided by 255, unless none is above 1. All axes but the first are flattened.

    Args:
        source: images; a tensor or an array of pixels, shape ``(n, num_pixels)`` or ``(n, height, width)``;
            the path of a ``.npy`` file of such an array, or of a ``.npz`` file with one under ``images`` and
            perhaps the classes under ``labels``; or a ``torch.utils.data.Dataset`` whose entries are images,
            or pairs of an image and its class.

    Returns:
        The images, pixels of a floating dtype.

    Raises:
        TypeError: another kind of source or dtype.
        ValueError: no image, a pixel outside [0, 1] or NaN, or another number of labels than of images.
        OSError: the file cannot be read.

    Examples:
        >>> tuple(as_images(np.zeros((5, 8, 8), dtype=np.uint8)).pixels.shape)
        (5, 64)
    """
    if isinstance(source, Images):
        pixels, labels = source
    elif isinstance(source, (str, Path)):
        pixels, labels = _read(Path(source))
    elif isinstance(source, torch.utils.data.Dataset):
        pixels, labels = _stack(source)
    else:
        pixels, labels = source, None
    pixels = _as_pixels(pixels)
    check_pixels(pixels)
    if labels is not None:
        labels = torch.as_tensor(labels)
        if labels.shape != pixels.shape[:1]:
            raise ValueError(
                f"labels must be one for each of {len(pixels)} images, "
                f"got shape {tuple(labels.shape)}"
            )
    return Images(pixels, labels)


def _read(path: Path) -> tuple[Any, Any]:
    try:
        found = np.load(path, allow_pickle=False)
        if isinstance(found, np.ndarray):
            return found, None
        with found:
            return found["images"], found.get("labels")
    except (ValueError, EOFError, KeyError) as error:
        raise ValueError(
            f"{path} must be a .npy file, or a .npz file with images, got {error}"
        ) from error


def _stack(dataset: torch.utils.data.Dataset[Any]) -> tuple[Any, Any]:
    entries = [dataset[i] for i in range(len(dataset))]  # type: ignore[arg-type]
    if not entries or not isinstance(entries[0], tuple):
        return np.array([np.asarray(pixels) for pixels in entries]), None
    pixels, labels = zip(*(entry[:2] for entry in entries), strict=True)
    return np.array([np.asarray(each) for each in pixels]), np.array(labels)


def _as_pixels(source: Any) -> torch.Tensor:
    if not isinstance(source, (np.ndarray, torch.Tensor)):
        kind = type(source).__name__
        raise TypeError(
            "images must be an array, a tensor, a .npy or .npz file or a torch Dataset, "
            f"got {kind}"
        )
    pixels = torch.as_tensor(source)
    if pixels.ndim < 2 or 0 in pixels.shape:
        raise ValueError(
            f"images must have shape (n, num_pixels), n at least 1, got {tuple(pixels.shape)}"
        )
    if pixels.dtype == torch.bool:
        pixels = pixels.float()
    elif pixels.dtype == torch.uint8:
        pixels = pixels.float() / (255 if pixels.max() > 1 else 1)
    return pixels.flatten(1)


def check_pixels(pixels: torch.Tensor, num_pixels: int | None = None) -> None:
    """Require pixels in [0, 1], and so many of them in an image where that is known."""
    check_floating(pixels, "pixels")
    if num_pixels is not None and (not pixels.ndim or pixels.shape[-1] != num_pixels):
        raise ValueError(
            f"pixels must be {num_pixels} per image, got shape {tuple(pixels.shape)}"
        )
    if pixels.numel() == 0:
        return
    # Two extremes cost a tenth of a mask, and hand NaN on.
    least, most = torch.aminmax(pixels.detach())
    if first_true(~((least >= 0) & (most <= 1))) is not None:
        check_probability(pixels, "pixels")


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
        seed: of the draw, made on the CPU.
        num_categories: K.

    Returns:
        The chosen images, by class.

    Raises:
        TypeError: labels that are not whole numbers.
        ValueError: a count below 1; labels out of their range; a class has fewer images.
    """
    check_count(labelled_per_class, "labelled_per_class", 1)
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
