"""The loop: draw a batch, relax its codes, step."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from tqdm import tqdm

from gumbel_tutorial.checks import check_positive
from gumbel_tutorial.gumbel_softmax import gumbel_softmax
from gumbel_tutorial.vae.bounds import negative_bound
from gumbel_tutorial.vae.model import CategoricalVAE


@dataclass
class History:
    """What a run recorded, one entry an evaluation; bounds are negative, in nats an image."""

    steps: list[int] = field(default_factory=list)
    temperature: list[float] = field(default_factory=list)
    relaxed: list[float] = field(default_factory=list)
    train: list[float] = field(default_factory=list)
    test: list[float] = field(default_factory=list)


def train(
    model: CategoricalVAE,
    images: torch.Tensor,
    test_images: torch.Tensor,
    *,
    steps: int,
    temperature: Callable[[int], float],
    generator: torch.Generator,
    batch_size: int = 100,
    learning_rate: float = 1e-3,
    hard: bool = False,
    evaluate_every: int = 100,
) -> History:
    """Minimise the negative bound at relaxed codes with Adam, and record it at discrete ones.

    Args:
        model: is trained in place.
        images: training pixels, shape ``(n, num_pixels)``.
        test_images: for the record alone.
        steps: how many.
        temperature: the schedule, step to temperature.
        generator: draws batches and codes, and once the seed of the evaluations' own generator, so that
            they change nothing in the training.
        batch_size: images a step.
        learning_rate: of Adam.
        hard: straight-through codes in training.
        evaluate_every: steps between two evaluations; the last step is always followed by one.

    Returns:
        The history; temperature, the relaxed training objective, and the negative bound at discrete
        codes on training and test images.

    Raises:
        ValueError: a number that is not positive.
        FloatingPointError: logits or the loss are not finite, with the step.
    """
    numbers = {
        "steps": steps,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "evaluate_every": evaluate_every,
    }
    for name, value in numbers.items():
        check_positive(value, name)
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate, fused=True)
    history = History()
    own = _spawn(generator)
    with tqdm(total=steps, unit="step") as bar:
        for step in range(steps):
            tau = temperature(step)
            batch = _draw_batch(images, batch_size, generator)
            try:
                _update(optimizer, _loss(model, batch, tau, hard, generator))
                bar.update()
                if (step + 1) % evaluate_every == 0 or step + 1 == steps:
                    _record(history, model, images, test_images, step + 1, tau, own)
                    bar.set_postfix(
                        bound=f"{history.test[-1]:.2f}", temperature=f"{tau:.2f}"
                    )
            except FloatingPointError as error:
                raise FloatingPointError(f"{error} at step {step}") from None
    return history


def _spawn(generator: torch.Generator) -> torch.Generator:
    """Return another generator on the same device, seeded by one draw of the given one."""
    device = generator.device
    seed = torch.randint(2**62, (), generator=generator, device=device)
    return torch.Generator(device).manual_seed(int(seed))


def _draw_batch(
    images: torch.Tensor, batch_size: int, generator: torch.Generator
) -> torch.Tensor:
    size = (batch_size,)
    return images[
        torch.randint(len(images), size, generator=generator, device=images.device)
    ]


def _update(optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def _loss(
    model: CategoricalVAE,
    images: torch.Tensor,
    tau: float,
    hard: bool,
    generator: torch.Generator,
) -> torch.Tensor:
    logits = model.encode(images)
    _check_finite(logits, "logits")
    codes = gumbel_softmax(logits, tau, hard, generator=generator)
    loss = negative_bound(model.decode(codes), images, logits).mean()
    _check_finite(loss, "loss")
    return loss


def _check_finite(values: torch.Tensor, name: str) -> None:
    """Require finite numbers of a model whose training may have diverged."""
    bad = values[~torch.isfinite(values)]
    if len(bad) > 0:
        raise FloatingPointError(f"{name} must be finite, got {bad[0].item()}")


def _record(
    history: History,
    model: CategoricalVAE,
    images: torch.Tensor,
    test_images: torch.Tensor,
    step: int,
    tau: float,
    generator: torch.Generator,
) -> None:
    history.steps.append(step)
    history.temperature.append(tau)
    history.relaxed.append(
        evaluate(model, images, generator=generator, temperature=tau)
    )
    history.train.append(evaluate(model, images, generator=generator))
    history.test.append(evaluate(model, test_images, generator=generator))


@torch.no_grad()
def evaluate(
    model: CategoricalVAE,
    images: torch.Tensor,
    *,
    generator: torch.Generator,
    temperature: float | None = None,
) -> float:
    """Return the mean negative bound over images, one code each.

    Args:
        model: the model.
        images: pixels, shape ``(n, num_pixels)``.
        generator: draws the codes.
        temperature: of relaxed codes, for which the number is no bound; None draws discrete codes.

    Returns:
        Nats an image.

    Raises:
        FloatingPointError: logits or the loss are not finite.
    """
    tau, hard = (1.0, True) if temperature is None else (temperature, False)
    return _loss(model, images, tau, hard, generator).item()
