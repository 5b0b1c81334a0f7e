"""Fetching: every fault of a mirror, of the disk and of an earlier attempt, against local mirrors."""

import hashlib
import sys
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from helpers.vae import flipped

from gumbel_tutorial.vae.data.mirrors import File, fetch

MODULE = sys.modules[fetch.__module__]
FIRST, SECOND = "first.bin", "second.bin"
CONTENTS = {FIRST: bytes(range(250)) * 100, SECOND: b"the second file"}
SIZE = len(CONTENTS[FIRST])
FILES = [
    File(name, len(content), hashlib.sha256(content).hexdigest())
    for name, content in CONTENTS.items()
]


class Mirror(BaseHTTPRequestHandler):
    """Serves files by name, with the faults that its server asks for."""

    def do_GET(self):
        server, name = self.server, self.path.rsplit("/", 1)[-1]
        server.requests.append(name)
        if server.redirect is not None:
            self.send_response(302)
            self.send_header("Location", server.redirect)
            self.end_headers()
            return
        if server.status != 200 or name not in server.files:
            self.send_error(server.status if server.status != 200 else 404)
            return
        content = server.files[name]
        if server.drips == "headers":
            self.drip(b"HTTP/1.0 200 OK\r\nX-Slow: " + b"x" * 10_000)
            return
        self.send_response(200)
        if server.announce:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if server.drips == "content":
            self.drip(content)
            return
        with suppress(ConnectionError):  # who had enough has left
            self.wfile.write(content[: server.cut])

    def drip(self, content):
        """Send a byte at a time, each well within any time-out, until nobody listens."""
        for byte in content:
            if self.server.over.wait(0.01):
                return
            try:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
            except OSError:
                return

    def log_message(self, *_):
        pass


@pytest.fixture
def mirror(monkeypatch):
    """Return a function that starts a mirror, with faults, and gives its server."""
    monkeypatch.setenv("no_proxy", "*")
    servers = []

    def start(**faults):
        server = ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
        default = {"files": CONTENTS, "status": 200, "redirect": None, "cut": None}
        default |= {"announce": True, "drips": None, "requests": []}
        server.over = threading.Event()
        vars(server).update(default | faults)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        servers.append((server, thread))
        server.url = f"http://127.0.0.1:{server.server_port}/files"
        return server

    yield start
    for server, thread in servers:
        server.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def folder(tmp_path):
    """Return a folder that holds the files."""
    for name, content in CONTENTS.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def assert_complete(folder):
    """Require the files, byte for byte, and nothing else."""
    assert names(folder) == sorted(CONTENTS)
    for name, content in CONTENTS.items():
        assert (folder / name).read_bytes() == content


def test_missing_files_are_fetched_once(tmp_path, mirror, capsys):
    server = mirror()
    folder = tmp_path / "made" / "here"
    fetch(str(folder), FILES, [server.url])
    assert_complete(folder)
    assert server.requests == [FIRST, SECOND]
    fetch(folder, FILES, [server.url + "/"])
    assert (folder / FIRST).stat().st_mode & 0o777 == 0o644  # not the owner's alone
    assert len(server.requests) == 2  # the files present were verified, not fetched
    assert capsys.readouterr() == ("", "")  # no bar where nobody watches


@pytest.mark.parametrize("fault", ["short", "long", "altered", "dangling"])
def test_files_that_are_not_the_right_ones_are_replaced(folder, mirror, fault):
    path, content = folder / FIRST, CONTENTS[FIRST]
    path.unlink()
    if fault == "dangling":
        path.symlink_to("nowhere")
    else:
        wrong = {"short": content[:-1], "long": content + b"x"}
        path.write_bytes(wrong.get(fault, flipped(content, 4)))
    server = mirror()
    fetch(folder, FILES, [server.url])
    assert_complete(folder)
    assert server.requests == [FIRST]


WRONG = {name: flipped(content, -1) for name, content in CONTENTS.items()}
LONGER = {name: content + b"more" for name, content in CONTENTS.items()}
ENDLESS = {FIRST: CONTENTS[FIRST] * 1000}
FAULTS = {
    "a 500 answer": ({"status": 500}, "HTTPError: 500 "),
    "not found": ({"files": {}}, "HTTPError: 404 "),
    "a login page": ({"files": {FIRST: b"<html>"}}, f"{SIZE} bytes, got 6"),
    "wrong bytes": ({"files": WRONG}, "SHA256 hash .* does not match"),
    "too long": ({"files": LONGER}, f"it must send {SIZE} bytes, got more"),
    "endless": ({"files": ENDLESS, "announce": False}, "bytes, got more"),
    "cut": ({"cut": 7}, "7 bytes read"),
    "cut without a length": ({"cut": 7, "announce": False}, "bytes, got 7"),
    "a redirect to no address": ({"redirect": "http://[bad/"}, "Error: "),
    "a redirect in a circle": ({"redirect": "?"}, "TooManyRedirects: "),
    "a redirect to a file": ({"redirect": "file:///etc/hostname"}, "InvalidSchema"),
    "a redirect to letters of no host": (
        {"redirect": "http://" + "x" * 300 + "/y"},
        "Error: |Invalid",
    ),
}


