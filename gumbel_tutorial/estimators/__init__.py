r"""Estimators of $\nabla_\ell\,\mathbb E[f(z)]$ for categorical z, one protocol, each a function by name.

``estimator(f, logits, *, generator=None, **options) -> loss``: the backward pass of the loss gives the
estimate in the logits and the ordinary gradient in whatever ``f`` closes over.
``ESTIMATORS`` holds what is known of each.
"""

from gumbel_tutorial.checks import needing

with needing(__name__, "torch"):
    import torch  # noqa: F401


from gumbel_tutorial.estimators.antithetic import arm, disarm
from gumbel_tutorial.estimators.beyond_reinmax import reinmax_cv, reinmax_rao
from gumbel_tutorial.estimators.control_variates import muprop, rebar, relax
from gumbel_tutorial.estimators.coupled import categorical_disarm
from gumbel_tutorial.estimators.denoising import redge, reindge
from gumbel_tutorial.estimators.enumeration import exact
from gumbel_tutorial.estimators.leave_one_out import double_control_variates, rodeo
from gumbel_tutorial.estimators.minimum_variance import mve
from gumbel_tutorial.estimators.pathwise import (
    darn,
    decoupled_straight_through,
    gapped_straight_through,
    gumbel_softmax,
    slope_annealed,
    straight_through,
    straight_through_gumbel_softmax,
)
from gumbel_tutorial.estimators.perturb_and_map import imle
from gumbel_tutorial.estimators.protocol import Estimator
from gumbel_tutorial.estimators.rao_blackwell import gumbel_rao
from gumbel_tutorial.estimators.registry import ESTIMATORS, EstimatorInfo, get
from gumbel_tutorial.estimators.score_function import (
    MovingAverage,
    reinforce,
    reinforce_moving_average,
    rloo,
    vimco,
)
from gumbel_tutorial.estimators.second_order import reinmax, zgr
from gumbel_tutorial.estimators.sparse import sparse_marginalisation, sparsemax
from gumbel_tutorial.estimators.without_replacement import unordered_set

__all__ = [
    "ESTIMATORS",
    "Estimator",
    "EstimatorInfo",
    "MovingAverage",
    "arm",
    "categorical_disarm",
    "darn",
    "decoupled_straight_through",
    "disarm",
    "double_control_variates",
    "exact",
    "gapped_straight_through",
    "get",
    "gumbel_rao",
    "gumbel_softmax",
    "imle",
    "muprop",
    "mve",
    "rebar",
    "redge",
    "reindge",
    "reinforce",
    "reinforce_moving_average",
    "reinmax",
    "reinmax_cv",
    "reinmax_rao",
    "relax",
    "rloo",
    "rodeo",
    "slope_annealed",
    "sparse_marginalisation",
    "sparsemax",
    "straight_through",
    "straight_through_gumbel_softmax",
    "unordered_set",
    "vimco",
    "zgr",
]
