"""What a configuration makes: its images, its model, its trainer."""

import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import torch

from gumbel_tutorial import schedules
from gumbel_tutorial.estimators.layers import EstimatorLayers
from gumbel_tutorial.vae.data.binarisation import binarise
from gumbel_tutorial.vae.data.images import Images, Splits, choose_labelled, digits
from gumbel_tutorial.vae.data.mnist_files import mnist
from gumbel_tutorial.vae.data.pooling import pooled
from gumbel_tutorial.vae.data.sources import read_splits
from gumbel_tutorial.vae.models.autoencoder import CategoricalVAE
from gumbel_tutorial.vae.models.base import LatentModel
from gumbel_tutorial.vae.models.prediction import StructuredPrediction
from gumbel_tutorial.vae.models.semi_supervised import SemiSupervisedVAE
from gumbel_tutorial.vae.runs.config import Config
from gumbel_tutorial.vae.training.batches import first_weights
from gumbel_tutorial.vae.training.processes import ALONE, Processes
from gumbel_tutorial.vae.training.trainer import Recipe, Schedule, Trainer

_DIGITS_VALIDATION = 200
# For checkpoints that do not say how many.
NUM_PIXELS = {"digits": 64, "mnist": 784}


def make_splits(config: Config, folder: Path | None, *, download: bool) -> Splits:
    """Return the images of a run, binary as the configuration says, each split drawn by a seed of its own."""
    if config.data == "mnist":
        if folder is None:
            raise ValueError("folder must be given with data mnist, got None")
        splits = mnist(folder, download=download)
    elif config.data == "digits":
        train, test = digits(grey=True)
        cut = len(train.pixels) - _DIGITS_VALIDATION
        splits = Splits(train.take(slice(cut)), train.take(slice(cut, None)), test)
    else:
        splits = read_splits(Path(config.data))
    smaller = [pooled(images, config.pooling) for images in splits]
    made = [
        Images(_binary(images.pixels, config, number), images.labels)
        for number, images in enumerate(smaller)
    ]
    return Splits(*made)


def _binary(pixels: torch.Tensor, config: Config, number: int) -> torch.Tensor:
    how = str(config.binarisation)
    if how == "dynamic" and number > 0:
        how = "fixed"  # what reports must not change from one report to the next
    if how == "fixed":
        return binarise(pixels, how, seed=config.binarisation_seed + number)
    return pixels if how == "dynamic" else binarise(pixels, how)


def reported(config: Config, splits: Splits, name: str) -> Images:
    """Return the images of a split to report on: those that training draws anew are drawn once."""
    images: Images = getattr(splits, name)
    if config.binarisation != "dynamic" or name != "train":
        return images
    pixels = binarise(images.pixels, "fixed", seed=config.binarisation_seed)
    return images._replace(pixels=pixels)


def make_model(config: Config, num_pixels: int) -> LatentModel:
    """Return the model of a run, for images of so many pixels, before it has seen one."""
    with first_weights(config.seed):
        return _MODELS[config.model](config, num_pixels)


def _autoencoder(config: Config, num_pixels: int) -> LatentModel:
    return CategoricalVAE(
        *(num_pixels, config.num_latents, config.num_categories),
        hidden=config.hidden,
        decoder_hidden=config.decoder_hidden,
        learn_prior=config.learn_prior,
        negative_slope=config.negative_slope,
    )


def _prediction(config: Config, num_pixels: int) -> LatentModel:
    return StructuredPrediction(
        *(num_pixels, config.num_latents, config.num_categories),
        num_layers=config.num_layers,
        hidden=config.hidden or (),
    )


def _semi_supervised(config: Config, num_pixels: int) -> LatentModel:
    return SemiSupervisedVAE(
        *(num_pixels, config.num_latents, config.num_categories),
        hidden=config.hidden or (),
        decoder_hidden=config.decoder_hidden,
        channels=config.channels,
        alpha=config.alpha,
        class_samples=config.class_samples,
    )


_MODELS: Mapping[str, Callable[[Config, int], LatentModel]] = {
    "autoencoder": _autoencoder,
    "structured-prediction": _prediction,
    "semi-supervised": _semi_supervised,
}


def make_trainer(
    config: Config,
    images: Images,
    device: torch.device,
    processes: Processes = ALONE,
) -> Trainer:
    """Return the trainer of a run at its start."""
    model = make_model(config, images.pixels.shape[1])
    model.start_at(images.pixels)
    model.to(device)
    estimators = _make_estimators(config, model)
    if config.compile:
        _compile(model)
    recipe = Recipe(
        temperature=make_temperature(config),
        learning_rate=_learning_rate(config),
        batch_size=config.batch_size,
        seed=config.seed,
        draws_pixels=config.binarisation == "dynamic",
        bfloat16=config.bfloat16,
    )
    generator = torch.Generator(device).manual_seed(processes.seed(config.seed))
    return Trainer(
        model,
        estimators,
        images,
        recipe,
        generator=generator,
        processes=processes,
        labelled=_labelled(config, images),
    )


def _compile(model: LatentModel) -> None:
    for network in model.networks:
        # Not network.compile(), which compiles nothing of a Sequential of torch's own layers.
        network.forward = torch.compile(network.forward)


def _make_estimators(config: Config, model: LatentModel) -> EstimatorLayers:
    with first_weights(config.seed):
        return EstimatorLayers(
            config.estimator,
            model.layers,
            anneal_price=config.anneal_price,
            **config.options,
        )


def _labelled(config: Config, images: Images) -> Images | None:
    """Return the images whose labels a run may see, if it learns from labels.

    Where pixels are drawn anew in every step, those of the labelled images are drawn once all the same:
    the protocol of Jang, Gu and Poole (2017), section 4.3.
    """
    if config.model != "semi-supervised":
        return None
    if images.labels is None:
        raise ValueError(
            f"data must have labels with model semi-supervised, got {config.data}"
        )
    num_classes = int(images.labels.max()) + 1
    if num_classes > config.num_categories:
        raise ValueError(
            f"num_categories must be at least {num_classes}, the classes of {config.data}, "
            f"got {config.num_categories}"
        )
    chosen = choose_labelled(
        images,
        config.labelled_per_class,
        seed=config.seed,
        num_categories=config.num_categories,
    )
    pixels = chosen.pixels
    if config.binarisation == "dynamic":
        pixels = binarise(pixels, "fixed", seed=config.seed)
    return Images(pixels, chosen.labels)


def make_temperature(config: Config) -> Schedule:
    """Return the temperature schedule of a run."""
    if config.anneal_rate == 0:
        return schedules.constant(config.temperature)
    return schedules.exponential(
        rate=config.anneal_rate,
        start=config.temperature,
        floor=config.final_temperature,
        every=config.anneal_every,
    )


def _learning_rate(config: Config) -> partial[float]:
    return partial(
        _decayed, start=config.learning_rate, steps=config.steps, decay=config.decay
    )


def _decayed(step: int, *, start: float, steps: int, decay: str) -> float:
    if decay == "none":
        return start
    if decay == "cosine":
        return start * (1 + math.cos(math.pi * step / steps)) / 2
    return start * min(1.0, 2 * (1 - step / steps))
