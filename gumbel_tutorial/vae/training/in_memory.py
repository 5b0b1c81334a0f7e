"""Training in one call, with the curves that a reader wants to see."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from tqdm import tqdm

from gumbel_tutorial.checks import (
    check_count,
    check_positive,
    check_torch_generator,
    refuse,
)
from gumbel_tutorial.estimators.layers import EstimatorLayers
from gumbel_tutorial.vae.data.images import Images, is_binary
from gumbel_tutorial.vae.data.sources import as_images
from gumbel_tutorial.vae.models.base import LatentModel, check_model
from gumbel_tutorial.vae.training.batches import first_weights, is_due
from gumbel_tutorial.vae.training.device import device_of, on_device
from gumbel_tutorial.vae.training.evaluation import discrete_loss, validate
from gumbel_tutorial.vae.training.trainer import Recipe, Schedule, Trainer


@dataclass
class History:
    """What a run recorded, one entry per evaluation, in nats per image.

    Attributes:
        steps: steps taken so far.
        temperature: temperature of the last step.
        relaxed: the objective at relaxed codes, on the training images.
        train: the negative bound at discrete codes, on the training images.
        test: the same on the test images.

    Of grey images ``train`` and ``test`` are no bounds, see
    :func:`~gumbel_tutorial.vae.training.evaluation.discrete_loss`.
    """

    steps: list[int] = field(default_factory=list)
    temperature: list[float] = field(default_factory=list)
    relaxed: list[float] = field(default_factory=list)
    train: list[float] = field(default_factory=list)
    test: list[float] = field(default_factory=list)


def fit(
    model: LatentModel,
    images: Any,
    test_images: Any,
    *,
    steps: int,
    generator: torch.Generator,
    estimator: str = "gumbel_softmax",
    options: Mapping[str, Any] | None = None,
    temperature: Schedule | float = 1.0,
    labelled: Images | None = None,
    batch_size: int = 100,
    learning_rate: Schedule | float = 1e-3,
    evaluate_every: int = 100,
) -> History:
    """Minimise the negative bound by an estimator with Adam, and record it at discrete codes.

    Args:
        model: is trained in place, on its device.
        images: to train on: an array or a tensor of pixels, a ``.npy`` or ``.npz`` file, a torch ``Dataset``;
            whatever :func:`~gumbel_tutorial.vae.data.sources.as_images` takes.
        test_images: images of the same kinds, for the record alone.
        steps: number of training steps.
        generator: on the device of the model; draws the codes, and once the seeds of the images' order, of
            the evaluations' own generator, so that they change nothing in the training, and of the control
            variate of RELAX.
        estimator: name of the gradient estimator.
        options: options for the estimator, except the one that the temperature schedule sets.
        temperature: a number, or the schedule, step, from 0, to temperature.
        labelled: images with their classes, for a model that learns from labels.
        batch_size: images per step.
        learning_rate: a number, or the schedule, step, from 0, to the learning rate of Adam.
        evaluate_every: steps between two evaluations; the last step is always followed by one.

    Returns:
        The history.

    Raises:
        TypeError: images of another kind; an option that the estimator does not have.
        ValueError: a number that is not positive, an unknown estimator, a pixel outside [0, 1].
        FloatingPointError: logits or the loss are not finite, with the step and the batch.

    Examples:
        >>> import numpy as np
        >>> from gumbel_tutorial import vae
        >>> pixels = np.random.default_rng(0).integers(0, 256, (200, 8, 8), dtype=np.uint8)
        >>> model = vae.CategoricalVAE(64, num_latents=4, num_categories=3, hidden=())
        >>> generator = torch.Generator().manual_seed(0)
        >>> history = fit(model, pixels[:150], pixels[150:], steps=50, generator=generator, estimator="rloo")
        >>> history.steps
        [50]
    """
    steps = check_count(steps, "steps", 1)
    evaluate_every = check_count(evaluate_every, "evaluate_every", 1)
    check_model(model)
    device = device_of(model)
    check_torch_generator(generator, device)
    shown, held_back = (on_device(as_images(s), model) for s in (images, test_images))
    seed, own = _draw_seed(generator), torch.Generator(generator.device)
    own.manual_seed(_draw_seed(generator))
    # Only RELAX has weights to draw.
    with first_weights(_draw_seed(generator) if estimator == "relax" else 0):
        estimators = EstimatorLayers(estimator, model.layers, **(options or {}))
    schedules = (
        _schedule(temperature, "temperature"),
        _schedule(learning_rate, "learning_rate"),
    )
    recipe = Recipe(*schedules, batch_size, seed)
    trainer = Trainer(
        *(model, estimators, shown, recipe), generator=generator, labelled=labelled
    )
    history, named = History(), "bound" if is_binary(held_back.pixels) else "loss"
    with tqdm(total=steps, unit="step") as bar:
        for step in range(1, steps + 1):
            tau = trainer.step().temperature
            bar.update()
            if is_due(step, evaluate_every, steps):
                _record(history, trainer, held_back, tau, own)
                bar.set_postfix({named: history.test[-1], "temperature": tau})
    return history


def _schedule(given: Schedule | float, name: str) -> Schedule:
    if callable(given):
        return given
    if isinstance(given, str):
        refuse(name, "be a number, or a function of the step", given, TypeError)
    check_positive(given, name)
    return lambda _: given


def _draw_seed(generator: torch.Generator) -> int:
    return int(
        torch.randint(2**31, (), generator=generator, device=generator.device).item()
    )


def _record(
    history: History,
    trainer: Trainer,
    test_images: Images,
    tau: float,
    generator: torch.Generator,
) -> None:
    model = trainer.model
    found = validate(model, trainer.images, tau, generator=generator)
    history.steps.append(trainer.steps_taken)
    history.temperature.append(tau)
    history.relaxed.append(found.relaxed)
    history.train.append(found.discrete)
    history.test.append(discrete_loss(model, test_images, generator=generator))
