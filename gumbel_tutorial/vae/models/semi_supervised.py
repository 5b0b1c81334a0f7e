r"""A variational autoencoder whose classes are known for a few images only, and the bounds that train it.

All losses are negative bounds in nats: lower is better. With $\mathcal L(x, y)$ the loss of an image whose
class is known, the loss of one whose class is not is
$\mathcal U(x) = \sum_y q(y\mid x)\,\mathcal L(x, y) - H[q(y\mid x)]$. The sum is an expectation: a class
drawn from $q(y\mid x)$ estimates it by $\mathcal L(x, y)$ alone, since the draw has weighted the class.
"""

import math
from collections.abc import Sequence

import torch
from torch.nn import functional as F

from gumbel_tutorial import categorical
from gumbel_tutorial.arrays import widen
from gumbel_tutorial.checks import (
    check_count,
    check_not_negative,
    refuse,
)
from gumbel_tutorial.estimators.layers import name_of
from gumbel_tutorial.estimators.protocol import Estimator
from gumbel_tutorial.estimators.sparse import sparsemax
from gumbel_tutorial.noise import normal
from gumbel_tutorial.vae.data.images import Images, check_labels, check_pixels
from gumbel_tutorial.vae.models.base import LatentModel
from gumbel_tutorial.vae.models.bounds import bernoulli_loss, log_ratio
from gumbel_tutorial.vae.models.codes import check_finite, draw_codes
from gumbel_tutorial.vae.models.networks import (
    HIDDEN,
    ConditionalPerceptron,
    Convolutions,
    check_sizes,
    perceptron,
    start_at_frequencies,
    widths_back,
)
from gumbel_tutorial.vae.models.usage import ACTIVE, code_perplexity

# Images at once where every class meets every image.
_AT_ONCE = 1000


