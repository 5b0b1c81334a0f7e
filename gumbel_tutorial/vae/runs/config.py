"""What a run computes, and where it goes: the settings of the command ``train``."""

import inspect
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

import numpy as np

from gumbel_tutorial.checks import check_count, check_not_negative, check_positive
from gumbel_tutorial.estimators.layers import check_options
from gumbel_tutorial.estimators.registry import ESTIMATORS
from gumbel_tutorial.vae.data.binarisation import FIXED_SEED
from gumbel_tutorial.vae.models.networks import HIDDEN

Binarisation = Literal["fixed", "dynamic", "threshold", "grey"]

ModelName = Literal["autoencoder", "structured-prediction", "semi-supervised"]

# The registry is the one list of the names, which a checker of types cannot read.
if TYPE_CHECKING:
    EstimatorName = str
else:
    EstimatorName = Literal[tuple(ESTIMATORS)]

# Settings that other models than these leave alone. Groups of settings, one for each model, would say the
# same, but the command line then has a subcommand for a model, and no flag --model.
_MODELS_OF: Mapping[str, tuple[ModelName, ...]] = {
    "decoder_hidden": ("autoencoder", "semi-supervised"),
    "num_layers": ("structured-prediction",),
    "learn_prior": ("autoencoder",),
    "negative_slope": ("autoencoder",),
    "channels": ("semi-supervised",),
    "labelled_per_class": ("semi-supervised",),
    "alpha": ("semi-supervised",),
    "class_samples": ("semi-supervised",),
}

#: The names of the images that come with the package or are fetched; other images come from a file.
NAMED_DATA = ("digits", "mnist")


