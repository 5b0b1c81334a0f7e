r"""Ordered samples without replacement: each next category has the law of those that are left.

$P(i_1, \dots, i_k) = \prod_j p_{i_j} / (1 - \sum_{m<j} p_{i_m})$, the law of Plackett and Luce.
"""

from functools import partial
from itertools import permutations

import numpy as np

from gumbel_tutorial import gumbel_max
from gumbel_tutorial.conformance.evidence import CellBets
from gumbel_tutorial.conformance.questions import Check
from gumbel_tutorial.conformance.records import Finding
from gumbel_tutorial.conformance.samplers import Sampler
from gumbel_tutorial.conformance.studies import Study, follow
from gumbel_tutorial.conformance.suites.laws import law
from gumbel_tutorial.conformance.trials import Trial

_COUNT = 3
_FEW = np.array([1.2, -0.4, 0.5, -1.3, 0.1], np.float32)
_WITH_EXCLUDED = np.array([0.0, -np.inf, 1.0, -np.inf, 0.5, -np.inf], np.float32)
_MANY, _LONG_COUNT, _NUM_CELLS = 500, 8, 16


def _place(num_categories: int, orders: np.ndarray) -> np.ndarray:
    """Return one number for every order of categories."""
    weights = num_categories ** np.arange(orders.shape[-1])[::-1]
    return orders @ weights


def order_probs(logits: np.ndarray, count: int) -> np.ndarray:
    """Return the probability of every order, at its number, and 0 where a category comes twice."""
    num_categories = len(logits)
    open_ones = np.flatnonzero(logits > -np.inf)
    orders = np.array(list(permutations(open_ones, count)))
    probs = np.zeros(num_categories**count)
    log_probs = gumbel_max.top_k_log_prob(logits.astype(float), orders)
    probs[_place(num_categories, orders)] = np.exp(log_probs)
    return probs


def _all_orders(
    sampler: Sampler, trial: Trial, *, logits: np.ndarray, num_draws: int, passed: str
) -> Finding:
    cells = partial(_place, len(logits))
    bets = [CellBets("orders", order_probs(logits, _COUNT), cells=cells)]
    study = Study((logits, _COUNT), num_draws, bets)
    return follow(sampler, trial, [study], passed)


def _long_tail(sampler: Sampler, trial: Trial) -> Finding:
    rng = trial.generator()
    logits = -np.log(rng.permutation(_MANY) + 1).astype(np.float32)
    probs, flat = law(logits), np.full(_NUM_CELLS, 1 / _NUM_CELLS)
    bets = [
        CellBets(
            f"draw {position + 1} given those before it, in {_NUM_CELLS} parts",
            flat,
            cells=partial(_part, probs, position, rng),
        )
        for position in range(_LONG_COUNT)
    ]
    study = Study((logits, _LONG_COUNT), 1 << 14, bets)
    return follow(
        sampler, trial, [study], "each draw has the law of the categories that are left"
    )


def _part(
    probs: np.ndarray, position: int, rng: np.random.Generator, orders: np.ndarray
) -> np.ndarray:
    r"""Return where a draw lies in the law of what is left: uniform under it, whatever came before.

    The number is $F(i-1) + V p_i$ over the mass that is left, with V uniform: exact for a discrete law.
    """
    before, now = orders[:, :position], orders[:, position]
    below = np.concatenate([[0.0], probs.cumsum()])[now]
    smaller = before < now[:, None]
    below = below - (probs[before] * smaller).sum(-1)
    left = 1 - probs[before].sum(-1)
    number = (below + rng.random(len(orders)) * probs[now]) / left
    return np.clip(number * _NUM_CELLS, 0, _NUM_CELLS - 1).astype(int)


WITHOUT_REPLACEMENT = (
    Check(
        "ordered law",
        "without_replacement",
        "The categories of a sample are put in ascending order.",
        0.99,
        partial(
            _all_orders,
            logits=_FEW,
            num_draws=1 << 16,
            passed="all orders of three of five categories come up as often as they should",
        ),
    ),
    Check(
        "ordered law of a long tail",
        "without_replacement",
        "A sample in which a category comes twice is thrown away and drawn anew.",
        0.99,
        _long_tail,
    ),
    Check(
        "excluded categories",
        "without_replacement",
        "-inf is replaced by 7 below the largest logit.",
        0.99,
        partial(
            _all_orders,
            logits=_WITH_EXCLUDED,
            num_draws=1 << 16,
            passed="what -inf excludes is never drawn",
        ),
    ),
)
