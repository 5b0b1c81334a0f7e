"""A network that completes images through layers of stochastic codes."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

from gumbel_tutorial.checks import check_count, refuse
from gumbel_tutorial.estimators.protocol import Estimator, Losses
from gumbel_tutorial.vae.data.images import Images, check_pixels
from gumbel_tutorial.vae.models.base import LatentModel
from gumbel_tutorial.vae.models.bounds import bernoulli_loss
from gumbel_tutorial.vae.models.codes import (
    as_inputs,
    as_logits,
    check_finite,
    draw_codes,
    width,
)
from gumbel_tutorial.vae.models.networks import (
    check_sizes,
    check_widths,
    perceptron,
    start_at_frequencies,
)


class StructuredPrediction(LatentModel):
    r"""The lower half of an image from the upper one, through layers of stochastic codes.

    $p(x_\downarrow\mid x_\uparrow) = \mathbb E\,p(x_\downarrow\mid z_L)$ with $z_1\sim p(z_1\mid x_\uparrow)$
    and $z_{l+1}\sim p(z_{l+1}\mid z_l)$, all maps linear unless hidden layers are asked for.
    Source: Raiko et al. (2015); Jang, Gu and Poole (2017), section 4.1.

    Args:
        num_pixels: pixels per image, an even number; the first half is the upper one.
        num_latents: N, the same in each layer.
        num_categories: the number of categories, K.
        num_layers: L, at least 1.
        hidden: widths of hidden layers of each map.

    Raises:
        ValueError: a size below 1, or an odd number of pixels.
    """

    takes_multi_sample = True

    def __init__(
        self,
        num_pixels: int,
        num_latents: int,
        num_categories: int,
        *,
        num_layers: int = 2,
        hidden: Sequence[int] = (),
    ) -> None:
        super().__init__()
        check_sizes(
            num_pixels=num_pixels,
            num_latents=num_latents,
            num_categories=num_categories,
        )
        check_count(num_layers, "num_layers", 1)
        check_widths(hidden, "hidden")
        if num_pixels % 2:
            refuse("num_pixels", "be even", num_pixels)
        self.num_pixels, self.num_categories = num_pixels, num_categories
        self.layers = [(num_latents, num_categories)] * num_layers
        code, half = width(num_latents, num_categories), num_pixels // 2
        sizes = [half] + [code] * num_layers
        self.maps = nn.ModuleList(
            perceptron([inputs, *hidden, outputs])
            for inputs, outputs in pairwise(sizes)
        )
        self.decoder = perceptron([code, *hidden, half])

    @property
    def networks(self) -> list[nn.Module]:
        """The maps between layers."""
        return [*self.maps, self.decoder]

    def start_at(self, images: torch.Tensor) -> None:
        """Let the decoder's biases start at the frequencies of the lower pixels."""
        start_at_frequencies(self.decoder[-1], _halves(images)[1])

    def loss(
        self,
        batch: Images,
        estimators: Sequence[Estimator],
        *,
        noise: torch.Tensor | None = None,
        generator: torch.Generator,
    ) -> torch.Tensor:
        r"""Return $-\log p$ of the lower half by one estimator per layer, each inside the one before.

        Args:
            batch: pixels of shape ``(batch, num_pixels)``.
            estimators: one for each layer, their options set.
            noise: not used.
            generator: draws the codes.

        Returns:
            Shape ``(batch,)``.

        Raises:
            FloatingPointError: the logits of the codes are not finite.
            ValueError: pixels outside [0, 1], or another number of them.
        """
        del noise
        check_pixels(batch.pixels, self.num_pixels)
        upper, lower = _halves(batch.pixels)

        def below(depth: int, inputs: torch.Tensor) -> torch.Tensor:
            if depth == len(self.maps):
                return bernoulli_loss(self.decoder(inputs), lower)
            logits = as_logits(self.maps[depth](inputs), self.num_categories)
            rest: Losses = lambda codes: below(depth + 1, as_inputs(codes))  # noqa: E731
            return estimators[depth](rest, check_finite(logits), generator=generator)

        return below(0, upper)

    def targets(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the lower half of the pixels."""
        return _halves(pixels)[1]

    def log_weights(
        self, images: torch.Tensor, num_samples: int, *, generator: torch.Generator
    ) -> torch.Tensor:
        """Return log-probabilities of the lower half given codes drawn from the model, ``(n, batch)``."""
        check_pixels(images, self.num_pixels)
        upper, lower = _halves(images)
        return -bernoulli_loss(self._complete(upper, num_samples, generator), lower)

    def complete(
        self, images: torch.Tensor, num_samples: int, *, generator: torch.Generator
    ) -> torch.Tensor:
        """Return pixel probabilities of lower halves, ``(num_samples, batch, num_pixels / 2)``."""
        check_pixels(images, self.num_pixels)
        return self._complete(_halves(images)[0], num_samples, generator).sigmoid()

    def _complete(
        self, upper: torch.Tensor, num_samples: int, generator: torch.Generator
    ) -> torch.Tensor:
        logits = as_logits(self.maps[0](upper), self.num_categories)
        codes = draw_codes(check_finite(logits), num_samples, generator=generator)
        for network in self.maps[1:]:
            logits = as_logits(network(as_inputs(codes)), self.num_categories)
            codes = draw_codes(check_finite(logits), 1, generator=generator)[0]
        return self.decoder(as_inputs(codes))


def _halves(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    upper, lower = images.chunk(2, -1)
    return upper, lower