@dataclass(frozen=True)
class Config:
    """What a run computes. The same configuration on the same machine gives the same numbers.

    A file that keeps a configuration may lack settings that later versions have; it means their defaults.
    So a new setting's default has to be what runs did without it, see :func:`from_json`.

    Attributes:
        data: Images to train on: "digits" (scikit-learn's, which come with the library), "mnist", or a file
            of your own: .npy with images, .npz with images and perhaps labels.
        binarisation: How grey levels become binary: drawn once, drawn anew in every step, cut at one half,
            or not at all, which leaves no bound to report. By default "threshold" for the digits and "fixed"
            for all other images.
        binarisation_seed: Seed for pixels drawn once: all of them with "fixed"; only the validation and test
            images with "dynamic".
        pooling: Side of the square blocks of pixels whose means are the pixels; 1 leaves the images alone.
        model: An autoencoder of categorical codes; prediction of an image's lower half from the upper one;
            or an autoencoder of a class and a Gaussian code, which learns to classify from few labels.
        num_latents: Number N of latent variables in a layer; with "semi-supervised", of coordinates of the
            Gaussian code.
        num_categories: Number K of categories of each latent variable; 2 makes them bits. With
            "semi-supervised", the number of classes.
        hidden: Widths of the encoder's hidden layers, and of a classifier without channels, e.g. "128 64";
            no number makes it linear. By default 256, and no layer for structured prediction.
        decoder_hidden: Widths of the decoder's hidden layers; no number makes it linear. By default the
            encoder's in reverse.
        num_layers: Number of stochastic layers of structured prediction.
        learn_prior: Give the autoencoder a prior of its own instead of the uniform one.
        negative_slope: By how much the ReLU of the autoencoder's hidden layers leaks.
        channels: For "semi-supervised" on square images, channels of each convolution of the classifier,
            e.g. "16 32 64"; none makes it a perceptron.
        labelled_per_class: For "semi-supervised", the number of labelled images of each class; the seed
            chooses them.
        alpha: For "semi-supervised", the weight of the classifier's own loss on the labelled images.
        class_samples: For "semi-supervised", draws of class and code per image and step; with the estimator
            "exact", of the code alone.
        estimator: Gradient estimator. "exact" sums over all codes; with "semi-supervised", over the classes.
        options: Options for the estimator, each a name and a number, e.g. "num_samples 4" for "rloo"; a name
            that it does not have is answered with those that it has.
        temperature: Temperature of the relaxation at the start.
        final_temperature: Temperature at which annealing stops.
        anneal_rate: Rate of the annealing per step, as in exp(-rate * step); 0 keeps the temperature.
        anneal_every: Steps between two changes of the temperature.
        anneal_price: With the estimator "mve", let the price of an error on quadratics, its option
            "temperature", be the reciprocal of the temperature here, and so rise as that falls.
        steps: Number of training steps.
        batch_size: Images per step, over all processes.
        learning_rate: Adam's learning rate.
        decay: Keep the learning rate, or let it fall to zero: over the second half of the steps, or over all
            of them as half a cosine wave.
        seed: Seed for the weights, the order of the images, and all noise.
        bfloat16: Run the networks in bfloat16.
        compile: Compile the networks first, which takes up to a minute.
    """

    data: str = "digits"
    binarisation: Binarisation | None = None
    binarisation_seed: int = FIXED_SEED
    pooling: int = 1
    model: ModelName = "autoencoder"
    num_latents: int = 20
    num_categories: int = 10
    hidden: tuple[int, ...] | None = None
    decoder_hidden: tuple[int, ...] | None = None
    num_layers: int = 2
    learn_prior: bool = False
    negative_slope: float = 0.0
    channels: tuple[int, ...] = ()
    labelled_per_class: int = 10
    alpha: float = 1.0
    class_samples: int = 1
    estimator: EstimatorName = "gumbel_softmax"
    options: dict[str, float] = field(default_factory=dict)
    temperature: float = 1.0
    final_temperature: float = 0.3
    anneal_rate: float = 3e-4
    anneal_every: int = 500
    anneal_price: bool = False
    steps: int = 5000
    batch_size: int = 100
    learning_rate: float = 1e-3
    decay: Literal["none", "second-half", "cosine"] = "none"
    seed: int = 0
    bfloat16: bool = False
    compile: bool = False

    def __post_init__(self) -> None:
        for name, hint in _hints().items():
            value = _plain(getattr(self, name))
            object.__setattr__(self, name, value)
            _check_type(value, name, hint)
        self._settle()
        for name in ("learning_rate", "temperature", "final_temperature"):
            check_positive(getattr(self, name), name)
        for name in (
            *("num_latents", "num_categories", "num_layers"),
            *("steps", "batch_size", "anneal_every"),
            *("labelled_per_class", "class_samples", "pooling"),
        ):
            check_count(getattr(self, name), name, 1)
        self._check_schedule()
        check_not_negative(self.alpha, "alpha")
        check_not_negative(self.negative_slope, "negative_slope")
        check_seed(self.seed)
        check_seed(self.binarisation_seed, "binarisation_seed")
        self._check_used()

    def _settle(self) -> None:
        """Say what was left to be settled, and give options their estimator's types."""
        settled = {"options": _typed(self.estimator, self.options)}
        for name, value in self._left_open().items():
            if getattr(self, name) is None:
                settled[name] = value
        for name, value in settled.items():
            object.__setattr__(self, name, value)
        self._settle_data()

    def _left_open(self) -> dict[str, Any]:
        """Return what the settings mean that are left open."""
        predicts = self.model == "structured-prediction"
        hidden = (() if predicts else HIDDEN) if self.hidden is None else self.hidden
        return {
            "binarisation": "threshold" if self.data == "digits" else "fixed",
            "hidden": hidden,
            # Structured prediction has no decoder of its own.
            "decoder_hidden": () if predicts else tuple(reversed(hidden)),
        }

    def _settle_data(self) -> None:
        """Give a file of images a path that holds in every folder."""
        if self.data in NAMED_DATA:
            return
        if Path(self.data).suffix not in (".npy", ".npz"):
            raise ValueError(
                f"data must be digits, mnist, or a file .npy or .npz, got {self.data!r}"
            )
        object.__setattr__(self, "data", str(Path(self.data).absolute()))

    def _check_schedule(self) -> None:
        check_not_negative(self.anneal_rate, "anneal_rate")
        if self.anneal_rate > 0 and self.final_temperature > self.temperature:
            raise ValueError(
                f"final_temperature must be at most the temperature {self.temperature}, "
                f"got {self.final_temperature}"
            )

    def _check_used(self) -> None:
        """Refuse a setting that this model would ignore."""
        left_open = self._left_open()
        for own in fields(self):
            value = getattr(self, own.name)
            default = left_open.get(own.name, own.default)
            models = _MODELS_OF.get(own.name, (self.model,))
            if self.model not in models and value != default:
                raise ValueError(
                    f"{own.name} must be {default} with model {self.model}, got {value}"
                )
        once = self.binarisation in ("fixed", "dynamic")
        if self.binarisation_seed != FIXED_SEED and not once:
            raise ValueError(
                f"binarisation_seed must be {FIXED_SEED} with binarisation {self.binarisation}, "
                f"got {self.binarisation_seed}"
            )
        check_options(self.estimator, self.options, anneal_price=self.anneal_price)

    def as_json(self) -> dict[str, Any]:
        """Return the configuration in JSON's types, as a file gives it back."""
        return json.loads(json.dumps(asdict(self)))

    def check_continues(self, before: "Config") -> None:
        """Require the configuration that a run has had so far; only a longer run is the same run.

        A file of images may have moved: what it holds is compared when it is read.

        Raises:
            ValueError: the fields that differ, with both values.
        """
        may_change = {"steps"} if self.decay == "none" else set()
        if not {self.data, before.data} & set(NAMED_DATA):
            may_change |= {"data"}
        changed = [
            f"{own.name} was {getattr(before, own.name)!r}, got {getattr(self, own.name)!r}"
            for own in fields(self)
            if getattr(before, own.name) != getattr(self, own.name)
            and own.name not in may_change
        ]
        if changed:
            raise ValueError(f"configuration must not change: {'; '.join(changed)}")


