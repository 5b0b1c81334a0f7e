"""A variational autoencoder with categorical latent variables, and the loop that trains it."""

from gumbel_tutorial.vae.bounds import (
    categorical_kl,
    negative_bound,
    reconstruction_loss,
)
from gumbel_tutorial.vae.data import digits
from gumbel_tutorial.vae.model import CategoricalVAE
from gumbel_tutorial.vae.training import History, evaluate, train

__all__ = [
    "CategoricalVAE",
    "History",
    "categorical_kl",
    "digits",
    "evaluate",
    "negative_bound",
    "reconstruction_loss",
    "train",
]
