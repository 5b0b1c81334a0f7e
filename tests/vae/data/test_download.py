"""Fetching: every fault of a mirror, of the disk and of an earlier attempt, against local mirrors."""

import hashlib
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from helpers.vae import flipped

from gumbel_tutorial.vae.data.download import File, fetch

MODULE = sys.modules[fetch.__module__]
FIRST, SECOND = "first.bin", "second.bin"
SIZE = 1_000
CONTENTS = {FIRST: bytes(range(250)) * 4, SECOND: b"the second file"}
FILES = [
    File(name, len(content), hashlib.sha256(content).hexdigest())
    for name, content in CONTENTS.items()
]


class Mirror(BaseHTTPRequestHandler):
    """Serves files by name, with the faults that its server asks for."""

    def do_GET(self):
        server, name = self.server, self.path.rsplit("/", 1)[-1]
        asked = self.headers.get("Range")
        server.requests.append((name, asked))
        if server.status != 200 or name not in server.files:
            self.send_error(server.status if server.status != 200 else 404)
            return
        content = server.files[name]
        start = int(asked[len("bytes=") : -1]) if asked and server.ranges else 0
        self.send_response(206 if start else 200)
        if start:
            answered = start + server.shift
            last = len(content) - 1
            self.send_header("Content-Range", f"bytes {answered}-{last}/{last + 1}")
        if server.announce:
            self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:][: server.cut])

    def log_message(self, *_):
        pass


@pytest.fixture
def mirror(monkeypatch):
    """Return a function that starts a mirror, with faults, and gives its server."""
    monkeypatch.setenv("no_proxy", "*")
    servers = []

    def start(**faults):
        server = ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
        default = {"files": CONTENTS, "status": 200, "ranges": True}
        default |= {"cut": None, "announce": True, "shift": 0, "requests": []}
        vars(server).update(default | faults)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        servers.append((server, thread))
        server.url = f"http://127.0.0.1:{server.server_port}/files"
        return server

    yield start
    for server, thread in servers:
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
    assert server.requests == [(FIRST, None), (SECOND, None)]
    fetch(folder, FILES, [server.url + "/"])
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
    assert server.requests == [(FIRST, None)]


def test_the_next_mirror_is_tried(tmp_path, mirror):
    wrong = {name: flipped(content, -1) for name, content in CONTENTS.items()}
    pages = dict.fromkeys(CONTENTS, b"<html>please log in</html>")
    bad = [
        mirror(status=500),
        mirror(files={}),
        mirror(files=pages),
        mirror(files=wrong),
        mirror(cut=0),
    ]
    good = mirror()
    fetch(tmp_path, FILES, [server.url for server in [*bad, good]])
    assert_complete(tmp_path)
    assert all(len(server.requests) == 2 for server in [*bad, good])


@pytest.mark.parametrize("announce", [True, False])
def test_a_cut_connection_is_resumed(tmp_path, mirror, announce):
    cut = mirror(cut=30, announce=announce)
    with pytest.raises(OSError, match=f"(?s){FIRST} could not .* ended after 30 of"):
        fetch(tmp_path, FILES, [cut.url])
    part = f"{FIRST}.part"
    assert names(tmp_path) == [part]
    assert (tmp_path / part).read_bytes() == CONTENTS[FIRST][:30]
    with pytest.raises(OSError, match="ended after 60 of"):
        fetch(tmp_path, FILES, [cut.url])
    good = mirror()
    fetch(tmp_path, FILES, [good.url])
    assert good.requests == [(FIRST, "bytes=60-"), (SECOND, None)]
    assert_complete(tmp_path)


def test_the_next_mirror_takes_up_where_one_was_cut(tmp_path, mirror):
    cut, good = mirror(cut=10), mirror()
    fetch(tmp_path, FILES, [cut.url, good.url])
    assert good.requests == [(name, "bytes=10-") for name in CONTENTS]
    assert_complete(tmp_path)


def test_what_a_wrong_mirror_left_is_dropped_by_the_next(tmp_path, mirror):
    pages = dict.fromkeys(CONTENTS, b"<html>")
    page, good = mirror(files=pages, announce=False), mirror()
    fetch(tmp_path, FILES, [page.url, good.url])
    assert good.requests[:2] == [(FIRST, "bytes=6-"), (FIRST, None)]
    assert_complete(tmp_path)


def test_a_file_takes_its_name_once_it_is_complete_and_on_disk(
    tmp_path, mirror, monkeypatch
):
    seen = []
    monkeypatch.setattr(MODULE.os, "fsync", lambda _: seen.append(names(tmp_path)))
    fetch(tmp_path, FILES, [mirror().url])
    assert seen == [[f"{FIRST}.part"], [FIRST, f"{SECOND}.part"]]


def interrupt(*_):
    raise KeyboardInterrupt


