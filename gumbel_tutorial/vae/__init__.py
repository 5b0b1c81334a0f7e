"""Models with discrete codes: autoencoders, structured prediction, few labels; and their training."""

from gumbel_tutorial.estimators.layers import EstimatorLayers
from gumbel_tutorial.vae.data.images import Images, Splits, choose_labelled, digits
from gumbel_tutorial.vae.models.autoencoder import CategoricalVAE, StructuredPrediction
from gumbel_tutorial.vae.models.bounds import (
    categorical_kl,
    multi_sample_bound,
    negative_bound,
    plug_in_kl,
    reconstruction_loss,
    relaxed_kl,
)
from gumbel_tutorial.vae.models.semi_supervised import (
    SemiSupervisedVAE,
    accuracy,
    learn_labels_alone,
)
from gumbel_tutorial.vae.training.evaluation import (
    Evaluation,
    assess,
    discrete_loss,
    relaxed_loss,
)
from gumbel_tutorial.vae.training.in_memory import History, train
from gumbel_tutorial.vae.training.trainer import Recipe, Trainer

__all__ = [
    "CategoricalVAE",
    "EstimatorLayers",
    "Evaluation",
    "History",
    "Images",
    "Recipe",
    "SemiSupervisedVAE",
    "Splits",
    "StructuredPrediction",
    "Trainer",
    "accuracy",
    "assess",
    "categorical_kl",
    "choose_labelled",
    "digits",
    "discrete_loss",
    "learn_labels_alone",
    "multi_sample_bound",
    "negative_bound",
    "plug_in_kl",
    "reconstruction_loss",
    "relaxed_kl",
    "relaxed_loss",
    "train",
]
