"""One training run as an object that steps."""

import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from gumbel_tutorial.checks import (
    check_count,
    check_torch_generator,
    refuse,
)
from gumbel_tutorial.estimators.layers import EstimatorLayers
from gumbel_tutorial.noise import normal
from gumbel_tutorial.vae.data.binarisation import dynamic
from gumbel_tutorial.vae.data.images import Images, check_labels
from gumbel_tutorial.vae.data.sources import as_images
from gumbel_tutorial.vae.models.base import LatentModel, check_model
from gumbel_tutorial.vae.training import optimizer
from gumbel_tutorial.vae.training.batches import Order
from gumbel_tutorial.vae.training.device import device_of, on_device
from gumbel_tutorial.vae.training.processes import ALONE, Processes
from gumbel_tutorial.vae.training.state import Parts, from_tensors, to_tensors

Schedule = Callable[[int], float]


class Progress(NamedTuple):
    """What a step did: its number, from 1, the mean loss in nats per image, and the settings it had."""

    step: int
    loss: float
    temperature: float
    learning_rate: float


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Attributes:
        temperature: step, from 0, to the temperature.
        learning_rate: step, from 0, to the learning rate of Adam.
        batch_size: images per step, over all processes; what is left over of an epoch is not used in it.
        seed: seed of the order of the images, a new permutation every epoch.
        draws_pixels: draw binary pixels from grey ones anew in every step.
        bfloat16: autocast the networks to bfloat16.
    """

    temperature: Schedule
    learning_rate: Schedule
    batch_size: int = 100
    seed: int = 0
    draws_pixels: bool = False
    bfloat16: bool = False


class Trainer:
    """Adam on the loss of a model by an estimator.

    Args:
        model: is trained in place, on its device.
        estimators: the estimator of its layers, moved there.
        images: whatever :func:`~gumbel_tutorial.vae.data.sources.as_images` takes, moved there.
        recipe: how to train.
        generator: on that device; draws noise, codes, and pixels where the recipe says so.
        processes: those of the run; by default this one alone.
        labelled: images with their classes, for a model that learns from labels and no other. Each step uses
            all of them, or one batch if there are more than that; every process gets the same number.

    Raises:
        TypeError: images of another kind; labels that are not whole numbers.
        ValueError: a pixel outside [0, 1]; a batch size below 1, above the number of images, or that the
            processes cannot divide; labels missing, out of place or out of their range; an estimator of a
            multi-sample bound for a model that takes none; a generator on another device.

    Examples:
        >>> from gumbel_tutorial import vae
        >>> torch.manual_seed(0)  # doctest: +ELLIPSIS
        <...>
        >>> model = vae.CategoricalVAE(64, num_latents=20, num_categories=10)
        >>> trainer = Trainer(
        ...     model,
        ...     EstimatorLayers("rloo", model.layers),
        ...     vae.digits()[0],
        ...     Recipe(temperature=lambda step: 1.0, learning_rate=lambda step: 1e-3),
        ...     generator=torch.Generator().manual_seed(0),
        ... )
        >>> losses = [trainer.step().loss for _ in range(20)]
        >>> losses[-1] < losses[0]
        True
    """

    def __init__(
        self,
        model: LatentModel,
        estimators: EstimatorLayers,
        images: Any,
        recipe: Recipe,
        *,
        generator: torch.Generator,
        processes: Processes = ALONE,
        labelled: Images | None = None,
    ) -> None:
        self.processes = processes
        check_model(model)
        images, device = on_device(as_images(images), model), device_of(model)
        count = len(images.pixels)
        batch_size = _check_batch(recipe.batch_size, count, self.processes)
        recipe = replace(recipe, batch_size=batch_size)
        _check_model(model, estimators, labelled)
        check_torch_generator(generator, device)
        self.model, self.estimators = model, estimators.to(device)
        self.images, self.recipe, self.generator = images, recipe, generator
        self.labelled = None if labelled is None else on_device(labelled, model)
        # Beside the pool each labelled image counts once, however often a step shows them.
        weight = 0.0 if labelled is None else len(labelled.pixels) / count
        self.objective: nn.Module = _Objective(model, self.estimators, weight)
        if self.processes.count > 1:
            self.objective = DistributedDataParallel(self.objective)
        parameters = [*model.parameters(), *estimators.parameters()]
        self.optimizer = optimizer.fused_adam(parameters)
        #: How many steps have been taken.
        self.steps_taken = 0
        self.order = Order(count, recipe.batch_size, recipe.seed)
        if labelled is not None:
            count = len(labelled.pixels)
            size = self.processes.largest_multiple(min(recipe.batch_size, count))
            self.labelled_order = Order(count, size, recipe.seed, labelled=True)

    def step(self) -> Progress:
        """Take one step.

        Raises:
            FloatingPointError: logits or the loss are not finite, with the step and the batch. Weights and
                steps are then what they were; the generator has drawn, and a moving average may have moved.
        """
        tau = self.recipe.temperature(self.steps_taken)
        rate = self.recipe.learning_rate(self.steps_taken)
        rows = self.order.rows(self.steps_taken)
        try:
            with self.precision():
                losses = self.objective(
                    self._batch(rows), tau, self.generator, self.labelled_batch()
                )
            mean = losses.mean()
            loss = self.processes.mean(mean)
            if not math.isfinite(loss):
                refuse("loss", "be finite", loss, FloatingPointError)
        except FloatingPointError as error:
            shown = ", ".join(str(row) for row in rows[:10].tolist())
            number = self.steps_taken + 1
            where = f"step {number}, batch of {len(rows)} images {shown}, ..."
            raise FloatingPointError(f"{error} at {where}") from None
        optimizer.forget_gradients(self.optimizer)
        mean.backward()
        optimizer.step(self.optimizer, rate)
        self.steps_taken += 1
        return Progress(self.steps_taken, loss, tau, rate)

    def _batch(self, rows: torch.Tensor) -> Images:
        own = rows[self.processes.rows(len(rows))]
        batch = self.images.take(own.to(self.images.pixels.device))
        if self.recipe.draws_pixels:
            pixels = dynamic(batch.pixels, generator=self.generator)
            batch = batch._replace(pixels=pixels)
        return batch

    def labelled_batch(self) -> Images | None:
        """Return what the next step shows this process of the labelled images."""
        if self.labelled is None:
            return None
        rows = self.labelled_order.rows(self.steps_taken)
        own = rows[self.processes.rows(len(rows))]
        return self.labelled.take(own.to(self.images.pixels.device))

    def precision(self) -> AbstractContextManager[object]:
        """Return the context that the networks run in: autocast to bfloat16 where the recipe says so."""
        if not self.recipe.bfloat16:
            return nullcontext()
        return torch.autocast(self.images.pixels.device.type, dtype=torch.bfloat16)

    def state(self) -> dict[str, torch.Tensor]:
        """Return everything that the rest of the run depends on; all processes have to ask for it."""
        return to_tensors(self._parts, self.steps_taken)

    def load(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Continue from a state, which is copied.

        Raises:
            ValueError: a tensor is missing, unknown, or of another shape or dtype; the state is that of
                another number of processes. Nothing has changed.
        """
        self.steps_taken = from_tensors(self._parts, tensors)

    @property
    def _parts(self) -> Parts:
        return Parts(
            *(self.model, self.estimators, self.optimizer),
            *(self.generator, self.processes),
        )


