"""Files fetched from mirrors: by pooch, checked by SHA-256, never partial under their own name."""

import logging
import os
import queue
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import requests
from tqdm import tqdm

from gumbel_tutorial.checks import check_positive

_CHUNK = 2**13


class File(NamedTuple):
    """What a file must be: its name, its size in bytes, its SHA-256 in lower-case hexadecimals."""

    name: str
    size: int
    sha256: str


class MirrorFailure(Exception):
    """Why a mirror did not give a file."""


def fetch(
    folder: str | Path,
    files: Sequence[File],
    mirrors: Sequence[str],
    *,
    timeout: float = 30.0,
) -> None:
    """Make a folder hold the named files, by SHA-256, fetching those that it lacks.

    A file grows under a temporary name and takes its own name once it is complete, on disk and verified: what
    bears a file's name is never partial, and a wrong file stays until the right one replaces it.

    Args:
        folder: made where it is missing.
        files: what it must hold.
        mirrors: http or https addresses of folders that hold the files, tried in order.
        timeout: seconds in which a mirror must answer, and again for every 8 kB; positive
            and finite.

    Raises:
        ValueError: ``mirrors`` is empty, a single string, or holds something else than such addresses;
            ``timeout`` is outside its range.
        FileExistsError: ``folder`` is a file.
        IsADirectoryError: a directory bears the name of a file.
        OSError: no mirror gave a file, with what was tried and why it failed; the disk failed or is full.
    """
    _check_mirrors(mirrors)
    check_positive(timeout, "timeout")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        if (folder / file.name).is_dir():
            raise IsADirectoryError(
                f"{folder / file.name} must be a file, got a directory"
            )
        _fetch_file(folder, file, mirrors, timeout)


def _check_mirrors(mirrors: Sequence[str]) -> None:
    if isinstance(mirrors, str) or not mirrors:
        raise ValueError(f"mirrors must be a list of addresses, got {mirrors!r}")
    for mirror in mirrors:
        if not mirror.startswith(("http://", "https://")):
            raise ValueError(f"mirrors must be http or https addresses, got {mirror!r}")


def _fetch_file(
    folder: Path, file: File, mirrors: Sequence[str], timeout: float
) -> None:
    # Not above, since it brings a bar for notebooks, which warns where their widgets are not installed.
    import pooch

    pooch.get_logger().setLevel(logging.WARNING)  # the bar says it
    failures = []
    for mirror in mirrors:
        url = f"{mirror.rstrip('/')}/{file.name}"
        try:
            pooch.retrieve(
                url,
                f"sha256:{file.sha256}",
                file.name,
                folder,
                downloader=_Downloader(file, timeout),
            )
            return
        except (MirrorFailure, ValueError) as failure:  # the second of a wrong SHA-256
            failures.append(f"{url}: {' '.join(str(failure).split())}")
    path = folder / file.name
    raise OSError("\n  ".join([f"{path} could not be fetched; tried", *failures]))


class _Downloader:
    """Saves what an address sends, for pooch, as long as it comes fast enough and is not too much."""

    def __init__(self, file: File, timeout: float) -> None:
        self.file, self.timeout = file, timeout

    def __call__(self, url: str, path: str, _: object) -> None:
        size = 0
        try:
            with Path(path).open("wb") as sink, self._bar() as bar:
                for chunk in _chunks(url, self.timeout):
                    sink.write(chunk)
                    size += len(chunk)
                    bar.update(len(chunk))
                    if size > self.file.size:
                        break
                sink.flush()
                os.fsync(sink.fileno())
                os.fchmod(sink.fileno(), 0o644)  # a temporary file is its owner's alone
        except OSError as error:
            # A full disk says so without saying where.
            error.filename = error.filename or str(Path(path).parent / self.file.name)
            raise
        if size != self.file.size:
            found = "more" if size > self.file.size else size
            raise MirrorFailure(f"it must send {self.file.size} bytes, got {found}")

    def _bar(self) -> "tqdm[None]":
        # Silent where nobody watches.
        return tqdm(
            desc=self.file.name,
            total=self.file.size,
            unit="B",
            unit_scale=True,
            disable=None,
        )


def _chunks(url: str, timeout: float) -> Iterator[bytes]:
    """Yield what an address sends, in pieces each of which has to come in so many seconds.

    A thread receives them. The time-outs of requests do not bound it: they are for each packet, so that a
    byte per second, of the content or of the headers, would be waited for without end.
    """
    received: queue.SimpleQueue[bytes | Exception | None] = queue.SimpleQueue()
    left = threading.Event()

    def receive() -> None:
        try:
            with requests.get(url, stream=True, timeout=timeout) as response:
                response.raise_for_status()
                for chunk in response.iter_content(_CHUNK):
                    received.put(chunk)
                    if left.is_set():
                        return
            received.put(None)
        # Of whatever kind: a redirect may lead to what is no address.
        except Exception as error:
            received.put(error)

    threading.Thread(target=receive, daemon=True).start()
    try:
        while (piece := received.get(timeout=timeout)) is not None:
            if isinstance(piece, Exception):
                raise MirrorFailure(f"{type(piece).__name__}: {piece}") from piece
            yield piece
    except queue.Empty:
        rate = f"{_CHUNK} bytes in {timeout} seconds"
        raise MirrorFailure(f"it must send {rate}") from None
    finally:
        left.set()
