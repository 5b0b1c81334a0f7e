"""Models with discrete codes: autoencoders, structured prediction, few labels; and their training.

Each name loads when it is first used: the command catches an interrupt while torch is imported.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gumbel_tutorial.estimators.layers import EstimatorLayers
    from gumbel_tutorial.vae.data.images import Images, Splits, choose_labelled, digits
    from gumbel_tutorial.vae.data.sources import as_images
    from gumbel_tutorial.vae.models.autoencoder import CategoricalVAE
    from gumbel_tutorial.vae.models.base import LatentModel
    from gumbel_tutorial.vae.models.bounds import (
        categorical_kl,
        multi_sample_bound,
        negative_bound,
        plug_in_kl,
        reconstruction_loss,
        relaxed_kl,
    )
    from gumbel_tutorial.vae.models.prediction import StructuredPrediction
    from gumbel_tutorial.vae.models.semi_supervised import SemiSupervisedVAE
    from gumbel_tutorial.vae.models.usage import (
        active_units,
        code_perplexity,
        mutual_information,
        unit_activity,
    )
    from gumbel_tutorial.vae.runs.saved import load_model
    from gumbel_tutorial.vae.training.evaluation import (
        Evaluation,
        accuracy,
        assess,
        describe,
        discrete_loss,
        independent_pixels,
        learn_labels_alone,
        relaxed_loss,
        validate,
    )
    from gumbel_tutorial.vae.training.in_memory import History, fit
    from gumbel_tutorial.vae.training.trainer import Recipe, Trainer

__all__ = [
    "CategoricalVAE",
    "EstimatorLayers",
    "Evaluation",
    "History",
    "Images",
    "LatentModel",
    "Recipe",
    "SemiSupervisedVAE",
    "Splits",
    "StructuredPrediction",
    "Trainer",
    "accuracy",
    "active_units",
    "as_images",
    "assess",
    "categorical_kl",
    "choose_labelled",
    "code_perplexity",
    "describe",
    "digits",
    "discrete_loss",
    "fit",
    "independent_pixels",
    "learn_labels_alone",
    "load_model",
    "multi_sample_bound",
    "mutual_information",
    "negative_bound",
    "plug_in_kl",
    "reconstruction_loss",
    "relaxed_kl",
    "relaxed_loss",
    "unit_activity",
    "validate",
]

# By module, once more for whoever runs this: the imports above are for editors and mypy alone.
_HOMES = {
    "estimators.layers": ["EstimatorLayers"],
    "vae.data.images": ["Images", "Splits", "choose_labelled", "digits"],
    "vae.data.sources": ["as_images"],
    "vae.models.autoencoder": ["CategoricalVAE"],
    "vae.models.base": ["LatentModel"],
    "vae.models.bounds": [
        "categorical_kl",
        "multi_sample_bound",
        "negative_bound",
        "plug_in_kl",
        "reconstruction_loss",
        "relaxed_kl",
    ],
    "vae.models.prediction": ["StructuredPrediction"],
    "vae.models.semi_supervised": ["SemiSupervisedVAE"],
    "vae.models.usage": [
        "active_units",
        "code_perplexity",
        "mutual_information",
        "unit_activity",
    ],
    "vae.runs.saved": ["load_model"],
    "vae.training.evaluation": [
        "Evaluation",
        "accuracy",
        "assess",
        "describe",
        "discrete_loss",
        "independent_pixels",
        "learn_labels_alone",
        "relaxed_loss",
        "validate",
    ],
    "vae.training.in_memory": ["History", "fit"],
    "vae.training.trainer": ["Recipe", "Trainer"],
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            from gumbel_tutorial.checks import needing

            with needing(f"{__name__}.{name}", "vae"):
                return getattr(import_module(f"gumbel_tutorial.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
