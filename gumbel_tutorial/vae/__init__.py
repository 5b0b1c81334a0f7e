"""Models with discrete codes: autoencoders, structured prediction, few labels; and their training."""

from gumbel_tutorial.estimators.layers import EstimatorLayers
from gumbel_tutorial.vae.data.images import (
    Images,
    Splits,
    as_images,
    choose_labelled,
    digits,
)
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
from gumbel_tutorial.vae.training.evaluation import (
    Evaluation,
    accuracy,
    assess,
    discrete_loss,
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
    "as_images",
    "assess",
    "categorical_kl",
    "choose_labelled",
    "digits",
    "discrete_loss",
    "fit",
    "learn_labels_alone",
    "multi_sample_bound",
    "negative_bound",
    "plug_in_kl",
    "reconstruction_loss",
    "relaxed_kl",
    "relaxed_loss",
    "validate",
]
