"""The networks that the models are made of: perceptrons, of a class or not, and convolutions."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

from gumbel_tutorial.checks import check_count, check_not_negative, refuse

#: Widths of the hidden layers of an autoencoder that is told none, in Python and by the command alike.
HIDDEN = (256,)


def perceptron(sizes: Sequence[int], negative_slope: float = 0.0) -> nn.Sequential:
    """Return linear layers of the given sizes with ReLU between them and none at the end.

    With a slope for negative numbers, the ReLU leaks.
    """
    check_not_negative(negative_slope, "negative_slope")
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes[:-1]):
        bend = nn.LeakyReLU(negative_slope) if negative_slope else nn.ReLU()
        layers += [nn.Linear(inputs, outputs), bend]
    return nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1]))


class ConditionalPerceptron(nn.Module):
    """A perceptron of an input and a class, whose shares of the first layer are computed apart.

    Args:
        sizes: widths of the layers, as in :func:`perceptron`.
        num_categories: the number of categories, K.
    """

    def __init__(self, sizes: Sequence[int], num_categories: int) -> None:
        super().__init__()
        first, *rest = sizes[1:]
        self.inputs = nn.Linear(sizes[0], first)
        self.classes = nn.Linear(num_categories, first, bias=False)
        self.rest = perceptron(sizes[1:]) if rest else None

    def forward(
        self, inputs: torch.Tensor, classes: torch.Tensor | None
    ) -> torch.Tensor:
        """Return outputs for one-hot or relaxed classes ``(..., K)``, or for every class.

        With None, all classes are used; the inputs' first axis then has size K, or 1 if they share it.
        """
        outputs = self.inputs(inputs)
        if classes is None:
            # The weights' columns are their products with the K one-hot vectors.
            share = self.classes.weight.T.to(outputs)
            outputs = outputs + share.unflatten(0, (-1, *[1] * (inputs.ndim - 2)))
        else:
            outputs = outputs + self.classes(classes)
        return outputs if self.rest is None else self.rest(outputs.relu())

    @property
    def last(self) -> nn.Module:
        """The layer that gives the outputs."""
        return self.inputs if self.rest is None else self.rest[-1]


class PerRow(nn.Module):
    """A user's network of one batch axis, made to take any number of them; its outputs are checked.

    Args:
        network: rows of numbers ``(rows, inputs)`` to rows of numbers.
        name: what to call it.
        outputs: how many numbers it has to return for each row; None where that is not known.
    """

    def __init__(self, network: nn.Module, name: str, outputs: int | None) -> None:
        super().__init__()
        if not isinstance(network, nn.Module):
            kind = type(network).__name__
            refuse(name, "be a torch.nn.Module", kind, TypeError)
        self.network, self.name, self.outputs = network, name, outputs

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return outputs, ``(..., inputs)`` to ``(..., outputs)``.

        Raises:
            ValueError: outputs of another shape.
        """
        rows = inputs.reshape(-1, inputs.shape[-1])
        outputs = self.network(rows)
        shape = tuple(getattr(outputs, "shape", ()))
        expected = (
            len(rows),
            *(shape[1:] if self.outputs is None else (self.outputs,)),
        )
        if len(shape) != 2 or shape != expected:
            numbers = "numbers" if self.outputs is None else f"{self.outputs} numbers"
            refuse(
                self.name,
                f"return {numbers} for each of {len(rows)} rows",
                f"shape {shape}",
            )
        return outputs.reshape(*inputs.shape[:-1], shape[1])


class Convolutions(nn.Module):
    """A classifier of square images: convolutions, a ReLU after each, and a linear layer.

    Windows are 5 by 5 pixels and steps 2, so that a convolution halves the sides, rounded up. Jang, Gu and
    Poole (2017), section 4.3, state the number of convolutions alone; windows and steps are ours.

    Args:
        num_pixels: pixels per image, a square number.
        channels: channels of each convolution, of which there is at least one.
        outputs: outputs of the linear layer.

    Raises:
        ValueError: no channels, a count below 1, or pixels that make no square.
    """

    def __init__(self, num_pixels: int, channels: Sequence[int], outputs: int) -> None:
        super().__init__()
        check_widths(channels, "channels")
        check_count(len(channels), "number of channels", 1)
        self.side = math.isqrt(check_count(num_pixels, "num_pixels", 1))
        if self.side**2 != num_pixels:
            refuse("num_pixels", "be a square number with channels", num_pixels)
        layers: list[nn.Module] = []
        side = self.side
        for before, after in pairwise([1, *channels]):
            layers += [nn.Conv2d(before, after, 5, stride=2, padding=2), nn.ReLU()]
            side = -(-side // 2)  # rounded up
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.last = nn.Linear(channels[-1] * side**2, outputs)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return outputs, ``(..., num_pixels)`` to ``(..., outputs)``."""
        pictures = images.reshape(-1, 1, self.side, self.side)
        outputs = self.last(self.layers(pictures))
        return outputs.reshape(*images.shape[:-1], outputs.shape[-1])


def widths_back(
    hidden: Sequence[int], decoder_hidden: Sequence[int] | None
) -> Sequence[int]:
    """Return the widths of a decoder's hidden layers, by default the encoder's in reverse; check both."""
    back = tuple(reversed(hidden)) if decoder_hidden is None else decoder_hidden
    check_widths(hidden, "hidden")
    check_widths(back, "decoder_hidden")
    return back


def check_sizes(**sizes: int) -> None:
    """Require sizes of at least 1."""
    for name, size in sizes.items():
        check_count(size, name, 1)


def check_widths(widths: Sequence[int], name: str) -> None:
    """Require widths of at least 1."""
    for size in widths:
        check_count(size, name, 1)


@torch.no_grad()
def start_at_frequencies(layer: nn.Module, images: torch.Tensor) -> None:
    """Set the biases of a linear layer to the logits of the pixels' frequencies."""
    assert isinstance(layer, nn.Linear)
    layer.bias.copy_(frequency_logits(images))


def frequency_logits(images: torch.Tensor) -> torch.Tensor:
    """Return the logits of the pixels' frequencies, ``(n, num_pixels)`` to ``(num_pixels,)``."""
    # A pixel that is never set counts as set in half an image.
    frequency = (images.sum(0) + 0.5) / (len(images) + 1)
    return frequency.logit()
