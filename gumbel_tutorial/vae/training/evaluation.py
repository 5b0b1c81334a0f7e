"""What a model is worth on images: bounds at discrete codes, the relaxed number beside them, accuracy."""

import math
import statistics
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import torch
from torch.nn import functional as F
from tqdm import tqdm

from gumbel_tutorial.checks import (
    check_count,
    check_positive,
    refuse,
)
from gumbel_tutorial.estimators.layers import EstimatorLayers
from gumbel_tutorial.vae.data.images import Images, check_labels, is_binary
from gumbel_tutorial.vae.data.sources import as_images
from gumbel_tutorial.vae.models.base import LatentModel
from gumbel_tutorial.vae.models.bounds import multi_sample_bound, reconstruction_loss
from gumbel_tutorial.vae.models.networks import frequency_logits
from gumbel_tutorial.vae.training.device import on_device
from gumbel_tutorial.vae.training.trainer import loss_of

# Images and samples at once: what fits in a processor's cache is fastest.
_IMAGES, _SAMPLES = 20, 50


@dataclass(frozen=True)
class Evaluation:
    r"""Mean negative bounds over binary images, in nats per image.

    Attributes:
        one_sample: $-\mathbb E\log w$ at discrete codes, a bound.
        multi_sample: $-\log\frac1m\sum_i w_i$ at discrete codes, a tighter bound.
        num_samples: the number of codes, m.
        relaxed: the training objective at relaxed codes, no bound.
        temperature: temperature of the relaxed codes.
    """

    one_sample: float
    multi_sample: float
    num_samples: int
    relaxed: float
    temperature: float

    @property
    def integrality_gap(self) -> float:
        """Discrete bound minus relaxed objective, by how much the relaxation flatters the model."""
        return self.one_sample - self.relaxed


@torch.no_grad()
def assess(
    model: LatentModel,
    images: Any,
    *,
    num_samples: int,
    temperature: float,
    generator: torch.Generator,
    progress: bool = False,
) -> Evaluation:
    """Return the bounds of a model on images.

    Args:
        model: one that has ``log_weights``.
        images: whatever :func:`~gumbel_tutorial.vae.data.sources.as_images` takes.
        num_samples: m, at least 1; memory does not depend on it.
        temperature: temperature of the relaxed codes.
        generator: on the device of the model; draws all codes.
        progress: show a bar where somebody watches.

    Raises:
        TypeError: images of another kind; a model without ``log_weights``.
        ValueError: a count below 1; a pixel that is neither 0 nor 1, for grey ones have no probability here;
            log-weights that are +inf or NaN.
        FloatingPointError: the logits of the codes are not finite.
    """
    num_samples = check_count(num_samples, "num_samples", 1)
    shown = _on_device(model, images)
    _check_binary(shown.pixels)
    ones, many = [], []
    disable = None if progress else True
    for batch in tqdm(shown.pixels.split(_IMAGES), disable=disable, unit="batch"):
        draw = partial(_log_weights, model, batch, generator)
        one, multi = multi_sample_bound(draw, num_samples, at_once=_SAMPLES)
        ones += one.tolist()
        many += multi.tolist()
    return Evaluation(
        one_sample=statistics.fmean(ones),
        multi_sample=statistics.fmean(many),
        num_samples=num_samples,
        relaxed=relaxed_loss(model, shown, temperature, generator=generator),
        temperature=temperature,
    )


def _check_binary(pixels: torch.Tensor) -> None:
    if not is_binary(pixels):
        grey = pixels[(pixels != 0) & (pixels != 1)]
        refuse("pixels", "be 0 or 1 for a bound, see binarise", grey[0].item())


def _log_weights(
    model: LatentModel,
    batch: torch.Tensor,
    generator: torch.Generator,
    num_samples: int,
) -> torch.Tensor:
    return model.log_weights(batch, num_samples, generator=generator)


def _on_device(model: LatentModel, images: Any) -> Images:
    return on_device(as_images(images), model)


class Validation(NamedTuple):
    """Mean losses in nats per image: at discrete codes, a negative bound, and at relaxed ones."""

    discrete: float
    relaxed: float


def validate(
    model: LatentModel, images: Any, temperature: float, *, generator: torch.Generator
) -> Validation:
    """Return what :func:`discrete_loss` and :func:`relaxed_loss` are, the relaxed codes drawn first."""
    shown = _on_device(model, images)
    relaxed = relaxed_loss(model, shown, temperature, generator=generator)
    return Validation(discrete_loss(model, shown, generator=generator), relaxed)