# A byte every hundredth of a second is too slow for any machine, at a time-out of half a second.
SLOW = {
    f"a byte of {part} at a time": ({"drips": part}, "8192 bytes in 0.5 seconds")
    for part in ("content", "headers")
}


@pytest.mark.parametrize("fault", FAULTS | SLOW)
def test_a_faulty_mirror_leaves_the_files_as_they_were_and_is_named(
    folder, mirror, fault
):
    (folder / FIRST).write_bytes(b"an old file")
    faults, message = (FAULTS | SLOW)[fault]
    options = {"timeout": 0.5} if fault in SLOW else {}
    server = mirror(**faults)
    failure = (
        f"{FIRST} could not be fetched; tried\n  {server.url}/{FIRST}: .*({message})"
    )
    with pytest.raises(OSError, match=failure):
        fetch(folder, FILES, [server.url], **options)
    assert (folder / FIRST).read_bytes() == b"an old file"
    assert names(folder) == sorted(CONTENTS)


def test_the_next_mirror_is_tried_after_every_fault(tmp_path, mirror):
    bad = [mirror(**faults) for faults, _ in FAULTS.values()]
    # The others answer within seconds on any machine; this one never would.
    slow, good = mirror(drips="content"), mirror()
    bad.append(slow)
    fetch(tmp_path, FILES[:1], [server.url for server in [*bad, good]], timeout=5)
    assert names(tmp_path) == [FIRST]
    assert (tmp_path / FIRST).read_bytes() == CONTENTS[FIRST]
    assert all(server.requests[0] == FIRST for server in [*bad, good])


def test_every_mirror_tried_is_listed(tmp_path, mirror):
    failing = mirror(status=503)
    silent = ThreadingHTTPServer(("127.0.0.1", 0), Mirror)  # it listens, never answers
    gone = f"http://127.0.0.1:{silent.server_port}"
    # Two watch the time, and either may be first to say so.
    late = f"{gone}/{FIRST}: (it must send 8192 bytes in 0.1|ReadTimeout)"
    with pytest.raises(OSError, match=late):
        fetch(tmp_path, FILES, [gone], timeout=0.1)
    silent.server_close()
    with pytest.raises(OSError, match="could not be fetched") as caught:
        fetch(tmp_path, FILES, [failing.url, gone])
    _, first, second = str(caught.value).splitlines()
    assert first.strip().startswith(f"{failing.url}/{FIRST}: HTTPError: 503")
    assert second.strip().startswith(f"{gone}/{FIRST}: ConnectionError")
    assert "refused" in second
    assert names(tmp_path) == []


def test_a_file_takes_its_name_once_it_is_complete_and_on_disk(
    tmp_path, mirror, monkeypatch
):
    seen = []
    monkeypatch.setattr(MODULE.os, "fsync", lambda _: seen.append(names(tmp_path)))
    fetch(tmp_path, FILES, [mirror().url])
    (one,), (first, two) = seen
    assert first == FIRST
    assert not {one, two} & set(CONTENTS)


def test_an_interrupted_fetch_leaves_nothing_that_is_used(folder, mirror, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    (folder / FIRST).unlink()
    with monkeypatch.context() as patch:
        patch.setattr(MODULE.tqdm, "update", interrupt)
        with pytest.raises(KeyboardInterrupt):
            fetch(folder, FILES, [mirror().url])
    assert names(folder) == [SECOND]
    fetch(folder, FILES, [mirror().url])
    assert_complete(folder)


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_full_disk_is_named_and_stops_at_once(folder, mirror, monkeypatch, call):
    def full(*_):
        raise OSError(28, "No space left on device")

    (folder / FIRST).write_bytes(b"an old file")
    if call == "fsync":
        monkeypatch.setattr(MODULE.os, "fsync", full)
    else:
        monkeypatch.setattr(MODULE.tqdm, "update", full)
    first, second = mirror(), mirror()
    with pytest.raises(OSError, match=f"No space left on device: .*{FIRST}"):
        fetch(folder, FILES, [first.url, second.url])
    assert (folder / FIRST).read_bytes() == b"an old file"
    assert names(folder) == sorted(CONTENTS)
    assert second.requests == []


def test_a_directory_in_the_place_of_a_file_is_refused(folder, mirror):
    (folder / FIRST).unlink()
    (folder / FIRST).mkdir()
    server = mirror()
    with pytest.raises(IsADirectoryError, match=f"{FIRST} must be a file"):
        fetch(folder, FILES, [server.url])
    with pytest.raises(FileExistsError, match=SECOND):
        fetch(folder / SECOND, FILES, [server.url])
    assert server.requests == []


@pytest.mark.parametrize(
    ("mirrors", "message"),
    [
        ([], "a list of addresses"),
        ("http://x", "a list of addresses"),
        (["file:///x"], "http or https addresses"),
    ],
)
def test_mirrors_that_are_none_are_refused(tmp_path, mirrors, message):
    with pytest.raises(ValueError, match=f"mirrors must be {message}"):
        fetch(tmp_path, FILES, mirrors)


@pytest.mark.parametrize("timeout", [0, -1.0, float("nan"), float("inf")])
def test_a_timeout_outside_its_range_is_refused(tmp_path, timeout):
    with pytest.raises(ValueError, match=f"timeout must be positive.*, got {timeout}"):
        fetch(tmp_path, FILES, ["http://x"], timeout=timeout)
