"""Record what the two toys of chapter 7 show: `python tools/record_toy.py`, half a minute on a quiet core.

One autoencoder of handwritten digits is trained as in the chapter. Its decoder, in eight bits a weight, goes
into `assets/figures/decoder-data.js`, and what the model made of ten held-back images at forty stages of its
training into `assets/figures/training-data.js`. Two runs of one version of the package on one machine write
the same bytes; another version may round otherwise. Afterwards: `python tools/moving_pictures.py`.
"""

import base64
from typing import Any

import numpy as np
import sklearn
import torch
from figure_files import write_data

from gumbel_tutorial import noise, schedules, vae
from gumbel_tutorial.nn import gumbel_softmax
from gumbel_tutorial.vae.training.trainer import Recipe, Trainer

TOOL = "record_toy.py"
SEED, STEPS, CHECKPOINTS = 7, 8000, 40
FALLING = schedules.exponential(rate=3e-4, floor=0.3)
RATE = schedules.constant(1e-3)
LEVELS = 15  # of grey, one hexadecimal digit a pixel


def main() -> None:
    """Train, and write both files."""
    torch.set_num_threads(1)
    train, test = vae.digits()
    shown = first_of_each_class(test)
    model, history = record(train, test, shown, STEPS, CHECKPOINTS)
    write_data("decoder", decoder_data(model, test), TOOL)
    write_data("training", history, TOOL)


def about(steps: int) -> dict[str, Any]:
    """Return what the numbers depend on."""
    versions = {"torch": torch.__version__, "scikit-learn": sklearn.__version__}
    images = "scikit-learn's load_digits, pixels of at least half the grey levels"
    return {"images": images, "seed": SEED, "steps": steps, "versions": versions}


def first_of_each_class(images: vae.Images) -> torch.Tensor:
    """Return the first image of each of the ten classes, ``(10, 64)``."""
    rows = [int((images.labels == label).nonzero()[0]) for label in range(10)]
    return images.pixels[rows]


def record(
    train: vae.Images, test: vae.Images, shown: torch.Tensor, steps: int, stages: int
) -> tuple[vae.CategoricalVAE, dict[str, Any]]:
    """Train a model; return it and what it did at the stages, the first before its first step."""
    torch.manual_seed(SEED)
    model = vae.CategoricalVAE(64, num_latents=10, num_categories=10, hidden=(128,))
    trainer = Trainer(
        model,
        vae.EstimatorLayers("gumbel_softmax", model.layers),
        train,
        Recipe(temperature=FALLING, learning_rate=RATE, seed=SEED),
        generator=torch.Generator().manual_seed(SEED),
    )
    gumbels = noise.gumbel((10, 10, 10), generator=torch.Generator().manual_seed(SEED))
    # Early steps change most.
    stops = [0, *np.geomspace(min(10, steps), steps, stages - 1).round().astype(int)]
    rows = []
    for stop in stops:
        while trainer.steps_taken < stop:
            trainer.step()
        rows.append(stage(model, train, test, shown, gumbels, int(stop)))
    columns = {key: [row[key] for row in rows] for key in rows[0]}
    return model, about(steps) | {"shown": levels(shown)} | columns


@torch.no_grad()
def stage(
    model: vae.CategoricalVAE,
    train: vae.Images,
    test: vae.Images,
    shown: torch.Tensor,
    gumbels: torch.Tensor,
    step: int,
) -> dict[str, Any]:
    """Return the settings, mean losses in nats, variables in use and reconstructions of a stage."""
    tau = FALLING(step)

    def mean_loss(images: vae.Images, hard: bool) -> float:
        draws = torch.Generator().manual_seed(SEED)
        logits = model.encode(images.pixels).repeat(10, 1, 1)
        codes = gumbel_softmax(logits, tau, hard=hard, generator=draws)
        pixels = images.pixels.repeat(10, 1)
        losses = vae.negative_bound(model.decode(codes), pixels, logits)
        return round(losses.mean().item(), 2)

    def rebuilt(hard: bool) -> str:
        codes = gumbel_softmax(model.encode(shown), tau, hard=hard, noise=gumbels)
        return levels(model.decode(codes).sigmoid())

    return {
        "step": step,
        "temperature": round(tau, 3),
        "relaxed": mean_loss(train, hard=False),
        "train": mean_loss(train, hard=True),
        "test": mean_loss(test, hard=True),
        "active": int(model.metrics(train)["active_units"]),
        "soft": rebuilt(hard=False),
        "hard": rebuilt(hard=True),
    }


