"""What a run computes: one configuration."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from gumbel_tutorial.checks import check_count, check_not_negative, check_positive
from gumbel_tutorial.estimators.layers import check_options
from gumbel_tutorial.estimators.registry import ESTIMATORS
from gumbel_tutorial.vae.data.binarisation import FIXED_SEED

Data = Literal["digits", "mnist"]
Binarisation = Literal["fixed", "dynamic", "threshold", "grey"]

ModelName = Literal["autoencoder", "structured-prediction", "semi-supervised"]

# Settings that other models than these leave alone.
_MODELS_OF: Mapping[str, tuple[ModelName, ...]] = {
    "num_categories": ("autoencoder", "structured-prediction"),
    "decoder_hidden": ("autoencoder", "semi-supervised"),
    "num_layers": ("structured-prediction",),
    "learn_prior": ("autoencoder",),
    "channels": ("semi-supervised",),
    "labelled_per_class": ("semi-supervised",),
    "alpha": ("semi-supervised",),
    "class_samples": ("semi-supervised",),
}


@dataclass(frozen=True)
class Config:
    """What a run computes. The same configuration on the same machine gives the same numbers.

    Attributes:
        data: scikit-learn's digits, which come with the library, or MNIST.
        binarisation: of the grey levels: drawn once, drawn anew in every step, cut at one half, or none.
        binarisation_seed: of pixels that are drawn once: fixed ones, and with dynamic those of the reports.
        model: an autoencoder of categorical codes; prediction of an image's lower half from the upper one;
            or an autoencoder of a class and a Gaussian code, which learns to classify from few labels.
        num_latents: N, latent variables in a layer; with semi-supervised, coordinates of the Gaussian code.
        num_categories: K, categories of each; 2 makes them bits. With semi-supervised, the 10 classes.
        hidden: widths of the encoder's hidden layers, and of a classifier without channels; none is linear.
        decoder_hidden: widths of the decoder's hidden layers; none is linear.
        num_layers: stochastic layers of structured prediction.
        learn_prior: give the autoencoder a prior of its own instead of the uniform one.
        channels: of each convolution of a classifier, such as "16 32 64"; none makes it a perceptron.
        labelled_per_class: labelled images of each class, with semi-supervised; the seed chooses them.
        alpha: weight of the classifier's own loss on the labelled images.
        class_samples: draws of class and code for each image of a step; with exact of the code alone.
        estimator: of the gradient, by name; exact, which with semi-supervised sums over the classes,
            reinforce, reinforce_moving_average, rloo, vimco, straight_through, slope_annealed, darn,
            gumbel_softmax, straight_through_gumbel_softmax, decoupled_straight_through,
            gapped_straight_through, gumbel_rao, reinmax, zgr, muprop, rebar, relax, arm, disarm,
            or unordered_set.
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
    binarisation_seed: int = FIXED_SEED
    model: ModelName = "autoencoder"
    num_latents: int = 20
    num_categories: int = 10
    hidden: tuple[int, ...] = ()
    decoder_hidden: tuple[int, ...] = ()
    num_layers: int = 2
    learn_prior: bool = False
    channels: tuple[int, ...] = ()
    labelled_per_class: int = 10
    alpha: float = 1.0
    class_samples: int = 1
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
        for name, hint in get_type_hints(Config).items():
            choices = get_args(hint) if get_origin(hint) is Literal else ()
            if choices and getattr(self, name) not in choices:
                listed = ", ".join(choices)
                raise ValueError(
                    f"{name} must be one of {listed}, got {getattr(self, name)!r}"
                )
        if self.estimator not in ESTIMATORS:
            known = ", ".join(ESTIMATORS)
            raise ValueError(
                f"estimator must be one of {known}, got {self.estimator!r}"
            )
        for name in ("learning_rate", "temperature", "final_temperature"):
            check_positive(getattr(self, name), name)
        for name in (
            *("steps", "batch_size", "anneal_every"),
            *("labelled_per_class", "class_samples"),
        ):
            check_count(getattr(self, name), name, 1)
        self._check_schedule()
        check_not_negative(self.alpha, "alpha")
        check_seed(self.seed)
        check_seed(self.binarisation_seed, "binarisation_seed")
        self._check_used()

    def _check_schedule(self) -> None:
        check_not_negative(self.anneal_rate, "anneal_rate")
        if self.anneal_rate > 0 and self.final_temperature > self.temperature:
            raise ValueError(
                f"final_temperature must be at most the temperature {self.temperature}, "
                f"got {self.final_temperature}"
            )

    def _check_used(self) -> None:
        """Require that what is set has a use."""
        for own in fields(self):
            value = getattr(self, own.name)
            models = _MODELS_OF.get(own.name, (self.model,))
            if self.model not in models and value != own.default:
                raise ValueError(
                    f"{own.name} must be {own.default} with model {self.model}, got {value}"
                )
        once = self.binarisation in ("fixed", "dynamic")
        if self.binarisation_seed != FIXED_SEED and not once:
            raise ValueError(
                f"binarisation_seed must be {FIXED_SEED} with binarisation {self.binarisation}, "
                f"got {self.binarisation_seed}"
            )
        check_options(self.estimator, self.options)

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


def check_seed(seed: int, name: str = "seed") -> None:
    """Require a whole number that every generator takes."""
    check_count(seed, name, 0)
    if seed >= 2**31:
        raise ValueError(f"{name} must be below 2**31, got {seed}")


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
