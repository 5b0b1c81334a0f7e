"""Bias and variance of every estimator of the registry on every problem of the laboratory.

Run it with `make bench`, or alone. What takes from its noise its samples alone is summed over all that they
can be, with their exact probabilities; pairs of coupled samples over all pairs. Of the rest many estimates
are drawn, and the errors of their figures are recorded beside them.
"""

import inspect
import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any
from unittest.mock import patch

import torch
from measure import record

from gumbel_tutorial import noise
from gumbel_tutorial.estimators import ESTIMATORS
from gumbel_tutorial.estimators.enumeration import all_digits
from gumbel_tutorial.laboratory import PROBLEMS, exact_gradient, gradients
from gumbel_tutorial.laboratory.problems import Problem

NUM_DRAWS = 200_000
# Numbers in memory at a time.
MOST_ENTRIES = 4_000_000

DRAWS_NOTHING = {"exact", "sparse_marginalisation"}
TAKES_SAMPLES = {
    *("reinforce", "reinforce_moving_average", "rloo", "vimco", "muprop"),
    *("straight_through", "slope_annealed", "darn", "gapped_straight_through"),
    *("reinmax", "zgr", "mve", "double_control_variates", "rodeo"),
}
TAKES_PAIRS = {"disarm", "categorical_disarm"}
BITS = {"arm", "disarm"}

# Settings beside the defaults: a label, the estimator's name, its options.
MORE: Mapping[str, tuple[str, dict[str, float | bool]]] = {
    "reinmax, 1.3": ("reinmax", {"temperature": 1.3}),
    "mve, 1": ("mve", {"temperature": 1.0}),
    "mve, 10": ("mve", {"temperature": 10.0}),
    "mve, 100": ("mve", {"temperature": 100.0}),
    "reinmax_rao, 0.1": ("reinmax_rao", {"temperature": 0.1}),
    "reinmax_rao, 0.5": ("reinmax_rao", {"temperature": 0.5}),
    "reinmax_rao, 1": ("reinmax_rao", {"temperature": 1.0}),
    "reinmax_cv, 0.7 and 0.5": ("reinmax_cv", {"temperature": 0.7, "scale": 0.5}),
    "reinmax_cv, 0.7 and 1.5": ("reinmax_cv", {"temperature": 0.7, "scale": 1.5}),
    "redge, 0.3": ("redge", {"last_time": 0.3}),
    "redge, soft": ("redge", {"hard": False}),
    "imle, 0.1": ("imle", {"step": 0.1}),
    "double_control_variates, 1": ("double_control_variates", {"scale": 1.0}),
    "rodeo, 1": ("rodeo", {"scale": 1.0}),
}


def contestants() -> dict[str, tuple[str, dict[str, float | bool]]]:
    """Return every estimator by name at its defaults, and the further settings."""
    return {name: (name, {}) for name in ESTIMATORS} | dict(MORE)


def figures(name: str, problem: Problem, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return relative bias and variance, how they were found, and their standard errors if by a sample."""
    exact = exact_gradient(problem.f, problem.logits).flatten()
    settings = dict(options)
    if name == "relax":
        settings["control"] = lambda x: problem.f(x.softmax(-1))
    if name in DRAWS_NOTHING | TAKES_SAMPLES | TAKES_PAIRS:
        weights, estimates = enumerated(name, problem, settings)
        mean = weights @ estimates
        spread = weights @ (estimates - mean).square().sum(-1)
        errors = {}
    else:
        estimates = sampled(name, problem, settings)
        mean = estimates.mean(0)
        squares = (estimates - mean).square().sum(-1)
        spread, size = squares.mean(), math.sqrt(len(estimates))
        errors = {
            "bias_error": (spread.sqrt() / size / exact.norm()).item(),
            "variance_error": (squares.std() / size / exact.square().sum()).item(),
        }
    return {
        "bias": ((mean - exact).norm() / exact.norm()).item(),
        "variance": (spread / exact.square().sum()).item(),
        **errors,
    }


def enumerated(
    name: str, problem: Problem, options: Mapping[str, Any]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the probability of every draw, and its estimate, (draws, numbers)."""
    if name in DRAWS_NOTHING:
        weights, gumbels = torch.ones(1, dtype=torch.float64), None
    elif name in TAKES_PAIRS:
        weights, gumbels = all_pairs(problem.logits)
    else:
        known = inspect.signature(ESTIMATORS[name].function).parameters
        times = known["num_samples"].default if "num_samples" in known else 1
        weights, gumbels = all_samples(problem.logits, times)

    def given(like: torch.Tensor, *, generator: Any = None) -> torch.Tensor:
        del generator
        return gumbels.reshape(like.shape)

    with patch.object(noise, "gumbel_like", given):
        drawn = gradients(
            name, problem.f, problem.logits, len(weights), generator=None, **options
        )
    return weights, drawn.flatten(1)


def all_samples(logits: torch.Tensor, times: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the probability of every tuple of samples, and noise, (times, tuples, ...), that draws it."""
    size = logits.shape[-1]
    digits = all_digits(size, logits.shape[:-1], logits.device)
    states = torch.eye(size).to(logits)[digits].reshape(len(digits), *logits.shape)
    chosen = all_digits(len(states), (times,), logits.device)
    samples = states[chosen].movedim(1, 0)
    log_probs = (samples * logits.log_softmax(-1)).flatten(2).sum(-1).sum(0)
    return log_probs.exp(), 1e3 * samples


def all_pairs(logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the probability of every way to break sticks in antithetic pairs, and noise that does it."""
    probs = logits.softmax(-1).sort(dim=-1).values
    sticks = (probs / probs.flip(-1).cumsum(-1).flip(-1))[..., :-1]
    parts = [list(_parts(theta)) for theta in sticks.flatten().tolist()]
    ways = torch.tensor(list(itertools.product(*parts)), dtype=torch.float64)
    uniforms, lengths = ways.unbind(-1)
    return lengths.prod(-1), -(-torch.log1p(-uniforms)).log()


def _parts(theta: float) -> Iterator[tuple[float, float]]:
    """Yield a uniform within each part that breaks the pair of sticks otherwise, and the part's length."""
    ends = sorted({0.0, theta, 1 - theta, 1.0})
    return ((sum(pair) / 2, pair[1] - pair[0]) for pair in itertools.pairwise(ends))


def sampled(name: str, problem: Problem, options: Mapping[str, Any]) -> torch.Tensor:
    """Return many independent estimates, (draws, numbers)."""
    generator = torch.Generator().manual_seed(0)
    batch = MOST_ENTRIES // (20 * problem.logits.numel())
    batches = [
        gradients(
            *(name, problem.f, problem.logits, min(batch, NUM_DRAWS - start)),
            generator=generator,
            **options,
        ).flatten(1)
        for start in range(0, NUM_DRAWS, batch)
    ]
    return torch.cat(batches)


def table() -> dict[str, dict[str, dict[str, Any]]]:
    """Return the figures of every estimator on every problem that it can have."""
    return {
        key: {
            label: figures(name, problem, options)
            for label, (name, options) in contestants().items()
            if name not in BITS or problem.logits.shape[-1] == 2
        }
        for key, problem in PROBLEMS.items()
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    results = {"num_draws": NUM_DRAWS, "problems": table()}
    print(f"recorded in {record('bias', results)}")