def _check_batch(size: int, count: int, processes: Processes) -> int:
    size = check_count(size, "batch_size", 1)
    processes.check_batch(size)
    if size > count:
        refuse("batch_size", f"be at most {count} images", size)
    return size


def _check_model(
    model: LatentModel, estimators: EstimatorLayers, labelled: Images | None
) -> None:
    """Require a model that can use the labels and the estimator."""
    kind = type(model).__name__
    if model.num_classes is None and labelled is not None:
        refuse(
            "labelled",
            f"be None for {kind}, which does not learn from labels",
            "images",
        )
    if model.num_classes is not None:
        if labelled is None:
            refuse("labelled", f"be given for {kind}", None)
        check_labels(labelled, model.num_classes)
    if estimators.multi_sample and not model.takes_multi_sample:
        refuse("estimator", f"be of a one-sample bound for {kind}", estimators.name)


def loss_of(
    model: LatentModel,
    batch: Images,
    estimators: EstimatorLayers,
    temperature: float,
    *,
    generator: torch.Generator,
) -> torch.Tensor:
    """Return the losses of a model at a temperature of the schedule, their noise drawn first."""
    noise = _draw(model.noise_shape(len(batch.pixels)), generator)
    return model.loss(
        batch, estimators.at(temperature), noise=noise, generator=generator
    )


def _draw(
    shape: tuple[int, ...] | None, generator: torch.Generator
) -> torch.Tensor | None:
    return None if shape is None else normal(shape, generator=generator)


class _Objective(nn.Module):
    """A model's loss as a module, so that processes can share its gradient."""

    def __init__(
        self, model: LatentModel, estimators: EstimatorLayers, weight: float
    ) -> None:
        super().__init__()
        self.model, self.estimators = model, estimators
        self.labelled_weight = weight

    def forward(
        self,
        batch: Images,
        temperature: float,
        generator: torch.Generator,
        labelled: Images | None,
    ) -> torch.Tensor:
        """Return this process's losses, shape ``(batch / processes,)``."""
        model = self.model
        losses = loss_of(
            model, batch, self.estimators, temperature, generator=generator
        )
        if labelled is None:
            return losses
        shape = model.noise_shape(len(labelled.pixels), labelled=True)
        noise = _draw(shape, generator)
        more = model.supervised_loss(labelled, weight=self.labelled_weight, noise=noise)
        return losses + more.mean()
