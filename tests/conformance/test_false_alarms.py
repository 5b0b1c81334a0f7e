"""Sound samplers pass: at a rate of false alarms high enough to be seen, and with all of a report's draws."""

import pytest
from helpers import samplers
from scipy.stats import binom

from gumbel_tutorial import conformance
from gumbel_tutorial.conformance.samplers import Sampler
from gumbel_tutorial.conformance.suites import SUITES
from gumbel_tutorial.conformance.trials import Trial

CHECKS = {check.name: check for check in SUITES["categorical"]}
CHEAP = [
    *("small laws", "log-probabilities", "temperature", "common offsets"),
    *("huge logits", "logits in bfloat16", "lengths of rows"),
    *("independence of rows", "independence of draws"),
]
RATE, RUNS = 0.05, 60


@pytest.mark.parametrize("name", CHEAP)
def test_no_more_sound_samplers_fail_than_the_rate_says(name):
    check, sampler = CHECKS[name], Sampler(samplers.gumbel_max, "categorical")
    trials = [Trial(name, seed, RATE, effort=1 / 64) for seed in range(RUNS)]
    failed = sum(check.run(sampler, trial).verdict == "failed" for trial in trials)
    # So many, at that rate, come with a probability below 1e-6; a sampler that fails always has all.
    assert binom.sf(failed - 1, RUNS, RATE) > 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("sample", [samplers.gumbel_max, samplers.inverse_cdf])
def test_a_sound_sampler_passes_the_whole_report(sample):
    report = conformance.check(sample)
    assert report.passed, report
    assert report.false_alarm <= conformance.FALSE_ALARM


@pytest.mark.slow
def test_a_promise_that_is_kept_passes():
    report = conformance.check(samplers.by_row, only=["batch invariance"])
    assert report.passed, report
