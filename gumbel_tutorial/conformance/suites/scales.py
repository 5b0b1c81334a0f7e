"""What may be done to logits: an offset changes nothing, a temperature divides once, size does no harm."""

import numpy as np

from gumbel_tutorial.conformance.evidence import CellBets
from gumbel_tutorial.conformance.questions import Check
from gumbel_tutorial.conformance.records import Finding
from gumbel_tutorial.conformance.samplers import Sampler
from gumbel_tutorial.conformance.studies import Study, follow
from gumbel_tutorial.conformance.suites.laws import law
from gumbel_tutorial.conformance.trials import Trial

_NUM_DRAWS = 1 << 15
_LOGITS = [0.0, 1.0, -1.0, 0.25, -2.0, 0.75, -0.5, 1.5]
_OFFSETS = (-1000.0, -100.0, 100.0, 1000.0)
# Differences from a nat to more than float32 holds.
_HUGE = (
    [0.0, 100.0, 101.0],
    [1000.0, -1000.0, 999.0],
    [-3e38, 3e38, 0.0],
    [-1e30, -3e38, -1e37],
    [2e4, 2e4, -np.inf],
)
_NUM_HUGE_DRAWS = 1 << 12
_TEMPERATURES = (0.5, 2.0, 0.05, 10.0)
_PROBS = [0.6, 0.3, 0.1]
_LOOK_LIKE_PROBS = ([0.25, 0.125, 0.625], [1.0, 2.0, 4.0])


def _study(
    name: str,
    logits: np.ndarray,
    num_draws: int = _NUM_DRAWS,
    faults: dict[str, np.ndarray] | None = None,
) -> Study:
    bets = [CellBets(name, law(logits), faults=faults)]
    return Study((logits,), num_draws, bets)


def _offsets(sampler: Sampler, trial: Trial) -> Finding:
    logits = np.array(_LOGITS, np.float32)
    studies = [
        _study(f"logits plus {offset:g}", logits + np.float32(offset))
        for offset in _OFFSETS
    ]
    return follow(sampler, trial, studies, "an offset of all logits changes nothing")


def _huge(sampler: Sampler, trial: Trial) -> Finding:
    studies = []
    for values in _HUGE:
        logits = np.array(values, np.float32)
        name = "logits " + ", ".join(f"{value:g}" for value in values)
        studies.append(_study(name, logits, _NUM_HUGE_DRAWS))
    return follow(sampler, trial, studies, "logits up to 3e38 have their law")


def _temperature(sampler: Sampler, trial: Trial) -> Finding:
    logits = np.array(_LOGITS, np.float32)
    studies = []
    for temperature in _TEMPERATURES:
        faults = {
            "it divided twice": law(logits, temperature**2),
            "it was not there": law(logits),
            "it multiplied": law(logits, 1 / temperature),
        }
        bet = CellBets(
            f"temperature {temperature:g}", law(logits, temperature), faults=faults
        )
        options = {"temperature": temperature}
        studies.append(Study((logits,), _NUM_DRAWS, [bet], options))
    passed = "the temperature divides the logits once"
    return follow(sampler, trial, studies, passed)


def _log_probabilities(sampler: Sampler, trial: Trial) -> Finding:
    probs = np.array(_PROBS)
    faults = {"probabilities stood for their logarithms": law(probs)}
    studies = [
        _study("log-probabilities", np.log(probs).astype(np.float32), faults=faults)
    ]
    for values in _LOOK_LIKE_PROBS:
        logits = np.array(values, np.float32)
        shares = {"the logits were probabilities": logits.astype(float) / sum(values)}
        name = "logits " + ", ".join(f"{value:g}" for value in values)
        studies.append(_study(name, logits, faults=shares))
    passed = "logits are logarithms, whatever they look like"
    return follow(sampler, trial, studies, passed)


SCALES = (
    Check(
        name="log-probabilities",
        kind="categorical",
        fault="Gumbel noise is added to probabilities in place of their logarithms.",
        power=0.99,
        run=_log_probabilities,
    ),
    Check(
        name="temperature",
        kind="categorical",
        fault="The temperature divides the logits twice.",
        power=0.99,
        run=_temperature,
        needs=("temperature",),
    ),
    Check(
        name="common offsets",
        kind="categorical",
        fault="Probabilities are exponentials of logits whose maximum is not subtracted.",
        power=0.99,
        run=_offsets,
    ),
    Check(
        name="huge logits",
        kind="categorical",
        fault="Logits are clamped at 100.",
        power=0.99,
        run=_huge,
    ),
)
