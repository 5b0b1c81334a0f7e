"""Laws of a few categories: each comes up as often as its probability says."""

import numpy as np

from gumbel_tutorial.conformance.evidence import CellBets
from gumbel_tutorial.conformance.questions import Check
from gumbel_tutorial.conformance.records import Finding
from gumbel_tutorial.conformance.samplers import Sampler
from gumbel_tutorial.conformance.studies import Study, follow
from gumbel_tutorial.conformance.suites.laws import law
from gumbel_tutorial.conformance.trials import Trial

_NUM_DRAWS = 1 << 18
_LAWS = {
    "two categories": [0.5, -1.0],
    "eight categories": [0.0, 1.0, -1.0, 0.3, -2.0, 0.7, -0.4, 1.5],
    "a rare category": [0.0, -7.0, -0.5],
}


def _run(sampler: Sampler, trial: Trial) -> Finding:
    studies = []
    for name, values in _LAWS.items():
        logits = np.array(values, np.float32)
        bets = [CellBets(name, law(logits))]
        studies.append(Study((logits,), _NUM_DRAWS, bets))
    return follow(
        sampler, trial, studies, "categories come up as often as their law says"
    )


SMALL_LAWS = Check(
    name="small laws",
    kind="categorical",
    fault="One draw in fifty is made from the uniform law.",
    power=0.99,
    run=_run,
)
