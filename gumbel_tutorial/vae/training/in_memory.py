"""Training in one call, with the curves that a reader wants to see."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from tqdm import tqdm

from gumbel_tutorial.checks import check_count, check_positive
from gumbel_tutorial.estimators.layers import EstimatorLayers, first_weights
from gumbel_tutorial.vae.training.evaluation import discrete_loss, relaxed_loss
from gumbel_tutorial.vae.training.trainer import Model, Recipe, Schedule, Trainer


@dataclass
class History:
    """What a run recorded, one entry an evaluation; bounds are negative, in nats an image."""

    steps: list[int] = field(default_factory=list)
    temperature: list[float] = field(default_factory=list)
    relaxed: list[float] = field(default_factory=list)
    train: list[float] = field(default_factory=list)
    test: list[float] = field(default_factory=list)


def train(
    model: Model,
    images: torch.Tensor,
    test_images: torch.Tensor,
    *,
    steps: int,
    temperature: Schedule,
    generator: torch.Generator,
    estimator: str = "gumbel_softmax",
    options: Mapping[str, Any] | None = None,
    batch_size: int = 100,
    learning_rate: float = 1e-3,
    evaluate_every: int = 100,
) -> History:
    """Minimise the negative bound by an estimator with Adam, and record it at discrete codes.

    Args:
        model: is trained in place.
        images: training pixels, shape ``(n, num_pixels)``.
        test_images: for the record alone.
        steps: how many.
        temperature: the schedule, step to temperature.
        generator: draws the codes, and once the seeds of the images' order, of the evaluations' own
            generator, so that they change nothing in the training, and of the control variate of RELAX.
        estimator: of the gradient, by name.
        options: of the estimator.
        batch_size: images a step.
        learning_rate: of Adam.
        evaluate_every: steps between two evaluations; the last step is always followed by one.

    Returns:
        The history; temperature, the objective at relaxed codes, and the negative bound at discrete
        codes on training and test images.

    Raises:
        ValueError: a number that is not positive, an unknown estimator.
        FloatingPointError: logits or the loss are not finite, with the step and the batch.
    """
    check_count(steps, "steps", 1)
    check_count(evaluate_every, "evaluate_every", 1)
    check_positive(learning_rate, "learning_rate")
    seed, own = _draw_seed(generator), torch.Generator(generator.device)
    own.manual_seed(_draw_seed(generator))
    # Only RELAX has weights to draw.
    with first_weights(_draw_seed(generator) if estimator == "relax" else 0):
        estimators = EstimatorLayers(estimator, model.layers, **(options or {}))
    trainer = Trainer(
        model,
        estimators.to(images.device),
        images,
        Recipe(temperature, lambda _: learning_rate, batch_size, seed),
        generator=generator,
    )
    history = History()
    with tqdm(total=steps, unit="step") as bar:
        for step in range(1, steps + 1):
            progress = trainer.advance()
            bar.update()
            if step % evaluate_every == 0 or step == steps:
                _record(history, trainer, test_images, progress.temperature, own)
                bar.set_postfix(
                    bound=f"{history.test[-1]:.2f}",
                    temperature=f"{progress.temperature:.2f}",
                )
    return history


def _draw_seed(generator: torch.Generator) -> int:
    return int(
        torch.randint(2**31, (), generator=generator, device=generator.device).item()
    )


def _record(
    history: History,
    trainer: Trainer,
    test_images: torch.Tensor,
    tau: float,
    generator: torch.Generator,
) -> None:
    model, images = trainer.model, trainer.images
    history.steps.append(trainer.step)
    history.temperature.append(tau)
    history.relaxed.append(relaxed_loss(model, images, tau, generator=generator))
    history.train.append(discrete_loss(model, images, generator=generator))
    history.test.append(discrete_loss(model, test_images, generator=generator))
