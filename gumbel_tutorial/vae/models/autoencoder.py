"""A variational autoencoder with categorical codes."""

from collections.abc import Sequence

import torch
from torch import nn

from gumbel_tutorial.checks import refuse
from gumbel_tutorial.estimators.layers import minimises_multi_sample_bound
from gumbel_tutorial.estimators.protocol import Estimator
from gumbel_tutorial.vae.data.images import Images, check_pixels
from gumbel_tutorial.vae.models.base import LatentModel
from gumbel_tutorial.vae.models.bounds import bernoulli_loss, divergence, log_ratio
from gumbel_tutorial.vae.models.codes import (
    as_inputs,
    as_logits,
    check_finite,
    draw_codes,
    width,
)
from gumbel_tutorial.vae.models.networks import (
    HIDDEN,
    PerRow,
    check_sizes,
    perceptron,
    start_at_frequencies,
    widths_back,
)
from gumbel_tutorial.vae.models.usage import (
    active_units,
    code_perplexity,
    mutual_information,
)


class CategoricalVAE(LatentModel):
    r"""N categorical latent variables of K classes each, between an encoder and a decoder.

    Prior: uniform, $p(z) = K^{-N}$, or learned. Encoder:
    $q(z \mid x) = \prod_n \mathrm{softmax}(\ell_n(x))^\top z_n$. Decoder: independent Bernoulli pixels.
    The logits $\ell$ are linear outputs: a ReLU on them would have no gradient wherever it clips one.
    With K = 2 the codes are bits: one output of the encoder and one input of the decoder each.

    Args:
        num_pixels: pixels per image; may be left out with an encoder and a decoder of your own.
        num_latents: the number of variables, N.
        num_categories: the number of categories, K.
        hidden: widths of the encoder's hidden layers; none is a linear encoder, and None is 256.
        decoder_hidden: widths of the decoder's; None takes the encoder's in reverse.
        encoder: a network of your own, rows of pixels ``(rows, num_pixels)`` to the logits of all variables
            in one row, ``(rows, N K)``, or ``(rows, N)`` for bits.
        decoder: a network of your own, rows of codes, as wide as the outputs of the encoder, to the logits of
            the pixels, ``(rows, num_pixels)``.
        learn_prior: whether the prior has logits of its own, which start at uniform.
        negative_slope: of the hidden layers that are made here, by how much their ReLU leaks.

    Raises:
        TypeError: an encoder or a decoder that is no ``torch.nn.Module``.
        ValueError: a size below 1; a negative slope below 0; no number of pixels for a network that is to be
            made; widths for one that is given.

    Examples:
        >>> convolution = nn.Sequential(nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 4, 8), nn.Flatten())
        >>> encoder, decoder = nn.Sequential(convolution, nn.Linear(4, 200)), nn.Linear(200, 64)
        >>> model = CategoricalVAE(num_latents=20, num_categories=10, encoder=encoder, decoder=decoder)
        >>> tuple(model.encode(torch.ones(5, 64)).shape)
        (5, 20, 10)
    """

    takes_multi_sample = True

    def __init__(
        self,
        num_pixels: int | None = None,
        num_latents: int = 20,
        num_categories: int = 10,
        *,
        hidden: Sequence[int] | None = None,
        decoder_hidden: Sequence[int] | None = None,
        encoder: nn.Module | None = None,
        decoder: nn.Module | None = None,
        learn_prior: bool = False,
        negative_slope: float = 0.0,
    ) -> None:
        super().__init__()
        check_sizes(num_latents=num_latents, num_categories=num_categories)
        if num_pixels is not None:
            check_sizes(num_pixels=num_pixels)
        _check_unused(encoder=encoder, hidden=hidden)
        _check_unused(decoder=decoder, decoder_hidden=decoder_hidden)
        self.num_pixels = num_pixels
        self.num_latents, self.num_categories = num_latents, num_categories
        self.layers = [(num_latents, num_categories)]
        there = HIDDEN if hidden is None else hidden
        back = widths_back(there, decoder_hidden)
        code = width(num_latents, num_categories)
        self.encoder = _network(
            "encoder", encoder, [num_pixels, *there, code], negative_slope
        )
        self.decoder = _network(
            "decoder", decoder, [code, *back, num_pixels], negative_slope
        )
        start = torch.zeros(num_latents, num_categories)
        self.prior_logits = nn.Parameter(start) if learn_prior else None

    def start_at(self, images: torch.Tensor) -> None:
        """Let the biases of a decoder that was made here start at the frequencies of the pixels."""
        if isinstance(self.decoder, nn.Sequential):
            start_at_frequencies(self.decoder[-1], images)

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        """Return the logits of the codes, ``(..., num_pixels)`` to ``(..., N, K)``."""
        return as_logits(self.encoder(images), self.num_categories)

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Return the logits of the pixels, ``(..., N, K)`` to ``(..., num_pixels)``."""
        return self.decoder(as_inputs(codes))

    def loss(
        self,
        batch: Images,
        estimators: Sequence[Estimator],
        *,
        noise: torch.Tensor | None = None,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """Return what to minimise: the reconstruction loss by an estimator, and the exact divergence.

        Of an estimator that minimises a multi-sample bound the divergence is a part, as the plug-in at its
        codes.

        Args:
            batch: pixels of shape ``(batch, num_pixels)``.
            estimators: one estimator, its options set.
            noise: not used.
            generator: draws the codes.

        Returns:
            Shape ``(batch,)``.

        Raises:
            FloatingPointError: the logits of the codes are not finite.
            ValueError: pixels outside [0, 1]; a network of your own that returns another shape.
        """
        del noise
        (estimator,) = estimators
        images = batch.pixels
        check_pixels(images, self.num_pixels)
        logits = check_finite(self.encode(images))

        def reconstruction(codes: torch.Tensor) -> torch.Tensor:
            return self._reconstruction_loss(codes, images)

        def negative_log_weight(codes: torch.Tensor) -> torch.Tensor:
            return reconstruction(codes) + log_ratio(codes, logits, self.prior_logits)

        if minimises_multi_sample_bound(estimator):
            return estimator(negative_log_weight, logits, generator=generator)
        losses = estimator(reconstruction, logits, generator=generator)
        return losses + divergence(logits, self.prior_logits)

    def _reconstruction_loss(
        self, codes: torch.Tensor, images: torch.Tensor
    ) -> torch.Tensor:
        pixel_logits = self.decode(codes)
        if pixel_logits.shape[-1] != images.shape[-1]:
            refuse(
                "decoder",
                f"return {images.shape[-1]} numbers for each of the codes",
                pixel_logits.shape[-1],
            )
        return bernoulli_loss(pixel_logits, images)

    def log_weights(
        self, images: torch.Tensor, num_samples: int, *, generator: torch.Generator
    ) -> torch.Tensor:
        r"""Return $\log\frac{p(x, z)}{q(z\mid x)}$ at discrete codes drawn from q, ``(n, batch)``."""
        check_pixels(images, self.num_pixels)
        logits = check_finite(self.encode(images))
        codes = draw_codes(logits, num_samples, generator=generator)
        ratio = log_ratio(codes, logits, self.prior_logits)
        return -self._reconstruction_loss(codes, images) - ratio

    @torch.no_grad()
    def metrics(self, images: Images) -> dict[str, float]:
        """Return the exact divergence ``kl`` and what of the code is used.

        The names: ``information``, the sum over variables of
        :func:`~gumbel_tutorial.vae.models.usage.mutual_information`; ``active_units``, how many are
        :func:`~gumbel_tutorial.vae.models.usage.active_units`; ``perplexity``, the mean of
        :func:`~gumbel_tutorial.vae.models.usage.code_perplexity`.
        """
        logits = check_finite(self.encode(images.pixels))
        return {
            "kl": divergence(logits, self.prior_logits).mean().item(),
            "information": mutual_information(logits).sum().item(),
            "active_units": active_units(logits).sum().item(),
            "perplexity": code_perplexity(logits).mean().item(),
        }

    def sample(self, num_images: int, *, generator: torch.Generator) -> torch.Tensor:
        """Return pixel probabilities of codes drawn from the prior, ``(num_images, num_pixels)``."""
        shape = (self.num_latents, self.num_categories)
        uniform = torch.zeros(shape, device=next(self.parameters()).device)
        prior = uniform if self.prior_logits is None else self.prior_logits
        codes = draw_codes(check_finite(prior), num_images, generator=generator)
        return self.decode(codes).sigmoid()


def _network(
    name: str,
    own: nn.Module | None,
    sizes: Sequence[int | None],
    negative_slope: float,
) -> nn.Module:
    """Return a network of one's own, or a perceptron of the sizes."""
    if own is not None:
        return PerRow(own, name, sizes[-1])
    known = [size for size in sizes if size is not None]
    if len(known) < len(sizes):
        refuse("num_pixels", f"be given unless {name} is", None)
    return perceptron(known, negative_slope)


def _check_unused(**settings: object) -> None:
    """Refuse widths beside a network that is given."""
    (name, network), (widths, value) = settings.items()
    if network is not None and value is not None:
        refuse(widths, f"be None beside {name}", value)
