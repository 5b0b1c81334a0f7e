"""What a gradient of the unlabelled bound costs against the number of classes, and what it is worth.

Costs are of a model of the size of MNIST. Variances are of a small one, trained on scikit-learn's digits of
which ten of each are labelled; classes beyond the ten have no label.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from measure import interleave, record
from semi_supervised import BATCH, HIDDEN, LATENTS, PIXELS

from gumbel_tutorial import categorical, vae
from gumbel_tutorial.estimators import sparsemax
from gumbel_tutorial.estimators.layers import EstimatorLayers
from gumbel_tutorial.noise import normal
from gumbel_tutorial.vae.models.counting import counted_rows

# How many rounds of steps for how many classes.
ROUNDS = {10: 41, 30: 41, 100: 21, 300: 9, 1_000: 3}
SUPPORTS = (1, 4, 16)
ESTIMATORS = {
    "sum": "exact",
    "sparse": "sparse_marginalisation",
    "MVE": "mve",
    "RLOO": "rloo",
    "Gumbel-Softmax": "gumbel_softmax",
}
# When the gradients of a training are compared; the last is its end.
STAGES = (100, 1500)
# Beyond as many classes MVE's systems take longer than all other measurements together.
MOST_SOLVED = 100
BLOCKS, REPEATS = 10, 10

Draws = Callable[[], torch.Tensor]


def losses_of(
    model: vae.SemiSupervisedVAE, name: str, generator: torch.Generator
) -> Callable[..., torch.Tensor]:
    """Return the unlabelled loss of images at a noise of the style, by an estimator."""
    (estimator,) = EstimatorLayers(ESTIMATORS[name], model.layers).at(0.5)
    return partial(model.unlabelled_loss, estimator=estimator, generator=generator)


def with_support(model: vae.SemiSupervisedVAE, size: int) -> None:
    """Give a model logits whose sparsemax has so many classes, its classifier's work unchanged."""
    classify, fixed = model.classify, torch.zeros(model.num_categories)
    fixed[size:] = -2.0
    model.classify = lambda images: fixed + 0 * classify(images)


def make_steps(num_categories: int) -> Iterator[tuple[str, Callable[[], None], float]]:
    """Yield steps, Adam's included, and how often each runs the decoder for an image."""
    images = (torch.rand(BATCH, PIXELS) < 0.13).float()
    sizes = [size for size in SUPPORTS if size < num_categories]
    names = {f"sparse, {size} classes": size for size in sizes} | {
        name: None for name in ESTIMATORS if name != "sparse"
    }
    for name, size in names.items():
        model = vae.SemiSupervisedVAE(PIXELS, LATENTS, num_categories, hidden=HIDDEN)
        if size is not None:
            with_support(model, size)
        generator = torch.Generator().manual_seed(0)
        losses = losses_of(model, name.split(",")[0], generator)
        optimizer = torch.optim.Adam(model.parameters(), fused=True)

        def step(
            losses: Callable[..., torch.Tensor] = losses,
            optimizer: torch.optim.Optimizer = optimizer,
            generator: torch.Generator = generator,
        ) -> None:
            optimizer.zero_grad()
            noise = normal((1, BATCH, LATENTS), generator=generator)
            losses(images, noise=noise).mean().backward()
            optimizer.step()

        with counted_rows(model.decoder) as rows:
            step()
        yield name, step, rows.count / BATCH


def costs(num_categories: int, rounds: int) -> dict[str, dict[str, float]]:
    """Return milliseconds of a step, and the decodings of an image in it, by estimator."""
    made = [*make_steps(num_categories)]
    seconds = interleave({name: step for name, step, _ in made}, rounds=rounds)
    return {
        name: {"milliseconds": 1e3 * seconds[name], "decoded": decoded}
        for name, _, decoded in made
    }