@dataclass(frozen=True)
class Output:
    """Where a run goes and what it reports; of this the device alone changes its numbers.

    Attributes:
        output: Folder for the checkpoints, the metrics and TensorBoard's events; made if missing.
        folder: For the data "mnist", the folder of the four MNIST files, or of other images under their
            names, such as FashionMNIST.
        download: Fetch the MNIST files that the folder lacks.
        resume: Continue the run in the output folder, with its own settings; of these only the number of
            steps may be given anew, as long as the learning rate does not decay.
        log_every: Steps between two lines of metrics.
        evaluate_every: Steps between two evaluations on validation images, of which the best model is kept.
        checkpoint_every: Steps between two checkpoints; the end of the run always makes one.
        tensorboard: Write events for TensorBoard too, which the extra "tensorboard" brings.
        device: Device to train on, such as "cpu" or "cuda"; by default cuda where there is one. Another type
            of device draws other numbers, and a run stays on the type that it began on.
    """

    output: Path
    folder: Path | None = None
    download: bool = False
    resume: bool = False
    log_every: int = 10
    evaluate_every: int = 500
    checkpoint_every: int = 500
    tensorboard: bool = False
    device: str | None = None

    def __post_init__(self) -> None:
        for name in ("log_every", "evaluate_every", "checkpoint_every"):
            count = check_count(getattr(self, name), name, 1)
            object.__setattr__(self, name, count)

    def to_remember(self) -> dict[str, Any]:
        """Return, in JSON's types, what a resumed run need not be told again."""
        every = ("log_every", "evaluate_every", "checkpoint_every", "tensorboard")
        remembered = {name: getattr(self, name) for name in every}
        if self.folder is not None:
            remembered["folder"] = str(self.folder.absolute())
        return remembered


def check_seed(seed: int, name: str = "seed") -> None:
    """Require a whole number that every generator takes."""
    check_count(seed, name, 0)
    if seed >= 2**31:
        raise ValueError(f"{name} must be below 2**31, got {seed}")


def from_json(values: Any) -> Config:
    """Return the configuration that :meth:`Config.as_json` wrote, in this version or an earlier one.

    Raises:
        ValueError: settings that this version does not know, by name; a value that a setting does not take;
            something else than settings.

    Examples:
        >>> from_json({"seed": 3}) == Config(seed=3)
        True
    """
    if not isinstance(values, dict):
        raise ValueError(f"configuration must be settings by name, got {values!r}")
    unknown = sorted(set(values) - {own.name for own in fields(Config)})
    if unknown:
        listed = ", ".join(unknown)
        raise ValueError(
            f"configuration must have settings of this version, got {listed}"
        )
    return Config(**values)


def _typed(estimator: str, options: Mapping[str, float]) -> dict[str, float]:
    """Return options of the types in the estimator's signature: a command line knows numbers alone."""
    parameters = inspect.signature(ESTIMATORS[estimator].function).parameters
    typed: dict[str, float] = {}
    for name, value in options.items():
        whole = name in parameters and parameters[name].annotation is int
        if whole and value != int(value):
            raise ValueError(f"options must have a whole number as {name}, got {value}")
        typed[name] = int(value) if whole else value
    return typed


def _plain(value: Any) -> Any:
    """Return numbers of NumPy as Python's, and lists, which files have, as tuples."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, list | tuple):
        return tuple(_plain(each) for each in value)
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return value


@lru_cache
def _hints() -> dict[str, Any]:
    return get_type_hints(Config)


_KINDS: Mapping[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    tuple[int, ...]: "whole numbers",
    dict[str, float]: "numbers by name",
}


def _check_type(value: Any, name: str, hint: Any) -> None:
    """Require a value of the type of its field: files and callers may say anything."""
    if type(None) in get_args(hint):
        if value is None:
            return
        (hint,) = (each for each in get_args(hint) if each is not type(None))
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            listed = ", ".join(get_args(hint))
            raise ValueError(f"{name} must be one of {listed}, got {value!r}")
    elif not _has_type(value, hint):
        raise ValueError(f"{name} must be {_KINDS[hint]}, got {value!r}")


def _has_type(value: Any, hint: Any) -> bool:
    kind = get_origin(hint) or hint
    if kind is tuple:
        return isinstance(value, tuple) and all(_has_type(v, int) for v in value)
    if kind is dict:
        return isinstance(value, Mapping) and all(
            _has_type(k, str) and _has_type(v, float) for k, v in value.items()
        )
    if kind in (int, float) and isinstance(value, bool):
        return False
    return isinstance(value, int | float if kind is float else kind)
