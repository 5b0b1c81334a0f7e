r"""A variational autoencoder whose classes are known for a few images only, and the bounds that train it.

All losses are negative bounds in nats: lower is better. With $\mathcal L(x, y)$ the loss of an image whose
class is known, the loss of one whose class is not is
$\mathcal U(x) = \sum_y q(y\mid x)\,\mathcal L(x, y) - H[q(y\mid x)]$. The sum is an expectation: a class
drawn from $q(y\mid x)$ estimates it by $\mathcal L(x, y)$ alone, since the draw has weighted the class.
"""

import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F

from gumbel_tutorial import categorical
from gumbel_tutorial.arrays import widen
from gumbel_tutorial.checks import check_count, check_not_negative, check_positive
from gumbel_tutorial.estimators.protocol import Estimator
from gumbel_tutorial.vae.data.images import Images
from gumbel_tutorial.vae.models.autoencoder import check_finite, check_sizes
from gumbel_tutorial.vae.models.bounds import plug_in_kl, reconstruction_loss
from gumbel_tutorial.vae.models.codes import draw_codes
from gumbel_tutorial.vae.models.networks import (
    ConditionalPerceptron,
    Convolutions,
    perceptron,
    start_at_frequencies,
    widths_back,
)
from gumbel_tutorial.vae.training.sharing import Share

_ALONE = Share(0, 1)


