"""Images from wherever a user has them: arrays, tensors, files, datasets."""

import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gumbel_tutorial.vae.data.images import Images, Splits, check_pixels

# The split of a file that has none: a fixed permutation, so that images sorted by class are no trap.
_SPLIT_SEED = 0


def as_images(source: Any) -> Images:
    """Return the images that a source holds, as rows of pixels in [0, 1].

    Levels of uint8 are divided by 255, unless none is above 1; booleans become 0 and 1. All axes but the
    first are flattened.

    Args:
        source: images; a tensor or an array of pixels, shape ``(n, num_pixels)`` or ``(n, height, width)``;
            the path of a ``.npy`` file of such an array, or of a ``.npz`` file with one under ``images`` and
            perhaps the classes under ``labels``; or a torch ``Dataset`` whose entries are images, or pairs
            of an image and its class. An image is anything that NumPy makes an array of.

    Returns:
        The images; pixels in float32, but those of a floating tensor in its dtype; labels in int64, or None.

    Raises:
        TypeError: another kind of source or dtype.
        ValueError: no image, a pixel outside [0, 1] or NaN, images of several sizes, labels that are not one
            whole number per image, a file that is no such file.
        OSError: the file cannot be read.

    Examples:
        >>> tuple(as_images(np.zeros((5, 8, 8), dtype=np.uint8)).pixels.shape)
        (5, 64)
    """
    if isinstance(source, Images):
        return _images(*source, "")
    if isinstance(source, str | Path):
        return _only_images(_arrays(Path(source)), Path(source))
    if isinstance(source, torch.utils.data.Dataset):
        return _images(*_stack(source), "")
    return _images(source, None, "")


def read_splits(path: Path) -> Splits:
    """Return the images of a file, split for training, validation and testing.

    A ``.npz`` file may hold the splits: ``train_images``, ``val_images`` and ``test_images``, and perhaps
    ``train_labels`` and its like. Of images without a split, a tenth each is drawn for validation and for
    testing, always the same.

    Args:
        path: of a ``.npy`` or ``.npz`` file, as :func:`as_images` takes it.

    Raises:
        TypeError: another dtype than that of images or labels.
        ValueError: as :func:`as_images`; fewer than 3 images to split; splits of different sizes of images.
        OSError: the file cannot be read.
    """
    arrays = _arrays(path)
    if not any(f"{name}_images" in arrays for name in _SPLITS):
        return _divide(_only_images(arrays, path), path)
    made = []
    for name in _SPLITS:
        if f"{name}_images" not in arrays:
            raise ValueError(f"{path} must hold {name}_images, got {_listed(arrays)}")
        labels = arrays.get(f"{name}_labels")
        made.append(_images(arrays[f"{name}_images"], labels, f"{name} of {path}: "))
    sizes = [images.pixels.shape[1] for images in made]
    if len(set(sizes)) > 1:
        raise ValueError(f"{path} must hold images of one size, got {sizes} pixels")
    return Splits(*made)


_SPLITS = ("train", "val", "test")


def _divide(images: Images, path: Path) -> Splits:
    count = len(images.pixels)
    if count < 3:
        raise ValueError(f"{path} must hold at least 3 images to split, got {count}")
    order = torch.randperm(count, generator=torch.Generator().manual_seed(_SPLIT_SEED))
    tenth = max(1, count // 10)
    rows = order[2 * tenth :], order[:tenth], order[tenth : 2 * tenth]
    return Splits(*(images.take(own) for own in rows))


def _only_images(arrays: Mapping[str, Any], path: Path) -> Images:
    if "images" not in arrays:
        raise ValueError(f"{path} must hold images, got {_listed(arrays)}")
    return _images(arrays["images"], arrays.get("labels"), f"{path}: ")


def _listed(arrays: Mapping[str, Any]) -> str:
    return ", ".join(arrays) or "nothing"


def _arrays(path: Path) -> dict[str, Any]:
    """Return the arrays of a file by name; the one of a .npy file is its images."""
    try:
        with path.open("rb") as file:
            found = np.load(file, allow_pickle=False)
            if isinstance(found, np.ndarray):
                return {"images": found}
            with found:
                return {name: found[name] for name in found.files}
    except MemoryError:
        raise MemoryError(f"{path} must fit into memory") from None
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path} must be a .npy or .npz file, got {error}") from error


def _stack(dataset: Any) -> tuple[Any, Any]:
    """Return what the entries of a dataset are, and the second part of those that are pairs."""
    sized = hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__")
    # Not every dataset ends by an IndexError, as iterating over it would ask.
    entries: Iterable[Any] = (
        (dataset[i] for i in range(len(dataset))) if sized else dataset
    )
    images, labels = [], []
    for entry in entries:
        pair = isinstance(entry, tuple | list)
        images.append(np.asarray(entry[0] if pair else entry))
        if pair and len(entry) > 1:
            labels.append(int(entry[1]))
    shapes = {image.shape for image in images}
    if len(shapes) > 1:
        listed = ", ".join(map(str, sorted(shapes, key=str)))
        raise ValueError(f"images must be of one size, got shapes {listed}")
    return np.array(images), np.array(labels) if labels else None


def _images(pixels: Any, labels: Any, where: str) -> Images:
    """Return checked images; ``where`` begins the messages."""
    made = _as_pixels(pixels, f"{where}images")
    check_pixels(made, name=f"{where}pixels")
    return Images(made, _as_labels(labels, len(made), f"{where}labels"))


def _as_pixels(source: Any, name: str) -> torch.Tensor:
    if isinstance(source, torch.utils.data.DataLoader):
        raise TypeError(
            f"{name} must be a dataset, which batches are made of here: the .dataset of the DataLoader"
        )
    if not isinstance(source, np.ndarray | torch.Tensor):
        raise TypeError(
            f"{name} must be an array, a tensor, a .npy or .npz file or a torch Dataset, "
            f"got {type(source).__name__}"
        )
    try:
        pixels = torch.as_tensor(source)
    except TypeError:  # of an array whose dtype torch has not
        raise TypeError(f"{name} must be numbers, got {source.dtype}") from None
    if pixels.ndim < 2 or 0 in pixels.shape:
        raise ValueError(
            f"{name} must have shape (n, num_pixels), n at least 1, "
            f"got {tuple(pixels.shape)}"
        )
    if pixels.dtype in (torch.bool, torch.uint8):
        pixels = pixels.float() / (255 if pixels.max() > 1 else 1)
    if pixels.is_floating_point() and not isinstance(source, torch.Tensor):
        # NumPy makes float64 of everything, which no network is of.
        pixels = pixels.float()
    if not pixels.is_floating_point():
        raise TypeError(
            f"{name} must be floating, boolean or uint8, got {pixels.dtype}"
        )
    return pixels.flatten(1)


def _as_labels(source: Any, count: int, name: str) -> torch.Tensor | None:
    if source is None:
        return None
    labels = torch.as_tensor(source)
    if labels.shape == (count, 1):
        labels = labels[:, 0]
    if labels.shape != (count,):
        raise ValueError(
            f"{name} must be one for each of {count} images, got shape {tuple(labels.shape)}"
        )
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise TypeError(f"{name} must be whole numbers, got {labels.dtype}")
    if labels.min() < 0:
        raise ValueError(f"{name} must not be negative, got {int(labels.min())}")
    return labels.long()
