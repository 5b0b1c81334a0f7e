"""The networks of the models: sizes, shapes, and what is refused."""

import pytest
import torch
from torch.nn import functional as F

from gumbel_tutorial.vae.models.networks import Convolutions, perceptron
from gumbel_tutorial.vae.training.device import find_device

WEIGHTS = ("weight", "bias")


def by_hand(network, pixels, activation):
    """Return the outputs of a network of 7 by 7 pixels, each operation written out."""
    pictures = pixels.view(-1, 1, 7, 7)
    parameters = dict(network.named_parameters())
    for number in (0, 2):
        weight, bias = (parameters[f"layers.{number}.{name}"] for name in WEIGHTS)
        pictures = activation(F.conv2d(pictures, weight, bias, stride=2, padding=2))
    return F.linear(pictures.flatten(1), *(parameters[f"last.{n}"] for n in WEIGHTS))


def test_convolutions_are_those_of_the_formula():
    torch.manual_seed(0)
    network, pixels = Convolutions(49, (2, 3), 4), torch.rand(5, 49)
    # 7 by 7 pixels, then 4 by 4, then 2 by 2.
    assert network.last.in_features == 3 * 2 * 2
    torch.testing.assert_close(network(pixels), by_hand(network, pixels, F.relu))
    # The twin: without the ReLU.
    other = by_hand(network, pixels, lambda x: x)
    assert not torch.allclose(network(pixels), other)


def test_a_perceptron_leaks_by_its_negative_slope_and_by_default_not_at_all():
    for slope in (0.0, 0.2):
        torch.manual_seed(0)
        network, inputs = perceptron([3, 5, 2], slope), torch.randn(7, 3)
        first, _, last = network
        inner = first(inputs)
        leaking = torch.where(inner > 0, inner, slope * inner)
        torch.testing.assert_close(network(inputs), last(leaking))
        # The twin: the other slope.
        other = torch.where(inner > 0, inner, (0.2 - slope) * inner)
        assert not torch.allclose(network(inputs), last(other))
    with pytest.raises(ValueError, match="negative_slope must be finite and not neg"):
        perceptron([3, 5, 2], -0.2)


@pytest.mark.parametrize("shape", [(), (0,), (5,), (2, 3)])
def test_convolutions_take_any_batch(shape):
    torch.manual_seed(0)
    network = Convolutions(64, (2,), 4)
    pixels = torch.rand(*shape, 64)
    found = network(pixels)
    assert found.shape == (*shape, 4)
    for row, outputs in zip(pixels.view(-1, 64), found.view(-1, 4), strict=True):
        torch.testing.assert_close(network(row), outputs)


def test_the_pixels_are_those_of_the_rows_of_a_picture():
    torch.manual_seed(0)
    network, pictures = Convolutions(64, (2,), 4), torch.zeros(2, 8, 8)
    pictures[0, 2:4, 3] = pictures[1, 4:6, 3] = 1.0  # two rows further down
    with torch.no_grad():
        maps = network.layers[:2](pictures.unsqueeze(1))
        torch.testing.assert_close(maps[0, :, 1:2], maps[1, :, 2:3])
        rows, columns = pictures.flatten(1), pictures.mT.flatten(1)
        expected = network.last(maps.flatten(1))
        torch.testing.assert_close(network(rows), expected)
        # The twin: the pixels of the columns.
        assert not torch.allclose(network(columns), expected)


@pytest.mark.parametrize(
    ("num_pixels", "channels", "message"),
    [
        (6, (4,), "num_pixels must be a square number with channels, got 6"),
        (-4, (4,), "num_pixels must be a whole number of at least 1, got -4"),
        (64, (4, 0), "channels must be a whole number of at least 1, got 0"),
        (64, (), "number of channels must be a whole number of at least 1, got 0"),
    ],
)
def test_sizes_without_a_meaning_are_refused(num_pixels, channels, message):
    with pytest.raises(ValueError, match=message):
        Convolutions(num_pixels, channels, 10)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_convolutions_repeat_on_a_cuda_device():
    device = find_device("cuda")
    torch.manual_seed(0)
    network, pixels = Convolutions(784, (16, 32), 10).to(device), torch.rand(100, 784)
    gradients = []
    for _ in range(5):
        network.zero_grad()
        network(pixels.to(device)).logsumexp(-1).sum().backward()
        gradients.append([p.grad.clone() for p in network.parameters()])
    for again in gradients[1:]:
        assert all(map(torch.equal, gradients[0], again))
    exact = network.double().cpu()(pixels.double())
    torch.testing.assert_close(
        network.float().to(device)(pixels.to(device)).cpu().double(),
        exact,
        rtol=1e-4,
        atol=1e-5,
    )
