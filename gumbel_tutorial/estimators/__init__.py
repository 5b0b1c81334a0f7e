r"""Estimators of $\nabla_\ell\,\mathbb E[f(z)]$ for categorical z, one protocol, by name.

``estimator(f, logits, *, generator, **options) -> loss``: the backward pass of the loss gives the estimate
in the logits and the ordinary gradient in whatever ``f`` closes over.
"""

from gumbel_tutorial.estimators.registry import ESTIMATORS, EstimatorInfo, get

__all__ = ["ESTIMATORS", "EstimatorInfo", "get"]