class SemiSupervisedVAE(nn.Module):
    r"""A class y and a Gaussian code z behind every image: the model M2.

    Prior: $p(y) = 1/K$, $p(z) = \mathcal N(0, I)$. Decoder: $p(x\mid y, z)$, independent Bernoulli pixels.
    Classifier: $q(y\mid x)$. Encoder: $q(z\mid x, y)$, Gaussian with independent coordinates.
    Encoder and decoder are multilayer perceptrons, whose first layer the class enters; the classifier is a
    perceptron, or convolutions.
    Source: Kingma, Rezende, Mohamed and Welling (2014), section 2; Jang, Gu and Poole (2017), section 4.3.

    Args:
        num_pixels: of one image.
        num_latents: coordinates of z.
        num_categories: K, classes.
        hidden: widths of the hidden layers of the encoder, and of a classifier without channels; none is
            linear.
        decoder_hidden: widths of the decoder's; None takes the encoder's in reverse.
        channels: of each convolution of the classifier, for square images; none makes it a perceptron.
        alpha: $\alpha \ge 0$, weight of the classifier's own term, see :meth:`loss`.
        class_samples: draws of class and code for each image without a label. An estimator that draws
            several classes itself does so for each, and has no baseline across them.
    """

    def __init__(
        self,
        num_pixels: int,
        num_latents: int,
        num_categories: int,
        *,
        hidden: Sequence[int] = (256,),
        decoder_hidden: Sequence[int] | None = None,
        channels: Sequence[int] = (),
        alpha: float = 1.0,
        class_samples: int = 1,
    ) -> None:
        super().__init__()
        check_sizes(num_pixels, num_latents, num_categories)
        back = widths_back(hidden, decoder_hidden)
        check_not_negative(alpha, "alpha")
        self.num_latents, self.num_categories = num_latents, num_categories
        self.alpha = alpha
        self.class_samples = check_count(class_samples, "class_samples", 1)
        self.classifier = (
            Convolutions(num_pixels, channels, num_categories)
            if channels
            else perceptron([num_pixels, *hidden, num_categories])
        )
        self.encoder = ConditionalPerceptron(
            [num_pixels, *hidden, 2 * num_latents], num_categories
        )
        self.decoder = ConditionalPerceptron(
            [num_latents, *back, num_pixels], num_categories
        )

    @property
    def layers(self) -> list[tuple[int, int]]:
        """Number of variables and of categories of the one discrete layer, the class."""
        return [(1, self.num_categories)]

    @property
    def networks(self) -> list[nn.Module]:
        """The maps between layers."""
        return [self.classifier, self.encoder, self.decoder]

    def start_at(self, images: torch.Tensor) -> None:
        """Let the decoder's biases start at the frequencies of the pixels."""
        start_at_frequencies(self.decoder.last, images)

    def classify(self, images: torch.Tensor) -> torch.Tensor:
        r"""Return the logits of $q(y\mid x)$, ``(..., num_pixels)`` to ``(..., K)``."""
        logits = widen(self.classifier(images))
        check_finite(logits)
        return logits

    def labelled_loss(
        self, images: torch.Tensor, classes: torch.Tensor | None, noise: torch.Tensor
    ) -> torch.Tensor:
        r"""Return $\mathcal L(x, y)$, the negative bound on $\log p(x, y)$ at one code z.

        $\mathcal L(x, y) = -\log p(x\mid y, z) + \mathrm{KL}(q(z\mid x, y)\,\|\,p(z)) - \log p(y)$ with
        $z = \mu(x, y) + \sigma(x, y)\,\epsilon$. Source: Kingma et al. (2014), equation 6.

        Args:
            images: shape ``(..., num_pixels)``.
            classes: one-hot or relaxed, shape ``(..., K)``; None is every class, on a leading axis of K. The
                image's share of the first layer is computed once, however many classes meet it.
            noise: $\epsilon$, standard normal, shape ``(..., num_latents)``.

        Returns:
            The broadcast batch shape.

        Raises:
            ValueError: noise of another number of coordinates.
        """
        if noise.shape[-1] != self.num_latents:
            raise ValueError(
                f"noise must have {self.num_latents} coordinates, got shape {tuple(noise.shape)}"
            )
        if classes is None:
            # The classes come first, before the axes that the noise has and the images lack.
            images = images[(None,) * (1 + max(0, noise.ndim - images.ndim))]
        mean, log_scale = self._code(images, classes)
        latents = mean + log_scale.exp() * noise
        divergence = (mean**2 + (2 * log_scale).exp() - 1) / 2 - log_scale
        reconstruction = reconstruction_loss(self.decoder(latents, classes), images)
        return reconstruction + divergence.sum(-1) + math.log(self.num_categories)

    def _code(
        self, images: torch.Tensor, classes: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean and logarithm of the scale of z."""
        mean, log_scale = widen(self.encoder(images, classes)).chunk(2, -1)
        return mean, log_scale

    def marginal_loss(self, images: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        r"""Return $\mathcal U(x)$ by the sum over all K classes, all at once.

        The negative bound on $\log p(x)$. Source: Kingma et al. (2014), equation 7.

        Args:
            images: shape ``(..., num_pixels)``.
            noise: shape ``(..., num_latents)``, the same for all classes.

        Returns:
            The broadcast batch shape.
        """
        logits = self.classify(images)
        losses = self.labelled_loss(images, None, noise).movedim(0, -1)
        expected = (logits.softmax(-1) * losses).sum(-1)
        return expected - categorical.entropy(logits)

    def unlabelled_loss(
        self,
        images: torch.Tensor,
        estimator: Estimator | None,
        *,
        generator: torch.Generator,
        share: Share = _ALONE,
    ) -> torch.Tensor:
        r"""Return $\mathcal L(x, \tilde y) - H[q(y\mid x)]$ by an estimator, its entropy exact.

        No factor $q(\tilde y\mid x)$ stands before $\mathcal L$: with $\tilde y$ drawn from $q(y\mid x)$ the
        mean is that of :meth:`marginal_loss`. Several draws are averaged.
        Source: Jang, Gu and Poole (2017), section 3.3.

        Args:
            images: shape ``(batch, num_pixels)``.
            estimator: an estimator, its options set; None sums over the classes, by :meth:`marginal_loss`.
            generator: draws classes and codes.
            share: this process's part of the batch.

        Returns:
            Shape ``(batch,)``.
        """
        shape = (self.class_samples, len(images), self.num_latents)
        noise = share.normal(shape, generator=generator)
        if estimator is None:
            return self.marginal_loss(images, noise).mean(0)
        logits = self.classify(images)

        def losses(classes: torch.Tensor) -> torch.Tensor:
            return self.labelled_loss(images, classes.squeeze(-2), noise)

        # The class is one variable: (samples, batch, 1, K).
        repeated = logits.unsqueeze(-2).expand(self.class_samples, -1, -1, -1)
        drawn = estimator(losses, repeated, generator=generator).mean(0)
        return drawn - categorical.entropy(logits)

    def loss(
        self,
        images: torch.Tensor,
        estimators: Sequence[Estimator | None],
        *,
        generator: torch.Generator,
        labelled: Images | None = None,
        labelled_weight: float = 1.0,
        share: Share = _ALONE,
    ) -> torch.Tensor:
        r"""Return what to minimise: $\mathcal U(x)$, and the mean over labelled images beside it.

        $\mathcal U(x) + \frac1M\sum_m\big(w\,\mathcal L(x_m, y_m) - \alpha\log q(y_m\mid x_m)\big)$. The
        classifier is in no $\mathcal L$, and learns from labels by the last term alone. With $w$ the number
        of labelled images over that of the others the bounds are those of all images, as one mean.
        Source: Kingma et al. (2014), equations 8 and 9, divided by the number of images without a label;
        their $\alpha$ is then a tenth.

        Args:
            images: used without their classes, shape ``(batch, num_pixels)``.
            estimators: one estimator, its options set, not that of a multi-sample bound; None sums over the
                classes.
            generator: draws classes and codes.
            labelled: M images with their classes; None leaves their mean out.
            labelled_weight: $w$.
            share: this process's part of the batch.

        Returns:
            Shape ``(batch,)``.

        Raises:
            FloatingPointError: the classifier's logits are not finite.
        """
        (estimator,) = estimators
        losses = self.unlabelled_loss(
            images, estimator, generator=generator, share=share
        )
        if labelled is None:
            return losses
        bounds, wrong = self._supervised(labelled, generator, share)
        return losses + (labelled_weight * bounds + self.alpha * wrong).mean()

    def _supervised(
        self, labelled: Images, generator: torch.Generator, share: Share
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the labelled losses, and those of the classifier."""
        images, labels = labelled
        noise = share.normal((len(images), self.num_latents), generator=generator)
        labels = labels.long()  # torch's own losses take no other integers
        classes = F.one_hot(labels, self.num_categories).to(images.dtype)
        wrong = F.cross_entropy(self.classify(images), labels, reduction="none")
        return self.labelled_loss(images, classes, noise), wrong

    def log_weights(
        self, images: torch.Tensor, num_samples: int, *, generator: torch.Generator
    ) -> torch.Tensor:
        r"""Return $\log\frac{p(x, y, z)}{q(y, z\mid x)}$ at draws of y and z from q, ``(n, batch)``."""
        logits = self.classify(images).unsqueeze(-2)
        codes = draw_codes(logits, num_samples, generator=generator)
        classes = codes.squeeze(-2)
        mean, log_scale = self._code(images, classes)
        noise = _ALONE.normal(mean.shape, generator=generator)
        latents = mean + log_scale.exp() * noise
        divergence = (latents**2 - noise**2).sum(-1) / 2 - log_scale.sum(-1)
        reconstruction = reconstruction_loss(self.decoder(latents, classes), images)
        return -reconstruction - divergence - plug_in_kl(codes, logits)

    def sample(self, num_images: int, *, generator: torch.Generator) -> torch.Tensor:
        """Return pixel probabilities, ``(num_images, num_pixels)``: the classes by turns, a code a turn."""
        count = self.num_categories
        shape = (-(-num_images // count), 1, self.num_latents)
        weights = next(self.parameters())
        latents = _ALONE.normal(shape, generator=generator).to(weights)
        # Every class on the first axis, as the decoder wants it, and then by turns.
        pixels = self.decoder(latents.movedim(1, 0), None).sigmoid()
        return pixels.transpose(0, 1).flatten(0, 1)[:num_images]


def learn_labels_alone(
    model: SemiSupervisedVAE, labelled: Images, *, steps: int, learning_rate: float
) -> None:
    r"""Train the classifier of a model on labelled images alone: what the other images have to beat.

    Args:
        model: its classifier is changed, by Adam on the mean of $-\log q(y\mid x)$.
        labelled: images with their classes, all of which every step sees.
        steps: at least 1.
        learning_rate: positive.

    Raises:
        ValueError: steps below 1 or a learning rate that is not positive.
    """
    check_count(steps, "steps", 1)
    check_positive(learning_rate, "learning_rate")
    optimizer = torch.optim.Adam(model.classifier.parameters(), lr=learning_rate)
    for _ in range(steps):
        logits = model.classify(labelled.pixels)
        optimizer.zero_grad()
        F.cross_entropy(logits, labelled.labels.long()).backward()
        optimizer.step()


@torch.no_grad()
def accuracy(model: SemiSupervisedVAE, images: Images) -> float:
    """Return the share of images whose most probable class is their label."""
    found = model.classify(images.pixels).argmax(-1)
    return (found == images.labels).double().mean().item()
