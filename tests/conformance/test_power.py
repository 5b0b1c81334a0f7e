"""Each check of categorical samplers catches the fault that it names, as often as it states."""

import pytest
from helpers import samplers
from scipy.stats import binom

from gumbel_tutorial.conformance.records import Violation
from gumbel_tutorial.conformance.samplers import Sampler
from gumbel_tutorial.conformance.suites import SUITES
from gumbel_tutorial.conformance.trials import Trial

CHECKS = {check.name: check for check in SUITES["categorical"]}
FAULTY = {
    "small laws": samplers.sometimes_uniform,
    "long-tailed laws": samplers.same_noise_in_tiles,
    "log-probabilities": samplers.of_probabilities,
    "temperature": samplers.temperature_twice,
    "common offsets": samplers.no_maximum_subtracted,
    "huge logits": samplers.clamped,
    "equal logits": samplers.bfloat16_maxima,
    "logits in float16": samplers.adds_in_half,
    "logits in bfloat16": samplers.adds_in_half,
    "masked categories": samplers.rounds_to_one,
    "categories without mass": samplers.rounds_to_one,
    "a single open category": samplers.zero_is_first,
    "far tail": samplers.noise_of_24_bits,
    "batches of rows": samplers.reads_first_row,
    "lengths of rows": samplers.full_vectors_only,
    "batch invariance": samplers.no_invariance,
    "independence of rows": samplers.rows_repeat,
    "independence of draws": samplers.draws_repeat,
    "independence of seeds": samplers.seeds_overlap,
    "independence of tiles": samplers.tile_seeds_collide,
    "the same seed repeats": samplers.global_state(),
    "other seeds differ": samplers.short_seed,
}
# The share of a check in a report of thirty.
FALSE_ALARM = 1e-6 / 30


def caught(check, function, seed, false_alarm=FALSE_ALARM):
    """Tell whether a check fails a sampler."""
    trial = Trial(check.name, seed, false_alarm)
    try:
        finding = check.run(Sampler(function, check.kind), trial)
    except Violation:
        return True
    return finding.verdict == "failed"


@pytest.mark.parametrize("name", FAULTY)
def test_the_fault_that_a_check_names_is_caught(name):
    assert caught(CHECKS[name], FAULTY[name], seed=0)


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("batches of rows", samplers.one_draw_is_greedy),
        ("batches of rows", samplers.rows_in_16_bits),
        ("temperature", samplers.changes_its_logits),
    ],
)
def test_other_faults_are_caught_too(name, function):
    assert caught(CHECKS[name], function, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTY)
def test_a_check_has_the_power_that_it_states(name):
    check, runs = CHECKS[name], 20
    found = sum(caught(check, FAULTY[name], seed) for seed in range(1, runs + 1))
    # A check of the stated power finds so few with a probability below 1e-6.
    assert binom.cdf(found, runs, check.power) > 1e-6
    # And of a check of half that power, found by chance as often: at most one in a thousand.
    assert binom.sf(found - 1, runs, check.power / 2) < 1e-3
