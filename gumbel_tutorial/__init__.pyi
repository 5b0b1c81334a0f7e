# What gumbel_tutorial offers, for type checkers and editors: __init__.py loads it when it is first used.

from gumbel_tutorial import arrays as arrays
from gumbel_tutorial import book as book
from gumbel_tutorial import categorical as categorical
from gumbel_tutorial import checks as checks
from gumbel_tutorial import concrete as concrete
from gumbel_tutorial import distributions as distributions
from gumbel_tutorial import estimators as estimators
from gumbel_tutorial import gumbel as gumbel
from gumbel_tutorial import gumbel_max as gumbel_max
from gumbel_tutorial import kernels as kernels
from gumbel_tutorial import laboratory as laboratory
from gumbel_tutorial import nn as nn
from gumbel_tutorial import noise as noise
from gumbel_tutorial import schedules as schedules
from gumbel_tutorial import vae as vae
from gumbel_tutorial import ziggurat as ziggurat
from gumbel_tutorial.categorical import alias_sample as alias_sample
from gumbel_tutorial.categorical import alias_table as alias_table
from gumbel_tutorial.categorical import entropy as entropy
from gumbel_tutorial.categorical import inverse_cdf_sample as inverse_cdf_sample
from gumbel_tutorial.categorical import kl as kl
from gumbel_tutorial.categorical import log_probs as log_probs
from gumbel_tutorial.categorical import mode as mode
from gumbel_tutorial.categorical import one_hot as one_hot
from gumbel_tutorial.categorical import perplexity as perplexity
from gumbel_tutorial.categorical import probs as probs
from gumbel_tutorial.checks import check_values as check_values
from gumbel_tutorial.concrete import binary_relax as binary_relax
from gumbel_tutorial.concrete import log_density as log_density
from gumbel_tutorial.concrete import log_relax as log_relax
from gumbel_tutorial.concrete import relax as relax
from gumbel_tutorial.gumbel_max import argmax_sample as argmax_sample
from gumbel_tutorial.gumbel_max import max_location as max_location
from gumbel_tutorial.gumbel_max import noise_given_index as noise_given_index
from gumbel_tutorial.gumbel_max import top_k_log_prob as top_k_log_prob
from gumbel_tutorial.gumbel_max import top_k_sample as top_k_sample
from gumbel_tutorial.gumbel_max import top_k_weights as top_k_weights
from gumbel_tutorial.nn import GumbelSoftmax as GumbelSoftmax
from gumbel_tutorial.nn import gapped_straight_through as gapped_straight_through
from gumbel_tutorial.nn import gumbel_rao as gumbel_rao
from gumbel_tutorial.nn import gumbel_softmax as gumbel_softmax
from gumbel_tutorial.nn import reinmax as reinmax
from gumbel_tutorial.nn import straight_through as straight_through
from gumbel_tutorial.noise import gumbel_like as gumbel_like

__version__: str
