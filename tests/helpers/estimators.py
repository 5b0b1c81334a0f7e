"""What the tests of the estimators share: seeds, draws, and one test of a mean."""

import math

import torch

from gumbel_tutorial import estimators
from gumbel_tutorial.laboratory.measurement import gradients

# Of one comparison; the suite makes about two hundred.
FAILURE_RATE = 1e-6


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def draws(name, problem, count=200_000, seed=0, **options):
    """Return estimates of the gradient of a problem by a named estimator."""
    estimator = estimators.get(name).prepare(**options)
    return gradients(
        estimator, problem.f, problem.logits, count, generator=seeded(seed)
    )


def mean_p_value(estimates, gradient):
    """Return the p-value that independent estimates have the given mean, in every entry."""
    mean, error = estimates.mean(0), estimates.std(0) / math.sqrt(len(estimates))
    rounding = 1e-9 * gradient.abs().max()
    score = ((mean - gradient).abs() / (error + rounding)).max().item()
    return min(1.0, gradient.numel() * math.erfc(score / math.sqrt(2)))


def enumerate_mean(estimator, problem, monkeypatch, module):
    """Return the mean of an estimator that only draws z, over all z."""
    logits = problem.logits
    estimates = []
    for state in torch.eye(logits.shape[-1]).to(logits):
        monkeypatch.setattr(
            module, "draw", lambda given, _, z=state: z.expand_as(given)
        )
        estimates.append(
            gradients(estimator, problem.f, logits, 1, generator=seeded())[0]
        )
    return logits.softmax(-1) @ torch.stack(estimates)