def relaxed_loss(
    model: LatentModel,
    images: Any,
    temperature: float,
    *,
    generator: torch.Generator,
) -> float:
    """Return the training objective at relaxed codes, in nats per image; no bound."""
    return _mean_loss(model, images, "gumbel_softmax", temperature, generator)


def discrete_loss(
    model: LatentModel, images: Any, *, generator: torch.Generator
) -> float:
    """Return the one-sample negative bound at discrete codes, in nats per image, its divergence exact.

    Of grey pixels it is their cross-entropy and the divergence, see
    :func:`~gumbel_tutorial.vae.models.bounds.reconstruction_loss`, and bounds no log-probability of theirs.
    """
    return _mean_loss(model, images, "reinforce", 1.0, generator)


@torch.no_grad()
def _mean_loss(
    model: LatentModel,
    images: Any,
    estimator: str,
    temperature: float,
    generator: torch.Generator,
) -> float:
    estimators = EstimatorLayers(estimator, model.layers)
    shown = _on_device(model, images)
    losses = loss_of(model, shown, estimators, temperature, generator=generator)
    mean = losses.mean().item()
    if math.isnan(mean):
        refuse("loss", "not be NaN", "nan", FloatingPointError)
    return mean


@torch.no_grad()
def describe(model: LatentModel, images: Any, loss: float) -> dict[str, float]:
    """Return a model's own metrics on images; where its divergence is among them, the rest of a loss too.

    Args:
        model: any.
        images: whatever :func:`~gumbel_tutorial.vae.data.sources.as_images` takes.
        loss: the mean loss at discrete codes on these images, in nats per image.

    Returns:
        ``reconstruction``, the loss less the divergence ``kl``, where the model has one; then
        :meth:`~gumbel_tutorial.vae.models.base.LatentModel.metrics`.
    """
    found = model.metrics(_on_device(model, images))
    if "kl" not in found:
        return found
    return {"reconstruction": loss - found["kl"], **found}


def independent_pixels(model: LatentModel, train_images: Any, images: Any) -> float:
    r"""Return the mean of $-\log p(x)$ where every pixel has its frequency and knows of no other.

    A model whose bound is not below it has learned nothing of how pixels go together. A pixel that no image
    has counts as set in half an image.

    Args:
        model: says which pixels count, see
            :meth:`~gumbel_tutorial.vae.models.base.LatentModel.targets`.
        train_images: images to count in; whatever :func:`~gumbel_tutorial.vae.data.sources.as_images` takes.
        images: images to report on, of the same kinds; of grey ones the number is their cross-entropy.

    Returns:
        Nats per image.

    Raises:
        TypeError, ValueError: images of another kind, or of several sizes.

    Examples:
        >>> from gumbel_tutorial import vae
        >>> train, test = vae.digits()
        >>> round(independent_pixels(vae.CategoricalVAE(64), train, test), 2)
        24.58
    """
    counted, shown = (
        model.targets(as_images(each).pixels.double())
        for each in (train_images, images)
    )
    return reconstruction_loss(frequency_logits(counted), shown).mean().item()


def accuracy(model: LatentModel, images: Images) -> float:
    """Return the share of images whose most probable class is their label.

    Raises:
        TypeError: a model that does not classify.
        ValueError: images without labels.
    """
    _check_classes(model, images)
    return model.metrics(images)["accuracy"]


def _check_classes(model: LatentModel, images: Images) -> torch.Tensor:
    """Require a model that classifies, and the classes of images; return these."""
    if model.num_classes is None:
        refuse(
            "model",
            "learn from labels",
            f"{type(model).__name__}, which does not",
            TypeError,
        )
    return check_labels(images, model.num_classes)


def learn_labels_alone(
    model: LatentModel, labelled: Images, *, steps: int, learning_rate: float
) -> None:
    r"""Train the classifier of a model on labelled images alone: what the other images have to beat.

    Args:
        model: its classifier is changed, by Adam on the mean of $-\log q(y\mid x)$.
        labelled: images with their classes, all of which every step sees.
        steps: at least 1.
        learning_rate: positive.

    Raises:
        TypeError: a model that does not classify.
        ValueError: steps below 1, a learning rate that is not positive, images without labels.
    """
    steps = check_count(steps, "steps", 1)
    check_positive(learning_rate, "learning_rate")
    labels = _check_classes(model, labelled).long()
    # Parameters outside the classifier have no gradient and stay as they are.
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    for _ in range(steps):
        logits = model.classify(labelled.pixels)
        optimizer.zero_grad()
        F.cross_entropy(logits, labels).backward()
        optimizer.step()
