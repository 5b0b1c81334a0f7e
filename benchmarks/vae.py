"""A training step of the categorical VAE against the plain loop over ``F.gumbel_softmax``, same layers.

The floor is what no sampler and no loss can do without: a batch, the layers in both passes, Adam. What the
plain loop takes above it is all that a faster step can save.
"""

import math
from itertools import product

import torch
from measure import interleave, record
from torch.nn import functional as F

from gumbel_tutorial.estimators.layers import EstimatorLayers
from gumbel_tutorial.vae.models.autoencoder import CategoricalVAE
from gumbel_tutorial.vae.training.trainer import Recipe, Trainer

BATCH, STEPS = 100, 20
SHAPES = {
    "784-(20x10)-784": (),
    "784-512-256-(20x10)-256-512-784": (512, 256),
}


def plain_step(images: torch.Tensor, hidden: tuple[int, ...], fused: bool):
    """Return steps as tutorials write them: logits, F.gumbel_softmax, cross-entropy, Adam."""
    model = CategoricalVAE(784, 20, 10, hidden=hidden)
    encoder, decoder = model.encoder, model.decoder
    parameters = [*encoder.parameters(), *decoder.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=1e-3, fused=fused)

    def steps():
        for _ in range(STEPS):
            batch = images[torch.randint(len(images), (BATCH,))]
            logits = encoder(batch).view(BATCH, 20, 10)
            codes = F.gumbel_softmax(logits, 1.0)
            pixels = decoder(codes.view(BATCH, 200))
            loss = F.binary_cross_entropy_with_logits(pixels, batch, reduction="sum")
            log_q = F.log_softmax(logits, -1)
            loss = loss + (log_q.exp() * (log_q + math.log(10))).sum()
            optimizer.zero_grad()
            (loss / BATCH).backward()
            optimizer.step()
            loss.item()

    return steps


def bare_step(images: torch.Tensor, hidden: tuple[int, ...]):
    """Return the floor: the layers on what they get, slopes of one, and Adam, with nothing between."""
    model = CategoricalVAE(784, 20, 10, hidden=hidden)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    slope = torch.ones(BATCH, 784)

    def steps():
        for _ in range(STEPS):
            batch = images[torch.randint(len(images), (BATCH,))]
            pixels = model.decoder(model.encoder(batch))
            optimizer.zero_grad()
            pixels.backward(slope)
            optimizer.step()

    return steps


def our_step(images: torch.Tensor, hidden: tuple[int, ...]):
    """Return steps of the trainer, with everything that it checks and reports."""
    model = CategoricalVAE(784, 20, 10, hidden=hidden)
    trainer = Trainer(
        model,
        EstimatorLayers("gumbel_softmax", model.layers),
        images,
        Recipe(temperature=lambda _: 1.0, learning_rate=lambda _: 1e-3),
        generator=torch.Generator().manual_seed(0),
    )

    def steps():
        for _ in range(STEPS):
            trainer.step()

    return steps


def main() -> None:
    """Measure every shape and record the times of a step in milliseconds."""
    images = (torch.rand(5000, 784) < 0.13).float()
    results: dict[str, dict[str, float]] = {}
    for threads, (name, hidden) in product((1, 2), SHAPES.items()):
        torch.set_num_threads(threads)
        name = f"{name}, threads: {threads}"
        seconds = interleave(
            {
                "plain, Adam": plain_step(images, hidden, fused=False),
                "plain, fused Adam": plain_step(images, hidden, fused=True),
                "trainer": our_step(images, hidden),
                "floor": bare_step(images, hidden),
            },
            rounds=25,
        )
        results[name] = {k: 1e3 * value / STEPS for k, value in seconds.items()}
        plain = results[name]["plain, fused Adam"]
        ours, floor = plain / results[name]["trainer"], plain / results[name]["floor"]
        print(f"{name}: the plain loop takes {ours:.2f} times as long as the trainer,")
        print(f"    {floor:.2f} times as long as layers and Adam alone")
    print(f"recorded in {record('vae_step', results)}")


if __name__ == "__main__":
    main()
