"""The model: an encoder to categorical logits, a decoder from one-hot or relaxed codes."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

from gumbel_tutorial.checks import check_positive


class CategoricalVAE(nn.Module):
    r"""N categorical latent variables of K classes each, between two multilayer perceptrons.

    Prior: uniform, $p(z) = K^{-N}$. Encoder: $q(z \mid x) = \prod_n \mathrm{softmax}(\ell_n(x))^\top z_n$.
    Decoder: independent Bernoulli pixels. The logits $\ell$ are linear outputs: a ReLU on them would
    have no gradient wherever it clips one.

    Args:
        num_pixels: of one image.
        num_latents: N.
        num_categories: K.
        hidden: widths of the encoder's hidden layers; the decoder has them in reverse.
    """

    def __init__(
        self,
        num_pixels: int,
        num_latents: int,
        num_categories: int,
        *,
        hidden: Sequence[int] = (256,),
    ) -> None:
        super().__init__()
        sizes = {
            "num_pixels": num_pixels,
            "num_latents": num_latents,
            "num_categories": num_categories,
        }
        for name, size in sizes.items():
            check_positive(size, name)
        self.num_latents, self.num_categories = num_latents, num_categories
        code = num_latents * num_categories
        self.encoder = perceptron([num_pixels, *hidden, code])
        self.decoder = perceptron([code, *reversed(hidden), num_pixels])

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        """Return the logits of the codes, ``(..., num_pixels)`` to ``(..., N, K)``."""
        return self.encoder(images).unflatten(
            -1, (self.num_latents, self.num_categories)
        )

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Return the logits of the pixels, ``(..., N, K)`` to ``(..., num_pixels)``."""
        return self.decoder(codes.flatten(-2))


def perceptron(sizes: Sequence[int]) -> nn.Sequential:
    """Return linear layers of the given sizes with ReLU between them and none at the end."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes[:-1]):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1]))
