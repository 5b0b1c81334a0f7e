"""The idx format under gzip, in which MNIST is published: a header, then one byte a number."""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

_MAGIC = b"\0\0\x08"  # two zeros, then the type: unsigned bytes


def read_idx(path: str | Path, shape: tuple[int, ...]) -> np.ndarray:
    """Read a gzipped idx file of unsigned bytes whose shape is known.

    Its header is two zero bytes, the type 0x08, the number of dimensions in one byte, and each size in four,
    the highest first. No more is unpacked than the shape asks for and one byte, so that no file takes more
    memory than its array should.

    Args:
        path: of the file.
        shape: that the file must declare and hold.

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
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{path} must be an intact gzip file, got: {error}") from error


def _declared(content: bytes) -> str:
    """Return the shape in a header, or what stands in the place of a header."""
    start, sizes = content[:4], content[4:]
    if start[:3] != _MAGIC or len(start) < 4 or len(sizes) < 4 * start[3]:
        return f"one that starts with {content[:16]!r}"
    return f"shape {struct.unpack_from(f'>{start[3]}I', sizes)}"
