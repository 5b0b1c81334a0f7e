"""Estimators against the exact gradient, on problems small enough to enumerate."""

from gumbel_tutorial.checks import needing

with needing(__name__, "torch"):
    import torch  # noqa: F401


from gumbel_tutorial.laboratory.budgets import Budgets
from gumbel_tutorial.laboratory.measurement import (
    Figure,
    Measurement,
    count_evaluations,
    exact_gradient,
    examine,
    gradients,
    measure,
    progress,
)
from gumbel_tutorial.laboratory.problems import (
    CONTESTANTS,
    PROBLEMS,
    Problem,
    network,
    squared_distance,
)

__all__ = [
    "CONTESTANTS",
    "PROBLEMS",
    "Budgets",
    "Figure",
    "Measurement",
    "Problem",
    "count_evaluations",
    "exact_gradient",
    "examine",
    "gradients",
    "measure",
    "network",
    "progress",
    "squared_distance",
]
