"""What a configuration makes: its images, its model, its trainer."""

from functools import partial
from pathlib import Path

import torch

from gumbel_tutorial import schedules
from gumbel_tutorial.estimators.layers import EstimatorLayers
from gumbel_tutorial.vae.data.binarisation import binarise
from gumbel_tutorial.vae.data.images import Images, Splits, choose_labelled, digits
from gumbel_tutorial.vae.data.mnist_files import mnist
from gumbel_tutorial.vae.models.autoencoder import CategoricalVAE
from gumbel_tutorial.vae.models.base import LatentModel
from gumbel_tutorial.vae.models.prediction import StructuredPrediction
from gumbel_tutorial.vae.models.semi_supervised import SemiSupervisedVAE
from gumbel_tutorial.vae.runs.config import Config
from gumbel_tutorial.vae.training.batches import first_weights
from gumbel_tutorial.vae.training.processes import ALONE, Processes
from gumbel_tutorial.vae.training.trainer import Recipe, Schedule, Trainer

_DIGITS_VALIDATION = 200
_NUM_PIXELS = {"digits": 64, "mnist": 784}


def make_splits(config: Config, folder: Path | None, *, download: bool) -> Splits:
    """Return the images of a run, binary as the configuration says, each split drawn by a seed of its own."""
    if config.data == "mnist":
        if folder is None:
            raise ValueError("folder must be given with data mnist, got None")
        splits = mnist(folder, download=download)
    else:
        train, test = digits(grey=True)
        cut = len(train.pixels) - _DIGITS_VALIDATION
        splits = Splits(train.take(slice(cut)), train.take(slice(cut, None)), test)
    made = [
        Images(_binary(images.pixels, config, number), images.labels)
        for number, images in enumerate(splits)
    ]
    return Splits(*made)


def _binary(pixels: torch.Tensor, config: Config, number: int) -> torch.Tensor:
    how: str = config.binarisation
    if how == "dynamic" and number > 0:
        how = "fixed"  # what reports must not change from one report to the next
    if how == "fixed":
        return binarise(pixels, how, seed=config.binarisation_seed + number)
    return pixels if how == "dynamic" else binarise(pixels, how)


def make_model(config: Config) -> LatentModel:
    """Return the model of a run before it has seen an image."""
    sizes = (_NUM_PIXELS[config.data], config.num_latents, config.num_categories)
    model: LatentModel
    with first_weights(config.seed):
        if config.model == "structured-prediction":
            model = StructuredPrediction(
                *sizes, num_layers=config.num_layers, hidden=config.hidden
            )
        elif config.model == "semi-supervised":
            model = SemiSupervisedVAE(
                *sizes,
                hidden=config.hidden,
                decoder_hidden=config.decoder_hidden,
                channels=config.channels,
                alpha=config.alpha,
                class_samples=config.class_samples,
            )
        else:
            model = CategoricalVAE(
                *sizes,
                hidden=config.hidden,
                decoder_hidden=config.decoder_hidden,
                learn_prior=config.learn_prior,
            )
    return model


def make_trainer(
    config: Config,
    images: Images,
    device: torch.device,
    processes: Processes = ALONE,
) -> Trainer:
    """Return the trainer of a run at its start."""
    model = make_model(config)
    model.start_at(images.pixels)
    model.to(device)
    whole = {
        k: int(v) if float(v).is_integer() else v for k, v in config.options.items()
    }
    with first_weights(config.seed):
        estimators = EstimatorLayers(config.estimator, model.layers, **whole)
    if config.compile:
        for network in model.networks:
            # Not network.compile(), which compiles nothing of a Sequential of torch's own layers.
            network.forward = torch.compile(network.forward)
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


def _labelled(config: Config, images: Images) -> Images | None:
    """Return the images whose labels a run may see, if it learns from labels.

    Where pixels are drawn anew in every step, those of the labelled images are drawn once all the same:
    the protocol of Jang, Gu and Poole (2017), section 4.3.
    """
    if config.model != "semi-supervised":
        return None
    chosen = choose_labelled(images, config.labelled_per_class, seed=config.seed)
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
    return start * min(1.0, 2 * (1 - step / steps))
