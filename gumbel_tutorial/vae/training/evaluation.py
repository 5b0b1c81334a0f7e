"""What a model is worth on images: bounds at discrete codes, and the relaxed number beside them."""

import statistics
from dataclasses import dataclass
from functools import partial

import torch
from tqdm import tqdm

from gumbel_tutorial.checks import check_count
from gumbel_tutorial.estimators.layers import EstimatorLayers
from gumbel_tutorial.vae.data.images import Images
from gumbel_tutorial.vae.models.bounds import multi_sample_bound
from gumbel_tutorial.vae.models.semi_supervised import SemiSupervisedVAE, accuracy
from gumbel_tutorial.vae.training.trainer import Model

# Images and samples at once: what fits in a processor's cache is fastest.
_IMAGES, _SAMPLES = 20, 50


@dataclass(frozen=True)
class Evaluation:
    r"""Mean negative bounds over images, in nats an image.

    Attributes:
        one_sample: $-\mathbb E\log w$ at discrete codes, a bound.
        multi_sample: $-\log\frac1m\sum_i w_i$ at discrete codes, a tighter bound.
        num_samples: m.
        relaxed: the training objective at relaxed codes, no bound.
        temperature: of the relaxed codes.
    """

    one_sample: float
    multi_sample: float
    num_samples: int
    relaxed: float
    temperature: float

    @property
    def integrality_gap(self) -> float:
        """What the relaxed objective promises and discrete codes do not keep."""
        return self.one_sample - self.relaxed


@torch.no_grad()
def assess(
    model: Model,
    images: torch.Tensor,
    *,
    num_samples: int,
    temperature: float,
    generator: torch.Generator,
    progress: bool = False,
) -> Evaluation:
    """Return the bounds of a model on images.

    Args:
        model: the model.
        images: pixels, shape ``(n, num_pixels)``.
        num_samples: m, at least 1; memory does not depend on it.
        temperature: of the relaxed codes.
        generator: draws all codes.
        progress: show a bar where somebody watches.
    """
    check_count(num_samples, "num_samples", 1)
    ones, many = [], []
    disable = None if progress else True
    for batch in tqdm(images.split(_IMAGES), disable=disable, unit="batch"):
        draw = partial(_log_weights, model, batch, generator)
        one, multi = multi_sample_bound(draw, num_samples, at_once=_SAMPLES)
        ones += one.tolist()
        many += multi.tolist()
    return Evaluation(
        one_sample=statistics.fmean(ones),
        multi_sample=statistics.fmean(many),
        num_samples=num_samples,
        relaxed=relaxed_loss(model, images, temperature, generator=generator),
        temperature=temperature,
    )


def _log_weights(
    model: Model, batch: torch.Tensor, generator: torch.Generator, num_samples: int
) -> torch.Tensor:
    return model.log_weights(batch, num_samples, generator=generator)


def classification(model: Model, images: Images) -> dict[str, float]:
    """Return the accuracy of a model that classifies, by that name, and nothing for another."""
    if isinstance(model, SemiSupervisedVAE):
        return {"accuracy": accuracy(model, images)}
    return {}


@torch.no_grad()
def relaxed_loss(
    model: Model,
    images: torch.Tensor,
    temperature: float,
    *,
    generator: torch.Generator,
) -> float:
    """Return the training objective at relaxed codes, one an image; no bound."""
    estimators = EstimatorLayers("gumbel_softmax", model.layers).at(temperature)
    return model.loss(images, estimators, generator=generator).mean().item()


@torch.no_grad()
def discrete_loss(
    model: Model, images: torch.Tensor, *, generator: torch.Generator
) -> float:
    """Return the one-sample negative bound at discrete codes, one an image, with the exact divergence."""
    estimators = EstimatorLayers("reinforce", model.layers).at(1.0)
    return model.loss(images, estimators, generator=generator).mean().item()
