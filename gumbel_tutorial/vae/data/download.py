"""Files fetched from mirrors: resumed, checked by size and SHA-256, never partial under their own name."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tqdm import tqdm

from gumbel_tutorial.checks import check_positive

_CHUNK = 2**16


class File(NamedTuple):
    """What a file must be: its name, its size in bytes, its SHA-256 in lower-case hexadecimals."""

    name: str
    size: int
    sha256: str


class _MirrorFailure(Exception):
    """Why a mirror did not give a file."""


def fetch(
    folder: str | Path,
    files: Sequence[File],
    mirrors: Sequence[str],
    *,
    timeout: float = 30.0,
) -> None:
    """Make a folder hold the named files, by size and SHA-256, fetching those that it lacks.

    A file grows under the name ``.part`` and takes its own name once it is complete, on disk and verified:
    what bears a file's name is never partial, and a wrong file stays until the right one replaces it. A later
    call resumes a ``.part`` where the mirror allows it. One process at a time may fetch into a folder.

    Args:
        folder: made where it is missing.
        files: what it must hold.
        mirrors: http or https addresses of folders that hold the files, tried in order.
        timeout: seconds to wait for a mirror to connect, and for each of its answers; positive and finite.

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
        path = folder / file.name
        if path.is_dir():
            raise IsADirectoryError(f"{path} must be a file, got a directory")
        if _fault(path, file) is not None:
            _fetch_file(path, file, mirrors, timeout)


def _check_mirrors(mirrors: Sequence[str]) -> None:
    if isinstance(mirrors, str) or not mirrors:
        raise ValueError(f"mirrors must be a list of addresses, got {mirrors!r}")
    for mirror in mirrors:
        if not mirror.startswith(("http://", "https://")):
            raise ValueError(f"mirrors must be http or https addresses, got {mirror!r}")


def _fault(path: Path, file: File) -> str | None:
    """Return what keeps a path from being the file; None when it is."""
    if not path.exists():
        return "it is missing"
    size = path.stat().st_size
    if size != file.size:
        return f"it must have {file.size} bytes, got {size}"
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != file.sha256:
        return f"it must have SHA-256 {file.sha256}, got {digest}"
    return None


def _fetch_file(path: Path, file: File, mirrors: Sequence[str], timeout: float) -> None:
    part = path.with_name(f"{path.name}.part")
    failures = []
    for mirror in mirrors:
        url = f"{mirror.rstrip('/')}/{file.name}"
        try:
            _fetch_from(url, part, file, timeout)
        except _MirrorFailure as failure:
            failures.append(f"{url}: {failure}")
        else:
            part.replace(path)
            return
    raise OSError("\n  ".join([f"{path} could not be fetched; tried", *failures]))


def _fetch_from(url: str, part: Path, file: File, timeout: float) -> None:
    """Complete and verify ``part``; what is right in it stays for the next mirror, or the next call."""
    start = part.stat().st_size if part.exists() else 0
    if start < file.size:
        _transfer(url, part, file, start, timeout)
    fault = _fault(part, file)
    if fault is None:
        return
    part.unlink()
    if start == 0:
        raise _MirrorFailure(fault)
    # The bytes of an earlier attempt may be the wrong ones; without them this runs once more at most.
    _fetch_from(url, part, file, timeout)


def _transfer(url: str, part: Path, file: File, start: int, timeout: float) -> None:
    """Append the bytes from ``start`` on; all of them anew where the mirror ignores the range."""
    with _open(url, start, timeout) as response:
        start = start if response.status == 206 else 0
        _check_announcement(response, file, start)
        try:
            size = _save(response, part, file, start)
        except OSError as error:
            # A full disk says so without saying where.
            error.filename = error.filename or str(part)
            raise
    if size < file.size:
        raise _MirrorFailure(f"it ended after {size} of {file.size} bytes")


def _open(url: str, start: int, timeout: float) -> HTTPResponse:
    headers = {"Range": f"bytes={start}-"} if start else {}
    try:
        return urlopen(Request(url, headers=headers), timeout=timeout)
    except HTTPError as error:
        error.close()
        raise _MirrorFailure(str(error)) from error
    except (OSError, HTTPException) as error:
        raise _MirrorFailure(f"{type(error).__name__}: {error}") from error


def _check_announcement(response: HTTPResponse, file: File, start: int) -> None:
    """Require the range that was asked for and the size of the file, before a byte of them is kept."""
    answered = response.headers.get("Content-Range", "")
    if start and not answered.startswith(f"bytes {start}-"):
        raise _MirrorFailure(
            f"it must answer with bytes {start} and on, got {answered!r}"
        )
    if response.length is not None and start + response.length != file.size:
        raise _MirrorFailure(
            f"it must offer {file.size} bytes, got {start + response.length}"
        )


def _save(response: HTTPResponse, part: Path, file: File, start: int) -> int:
    """Write what comes to disk and return the size of the whole; a cut connection leaves what came."""
    size = start
    with (
        part.open("ab" if start else "wb") as sink,
        tqdm(  # silent where nobody watches
            desc=file.name,
            total=file.size,
            initial=start,
            unit="B",
            unit_scale=True,
            disable=None,
        ) as bar,
    ):
        for chunk in _chunks(response, file.size - start + 1):
            sink.write(chunk)
            size += len(chunk)
            bar.update(len(chunk))
        sink.flush()
        os.fsync(sink.fileno())
    return size


def _chunks(response: HTTPResponse, most: int) -> Iterator[bytes]:
    """Yield what the mirror sends, at most ``most`` bytes of it."""
    while most > 0:
        try:
            chunk = response.read(min(_CHUNK, most))
        except (OSError, HTTPException) as error:
            raise _MirrorFailure(f"{type(error).__name__}: {error}") from error
        if not chunk:
            return
        most -= len(chunk)
        yield chunk
