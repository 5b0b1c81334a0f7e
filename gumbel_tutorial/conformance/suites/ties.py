"""Equal logits, in every precision: no place among them is preferred."""

import numpy as np

from gumbel_tutorial.conformance.evidence import CellBets
from gumbel_tutorial.conformance.questions import Check
from gumbel_tutorial.conformance.records import Finding
from gumbel_tutorial.conformance.samplers import Sampler
from gumbel_tutorial.conformance.studies import Study, follow
from gumbel_tutorial.conformance.suites.laws import cell_probs, law
from gumbel_tutorial.conformance.trials import Trial

_NUM_BLOCKS = 16
# Neighbours in a vector register or a tile of a kernel.
_LANES = 64
# How much more often the first place comes up than the last, of the bets on a preferred end.
_TILTS = (0.02, 0.1, 0.5, -0.02, -0.1, -0.5)
_FEW, _NUM_FEW = 1000, 1 << 16
# Several tiles of a kernel, at logits where half precision has steps of a half.
_MANY, _NUM_MANY, _HIGH = 8192, 1 << 13, 100.0
_HALF, _NUM_HALF = 16, 1 << 18
_HALF_LEVEL = 64.0
# Multiples of an eighth, which float16 and bfloat16 both hold.
_HALF_LAW = [0.0, 1.0, -1.0, 0.375, -2.0, 0.75, -0.375, 1.5]


def equal(num_categories: int, level: float, num_draws: int, **options: str) -> Study:
    """Return the study of equal logits: are the first preferred to the last, or some of a lane's width?"""
    logits = np.full(num_categories, level, np.float32)
    place, probs = np.arange(num_categories), law(logits)
    num_blocks = min(_NUM_BLOCKS, num_categories)
    blocks = place * num_blocks // num_categories
    shares = cell_probs(blocks, probs)
    ends = np.linspace(1, -1, num_blocks)
    faults = {_preference(tilt): shares * (1 + tilt * ends) for tilt in _TILTS}
    faults = {name: fault / fault.sum() for name, fault in faults.items()}
    name = f"{num_categories:,} equal logits of {level:g}"
    lanes = place % min(_LANES, num_categories)
    by_place = CellBets(
        name,
        shares,
        cells=blocks.__getitem__,
        faults=faults,
        labels=[f"part {block + 1} of {num_blocks}" for block in range(num_blocks)],
    )
    by_lane = CellBets(
        f"{name}, by place within {_LANES}",
        cell_probs(lanes, probs),
        cells=lanes.__getitem__,
        labels=[f"place {lane}" for lane in range(_LANES)],
    )
    return Study((logits,), num_draws, [by_place, by_lane], options)


def _preference(tilt: float) -> str:
    end = "first" if tilt > 0 else "last"
    return f"the {end} were preferred by {abs(tilt):.0%}"


def _ties(sampler: Sampler, trial: Trial) -> Finding:
    studies = [equal(_MANY, _HIGH, _NUM_MANY), equal(_FEW, 0.0, _NUM_FEW)]
    return follow(sampler, trial, studies, "no place is preferred")


def _half(dtype: str, sampler: Sampler, trial: Trial) -> Finding:
    logits = np.array(_HALF_LAW, np.float32)
    bets = [CellBets(f"eight categories in {dtype}", law(logits))]
    studies = [
        equal(_HALF, _HALF_LEVEL, _NUM_HALF, dtype=dtype),
        Study((logits,), _NUM_HALF, bets, {"dtype": dtype}),
    ]
    passed = f"logits in {dtype} have the law of their values"
    return follow(sampler, trial, studies, passed)


def _float16(sampler: Sampler, trial: Trial) -> Finding:
    return _half("float16", sampler, trial)


def _bfloat16(sampler: Sampler, trial: Trial) -> Finding:
    return _half("bfloat16", sampler, trial)


TIES = (
    Check(
        name="equal logits",
        kind="categorical",
        fault="The maxima of tiles of 512 categories are compared in bfloat16.",
        power=0.99,
        run=_ties,
    ),
    Check(
        name="logits in float16",
        kind="categorical",
        fault="Noise is added in float16, where sums tie and the first one wins.",
        power=0.99,
        run=_float16,
        needs=("dtype",),
    ),
    Check(
        name="logits in bfloat16",
        kind="categorical",
        fault="Noise is added in bfloat16, where sums tie and the first one wins.",
        power=0.99,
        run=_bfloat16,
        needs=("dtype",),
    ),
)
