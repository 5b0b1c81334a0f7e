r"""Speculative decoding: drafts have the law q, and what is emitted has the law p.

Rejection keeps a draft with the probability $1 - \mathrm{TV}(p, q)$, the most that any pair of the two laws
allows.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from gumbel_tutorial import decoding
from gumbel_tutorial.conformance.evidence import CellBets
from gumbel_tutorial.conformance.questions import Check
from gumbel_tutorial.conformance.records import Finding
from gumbel_tutorial.conformance.samplers import Sampler
from gumbel_tutorial.conformance.studies import Study, follow
from gumbel_tutorial.conformance.suites.laws import law
from gumbel_tutorial.conformance.trials import Trial

_NUM_DRAWS = 1 << 17
# Equal laws may differ in the last bits of the sampler's two softmaxes: at most so often is a draft not kept.
_ROUNDING = 2.0**-20
Pair = tuple[np.ndarray, np.ndarray]
Bet = Callable[[np.ndarray, np.ndarray], CellBets]


def _pairs(rng: np.random.Generator) -> Sequence[Pair]:
    """Return draft and target logits: few, many, with categories that only one has, and twice the same."""
    with np.errstate(divide="ignore"):
        few, holes = (
            np.log(np.array(each, np.float32))
            for each in (
                [[0.5, 0.3, 0.2], [0.1, 0.6, 0.3]],
                [[0.5, 0.0, 0.3, 0.2, 0.0], [0.2, 0.4, 0.0, 0.3, 0.1]],
            )
        )
    many = 2 * rng.standard_normal((2, 50)).astype(np.float32)
    many[1] = (many[0] + many[1]) / 2
    return (tuple(few), tuple(many), tuple(holes), (few[1], few[1]))


def _run(sampler: Sampler, trial: Trial, *, bet: Bet, passed: str) -> Finding:
    studies = [
        Study(pair, _NUM_DRAWS, [bet(*pair)]) for pair in _pairs(trial.generator())
    ]
    return follow(sampler, trial, studies, passed)


def _drafted(draft: np.ndarray, target: np.ndarray) -> CellBets:  # noqa: ARG001
    return CellBets("drafts", law(draft), cells=_column_0)


def _emitted(draft: np.ndarray, target: np.ndarray) -> CellBets:  # noqa: ARG001
    return CellBets("emitted categories", law(target), cells=_column_1)


def _accepted(draft: np.ndarray, target: np.ndarray) -> CellBets:
    wide = draft.astype(float), target.astype(float)
    distance = float(decoding.total_variation(*wide))
    # Of equal laws both entries are the largest that rounding allows, so that no law within it loses a bet.
    equal = distance < _ROUNDING
    probs = np.array([_ROUNDING, 1.0] if equal else [distance, 1 - distance])
    return CellBets("drafts kept (1) or not (0)", probs, cells=_agreement)


def _column_0(pair: np.ndarray) -> np.ndarray:
    return pair[:, 0]


def _column_1(pair: np.ndarray) -> np.ndarray:
    return pair[:, 1]


def _agreement(pair: np.ndarray) -> np.ndarray:
    return (pair[:, 0] == pair[:, 1]).astype(int)


def _check(name: str, fault: str, bet: Bet, passed: str) -> Check:
    run = partial(_run, bet=bet, passed=passed)
    return Check(name, "speculative", fault, 0.99, run)


SPECULATIVE = (
    _check(
        "drafts",
        "The draft is drawn at temperature 1.1.",
        _drafted,
        "drafts have the law of the draft",
    ),
    _check(
        "emitted law",
        "The noise that drew the draft draws the residual too.",
        _emitted,
        "what is emitted has the target's law",
    ),
    _check(
        "acceptance",
        "What is emitted is drawn anew, whatever the draft was.",
        _accepted,
        "drafts are kept with probability 1 - TV",
    ),
)
