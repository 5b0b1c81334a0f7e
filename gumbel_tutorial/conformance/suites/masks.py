"""Masks: what top-k, nucleus, min-p or a mask closes is never drawn, and the rest keeps its proportions."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from gumbel_tutorial import decoding
from gumbel_tutorial.conformance.evidence import CellBets
from gumbel_tutorial.conformance.questions import Check
from gumbel_tutorial.conformance.records import Finding
from gumbel_tutorial.conformance.samplers import Sampler
from gumbel_tutorial.conformance.studies import Study, follow
from gumbel_tutorial.conformance.suites.laws import law
from gumbel_tutorial.conformance.trials import Trial

_NUM_DRAWS = 1 << 14
_NUM_CATEGORIES = 512
# Two rows of which other categories stay open; no two logits of a row are the same.
_ROWS = np.array(
    [
        [0.2, -1.5, 2.0, 0.9, -0.3, 1.4, -2.2, 0.55, -0.8, 1.1],
        [1.9, 0.4, -0.9, -2.5, 1.6, -0.1, 0.8, -1.7, 1.2, -3.0],
    ],
    np.float32,
)

Mask = Callable[[np.ndarray], np.ndarray]


def _long_tail(rng: np.random.Generator) -> np.ndarray:
    """Return logits whose probabilities fall as 1/rank, in an order of chance."""
    rank = rng.permutation(_NUM_CATEGORIES) + 1
    return -np.log(rank).astype(np.float32)


def _run(
    sampler: Sampler, trial: Trial, *, option: str, value: Any, mask: Mask
) -> Finding:
    studies = [
        _study(logits, option, value, mask)
        for logits in (_ROWS, _long_tail(trial.generator()))
    ]
    passed = f"{option} leaves open what it should, in the proportions of the logits"
    return follow(sampler, trial, studies, passed)


def _study(logits: np.ndarray, option: str, value: Any, mask: Mask) -> Study:
    wide = logits.astype(float)
    probs = law(decoding.apply_mask(wide, mask(wide)))
    given = value(wide) if callable(value) else value
    bets = [CellBets(f"{option} of many categories", probs)]
    if probs.ndim == 2:
        bets = [
            CellBets(f"{option} in row {row}", each, cells=partial(_row, row))
            for row, each in enumerate(probs)
        ]
    return Study((logits,), _NUM_DRAWS, bets, {option: given})


def _row(row: int, draws: np.ndarray) -> np.ndarray:
    return draws[:, row]


def _every_third_closed(logits: np.ndarray) -> np.ndarray:
    """Return a mask that closes likely categories and unlikely ones, other ones in every row."""
    place = np.arange(logits.size).reshape(logits.shape)
    return place % 3 > 0


def _check(name: str, option: str, value: Any, mask: Mask, fault: str) -> Check:
    run = partial(_run, option=option, value=value, mask=mask)
    return Check(name, "categorical", fault, 0.99, run, needs=(option,))


MASKS = (
    _check(
        "top-k",
        "top_k",
        4,
        lambda logits: decoding.top_k_mask(logits, 4),
        "One category more than k stays open.",
    ),
    _check(
        "nucleus",
        "top_p",
        0.8,
        lambda logits: decoding.nucleus_mask(logits, 0.8),
        "The category with which the mass is reached is left out.",
    ),
    _check(
        "min-p",
        "min_p",
        0.07,
        lambda logits: decoding.min_p_mask(logits, 0.07),
        "The threshold is the share itself, not the share of the largest probability.",
    ),
    _check(
        "mask",
        "mask",
        _every_third_closed,
        _every_third_closed,
        "Logits are multiplied by the mask, which leaves closed ones at 0.",
    ),
)