class SemiSupervisedVAE(LatentModel):
    r"""A class y and a Gaussian code z behind every image: the model M2.

    Prior: $p(y) = 1/K$, $p(z) = \mathcal N(0, I)$. Decoder: $p(x\mid y, z)$, independent Bernoulli pixels.
    Classifier: $q(y\mid x)$. Encoder: $q(z\mid x, y)$, Gaussian with independent coordinates.
    Encoder and decoder are multilayer perceptrons, whose first layer the class enters; the classifier is a
    perceptron, or convolutions.
    Source: Kingma, Rezende, Mohamed and Welling (2014), section 2; Jang, Gu and Poole (2017), section 4.3.

    Args:
        num_pixels: pixels per image.
        num_latents: coordinates of z.
        num_categories: K, classes.
        hidden: widths of the hidden layers of the encoder, and of a classifier without channels; none is
            linear.
        decoder_hidden: widths of the decoder's; None takes the encoder's in reverse.
        channels: channels of each convolution of the classifier, for square images; none makes it a
            perceptron.
        alpha: $\alpha \ge 0$, weight of the classifier's own term, see :meth:`supervised_loss`.
        class_samples: draws of class and code for each image without a label. An estimator that draws
            several classes itself does so for each, and has no baseline across them.

    Raises:
        ValueError: a size below 1, a weight that is negative, or pixels that make no square with channels.
    """

    def __init__(
        self,
        num_pixels: int,
        num_latents: int,
        num_categories: int,
        *,
        hidden: Sequence[int] = HIDDEN,
        decoder_hidden: Sequence[int] | None = None,
        channels: Sequence[int] = (),
        alpha: float = 1.0,
        class_samples: int = 1,
    ) -> None:
        super().__init__()
        check_sizes(
            num_pixels=num_pixels,
            num_latents=num_latents,
            num_categories=num_categories,
        )
        back = widths_back(hidden, decoder_hidden)
        check_not_negative(alpha, "alpha")
        self.num_pixels = num_pixels
        self.num_latents, self.num_categories = num_latents, num_categories
        #: The one discrete layer is the class.
        self.layers = [(1, num_categories)]
        self.num_classes = num_categories
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

    def start_at(self, images: torch.Tensor) -> None:
        """Let the decoder's biases start at the frequencies of the pixels."""
        start_at_frequencies(self.decoder.last, images)

    def classify(self, images: torch.Tensor) -> torch.Tensor:
        r"""Return the logits of $q(y\mid x)$, ``(..., num_pixels)`` to ``(..., K)``."""
        return check_finite(widen(self.classifier(images)))

    def noise_shape(
        self, num_images: int, *, labelled: bool = False
    ) -> tuple[int, ...]:
        """Return the shape of the noise of z, once for each draw of an image without a label."""
        draws = () if labelled else (self.class_samples,)
        return (*draws, num_images, self.num_latents)

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
            ValueError: noise of another number of coordinates; pixels outside [0, 1].
        """
        check_pixels(images, self.num_pixels)
        if noise.shape[-1] != self.num_latents:
            refuse(
                "noise",
                f"have {self.num_latents} coordinates",
                f"shape {tuple(noise.shape)}",
            )
        if classes is None:
            # The classes come first, before the axes that the noise has and the images lack.
            images = images[(None,) * (1 + max(0, noise.ndim - images.ndim))]
        mean, log_scale = self._code(images, classes)
        latents = mean + log_scale.exp() * noise
        divergence = _gaussian_divergence(mean, log_scale)
        reconstruction = bernoulli_loss(self.decoder(latents, classes), images)
        return reconstruction + divergence + math.log(self.num_categories)

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
        # Put in at the end: a probability that rounds to 0 would make it 0 * inf.
        infinite = losses == torch.inf
        weighted = logits.softmax(-1) * losses.masked_fill(infinite, 0.0)
        expected = weighted.sum(-1).masked_fill(infinite.any(-1), torch.inf)
        return expected - categorical.entropy(logits)

    def sparse_loss(self, images: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        r"""Return $\sum_y p_y\,\mathcal L(x, y) - H(p)$ with sparsemax of the classifier's logits for p.

        Exact, by the classes above 0 alone: each image meets its own. It is a bound as :meth:`marginal_loss`
        is, but of another posterior, and so another objective. A class at 0 has no gradient here.
        Source: Correia et al. (2020), section 5.1.

        Args:
            images: shape ``(batch, num_pixels)``.
            noise: shape ``(..., batch, num_latents)``, the same for all classes.

        Returns:
            Shape ``(..., batch)``.
        """
        probs = sparsemax(self.classify(images))
        image, category = (probs > 0).nonzero(as_tuple=True)
        share = probs[image, category]
        classes = F.one_hot(category, self.num_categories).to(images.dtype)
        losses = self.labelled_loss(images[image], classes, noise[..., image, :])
        # The entropy, its terms one by one: p log p.
        terms = share * (losses + share.log())
        nothing = terms.new_zeros(*terms.shape[:-1], len(images))
        return nothing.index_add(-1, image, terms)

    def unlabelled_loss(
        self,
        images: torch.Tensor,
        estimator: Estimator,
        *,
        noise: torch.Tensor,
        generator: torch.Generator,
    ) -> torch.Tensor:
        r"""Return $\mathcal L(x, \tilde y) - H[q(y\mid x)]$ by an estimator, its entropy exact.

        No factor $q(\tilde y\mid x)$ stands before $\mathcal L$: with $\tilde y$ drawn from $q(y\mid x)$ the
        mean is that of :meth:`marginal_loss`, which the estimator ``exact`` is computed by. Several draws are
        averaged. The estimator ``sparse_marginalisation`` is :meth:`sparse_loss`, whose entropy is another.
        Source: Jang, Gu and Poole (2017), section 3.3.

        Args:
            images: shape ``(batch, num_pixels)``.
            estimator: an estimator, its options set.
            noise: $\epsilon$, standard normal, shape ``(class_samples, batch, num_latents)``.
            generator: draws classes.

        Returns:
            Shape ``(batch,)``.
        """
        # The model's own sums over classes share more than those of the estimators, and leave out more.
        sums = {
            "exact": self.marginal_loss,
            "sparse_marginalisation": self.sparse_loss,
        }
        name = name_of(estimator)
        if name in sums:
            return sums[name](images, noise).mean(0)
        logits = self.classify(images)

        def losses(classes: torch.Tensor) -> torch.Tensor:
            return self.labelled_loss(images, classes.squeeze(-2), noise)

        # The class is one variable: (samples, batch, 1, K).
        repeated = logits.unsqueeze(-2).expand(self.class_samples, -1, -1, -1)
        drawn = estimator(losses, repeated, generator=generator).mean(0)
        return drawn - categorical.entropy(logits)

    def loss(
        self,
        batch: Images,
        estimators: Sequence[Estimator],
        *,
        noise: torch.Tensor | None,
        generator: torch.Generator,
    ) -> torch.Tensor:
        r"""Return $\mathcal U(x)$ of images whose classes are not looked at, by :meth:`unlabelled_loss`.

        Args:
            batch: pixels of shape ``(batch, num_pixels)``.
            estimators: one estimator, its options set, not that of a multi-sample bound.
            noise: standard normal, shape ``(class_samples, batch, num_latents)``.
            generator: draws classes.

        Returns:
            Shape ``(batch,)``.

        Raises:
            FloatingPointError: the classifier's logits are not finite.
            ValueError: noise of another shape; pixels outside [0, 1].
        """
        (estimator,) = estimators
        noise = self._checked(noise, self.noise_shape(len(batch.pixels)))
        return self.unlabelled_loss(
            batch.pixels, estimator, noise=noise, generator=generator
        )

    def _checked(
        self, noise: torch.Tensor | None, shape: tuple[int, ...]
    ) -> torch.Tensor:
        if noise is None or noise.shape != shape:
            found = None if noise is None else f"shape {tuple(noise.shape)}"
            refuse("noise", f"have shape {shape}", found)
        return noise

    def supervised_loss(
        self, labelled: Images, *, weight: float, noise: torch.Tensor | None
    ) -> torch.Tensor:
        r"""Return $w\,\mathcal L(x_m, y_m) - \alpha\log q(y_m\mid x_m)$ of labelled images.

        The whole objective is the mean of $\mathcal U$ and, beside it, that of these terms. The classifier is
        in no $\mathcal L$, and learns from labels by the last term alone. With $w$ the number of labelled
        images over that of the pool without labels the bounds are those of all images: times the size of the
        pool, a sum of both. Images that are in the pool too count there once more.
        Source: Kingma et al. (2014), equations 8 and 9, divided by the number of images without a label;
        their $\alpha$ is then a tenth.

        Args:
            labelled: M images with their classes.
            weight: $w$.
            noise: $\epsilon$, standard normal, shape ``(M, num_latents)``.

        Returns:
            Shape ``(M,)``.

        Raises:
            FloatingPointError: the classifier's logits are not finite.
            TypeError, ValueError: labels that are no classes; noise of another shape.
        """
        labels = check_labels(labelled, self.num_categories).long()
        images = labelled.pixels
        noise = self._checked(noise, self.noise_shape(len(images), labelled=True))
        classes = F.one_hot(labels, self.num_categories).to(images.dtype)
        wrong = F.cross_entropy(self.classify(images), labels, reduction="none")
        return weight * self.labelled_loss(images, classes, noise) + self.alpha * wrong

    def log_weights(
        self, images: torch.Tensor, num_samples: int, *, generator: torch.Generator
    ) -> torch.Tensor:
        r"""Return $\log\frac{p(x, y, z)}{q(y, z\mid x)}$ at draws of y and z from q, ``(n, batch)``."""
        check_pixels(images, self.num_pixels)
        logits = self.classify(images).unsqueeze(-2)
        codes = draw_codes(logits, num_samples, generator=generator)
        classes = codes.squeeze(-2)
        mean, log_scale = self._code(images, classes)
        noise = normal(mean.shape, generator=generator)
        latents = mean + log_scale.exp() * noise
        divergence = (latents**2 - noise**2).sum(-1) / 2 - log_scale.sum(-1)
        reconstruction = bernoulli_loss(self.decoder(latents, classes), images)
        return -reconstruction - divergence - log_ratio(codes, logits, None)

    def sample(self, num_images: int, *, generator: torch.Generator) -> torch.Tensor:
        """Return pixel probabilities, ``(num_images, num_pixels)``; classes in turn, a new code each turn."""
        count = self.num_categories
        shape = (-(-num_images // count), 1, self.num_latents)
        weights = next(self.parameters())
        latents = normal(shape, generator=generator).to(weights)
        # Every class on the first axis, as the decoder wants it, and then by turns.
        pixels = self.decoder(latents.movedim(1, 0), None).sigmoid()
        return pixels.transpose(0, 1).flatten(0, 1)[:num_images]

    @torch.no_grad()
    def metrics(self, images: Images) -> dict[str, float]:
        r"""Return the exact divergence, what of the code is used, and how often the class is right.

        The names: ``kl``, $\mathrm{KL}(q(y, z\mid x)\,\|\,p(y)\,p(z))$, the divergence of the styles weighted
        by the classes; ``active_units``, how many coordinates of z are active, the variance over images of
        $\sum_y q(y\mid x)\,\mu(x, y)$ above 0.01 as Burda, Grosse and Salakhutdinov (2016) have it;
        ``perplexity``, of the classes, :func:`~gumbel_tutorial.vae.models.usage.code_perplexity`; and, where
        labels are known, ``accuracy``, the share of images whose most probable class is their label.
        """
        logits = self.classify(images.pixels)
        found = self._divergences(images.pixels, logits) | {
            "perplexity": code_perplexity(logits.unsqueeze(-2)).item()
        }
        if images.labels is not None:
            right = logits.argmax(-1) == images.labels
            found["accuracy"] = right.double().mean().item()
        return found

    def _divergences(
        self, pixels: torch.Tensor, logits: torch.Tensor
    ) -> dict[str, float]:
        probs, divergences, means = logits.softmax(-1), [], []
        blocks = (each.split(_AT_ONCE) for each in (pixels, probs))
        for images, weights in zip(*blocks, strict=True):
            mean, log_scale = self._code(images.unsqueeze(0), None)
            each = _gaussian_divergence(mean, log_scale).movedim(0, -1)
            divergences.append((weights * each).sum(-1))
            means.append((weights.T.unsqueeze(-1) * mean).sum(0))
        of_classes = math.log(self.num_categories) - categorical.entropy(logits)
        activity = torch.cat(means).var(0, correction=0)
        return {
            "kl": (of_classes + torch.cat(divergences)).mean().item(),
            "active_units": (activity > ACTIVE).sum().item(),
        }


def _gaussian_divergence(mean: torch.Tensor, log_scale: torch.Tensor) -> torch.Tensor:
    r"""Return $\mathrm{KL}(\mathcal N(\mu, \sigma^2)\,\|\,\mathcal N(0, I))$, ``(..., d)`` to ``(...)``."""
    return ((mean**2 + (2 * log_scale).exp() - 1) / 2 - log_scale).sum(-1)
