"""Models with discrete codes: autoencoders, structured prediction, few labels; and their training."""

from gumbel_tutorial.vae.bounds import (
    categorical_kl,
    multi_sample_bound,
    negative_bound,
    plug_in_kl,
    reconstruction_loss,
    relaxed_kl,
)
from gumbel_tutorial.vae.data import Images, Splits, choose_labelled, digits
from gumbel_tutorial.vae.evaluation import (
    Evaluation,
    assess,
    discrete_loss,
    relaxed_loss,
)
from gumbel_tutorial.vae.model import CategoricalVAE, StructuredPrediction
from gumbel_tutorial.vae.semi_supervised import (
    SemiSupervisedVAE,
    accuracy,
    learn_labels_alone,
)
from gumbel_tutorial.vae.surrogates import Surrogates
from gumbel_tutorial.vae.trainer import Recipe, Trainer
from gumbel_tutorial.vae.training import History, train

__all__ = [
    "CategoricalVAE",
    "Evaluation",
    "History",
    "Images",
    "Recipe",
    "SemiSupervisedVAE",
    "Splits",
    "StructuredPrediction",
    "Surrogates",
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
