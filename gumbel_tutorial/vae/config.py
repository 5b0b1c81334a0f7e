"""What a run computes: one configuration, from which its data, its model and its trainer are made."""

import json
import math
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch

from gumbel_tutorial import temperature
from gumbel_tutorial.checks import check_positive
from gumbel_tutorial.estimators.protocol import check_count
from gumbel_tutorial.vae.binarise import FIXED_SEED, binarise
from gumbel_tutorial.vae.data import Images, Splits, digits
from gumbel_tutorial.vae.mnist import mnist
from gumbel_tutorial.vae.model import CategoricalVAE, StructuredPrediction
from gumbel_tutorial.vae.sharing import Share
from gumbel_tutorial.vae.surrogates import Surrogates, first_weights
from gumbel_tutorial.vae.trainer import Model, Recipe, Trainer

Data = Literal["digits", "mnist"]
Binarisation = Literal["fixed", "dynamic", "threshold", "grey"]

_DIGITS_VALIDATION = 200
_NUM_PIXELS = {"digits": 64, "mnist": 784}


@dataclass(frozen=True)
class Config:
    """What a run computes. The same configuration on the same machine gives the same numbers.

    Attributes:
        data: scikit-learn's digits, which come with the library, or MNIST.
        binarisation: of the grey levels: drawn once, drawn anew in every step, cut at one half, or none.
        task: autoencode images, or predict their lower half from the upper one.
        num_latents: N, latent variables in a layer.
        num_categories: K, categories of each; 2 makes them bits.
        hidden: widths of the encoder's hidden layers; none is linear.
        decoder_hidden: widths of the decoder's hidden layers; none is linear.
        num_layers: stochastic layers of structured prediction.
        learn_prior: give the autoencoder a prior of its own instead of the uniform one.
        estimator: of the gradient, by name.
        options: of the estimator, such as "num_samples 4".
        temperature: of the relaxation at the start.
        final_temperature: where it stops falling.
        anneal_rate: how fast it falls, per step: exp(-rate * step); 0 keeps it.
        anneal_every: steps between two moves of it.
        steps: of training.
        batch_size: images a step, over all processes.
        learning_rate: of Adam.
        decay: keep the learning rate, or let it fall to zero over the second half of the steps.
        seed: of the weights, the order of the images, and all noise.
        bfloat16: run the networks in bfloat16.
        compile: compile the networks first, which takes up to a minute.
    """

    data: Data = "digits"
    binarisation: Binarisation = "fixed"
    task: Literal["autoencode", "predict"] = "autoencode"
    num_latents: int = 20
    num_categories: int = 10
    hidden: tuple[int, ...] = ()
    decoder_hidden: tuple[int, ...] = ()
    num_layers: int = 2
    learn_prior: bool = False
    estimator: str = "gumbel_softmax"
    options: dict[str, float] = field(default_factory=dict)
    temperature: float = 1.0
    final_temperature: float = 0.5
    anneal_rate: float = 1e-4
    anneal_every: int = 500
    steps: int = 5000
    batch_size: int = 100
    learning_rate: float = 1e-3
    decay: Literal["none", "second-half"] = "none"
    seed: int = 0
    bfloat16: bool = False
    compile: bool = False

    def __post_init__(self) -> None:
        for name in ("learning_rate", "temperature", "final_temperature"):
            check_positive(getattr(self, name), name)
        for name in ("steps", "batch_size", "anneal_every"):
            check_count(getattr(self, name), name, 1)
        self._check_schedule()
        check_count(self.seed, "seed", 0)
        if self.seed >= 2**31:
            raise ValueError(f"seed must be below 2**31, got {self.seed}")
        self._check_used()

    def _check_schedule(self) -> None:
        if not 0 <= self.anneal_rate < math.inf:
            raise ValueError(
                f"anneal_rate must be finite and not negative, got {self.anneal_rate}"
            )
        if self.anneal_rate > 0 and self.final_temperature > self.temperature:
            raise ValueError(
                f"final_temperature must be at most the temperature {self.temperature}, "
                f"got {self.final_temperature}"
            )

    def _check_used(self) -> None:
        """Require that what is set has a use."""
        if self.task == "predict":
            if self.decoder_hidden:
                raise ValueError(
                    f"decoder_hidden must be empty with task predict, got {self.decoder_hidden}"
                )
            if self.learn_prior:
                raise ValueError(
                    "learn_prior must be false with task predict, got true"
                )
        elif self.num_layers != 2:
            raise ValueError(
                f"num_layers must be 2 with task autoencode, got {self.num_layers}"
            )
        for name in ("control", "parameters"):
            if self.estimator == "relax" and name in self.options:
                raise ValueError(
                    f"options must not set the {name} of relax, got {self.options}"
                )

    def as_json(self) -> dict[str, Any]:
        """Return the configuration in JSON's types, as a file gives it back."""
        return json.loads(json.dumps(asdict(self)))

    def check_continues(self, before: dict[str, Any]) -> None:
        """Require the configuration that a run has had so far; only a longer run is the same run.

        Raises:
            ValueError: the fields that differ, with both values.
        """
        may_change = {"steps"} if self.decay == "none" else set()
        now = self.as_json()
        changed = [
            f"{name} was {before.get(name)!r}, got {now[name]!r}"
            for name in now
            if before.get(name) != now[name] and name not in may_change
        ]
        if changed:
            raise ValueError(f"configuration must not change: {'; '.join(changed)}")


