"""MNIST: its four original files, fetched when asked, read, and split in three."""

import gzip
import math
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from gumbel_tutorial.checks import check_count, check_index
from gumbel_tutorial.vae.data.images import Images, Splits
from gumbel_tutorial.vae.data.mirrors import File, fetch

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
"""Images then labels, first those to train on and then those to test with.

:meta hide-value:
"""
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist",
    "https://storage.googleapis.com/cvdf-datasets/mnist",
)
"""Where the files are to be had.

:meta hide-value:
"""

_NUM_TRAIN, _NUM_TEST = 60_000, 10_000
_MAGIC = b"\0\0\x08"  # of the idx format: two zeros, then the type: unsigned bytes


def mnist(
    folder: str | Path,
    *,
    download: bool = False,
    validation: int = 10_000,
    mirrors: Sequence[str] = MIRRORS,
) -> Splits:
    """Return MNIST as grey images of 28 × 28 pixels, split for training, validation and testing.

    The last of the 60,000 training images are the validation images. The default split, 50,000, 10,000
    and 10,000 images, is that of Jang et al. (2017).

    Args:
        folder: folder with the four original files, ``train-images-idx3-ubyte.gz`` and its like.
        download: first fetch what is missing or not the original, see
            :func:`~gumbel_tutorial.vae.data.mirrors.fetch`. Without it the files are read as they are, and a
            well-formed file with other pixels is taken at its word.
        validation: how many training images to hold back, in 0 ... 59,999.
        mirrors: the addresses to fetch from, tried in order.

    Returns:
        Three :class:`~gumbel_tutorial.vae.data.images.Images`, with pixels of shape ``(n, 784)`` in float32,
        grey levels divided by 255 and so in [0, 1], and labels of shape ``(n,)`` in int64, in 0 ... 9.

    Raises:
        ValueError: ``validation`` is no whole number in its range; a file does not hold what its name says.
        FileNotFoundError: a file is missing and ``download`` is false.
        OSError: a file could be fetched from no mirror, or not be written.
    """
    if check_count(validation, "validation", 0) >= _NUM_TRAIN:
        raise ValueError(
            f"validation must be below {_NUM_TRAIN}, all training images, got {validation}"
        )
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


def read_idx(path: str | Path, shape: tuple[int, ...]) -> np.ndarray:
    """Read a gzipped idx file of unsigned bytes whose shape is known.

    Its header is two zero bytes, the type 0x08, the number of dimensions in one byte, and each size in four,
    the highest first, under gzip. No more is unpacked than the shape asks for and one byte, so
    that no file takes more memory than its array should.

    Args:
        path: path of the file.
        shape: shape that the file must declare and hold.

    Returns:
        A read-only array of uint8 of that shape.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: ``path`` is a directory or the like; the file is not gzip, is cut short, or differs from
            gzip's checksum; it is not idx, or of another type or shape; it holds fewer or more bytes.
    """
    path = Path(path)
    header = _MAGIC + struct.pack(f">B{len(shape)}I", len(shape), *shape)
    size = math.prod(shape)
    content = _unpack(path, len(header) + size + 1)
    if not content.startswith(header):
        raise ValueError(
            f"{path} must be an idx file of unsigned bytes of shape {shape}, got {_declared(content)}"
        )
    found = len(content) - len(header)
    if found != size:
        raise ValueError(
            f"{path} must hold {size} bytes after its header, "
            f"got {'more' if found > size else found}"
        )
    return np.frombuffer(content, dtype=np.uint8)[len(header) :].reshape(shape)


def _unpack(path: Path, most: int) -> bytes:
    if path.exists() and not path.is_file():
        kind = "a directory" if path.is_dir() else "something else"
        raise ValueError(f"{path} must be a gzip file, got {kind}")
    try:
        with gzip.open(path, "rb") as stream:
            return stream.read(most)
    except MemoryError:
        raise MemoryError(f"{path} must fit into memory") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{path} must be an intact gzip file, got: {error}") from error


def _declared(content: bytes) -> str:
    """Return the shape in a header, or what stands in the place of a header."""
    start, sizes = content[:4], content[4:]
    if start[:3] != _MAGIC or len(start) < 4 or len(sizes) < 4 * start[3]:
        return f"one that starts with {content[:16]!r}"
    return f"shape {struct.unpack_from(f'>{start[3]}I', sizes)}"
