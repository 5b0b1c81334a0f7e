"""The models: a variational autoencoder, and a network that completes images, both with discrete codes."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

from gumbel_tutorial.checks import check_count
from gumbel_tutorial.estimators.protocol import Estimator, Losses
from gumbel_tutorial.vae.models.bounds import (
    categorical_kl,
    plug_in_kl,
    reconstruction_loss,
)
from gumbel_tutorial.vae.models.codes import as_inputs, as_logits, draw_codes, width
from gumbel_tutorial.vae.models.networks import (
    check_widths,
    perceptron,
    start_at_frequencies,
    widths_back,
)


class CategoricalVAE(nn.Module):
    r"""N categorical latent variables of K classes each, between two multilayer perceptrons.

    Prior: uniform, $p(z) = K^{-N}$, or learned. Encoder:
    $q(z \mid x) = \prod_n \mathrm{softmax}(\ell_n(x))^\top z_n$. Decoder: independent Bernoulli pixels.
    The logits $\ell$ are linear outputs: a ReLU on them would have no gradient wherever it clips one.
    With K = 2 the codes are bits: one output of the encoder and one input of the decoder each.

    Args:
        num_pixels: of one image.
        num_latents: N.
        num_categories: K.
        hidden: widths of the encoder's hidden layers; none is a linear encoder.
        decoder_hidden: widths of the decoder's; None takes the encoder's in reverse.
        learn_prior: whether the prior has logits of its own, which start at uniform.
    """

    def __init__(
        self,
        num_pixels: int,
        num_latents: int,
        num_categories: int,
        *,
        hidden: Sequence[int] = (256,),
        decoder_hidden: Sequence[int] | None = None,
        learn_prior: bool = False,
    ) -> None:
        super().__init__()
        check_sizes(num_pixels, num_latents, num_categories)
        back = widths_back(hidden, decoder_hidden)
        self.num_latents, self.num_categories = num_latents, num_categories
        code = width(num_latents, num_categories)
        self.encoder = perceptron([num_pixels, *hidden, code])
        self.decoder = perceptron([code, *back, num_pixels])
        start = torch.zeros(num_latents, num_categories)
        self.prior_logits = nn.Parameter(start) if learn_prior else None

    @property
    def layers(self) -> list[tuple[int, int]]:
        """Number of variables and of categories of each stochastic layer."""
        return [(self.num_latents, self.num_categories)]

    @property
    def networks(self) -> list[nn.Module]:
        """The maps between layers."""
        return [self.encoder, self.decoder]

    def start_at(self, images: torch.Tensor) -> None:
        """Let the decoder's biases start at the frequencies of the pixels."""
        start_at_frequencies(self.decoder[-1], images)

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        """Return the logits of the codes, ``(..., num_pixels)`` to ``(..., N, K)``."""
        return as_logits(self.encoder(images), self.num_categories)

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Return the logits of the pixels, ``(..., N, K)`` to ``(..., num_pixels)``."""
        return self.decoder(as_inputs(codes))

    def loss(
        self,
        images: torch.Tensor,
        estimators: Sequence[Estimator],
        *,
        generator: torch.Generator,
        analytic: bool = True,
    ) -> torch.Tensor:
        """Return what to minimise: the reconstruction loss by an estimator, and the divergence.

        Args:
            images: shape ``(batch, num_pixels)``.
            estimators: one estimator, its options set.
            generator: draws the codes.
            analytic: the exact divergence. Otherwise the plug-in at the codes goes through the estimator,
                as one that minimises a multi-sample bound needs it.

        Returns:
            Shape ``(batch,)``.
        """
        logits = self.encode(images)
        check_finite(logits)

        def reconstruction(codes: torch.Tensor) -> torch.Tensor:
            return reconstruction_loss(self.decode(codes), images)

        def negative_log_weight(codes: torch.Tensor) -> torch.Tensor:
            return reconstruction(codes) + plug_in_kl(codes, logits, self.prior_logits)

        (estimator,) = estimators
        if not analytic:
            return estimator(negative_log_weight, logits, generator=generator)
        losses = estimator(reconstruction, logits, generator=generator)
        return losses + categorical_kl(logits, self.prior_logits)

    def log_weights(
        self, images: torch.Tensor, num_samples: int, *, generator: torch.Generator
    ) -> torch.Tensor:
        r"""Return $\log\frac{p(x, z)}{q(z\mid x)}$ at discrete codes drawn from q, ``(n, batch)``."""
        logits = self.encode(images)
        check_finite(logits)
        codes = draw_codes(logits, num_samples, generator=generator)
        divergence = plug_in_kl(codes, logits, self.prior_logits)
        return -reconstruction_loss(self.decode(codes), images) - divergence

    def sample(self, num_images: int, *, generator: torch.Generator) -> torch.Tensor:
        """Return pixel probabilities of codes drawn from the prior, ``(num_images, num_pixels)``."""
        shape = (self.num_latents, self.num_categories)
        uniform = torch.zeros(shape, device=next(self.parameters()).device)
        prior = uniform if self.prior_logits is None else self.prior_logits
        check_finite(prior)
        codes = draw_codes(prior, num_images, generator=generator)
        return self.decode(codes).sigmoid()


class StructuredPrediction(nn.Module):
    r"""The lower half of an image from the upper one, through layers of stochastic codes.

    $p(x_\downarrow\mid x_\uparrow) = \mathbb E\,p(x_\downarrow\mid z_L)$ with $z_1\sim p(z_1\mid x_\uparrow)$
    and $z_{l+1}\sim p(z_{l+1}\mid z_l)$, all maps linear unless hidden layers are asked for.
    Source: Raiko et al. (2015); Jang, Gu and Poole (2017), section 4.1.

    Args:
        num_pixels: of one image, even; the first half is the upper one.
        num_latents: N, of each layer.
        num_categories: K.
        num_layers: L, at least 1.
        hidden: widths of hidden layers of each map.
    """

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
        check_sizes(num_pixels, num_latents, num_categories)
        check_count(num_layers, "num_layers", 1)
        check_widths(hidden, "hidden")
        if num_pixels % 2:
            raise ValueError(f"num_pixels must be even, got {num_pixels}")
        self.num_latents, self.num_categories = num_latents, num_categories
        code, half = width(num_latents, num_categories), num_pixels // 2
        sizes = [half] + [code] * num_layers
        self.maps = nn.ModuleList(
            perceptron([inputs, *hidden, outputs])
            for inputs, outputs in pairwise(sizes)
        )
        self.decoder = perceptron([code, *hidden, half])

    @property
    def layers(self) -> list[tuple[int, int]]:
        """Number of variables and of categories of each stochastic layer."""
        return [(self.num_latents, self.num_categories)] * len(self.maps)

    @property
    def networks(self) -> list[nn.Module]:
        """The maps between layers."""
        return [*self.maps, self.decoder]

    def start_at(self, images: torch.Tensor) -> None:
        """Let the decoder's biases start at the frequencies of the lower pixels."""
        start_at_frequencies(self.decoder[-1], _halves(images)[1])

    def loss(
        self,
        images: torch.Tensor,
        estimators: Sequence[Estimator],
        *,
        generator: torch.Generator,
        analytic: bool = True,
    ) -> torch.Tensor:
        r"""Return $-\log p$ of the lower half by one estimator a layer, each inside the one before.

        Arguments are those of :meth:`CategoricalVAE.loss`; there is no divergence.
        """
        del analytic
        upper, lower = _halves(images)

        def below(depth: int, inputs: torch.Tensor) -> torch.Tensor:
            if depth == len(self.maps):
                return reconstruction_loss(self.decoder(inputs), lower)
            logits = as_logits(self.maps[depth](inputs), self.num_categories)
            check_finite(logits)
            rest: Losses = lambda codes: below(depth + 1, as_inputs(codes))  # noqa: E731
            return estimators[depth](rest, logits, generator=generator)

        return below(0, upper)

    def log_weights(
        self, images: torch.Tensor, num_samples: int, *, generator: torch.Generator
    ) -> torch.Tensor:
        """Return log-probabilities of the lower half given codes drawn from the model, ``(n, batch)``."""
        upper, lower = _halves(images)
        return -reconstruction_loss(
            self._complete(upper, num_samples, generator), lower
        )

    def complete(
        self, images: torch.Tensor, num_samples: int, *, generator: torch.Generator
    ) -> torch.Tensor:
        """Return pixel probabilities of lower halves, ``(num_samples, batch, num_pixels / 2)``."""
        return self._complete(_halves(images)[0], num_samples, generator).sigmoid()

    def _complete(
        self, upper: torch.Tensor, num_samples: int, generator: torch.Generator
    ) -> torch.Tensor:
        logits = as_logits(self.maps[0](upper), self.num_categories)
        check_finite(logits)
        inputs = as_inputs(draw_codes(logits, num_samples, generator=generator))
        for network in self.maps[1:]:
            logits = as_logits(network(inputs), self.num_categories)
            check_finite(logits)
            inputs = as_inputs(draw_codes(logits, 1, generator=generator)[0])
        return self.decoder(inputs)


def check_sizes(num_pixels: int, num_latents: int, num_categories: int) -> None:
    """Require sizes of at least 1."""
    sizes = {
        "num_pixels": num_pixels,
        "num_latents": num_latents,
        "num_categories": num_categories,
    }
    for name, size in sizes.items():
        check_count(size, name, 1)


def check_finite(logits: torch.Tensor) -> None:
    """Require finite logits of a model whose training may have diverged."""
    if not logits.isfinite().all():
        bad = logits[~logits.isfinite()][0].item()
        raise FloatingPointError(f"logits must be finite, got {bad}")


def _halves(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    upper, lower = images.chunk(2, -1)
    return upper, lower
