r"""The far tail, where the ends of a uniform number show: coarse steps below 1, a 1, a 0.

Noise $-\log(-\log u)$ from a u of 24 bits is at most $24\log 2 = 16.6$: a category further below the top one
wins only against a low draw of the latter, and comes up too seldom. Where u rounds to 1 the noise is +inf or,
on a masked category, NaN. Where u is 0, the noise of the one open category is -inf.
"""

import math
from functools import partial

import numpy as np

from gumbel_tutorial.conformance.evidence import CellBets
from gumbel_tutorial.conformance.questions import Check
from gumbel_tutorial.conformance.records import Finding
from gumbel_tutorial.conformance.samplers import Sampler
from gumbel_tutorial.conformance.studies import Study, follow
from gumbel_tutorial.conformance.suites.laws import law
from gumbel_tutorial.conformance.trials import Trial

_NUM_CATEGORIES = 1 << 17
# The gap of most information per noise about a u of 24 bits: closer, less is lost; further, less is there.
_GAP = 18.0
_NUM_FAR_DRAWS = 30_000
# The power that stopping early may cost.
_MISS = 1e-3
_FAR_CELLS = ("the top category", "the tail")
# Of one open category and of two: noises enough for five chances of an event of probability 2^-25, as a
# 32-bit number that rounds to 1.
_NUM_OPEN_DRAWS = 640
_NO_MASS = -60.0
# Draws enough for six chances of a u of 24 bits that is 0.
_NUM_ZERO_DRAWS = 100_000_000


def kept_share(gap: float, num_bits: int) -> float:
    r"""Return the share of a thin tail's mass that is drawn by noise $-\log(-\log u)$ of a coarse u.

    Of $u = 1 - j\,2^{-b}$, with j uniform on $1, \dots, 2^b$, a category g below the top one has
    $E = -\log u \approx j\,2^{-b}$. It wins if $e^{g} E$ is below the exponential number of the top, with
    probability $\sum_j 2^{-b} e^{-jx} = 2^{-b}/(e^x - 1)$ for $x = e^{g}\,2^{-b}$. Of the right one,
    $e^{-g} = 2^{-b}/x$, this is the share $x/(e^x - 1)$.

    Args:
        gap: g, positive.
        num_bits: the number of bits, b.

    Examples:
        >>> round(kept_share(18.0, 24), 3)
        0.08
    """
    step = math.exp(gap - num_bits * math.log(2))
    return step / math.expm1(step)


def _two_cells(top: int, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the law of the top category and all others, and the cell of each category."""
    cells = np.ones(len(logits), dtype=np.int64)
    cells[top] = 0
    probs = law(logits)
    # 1 - p of the top would lose a tail of 1e-20.
    tail = probs[cells == 1].sum()
    return np.array([probs[top], tail]), cells


def _far_tail(sampler: Sampler, trial: Trial) -> Finding:
    top = int(trial.generator().integers(_NUM_CATEGORIES))
    logits = np.full(_NUM_CATEGORIES, -_GAP, np.float32)
    logits[top] = 0
    probs, cells = _two_cells(top, logits)
    faults = {}
    for num_bits in (23, 24):
        tail = probs[1] * kept_share(_GAP, num_bits)
        faults[f"noise had {num_bits} bits"] = np.array([1 - tail, tail])
    bet = CellBets(
        f"a tail {_GAP:.0f} nats below the top",
        probs,
        cells=cells.__getitem__,
        faults=faults,
        labels=_FAR_CELLS,
    )
    # The dearest draws of a report: a sound sampler is told from noise of 24 bits by a fraction of them.
    is_clear = partial(bet.clears, _MISS)
    study = Study((logits,), _NUM_FAR_DRAWS, [bet], is_clear=is_clear)
    passed = (
        f"{_NUM_CATEGORIES:,} categories {_GAP:.0f} nats below the top have their share"
    )
    return follow(sampler, trial, [study], passed)


def _without_mass(sampler: Sampler, trial: Trial) -> Finding:
    return _never(sampler, trial, _NO_MASS, "a category without mass")


def _masked(sampler: Sampler, trial: Trial) -> Finding:
    return _never(sampler, trial, -math.inf, "a masked category")


def _never(sampler: Sampler, trial: Trial, low: float, name: str) -> Finding:
    """Look for draws of categories that are never drawn, of one open category and of two."""
    first, second = trial.generator().choice(_NUM_CATEGORIES, 2, replace=False)
    logits = np.full(_NUM_CATEGORIES, low, np.float32)
    logits[first] = 0
    studies = [_never_study(logits, int(first), name, _NUM_OPEN_DRAWS)]
    few = np.array([low, low, 0, low], np.float32)
    studies.append(_never_study(few, 2, f"{name} of four", _NUM_OPEN_DRAWS))
    logits = logits.copy()
    logits[second] = math.log(0.5)
    cells = np.full(_NUM_CATEGORIES, 2)
    cells[[first, second]] = 0, 1
    probs = law(logits)
    masses = np.array([probs[first], probs[second], probs[cells == 2].sum()])
    labels = ("the first open category", "the second", name)
    bet = CellBets("two to one", masses, cells=cells.__getitem__, labels=labels)
    studies.append(Study((logits,), _NUM_OPEN_DRAWS, [bet]))
    return follow(sampler, trial, studies, f"{name} never comes up")


def _never_study(logits: np.ndarray, top: int, name: str, num_draws: int) -> Study:
    probs, cells = _two_cells(top, logits)
    labels = ("the open category", name)
    bet = CellBets("one open category", probs, cells=cells.__getitem__, labels=labels)
    return Study((logits,), num_draws, [bet])


def _zero(sampler: Sampler, trial: Trial) -> Finding:
    logits = np.array([-math.inf, 0, -math.inf], np.float32)
    study = _never_study(logits, 1, "a masked neighbour", _NUM_ZERO_DRAWS)
    passed = "the one open category comes up every time"
    return follow(sampler, trial, [study], passed)


TAILS = (
    Check(
        name="masked categories",
        kind="categorical",
        fault="A uniform number of 32 bits rounds to 1 in float32, and -inf + inf is NaN.",
        power=0.99,
        run=_masked,
    ),
    Check(
        name="categories without mass",
        kind="categorical",
        fault="A uniform number of 32 bits rounds to 1 in float32, and its noise is infinite.",
        power=0.99,
        run=_without_mass,
    ),
    Check(
        name="a single open category",
        kind="categorical",
        fault="A uniform number of 24 bits is 0, and the search for it ends at a masked category.",
        power=0.99,
        run=_zero,
    ),
    Check(
        name="far tail",
        kind="categorical",
        fault="Gumbel noise comes from uniform numbers of 24 bits.",
        power=0.99,
        run=_far_tail,
    ),
)
