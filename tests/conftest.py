"""Fixtures: seeded generators, the two array libraries, the running example, the built site in a browser."""

import os
from functools import partial
from http.server import ThreadingHTTPServer
from threading import Thread

import numpy as np
import pytest
import torch
from helpers.figures import PLACES, alone, settle
from helpers.site import CHROMIUM, FLAGS, SITE, QuietHandler

# One thread, here and in the processes that tests start, unless the environment says otherwise: the tensors
# are small, two threads beside another busy process wait for each other, and a run keeps its number.
torch.set_num_threads(int(os.environ.setdefault("OMP_NUM_THREADS", "1")))


@pytest.fixture
def rng() -> np.random.Generator:
    """Return NumPy's generator, seeded."""
    return np.random.default_rng(20170424)


@pytest.fixture
def torch_generator() -> torch.Generator:
    """Return torch's generator, seeded."""
    return torch.Generator().manual_seed(20170424)


@pytest.fixture(params=["numpy", "torch"])
def to_array(request):
    """Return a function that puts values into one of the two libraries, in float64 by default."""
    if request.param == "numpy":
        return lambda values, dtype="float64": np.asarray(values, dtype=dtype)
    return lambda values, dtype="float64": torch.as_tensor(
        values, dtype=getattr(torch, dtype)
    )


@pytest.fixture(params=["numpy", "torch"])
def generator(request, rng, torch_generator):
    """Return the generator of one of the two libraries."""
    return rng if request.param == "numpy" else torch_generator


@pytest.fixture
def example_logits() -> np.ndarray:
    """Return unnormalised logits of (0.6, 0.3, 0.1)."""
    return np.log([6.0, 3.0, 1.0])


@pytest.fixture(scope="session")
def browser():
    """Start the browser once, for the tests of all files."""
    # Few tests need it, and it is in no environment but that of the book.
    from playwright.sync_api import sync_playwright

    assert CHROMIUM, "make test installs chromium before these tests"
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def served():
    """Serve the site on localhost and return its address."""
    handler = partial(QuietHandler, directory=SITE)
    with ThreadingHTTPServer(("localhost", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def tab(browser):
    """Return a tab for figures without the rest of their pages."""
    context = browser.new_context(
        has_touch=True, viewport={"width": 800, "height": 600}
    )
    tab, complaints = context.new_page(), []
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    yield tab
    context.close()
    assert complaints == []


@pytest.fixture
def opened(tab, tmp_path):
    """Return a function that shows a figure as it is when its page opens."""

    def show(name, **media):
        tab.emulate_media(color_scheme="light", reduced_motion="no-preference")
        tab.emulate_media(**media)
        path = tmp_path / "page.html"
        path.write_text(alone(*PLACES[name]))
        tab.goto(path.as_uri())
        figure = tab.locator(".moving-figure")
        figure.scroll_into_view_if_needed()
        settle(figure)
        return figure

    return show
