"""A folder that one command at a time writes into."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

LOCK = ".lock"


@contextmanager
def held(folder: Path, name: str) -> Iterator[None]:
    """Keep other commands from a folder, until the context or the process ends.

    Args:
        folder: which exists; a file named ``.lock`` stays in it.
        name: name of the argument, for the message.

    Raises:
        ValueError: another command holds the folder.
        OSError: the folder takes no file.
    """
    try:
        lock = FileLock(folder / LOCK, timeout=0).acquire()
    except Timeout:
        raise ValueError(
            f"{name} must be that of no other running command, got {folder}"
        ) from None
    with lock:
        yield
