"""A seed repeats its draws, and every other seed gives others."""

from itertools import islice

import numpy as np

from gumbel_tutorial.conformance.questions import Check
from gumbel_tutorial.conformance.records import Finding
from gumbel_tutorial.conformance.samplers import Request, Sampler
from gumbel_tutorial.conformance.trials import Trial

_SHAPES = ((1000,), (7, 33), (2, 5000))
_NUM_DRAWS = 64
# Seeds that differ in one bit, up to the 30th, and neighbours.
_NUM_BITS, _NUM_NEIGHBOURS = 30, 34


def _repeat(sampler: Sampler, trial: Trial) -> Finding:
    seeds = list(islice(trial.seeds(), len(_SHAPES)))
    asked = [
        Request((np.zeros(shape, np.float32),), _NUM_DRAWS, seed)
        for shape, seed in zip(_SHAPES, seeds, strict=True)
    ]
    before = sampler.draws
    # Turned round, so that what an earlier call leaves behind shows.
    first = list(sampler.each(asked))
    again = list(sampler.each(reversed(asked)))[::-1]
    drawn = sampler.draws - before
    for request, one, other in zip(asked, first, again, strict=True):
        if not np.array_equal(one, other):
            number = int((one != other).sum())
            sentence = (
                f"of {one.size:,} draws with the seed {request.seed}, "
                f"{number:,} differ when it is given again"
            )
            return Finding("failed", sentence, 0.0, drawn)
    return Finding("passed", "the same seed gives the same draws", 1.0, drawn)


def _differ(sampler: Sampler, trial: Trial) -> Finding:
    logits, base = np.zeros(1000, np.float32), next(trial.seeds())
    seeds = [base ^ (1 << bit) for bit in range(_NUM_BITS)]
    seeds = sorted({base, *seeds, *range(base + 2, base + 2 + _NUM_NEIGHBOURS)})
    before = sampler.draws
    answers = sampler.each([Request((logits,), _NUM_DRAWS, seed) for seed in seeds])
    found: dict[bytes, int] = {}
    for seed, draws in zip(seeds, answers, strict=True):
        key = draws.astype(np.int64).tobytes()
        if key in found:
            sentence = f"seeds {found[key]} and {seed} give the same draws"
            return Finding("failed", sentence, _coincidence(), sampler.draws - before)
        found[key] = seed
    sentence = f"{len(seeds)} seeds give as many results"
    return Finding("passed", sentence, 1.0, sampler.draws - before)


def _coincidence() -> float:
    """Return the chance that two of the seeds give the same draws by themselves, at most."""
    number = 1 + _NUM_BITS + _NUM_NEIGHBOURS
    return number**2 / 2 * 1000.0**-_NUM_DRAWS


SEEDS = (
    Check(
        name="the same seed repeats",
        kind="categorical",
        fault="Draws depend on a global state that an earlier call has changed.",
        power=1.0,
        run=_repeat,
    ),
    Check(
        name="other seeds differ",
        kind="categorical",
        fault="Only the lowest 16 bits of a seed count.",
        power=1.0,
        run=_differ,
    ),
)
