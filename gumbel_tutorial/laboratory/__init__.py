"""Estimators against the exact gradient, on problems small enough to enumerate."""

from gumbel_tutorial.checks import needing

with needing(__name__, "torch"):
    import torch  # noqa: F401


from gumbel_tutorial.laboratory.measurement import (
    Figure,
    Measurement,
    count_evaluations,
    exact_gradient,
    examine,
    gradients,
    measure,
)
from gumbel_tutorial.laboratory.problems import (
    CONTESTANTS,
    PROBLEMS,
    Problem,
    squared_distance,
)

__all__ = [
    "CONTESTANTS",
    "PROBLEMS",
    "Figure",
    "Measurement",
    "Problem",
    "count_evaluations",
    "exact_gradient",
    "examine",
    "gradients",
    "measure",
    "squared_distance",
]
