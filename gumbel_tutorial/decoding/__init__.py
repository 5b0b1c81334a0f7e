r"""Sampling tokens from a language model: masks, shards, coupled draws, drafts, watermarks.

All are Gumbel-Max, $\arg\max_i(\ell_i + G_i)$, of logits that are masked, held by several devices, or
joined with other logits by their noise. Categories, here tokens, lie on the last axis.
"""

from gumbel_tutorial.decoding.coupling import (
    agreement,
    agreement_bounds,
    coupled_sample,
    total_variation,
)
from gumbel_tutorial.decoding.masks import (
    apply_mask,
    min_p_mask,
    nucleus_mask,
    top_k_mask,
)
from gumbel_tutorial.decoding.shards import merge_masses, merge_maxima
from gumbel_tutorial.decoding.speculative import speculative_step
from gumbel_tutorial.decoding.watermark import (
    watermark_noise,
    watermark_p_value,
    watermark_scores,
)

__all__ = [
    "agreement",
    "agreement_bounds",
    "apply_mask",
    "coupled_sample",
    "merge_masses",
    "merge_maxima",
    "min_p_mask",
    "nucleus_mask",
    "speculative_step",
    "top_k_mask",
    "total_variation",
    "watermark_noise",
    "watermark_p_value",
    "watermark_scores",
]
