r"""The categorical law in terms of logits, and the samplers that rival Gumbel-Max.

Logits $\ell$ are unnormalised: $\pi = \mathrm{softmax}(\ell)$. A logit of -inf excludes its category.
Categories lie on the last axis; every other axis is batch. float16 and bfloat16 are computed in float32
and rounded once.
"""

from gumbel_tutorial.categorical.alias import AliasTable, alias_sample, alias_table
from gumbel_tutorial.categorical.drawing import sample, sampling_method
from gumbel_tutorial.categorical.inverse_cdf import inverse_cdf_sample
from gumbel_tutorial.categorical.law import (
    divergence,
    entropy,
    kl,
    log_probs,
    mode,
    one_hot,
    perplexity,
    probs,
    shannon_entropy,
)

__all__ = [
    "AliasTable",
    "alias_sample",
    "alias_table",
    "divergence",
    "entropy",
    "inverse_cdf_sample",
    "kl",
    "log_probs",
    "mode",
    "one_hot",
    "perplexity",
    "probs",
    "sample",
    "sampling_method",
    "shannon_entropy",
]