class Moments:
    """Variances of a gradient by blocks of draws, and its mean."""

    def __init__(self) -> None:
        self.blocks: list[list[torch.Tensor]] = []
        self.sums: list[torch.Tensor] = []

    def begin(self) -> None:
        """Begin a block."""
        self.blocks.append([])
        self.sums.append(torch.zeros(()))

    def add(self, gradient: torch.Tensor) -> None:
        """Take a draw in."""
        self.blocks[-1].append(gradient.square().sum())
        self.sums[-1] = self.sums[-1] + gradient

    @property
    def variances(self) -> list[float]:
        """The variance of each block, summed over the coordinates."""
        return [
            ((sum(squares) - total.square().sum() / REPEATS) / (REPEATS - 1)).item()
            for squares, total in zip(self.blocks, self.sums, strict=True)
        ]

    @property
    def square_of_mean(self) -> float:
        """The squared length of the mean, without bias."""
        count = BLOCKS * REPEATS
        mean = sum(self.sums) / count
        variance = sum(self.variances) / BLOCKS
        return (mean.square().sum() - variance / count).item()


def worth(
    model: vae.SemiSupervisedVAE, pool: torch.Tensor, rounds: int
) -> dict[str, Any]:
    """Return what gradients in the classifier cost, their variances, and how far their means are off.

    All estimators see the same images and the same noise of the style.
    """
    generator = torch.Generator().manual_seed(1)
    few = model.num_categories <= MOST_SOLVED
    names = [name for name in ESTIMATORS if few or name != "MVE"]
    losses = {name: losses_of(model, name, generator) for name in names}
    parameters = list(model.classifier.parameters())
    every = list(model.parameters())

    def gradient(name: str, images: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        loss = losses[name](images, noise=noise).mean()
        found = torch.autograd.grad(loss, every, allow_unused=True)
        return torch.cat([each.flatten() for each in found[: len(parameters)]]).double()

    def given() -> tuple[torch.Tensor, torch.Tensor]:
        rows = torch.randint(len(pool), (BATCH,), generator=generator)
        return pool[rows], normal((1, BATCH, model.num_latents), generator=generator)

    own, off = ({name: Moments() for name in names} for _ in range(2))
    for _ in range(BLOCKS):
        for each in (*own.values(), *off.values()):
            each.begin()
        for _ in range(REPEATS):
            seen = given()
            found = {name: gradient(name, *seen) for name in names}
            for name in names:
                own[name].add(found[name])
                off[name].add(found[name] - found["sum"])
    seen = given()
    calls = {name: partial(gradient, name, *seen) for name in names}
    seconds = interleave(calls, rounds=rounds)
    with torch.no_grad():
        logits = model.classify(pool)
    return {
        "entropy": categorical.entropy(logits).mean().item(),
        "support": (sparsemax(logits) > 0).sum(-1).double().mean().item(),
        "square of gradient": own["sum"].square_of_mean,
        "estimators": {
            name: {
                "milliseconds": 1e3 * seconds[name],
                "variances": own[name].variances,
                "square of bias": off[name].square_of_mean,
            }
            for name in names
        },
    }


def stages(num_categories: int, rounds: int) -> dict[str, Any]:
    """Return what gradients are worth at the stages of a training by RLOO."""
    train_images, _ = vae.digits()
    torch.manual_seed(0)
    model = vae.SemiSupervisedVAE(64, 20, num_categories, hidden=(128,))
    trainer = vae.Trainer(
        model,
        EstimatorLayers("rloo", model.layers),
        train_images,
        vae.Recipe(temperature=lambda _: 0.5, learning_rate=lambda _: 1e-3),
        generator=torch.Generator().manual_seed(0),
        labelled=vae.choose_labelled(train_images, 10, seed=0),
    )
    found = {}
    for stage in STAGES:
        while trainer.steps_taken < stage:
            trainer.step()
        found[str(stage)] = worth(model, train_images.pixels, rounds)
    return found


def main() -> None:
    """Measure both, and record them."""
    results: dict[str, Any] = {"costs": {}, "worth": {}}
    for num_categories, rounds in ROUNDS.items():
        results["costs"][num_categories] = costs(num_categories, rounds)
        print(num_categories, results["costs"][num_categories], flush=True)
    for num_categories, rounds in ROUNDS.items():
        results["worth"][num_categories] = stages(num_categories, rounds)
        print(num_categories, results["worth"][num_categories], flush=True)
    print(f"recorded in {record('class_draws', results)}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
