"""What the tests of pictures share."""

import matplotlib as mpl
import pytest

mpl.use("agg")

import matplotlib.pyplot as plt


@pytest.fixture
def ax():
    """Return axes to draw on."""
    figure, axes = plt.subplots()
    yield axes
    plt.close(figure)
