"""A law with as many categories as a language model has tokens, and as long a tail."""

import numpy as np

from gumbel_tutorial.conformance.evidence import CellBets
from gumbel_tutorial.conformance.questions import Check
from gumbel_tutorial.conformance.records import Finding
from gumbel_tutorial.conformance.samplers import Sampler
from gumbel_tutorial.conformance.studies import Study, follow
from gumbel_tutorial.conformance.suites.laws import cell_probs, law
from gumbel_tutorial.conformance.trials import Trial

# GPT-2's vocabulary, which no power of two divides.
_NUM_CATEGORIES = 50_257
_NUM_DRAWS = 1 << 11
_NUM_BLOCKS = 32
# Places within a tile of this size or of a multiple of it.
_TILE = 128


def _run(sampler: Sampler, trial: Trial) -> Finding:
    rank = trial.generator().permutation(_NUM_CATEGORIES)
    # Zipf's law in an order of no meaning.
    logits = -np.log1p(rank).astype(np.float32)
    place = np.arange(_NUM_CATEGORIES)
    arrangements = {
        "categories by probability, in powers of two": np.log2(rank + 1).astype(int),
        "categories by place": place * _NUM_BLOCKS // _NUM_CATEGORIES,
        "categories by place within a tile": place % _TILE,
    }
    probs = law(logits)
    bets = [
        CellBets(name, cell_probs(cells, probs), cells=cells.__getitem__)
        for name, cells in arrangements.items()
    ]
    study = Study((logits,), _NUM_DRAWS, bets)
    passed = f"a Zipf law of {_NUM_CATEGORIES:,} categories comes out as such"
    return follow(sampler, trial, [study], passed)


LONG_TAILS = Check(
    name="long-tailed laws",
    kind="categorical",
    fault="All tiles of 1,024 categories get the same noise.",
    power=0.99,
    run=_run,
)
