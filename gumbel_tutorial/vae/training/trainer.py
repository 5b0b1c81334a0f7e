"""One training run as an object that steps, and whose whole state is a table of tensors."""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from gumbel_tutorial.checks import check_count
from gumbel_tutorial.estimators.layers import EstimatorLayers
from gumbel_tutorial.vae.data.binarisation import dynamic
from gumbel_tutorial.vae.data.images import Images, check_labels
from gumbel_tutorial.vae.models.autoencoder import CategoricalVAE, StructuredPrediction
from gumbel_tutorial.vae.models.semi_supervised import SemiSupervisedVAE
from gumbel_tutorial.vae.training.sharing import Share

Model = CategoricalVAE | StructuredPrediction | SemiSupervisedVAE
Schedule = Callable[[int], float]


class Progress(NamedTuple):
    """What a step did: its number, from 1, the mean loss in nats an image, and the settings it had."""

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
        batch_size: images a step, over all processes; what is left over of an epoch is not used in it.
        seed: of the order of the images, a new permutation every epoch.
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

    The order of the images is a function of the seed and the step, so that the step says where in the data
    the run is.

    Args:
        model: is trained in place.
        estimators: the estimator of its layers.
        images: pixels, shape ``(n, num_pixels)``, on the device of the model.
        recipe: how.
        generator: on that device; draws codes, and pixels where the recipe says so.
        share: this process's part of every batch.
        labelled: images with their classes, on that device, for the semi-supervised model and no other.
            Every step shows all of them or, where they are more, a batch; of processes each the same number.

    Raises:
        TypeError: labels that are not whole numbers.
        ValueError: a batch size below 1, above the number of images, or that the processes cannot divide;
            labels missing, out of place or out of their range, or with an estimator of a multi-sample bound.
    """

    def __init__(
        self,
        model: Model,
        estimators: EstimatorLayers,
        images: torch.Tensor,
        recipe: Recipe,
        *,
        generator: torch.Generator,
        share: Share | None = None,
        labelled: Images | None = None,
    ) -> None:
        self.share = Share(0, 1) if share is None else share
        check_count(recipe.batch_size, "batch_size", 1)
        self.share.check(recipe.batch_size, estimators.name)
        if recipe.batch_size > len(images):
            size = recipe.batch_size
            raise ValueError(
                f"batch_size must be at most {len(images)} images, got {size}"
            )
        _check_labelled(model, estimators, labelled)
        self.model, self.estimators = model, estimators
        self.images, self.recipe, self.generator = images, recipe, generator
        self.labelled = labelled
        # Labelled images count as they would in a mean over all images, however often a step shows them.
        weight = len(labelled.labels) / len(images) if labelled is not None else 0.0
        self.objective: nn.Module = _Objective(model, estimators, self.share, weight)
        if self.share.count > 1:
            self.objective = DistributedDataParallel(self.objective)
        parameters = [*model.parameters(), *estimators.parameters()]
        self.optimizer = torch.optim.Adam(parameters, fused=True)
        self.step = 0
        # Counters must not meet: the seeds of neighbouring runs stay apart, and those of the labels too.
        first = recipe.seed * 1_000_003
        self._order = _Order(len(images), recipe.batch_size, first)
        if labelled is not None:
            count = len(labelled.labels)
            size = self.share.most(min(recipe.batch_size, count))
            self._labelled_order = _Order(count, size, first + 500_000)

    def rows(self, step: int) -> torch.Tensor:
        """Return the indices of the images of a step, over all processes."""
        return self._order.rows(step)

    def advance(self) -> Progress:
        """Take one step.

        Raises:
            FloatingPointError: logits or the loss are not finite, with the step and the batch. Weights and
                step are then what they were; the generator has drawn, and a moving average may have moved.
        """
        tau = self.recipe.temperature(self.step)
        rate = self.recipe.learning_rate(self.step)
        rows = self.rows(self.step)
        try:
            with self._precision():
                losses = self.objective(
                    self._batch(rows), tau, self.generator, self._labelled_batch()
                )
            loss = self.share.mean(losses)
            if not math.isfinite(loss):
                raise FloatingPointError(f"loss must be finite, got {loss}")
        except FloatingPointError as error:
            shown = ", ".join(str(row) for row in rows[:10].tolist())
            where = f"step {self.step + 1}, batch of {len(rows)} images {shown}, ..."
            raise FloatingPointError(f"{error} at {where}") from None
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad()
        losses.mean().backward()
        self.optimizer.step()
        self.step += 1
        return Progress(self.step, loss, tau, rate)

    def _batch(self, rows: torch.Tensor) -> torch.Tensor:
        batch = self.images[rows.to(self.images.device)]
        if self.recipe.draws_pixels:
            # All processes draw all pixels, as one would, and keep their own.
            batch = dynamic(batch, generator=self.generator)
        return batch[self.share.rows(len(batch))]

    def _labelled_batch(self) -> Images | None:
        if self.labelled is None:
            return None
        rows = self._labelled_order.rows(self.step).to(self.images.device)
        own = rows[self.share.rows(len(rows))]
        return Images(self.labelled.pixels[own], self.labelled.labels[own])

    def _precision(self) -> AbstractContextManager[object]:
        if not self.recipe.bfloat16:
            return nullcontext()
        return torch.autocast(self.images.device.type, dtype=torch.bfloat16)

    def state(self) -> dict[str, torch.Tensor]:
        """Return everything that the rest of the run depends on, tensors by name, as copies."""
        tensors = {"step": torch.tensor(self.step)}
        tensors["generator"] = self.generator.get_state()
        for prefix, module in (("model", self.model), ("estimators", self.estimators)):
            for name, value in module.state_dict().items():
                tensors[f"{prefix}.{name}"] = value.clone()
        # A parameter that has had no gradient has the moments that Adam begins with.
        moments = self._first_moments() if self.step > 0 else {}
        for number, own in self.optimizer.state_dict()["state"].items():
            for name, value in own.items():
                moments[f"optimizer.{number}.{name}"] = value.clone()
        return tensors | moments

    def load(self, tensors: dict[str, torch.Tensor]) -> None:
        """Continue from a state, which is copied.

        Raises:
            ValueError: a tensor is missing, unknown, or of another shape or dtype; nothing has changed.
        """
        self._check_state(tensors)
        parts: dict[str, dict[str, torch.Tensor]] = {}
        for key, value in tensors.items():
            prefix, _, name = key.partition(".")
            parts.setdefault(prefix, {})[name] = value
        try:
            self.generator.set_state(parts["generator"][""].cpu())
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise ValueError(
                f"state must be that of this model, got {reason}"
            ) from error
        self.model.load_state_dict(parts["model"])
        self.estimators.load_state_dict(parts["estimators"])
        self._load_optimizer(parts.get("optimizer", {}))
        self.step = int(parts["step"][""])

    def _check_state(self, tensors: dict[str, torch.Tensor]) -> None:
        """Require the tensors of a state of this trainer; fused Adam reads moments of any shape unchecked."""
        own = self.state()
        expected = {k: v for k, v in own.items() if not k.startswith("optimizer.")}
        begun = (tensors.get("step", torch.tensor(0)) != 0).any()
        if begun or any(name.startswith("optimizer.") for name in tensors):
            expected |= self._first_moments()
        for name in sorted(set(expected) | set(tensors)):
            fault = _fault(tensors.get(name), expected.get(name))
            if fault:
                raise ValueError(
                    f"state must be that of this model, got {fault} {name}"
                )

    def _first_moments(self) -> dict[str, torch.Tensor]:
        """Return the moments that Adam begins with, of every parameter."""
        moments = {}
        for number, parameter in enumerate(self._parameters):
            start = torch.zeros_like(parameter, requires_grad=False)
            moments[f"optimizer.{number}.step"] = torch.zeros(())
            moments[f"optimizer.{number}.exp_avg"] = start
            moments[f"optimizer.{number}.exp_avg_sq"] = start
        return moments

    @property
    def _parameters(self) -> list[torch.Tensor]:
        return self.optimizer.param_groups[0]["params"]

    def _load_optimizer(self, moments: dict[str, torch.Tensor]) -> None:
        state: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in moments.items():
            number, _, name = key.partition(".")
            state.setdefault(int(number), {})[name] = value.clone()
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})


def _check_labelled(
    model: Model, estimators: EstimatorLayers, labelled: Images | None
) -> None:
    """Require labels where a model learns from them, and an estimator that learns with them."""
    if not isinstance(model, SemiSupervisedVAE):
        if labelled is not None:
            raise ValueError(
                "labelled must be None unless the model is semi-supervised, got images"
            )
        return
    if labelled is None:
        raise ValueError(
            "labelled must be given with the semi-supervised model, got None"
        )
    check_labels(labelled, model.num_categories)
    if estimators.multi_sample:
        raise ValueError(
            f"estimator must be of a one-sample bound with labels, got {estimators.name}"
        )


class _Order:
    """The rows of every step: a new permutation each epoch, a function of the seed and the step alone."""

    def __init__(self, count: int, size: int, seed: int) -> None:
        self.count, self.size, self.seed = count, size, seed
        self._epoch, self._order = -1, torch.empty(0, dtype=torch.long)

    def rows(self, step: int) -> torch.Tensor:
        if self.size == self.count:
            return torch.arange(self.count)
        epoch, position = divmod(step, self.count // self.size)
        if epoch != self._epoch:
            generator = torch.Generator().manual_seed(self.seed + epoch)
            self._order = torch.randperm(self.count, generator=generator)
            self._epoch = epoch
        return self._order[position * self.size :][: self.size]


def _fault(found: torch.Tensor | None, expected: torch.Tensor | None) -> str:
    """Return what is wrong with a tensor of a state, or nothing."""
    if found is None:
        return "no"
    if expected is None:
        return "an unknown"
    if found.shape != expected.shape:
        return f"shape {tuple(found.shape)} instead of {tuple(expected.shape)} in"
    if found.dtype != expected.dtype:
        return f"{found.dtype} instead of {expected.dtype} in"
    return ""


class _Objective(nn.Module):
    """A model's loss as a module, so that processes can share its gradient."""

    def __init__(
        self, model: Model, estimators: EstimatorLayers, share: Share, weight: float
    ) -> None:
        super().__init__()
        self.model, self.estimators, self.share = model, estimators, share
        self.labelled_weight = weight

    def forward(
        self,
        images: torch.Tensor,
        temperature: float,
        generator: torch.Generator,
        labelled: Images | None,
    ) -> torch.Tensor:
        """Return this process's losses, shape ``(batch / processes,)``."""
        estimators = [self.share.spread(s) for s in self.estimators.at(temperature)]
        if isinstance(self.model, SemiSupervisedVAE):
            return self.model.loss(
                images,
                # Its own sum over the classes shares more than that of the estimator.
                [None] if self.estimators.name == "exact" else estimators,
                generator=generator,
                labelled=labelled,
                labelled_weight=self.labelled_weight,
                share=self.share,
            )
        return self.model.loss(
            images,
            estimators,
            generator=generator,
            analytic=not self.estimators.multi_sample,
        )