def test_an_interrupted_fetch_is_resumed(tmp_path, mirror, monkeypatch):
    server = mirror()
    monkeypatch.setattr(MODULE, "_CHUNK", 100)
    with monkeypatch.context() as patch:
        patch.setattr(MODULE.tqdm, "update", interrupt)
        with pytest.raises(KeyboardInterrupt):
            fetch(tmp_path, FILES, [server.url])
    assert names(tmp_path) == [f"{FIRST}.part"]
    fetch(tmp_path, FILES, [server.url])
    assert server.requests[1] == (FIRST, "bytes=100-")
    assert_complete(tmp_path)


def test_a_mirror_without_ranges_starts_anew(tmp_path, mirror):
    (tmp_path / f"{FIRST}.part").write_bytes(CONTENTS[FIRST][:30])
    server = mirror(ranges=False)
    fetch(tmp_path, FILES, [server.url])
    assert server.requests == [(FIRST, "bytes=30-"), (SECOND, None)]
    assert_complete(tmp_path)


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("extra", [-10, 0, 10])
def test_a_wrong_part_is_dropped(tmp_path, mirror, ranges, extra):
    (tmp_path / f"{FIRST}.part").write_bytes(b"x" * (SIZE + extra))
    fetch(tmp_path, FILES, [mirror(ranges=ranges).url])
    assert_complete(tmp_path)


def test_a_complete_part_needs_no_mirror(folder, mirror):
    (folder / FIRST).rename(folder / f"{FIRST}.part")
    server = mirror(status=500)
    fetch(folder, FILES, [server.url])
    assert server.requests == []
    assert_complete(folder)


WRONG = {name: flipped(content, -1) for name, content in CONTENTS.items()}
LONGER = {name: content + b"more" for name, content in CONTENTS.items()}
FAULTS = {
    "a 500 answer": ({"status": 500}, "HTTP Error 500"),
    "not found": ({"files": {}}, "HTTP Error 404"),
    "wrong bytes": ({"files": WRONG}, "it must have SHA-256 .* got"),
    "too long": ({"files": LONGER}, "must offer 1000 bytes, got 1004"),
    "endless": (
        {"files": LONGER, "announce": False},
        "must have 1000 bytes, got 1001",
    ),
    "cut": ({"cut": 7}, "it ended after 7 of 1000 bytes"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_mirror_leaves_the_files_as_they_were(folder, mirror, fault):
    (folder / FIRST).write_bytes(b"an old file")
    faults, message = FAULTS[fault]
    server = mirror(**faults)
    failure = (
        f"{FIRST} could not be fetched; tried\n  {server.url}/{FIRST}: .*{message}"
    )
    with pytest.raises(OSError, match=failure):
        fetch(folder, FILES, [server.url])
    assert (folder / FIRST).read_bytes() == b"an old file"
    left = set(names(folder)) - set(CONTENTS)
    assert left == ({f"{FIRST}.part"} if fault == "cut" else set())


def test_another_range_than_asked_for_is_not_kept(tmp_path, mirror):
    part = tmp_path / f"{FIRST}.part"
    part.write_bytes(CONTENTS[FIRST][:30])
    server = mirror(shift=1)
    with pytest.raises(OSError, match="answer with bytes 30 and on, got 'bytes 31-"):
        fetch(tmp_path, FILES, [server.url])
    assert part.read_bytes() == CONTENTS[FIRST][:30]


def test_every_mirror_tried_is_listed(tmp_path, mirror):
    failing = mirror(status=503)
    silent = ThreadingHTTPServer(("127.0.0.1", 0), Mirror)  # it listens, never answers
    gone = f"http://127.0.0.1:{silent.server_port}"
    begin = time.monotonic()
    with pytest.raises(OSError, match="could not be fetched") as caught:
        fetch(tmp_path, FILES, [failing.url, gone], timeout=0.1)
    assert time.monotonic() - begin < 10  # the default would wait for 30 seconds
    silent.server_close()
    _, first, second = str(caught.value).splitlines()
    assert first.strip().startswith(f"{failing.url}/{FIRST}: HTTP Error 503")
    assert second.strip().startswith(f"{gone}/{FIRST}: ")
    assert "timed out" in second
    with pytest.raises(OSError, match="refused"):
        fetch(tmp_path, FILES, [gone])
    assert names(tmp_path) == []


@pytest.mark.skipif(not os.access("/dev/full", os.W_OK), reason="there is no /dev/full")
def test_a_full_disk_is_named_and_stops_at_once(folder, mirror):
    (folder / FIRST).write_bytes(b"an old file")
    (folder / f"{FIRST}.part").symlink_to("/dev/full")
    first, second = mirror(), mirror()
    with pytest.raises(OSError, match=f"No space left on device: .*{FIRST}.part"):
        fetch(folder, FILES, [first.url, second.url])
    assert (folder / FIRST).read_bytes() == b"an old file"
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
