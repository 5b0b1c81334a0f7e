"""The estimators by name, with what is known of each."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch

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
from gumbel_tutorial.estimators.score_function import (
    MovingAverage,
    reinforce,
    reinforce_moving_average,
    rloo,
    vimco,
)
from gumbel_tutorial.estimators.second_order import reinmax, zgr
from gumbel_tutorial.estimators.sparse import sparse_marginalisation
from gumbel_tutorial.estimators.without_replacement import unordered_set


@dataclass(frozen=True)
class EstimatorInfo:
    """An estimator and what is known of it.

    Attributes:
        function: the estimator itself.
        unbiased: whether the mean of the estimate is the gradient of the expected loss.
        differentiates: whether f must be differentiable.
        relaxes: whether f sees points inside the simplex.
        state: options that must be made anew for each use, by name, and what makes them.
    """

    function: Estimator
    unbiased: bool = False
    differentiates: bool = True
    relaxes: bool = False
    state: Mapping[str, Callable[[], Any]] = field(default_factory=dict)

    def prepare(self, **options: Any) -> partial[torch.Tensor]:
        """Return the estimator with its options set, and its own state where it keeps one.

        Raises:
            TypeError: an option that the estimator does not have; the message lists those that it has.
        """
        known = list(inspect.signature(self.function).parameters)[3:]
        for name in options:
            if name not in known:
                listed = ", ".join(known) or "none"
                raise TypeError(f"options must be among {listed}, got {name!r}")
        made = {
            name: make() for name, make in self.state.items() if name not in options
        }
        return partial(self.function, **made, **options)


def _black_box(function: Estimator, **more: Any) -> EstimatorInfo:
    return EstimatorInfo(function, unbiased=True, differentiates=False, **more)


ESTIMATORS: Mapping[str, EstimatorInfo] = {
    "exact": _black_box(exact),
    "reinforce": _black_box(reinforce),
    "reinforce_moving_average": _black_box(
        reinforce_moving_average, state={"baseline": MovingAverage}
    ),
    "rloo": _black_box(rloo),
    # Unbiased for the multi-sample bound, which is another expectation.
    "vimco": EstimatorInfo(vimco, differentiates=False),
    "straight_through": EstimatorInfo(straight_through),
    "slope_annealed": EstimatorInfo(slope_annealed),
    "darn": EstimatorInfo(darn),
    "gumbel_softmax": EstimatorInfo(gumbel_softmax, relaxes=True),
    "straight_through_gumbel_softmax": EstimatorInfo(straight_through_gumbel_softmax),
    "decoupled_straight_through": EstimatorInfo(
        decoupled_straight_through, relaxes=True
    ),
    "gapped_straight_through": EstimatorInfo(gapped_straight_through),
    "gumbel_rao": EstimatorInfo(gumbel_rao),
    "reinmax": EstimatorInfo(reinmax),
    "zgr": EstimatorInfo(zgr),
    "mve": EstimatorInfo(mve),
    "reinmax_rao": EstimatorInfo(reinmax_rao),
    "reinmax_cv": EstimatorInfo(reinmax_cv),
    # Their samples have another law than softmax, and their mean is that law's expectation at best.
    "redge": EstimatorInfo(redge),
    "reindge": EstimatorInfo(reindge),
    "imle": EstimatorInfo(imle),
    "muprop": EstimatorInfo(muprop, unbiased=True, relaxes=True),
    "rebar": EstimatorInfo(rebar, unbiased=True, relaxes=True),
    "relax": _black_box(relax),
    "arm": _black_box(arm),
    "disarm": _black_box(disarm),
    "categorical_disarm": _black_box(categorical_disarm),
    "double_control_variates": EstimatorInfo(double_control_variates, unbiased=True),
    "rodeo": EstimatorInfo(rodeo, unbiased=True),
    "unordered_set": _black_box(unordered_set),
    # Exact for sparsemax, which is another law.
    "sparse_marginalisation": EstimatorInfo(
        sparse_marginalisation, differentiates=False
    ),
}


def get(name: str) -> EstimatorInfo:
    """Return the estimator of a name.

    Raises:
        ValueError: an unknown name; the message lists the known ones.

    Examples:
        >>> get("rloo").unbiased
        True
    """
    if name not in ESTIMATORS:
        raise ValueError(f"name must be one of {', '.join(ESTIMATORS)}, got {name!r}")
    return ESTIMATORS[name]
