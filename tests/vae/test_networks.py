"""The networks of the models: sizes, shapes, and what is refused."""

import pytest
import torch

from gumbel_tutorial.vae.networks import Convolutions


def test_a_convolution_halves_the_picture():
    torch.manual_seed(0)
    network = Convolutions(49, (2, 3), 4)
    # 7 by 7 pixels, then 4 by 4, then 2 by 2.
    assert network.last.in_features == 3 * 2 * 2
    pixels = torch.rand(5, 49)
    pictures = pixels.view(5, 1, 7, 7)
    for layer in network.layers:
        pictures = layer(pictures)
    torch.testing.assert_close(network(pixels), network.last(pictures))


@pytest.mark.parametrize("shape", [(), (0,), (5,), (2, 3)])
def test_convolutions_take_any_batch(shape):
    torch.manual_seed(0)
    network = Convolutions(64, (2,), 4)
    pixels = torch.rand(*shape, 64)
    found = network(pixels)
    assert found.shape == (*shape, 4)
    for row, outputs in zip(pixels.view(-1, 64), found.view(-1, 4), strict=True):
        torch.testing.assert_close(network(row), outputs)


def test_convolutions_see_where_a_pixel_lies():
    """A perceptron would serve pixels in any order; neighbours matter here, rows of the picture first."""
    network = Convolutions(64, (1,), 1).double()
    with torch.no_grad():
        for weights in network.parameters():
            weights.fill_(1.0)
    pixels = torch.zeros(64).double()
    pixels[0] = 1.0
    # The corner lies in the windows about (0, 0), (0, 2), (2, 0) and (2, 2), of 16; each bias is 1.
    assert network(pixels).item() == 16 + 4 + 1


@pytest.mark.parametrize(
    ("num_pixels", "channels", "message"),
    [
        (6, (4,), "num_pixels must be a square number with channels, got 6"),
        (64, (4, 0), "channels must be a whole number of at least 1, got 0"),
    ],
)
def test_sizes_without_a_meaning_are_refused(num_pixels, channels, message):
    with pytest.raises(ValueError, match=message):
        Convolutions(num_pixels, channels, 10)
