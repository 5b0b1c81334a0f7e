"""MNIST: its four original files, fetched when asked, read, and split in three."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from gumbel_tutorial.checks import check_index
from gumbel_tutorial.vae.data.download import File, fetch
from gumbel_tutorial.vae.data.idx import read_idx
from gumbel_tutorial.vae.data.images import Images, Splits

#: Images then labels, first those to train on and then those to test with.
FILES = (
    File(
        "train-images-idx3-ubyte.gz",
        9_912_422,
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    ),
    File(
        "train-labels-idx1-ubyte.gz",
        28_881,
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    ),
    File(
        "t10k-images-idx3-ubyte.gz",
        1_648_877,
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    ),
    File(
        "t10k-labels-idx1-ubyte.gz",
        4_542,
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    ),
)

#: Where the files are to be had.
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist",
    "https://storage.googleapis.com/cvdf-datasets/mnist",
)

_NUM_TRAIN, _NUM_TEST = 60_000, 10_000


def mnist(
    folder: str | Path,
    *,
    download: bool = False,
    validation: int = 10_000,
    mirrors: Sequence[str] = MIRRORS,
) -> Splits:
    """Return MNIST as grey images of 28 x 28 pixels, split for training, validation and testing.

    The last of the 60,000 training images are the validation images. The default split, 50,000, 10,000
    and 10,000 images, is that of Jang et al. (2017).

    Args:
        folder: where the four original files lie, ``train-images-idx3-ubyte.gz`` and its like.
        download: first fetch what is missing or not the original, see
            :func:`~gumbel_tutorial.vae.data.download.fetch`. Without it the files are read as they are, and a
            well-formed file with other pixels is taken at its word.
        validation: how many training images to hold back, in 0 ... 59,999.
        mirrors: the addresses to fetch from, tried in order.

    Returns:
        Three :class:`~gumbel_tutorial.vae.data.images.Images`: pixels of shape ``(n, 784)`` in float32, grey
        levels divided by 255 and so in [0, 1]; labels of shape ``(n,)`` in int64, in 0 ... 9.

    Raises:
        ValueError: ``validation`` is no whole number in its range; a file does not hold what its name says.
        FileNotFoundError: a file is missing and ``download`` is false.
        OSError: a file could be fetched from no mirror, or not be written.
    """
    _check_validation(validation)
    folder = Path(folder)
    if download:
        fetch(folder, FILES, mirrors)
    _check_complete(folder)
    train_images, train_labels, test_images, test_labels = (
        folder / file.name for file in FILES
    )
    images = _read_images(train_images, train_labels, _NUM_TRAIN)
    num_train = _NUM_TRAIN - validation
    return Splits(
        images.take(slice(num_train)),
        images.take(slice(num_train, None)),
        _read_images(test_images, test_labels, _NUM_TEST),
    )


def _check_validation(validation: int) -> None:
    whole = hasattr(validation, "__index__") and not isinstance(validation, bool)
    if not whole or not 0 <= validation < _NUM_TRAIN:
        raise ValueError(
            f"validation must be a whole number in 0 ... {_NUM_TRAIN - 1}, got {validation!r}"
        )


def _check_complete(folder: Path) -> None:
    for file in FILES:
        if not (folder / file.name).exists():
            raise FileNotFoundError(
                f"folder must hold {file.name} unless download is true, got {folder}"
            )


def _read_images(images_path: Path, labels_path: Path, count: int) -> Images:
    # The labels come first: they are small, and as often wrong.
    labels = read_idx(labels_path, (count,)).astype(np.int64)
    check_index(labels, 10, f"labels in {labels_path}")
    pixels = read_idx(images_path, (count, 28, 28)).reshape(count, -1)
    grey = pixels.astype(np.float32)
    grey /= 255
    return Images(torch.from_numpy(grey), torch.from_numpy(labels))