def levels(pixels: torch.Tensor) -> str:
    """Return pixels in [0, 1] as hexadecimal digits."""
    return "".join(
        f"{level:x}" for level in (pixels * LEVELS).round().int().flatten().tolist()
    )


@torch.no_grad()
def decoder_data(model: vae.CategoricalVAE, test: vae.Images) -> dict[str, Any]:
    """Return the decoder in eight bits a weight, and the code of one held-back image of each class."""
    layers = [part for part in model.decoder if isinstance(part, torch.nn.Linear)]
    stored = [eight_bits(layer) for layer in layers]

    def rounded(codes: torch.Tensor) -> torch.Tensor:
        return decode(stored, codes.flatten(-2))

    logits = model.encode(test.pixels)
    hard = torch.nn.functional.one_hot(logits.argmax(-1), 10).float()
    losses = {
        name: vae.reconstruction_loss(decoder(hard), test.pixels)
        for name, decoder in (("exact", model.decode), ("rounded", rounded))
    }
    # Of each class the image that its most probable code redraws best.
    best = [
        min(
            (test.labels == label).nonzero()[:, 0].tolist(),
            key=losses["rounded"].tolist().__getitem__,
        )
        for label in range(10)
    ]
    means = {name: round(loss.mean().item(), 3) for name, loss in losses.items()}
    return about(STEPS) | {
        "reconstruction": means,
        "layers": stored,
        "codes": logits[best].argmax(-1).tolist(),
        "originals": levels(test.pixels[best]),
    }


def eight_bits(layer: torch.nn.Linear) -> dict[str, Any]:
    """Return a layer with its weights rounded to whole numbers in -127 ... 127, a scale for each output."""
    scales = layer.weight.abs().amax(1) / 127
    whole = (layer.weight / scales[:, None]).round().to(torch.int8)
    return {
        "outputs": layer.out_features,
        "inputs": layer.in_features,
        "scales": as_text(scales, "<f4"),
        "weights": as_text(whole, "i1"),
        "biases": as_text(layer.bias, "<f4"),
    }


def as_text(values: torch.Tensor, dtype: str) -> str:
    """Return numbers as the base-64 text of their little-endian bytes."""
    return base64.b64encode(values.detach().numpy().astype(dtype).tobytes()).decode()


def from_text(text: str, dtype: str) -> torch.Tensor:
    """Return the numbers that :func:`as_text` wrote, in float64."""
    values = np.frombuffer(base64.b64decode(text), dtype)
    return torch.from_numpy(values.astype(np.float64))


def decode(
    layers: list[dict[str, Any]],
    inputs: torch.Tensor,
    dtype: torch.dtype = torch.float64,
) -> torch.Tensor:
    """Return the logits of the pixels of codes ``(..., 100)`` by stored layers, a ReLU between them."""
    values = inputs.to(dtype)
    for number, layer in enumerate(layers):
        scales, biases = (from_text(layer[key], "<f4") for key in ("scales", "biases"))
        whole = from_text(layer["weights"], "i1").reshape(layer["outputs"], -1)
        weights = whole * scales[:, None]
        values = values.relu() if number else values
        values = values @ weights.T.to(dtype) + biases.to(dtype)
    return values


if __name__ == "__main__":
    main()
