"""What a model is to those who train it, evaluate it and draw from it."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import nn

from gumbel_tutorial.checks import refuse
from gumbel_tutorial.estimators.protocol import Estimator
from gumbel_tutorial.vae.data.images import Images


class LatentModel(nn.Module, ABC):
    r"""A model of images with layers of categorical variables, trained by any estimator.

    A model of your own says what its ``layers`` are and what its :meth:`loss` is; what else it has is
    asked for where it is used.

    Attributes:
        layers: number of variables N and of categories K of each stochastic layer.
        takes_multi_sample: whether :meth:`loss` hands an estimator that minimises a bound of several samples
            the whole log-ratio, see
            :func:`~gumbel_tutorial.estimators.layers.minimises_multi_sample_bound`.
        num_classes: how many classes it learns from labels by :meth:`supervised_loss`, which :meth:`sample`
            then shows in turn; None for a model that learns without labels.

    Examples:
        >>> from gumbel_tutorial import vae
        >>> class Mine(LatentModel):
        ...     layers = [(20, 10)]
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.encoder, self.decoder = nn.Linear(64, 200), nn.Linear(200, 64)
        ...     def loss(self, batch, estimators, *, noise, generator):
        ...         logits = self.encoder(batch.pixels).unflatten(-1, (20, 10))
        ...         rebuilt = lambda z: vae.reconstruction_loss(self.decoder(z.flatten(-2)), batch.pixels)
        ...         return estimators[0](rebuilt, logits, generator=generator) + vae.categorical_kl(logits)
        >>> train, test = vae.digits()
        >>> generator = torch.Generator().manual_seed(0)
        >>> history = vae.fit(Mine(), train, test, steps=300, generator=generator, estimator="reinmax")
        >>> history.test[-1] < history.test[0]
        True
    """

    layers: Sequence[tuple[int, int]]
    takes_multi_sample: ClassVar[bool] = False
    num_classes: int | None = None

    @abstractmethod
    def loss(
        self,
        batch: Images,
        estimators: Sequence[Estimator],
        *,
        noise: torch.Tensor | None,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """Return what to minimise, in nats per image.

        Args:
            batch: pixels of shape ``(batch, num_pixels)``, and their classes where these are known.
            estimators: one for each layer, its options set.
            noise: standard normal, of the shape :meth:`noise_shape`; None where that is None.
            generator: draws the codes in the estimators.

        Returns:
            Shape ``(batch,)``.
        """

    def noise_shape(
        self, num_images: int, *, labelled: bool = False
    ) -> tuple[int, ...] | None:
        """Return the shape of the standard normal noise of a loss; None where estimators alone draw.

        Args:
            num_images: images in the batch.
            labelled: whether the loss is :meth:`supervised_loss` instead of :meth:`loss`.
        """
        return None

    def supervised_loss(
        self, labelled: Images, *, weight: float, noise: torch.Tensor | None
    ) -> torch.Tensor:
        """Return what labelled images add to the loss, shape ``(images,)``; its mean is added.

        Args:
            labelled: images with their classes.
            weight: their number over that of all images.
            noise: standard normal, as in :meth:`loss`.
        """
        raise self._lacks("supervised_loss")

    def log_weights(
        self, images: torch.Tensor, num_samples: int, *, generator: torch.Generator
    ) -> torch.Tensor:
        r"""Return $\log\frac{p(x, z)}{q(z\mid x)}$ at discrete codes drawn from q, ``(n, batch)``."""
        raise self._lacks("log_weights")

    def sample(self, num_images: int, *, generator: torch.Generator) -> torch.Tensor:
        """Return pixel probabilities of codes drawn from the prior, ``(num_images, num_pixels)``."""
        raise self._lacks("sample")

    def classify(self, images: torch.Tensor) -> torch.Tensor:
        """Return the logits of the classes, ``(..., num_pixels)`` to ``(..., K)``."""
        raise self._lacks("classify")

    def metrics(self, images: Images) -> dict[str, float]:
        """Return what else is known of the model on images, by name; nothing in it is drawn.

        A divergence from the prior, in nats per image, has the name ``kl``: the rest of a loss is then
        reported as ``reconstruction``.
        """
        return {}

    def targets(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return those of an image's pixels that the model gives a probability, by default all."""
        return pixels

    def start_at(self, images: torch.Tensor) -> None:
        """Begin where the frequencies of the pixels of the training images are."""

    @property
    def networks(self) -> list[nn.Module]:
        """The maps between layers, each of which may be compiled."""
        return list(self.children())

    def _lacks(self, name: str) -> TypeError:
        return TypeError(f"model must define {name}, got {type(self).__name__}")


def check_model(model: object) -> None:
    """Require a model that says what its layers are."""
    if not isinstance(model, LatentModel):
        refuse("model", "be a LatentModel", type(model).__name__, TypeError)
    if not getattr(model, "layers", None):
        refuse("model", "say what its layers are", f"none in {type(model).__name__}")