def from_json(values: dict[str, Any]) -> Config:
    """Return the configuration that :meth:`Config.as_json` wrote."""
    known = {field.name for field in fields(Config)}
    if set(values) != known:
        other = ", ".join(sorted(set(values) ^ known))
        raise ValueError(f"configuration must have this version's fields, got {other}")
    made: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in values.items()
    }
    return Config(**made)


def make_splits(config: Config, folder: Path | None, *, download: bool) -> Splits:
    """Return the images of a run, binary as the configuration says, each split drawn by a seed of its own."""
    if config.data == "mnist":
        if folder is None:
            raise ValueError("folder must be given with data mnist, got None")
        splits = mnist(folder, download=download)
    else:
        train, test = digits(grey=True)
        cut = len(train.pixels) - _DIGITS_VALIDATION
        validation = Images(train.pixels[cut:], train.labels[cut:])
        splits = Splits(
            Images(train.pixels[:cut], train.labels[:cut]), validation, test
        )
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
        return binarise(pixels, how, seed=FIXED_SEED + number)
    return pixels if how == "dynamic" else binarise(pixels, how)


def make_model(config: Config) -> Model:
    """Return the model of a run before it has seen an image."""
    sizes = (_NUM_PIXELS[config.data], config.num_latents, config.num_categories)
    model: Model
    with first_weights(config.seed):
        if config.task == "predict":
            model = StructuredPrediction(
                *sizes, num_layers=config.num_layers, hidden=config.hidden
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
    config: Config, images: torch.Tensor, device: torch.device, share: Share
) -> Trainer:
    """Return the trainer of a run at its start."""
    model = make_model(config)
    model.start_at(images)
    model.to(device)
    whole = {
        k: int(v) if float(v).is_integer() else v for k, v in config.options.items()
    }
    with first_weights(config.seed):
        surrogates = Surrogates(config.estimator, model.layers, **whole).to(device)
    if config.compile:
        for network in model.networks:
            network.compile()
    recipe = Recipe(
        temperature=make_temperature(config),
        learning_rate=_learning_rate(config),
        batch_size=config.batch_size,
        seed=config.seed,
        draws_pixels=config.binarisation == "dynamic",
        bfloat16=config.bfloat16,
    )
    generator = torch.Generator(device).manual_seed(config.seed)
    return Trainer(
        model, surrogates, images.to(device), recipe, generator=generator, share=share
    )


def make_temperature(config: Config) -> partial[float]:
    """Return the temperature schedule of a run."""
    if config.anneal_rate == 0:
        return partial(temperature.constant, temperature=config.temperature)
    return partial(
        temperature.exponential,
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
