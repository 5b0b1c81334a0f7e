"""Estimators against the exact gradient, on problems small enough to enumerate."""

from gumbel_tutorial.checks import needing

with needing(__name__, "torch"):
    import torch  # noqa: F401


from gumbel_tutorial.laboratory.budgets import Budgets
from gumbel_tutorial.laboratory.descent import affordable, descend
from gumbel_tutorial.laboratory.edges import (
    edge_estimates,
    gauss_places,
    upper_gauss_places,
)
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
from gumbel_tutorial.laboratory.moments import exact_moments
from gumbel_tutorial.laboratory.order import (
    corner_estimates,
    degree,
    free_dimension,
    least_variance_table,
    linear_residual,
    mean_square,
    product_residual,
)
from gumbel_tutorial.laboratory.problems import (
    CONTESTANTS,
    PROBLEMS,
    Problem,
    network,
    squared_distance,
)
from gumbel_tutorial.laboratory.sequences import rloo_of_paths, stepwise
from gumbel_tutorial.laboratory.slopes import SlopeTable, slope_table
from gumbel_tutorial.laboratory.tasks import TASKS, Task

__all__ = [
    "CONTESTANTS",
    "PROBLEMS",
    "TASKS",
    "Budgets",
    "Figure",
    "Measurement",
    "Problem",
    "SlopeTable",
    "Task",
    "affordable",
    "corner_estimates",
    "count_evaluations",
    "degree",
    "descend",
    "edge_estimates",
    "exact_gradient",
    "exact_moments",
    "examine",
    "free_dimension",
    "gauss_places",
    "gradients",
    "least_variance_table",
    "linear_residual",
    "mean_square",
    "measure",
    "network",
    "product_residual",
    "progress",
    "rloo_of_paths",
    "slope_table",
    "squared_distance",
    "stepwise",
    "upper_gauss_places",
]
