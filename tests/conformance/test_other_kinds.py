"""Masks, samples without replacement, relaxed samples and speculative decoding: what the checks see."""

from itertools import permutations

import numpy as np
import pytest
from helpers import faults, planted
from scipy import stats

from gumbel_tutorial import conformance
from gumbel_tutorial.conformance.records import Violation
from gumbel_tutorial.conformance.samplers import Sampler
from gumbel_tutorial.conformance.suites import SUITES, relaxed, without_replacement
from gumbel_tutorial.conformance.trials import Trial

FAILURE_RATE = 1e-6
CHECKS = {(kind, check.name): check for kind in SUITES for check in SUITES[kind]}
# Of a power of 0.9 so many seeds without a miss have a probability below 0.006.
NUM_SEEDS = 50
SOUND = {
    "without_replacement": faults.largest_first,
    "relaxed": faults.relaxed,
    "speculative": planted.fresh_residual_noise,
}


def catches(check, function, seed):
    """Tell whether a check fails a sampler at the rate that it has in a full report."""
    share = conformance.FALSE_ALARM / len(SUITES[check.kind])
    try:
        found = check.run(Sampler(function, check.kind), Trial(check.name, seed, share))
    except Violation:
        return True
    return found.verdict == "failed"


@pytest.mark.parametrize("key", faults.FAULTS, ids=" ".join)
def test_a_check_catches_the_fault_that_it_names(key):
    assert catches(CHECKS[key], faults.FAULTS[key], seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("key", faults.FAULTS, ids=" ".join)
def test_a_check_has_its_power(key):
    assert all(
        catches(CHECKS[key], faults.FAULTS[key], 1 + seed) for seed in range(NUM_SEEDS)
    )


@pytest.mark.parametrize("kind", SOUND)
def test_a_sound_sampler_passes_all_checks_of_its_kind(kind):
    """Fails with a probability of 1e-6 for sound code, by the bound of the report."""
    report = conformance.check(SOUND[kind], kind, seed=1)
    assert report.passed, str(report)
    assert report.false_alarm <= conformance.FALSE_ALARM * (1 + 1e-9)


def test_keeping_every_draft_of_equal_laws_never_tells_against_a_sampler():
    logits = np.array([0.5, -1.0, 0.0], np.float32)
    bet = CHECKS["speculative", "acceptance"].run.keywords["bet"](logits, logits)
    for _ in range(16):  # as many as at effort 128
        bet.update(np.zeros((1 << 20, 2), int))
        assert bet.log_value <= 0


def test_every_check_of_these_kinds_has_a_fault():
    assert {key for key in CHECKS if key[0] in SOUND} <= set(faults.FAULTS)


def test_probabilities_of_orders_are_those_of_successive_draws():
    logits = np.array([0.4, -np.inf, -0.7, 1.1], np.float32)
    weights = np.exp(logits.astype(float))
    probs = without_replacement.order_probs(logits, 2).reshape(4, 4)
    total = weights.sum()
    for first, second in permutations(range(4), 2):
        expected = weights[first] / total * weights[second] / (total - weights[first])
        np.testing.assert_allclose(probs[first, second], expected, rtol=1e-12)
    assert not probs.diagonal().any()
    np.testing.assert_allclose(probs.sum(), 1, rtol=1e-12)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_cells_of_the_simplex_have_equal_mass(temperature):
    logits = np.array([0.8, -0.6, 0.1])
    rng = np.random.default_rng(20170424)
    values = (logits + rng.gumbel(size=(200_000, 3))) / temperature
    # By its logarithm, since in float64 too an entry near 1 has lost the others.
    sample = np.exp(values - np.logaddexp.reduce(values, -1, keepdims=True))
    cells = relaxed.simplex_cells(logits, temperature, sample)
    counts = np.bincount(cells, minlength=relaxed.NUM_CELLS**2)
    assert len(counts) == relaxed.NUM_CELLS**2
    assert stats.chisquare(counts).pvalue > FAILURE_RATE
    wrong = relaxed.simplex_cells(logits, 1.05 * temperature, sample)
    assert stats.chisquare(np.bincount(wrong)).pvalue < FAILURE_RATE


@pytest.mark.parametrize(
    ("kind", "answer", "sentence"),
    [
        ("without_replacement", lambda n: np.zeros((n, 3), int), "a category twice"),
        ("without_replacement", lambda n: np.zeros((n, 2), int), "must have shape"),
        ("relaxed", lambda n: np.zeros((n, 5), int), "must be floats, got int64"),
        ("relaxed", lambda n: np.zeros((n, 4)), "must have shape"),
        (
            "relaxed",
            lambda n: np.full((n, 5), 0.3),
            "the sum of a row misses 1 by 5.0e-01",
        ),
        ("relaxed", lambda n: np.full((n, 5), -0.2), "drew an entry -0.2"),
        ("speculative", lambda n: np.zeros(n, int), "the drafted and the emitted"),
        ("speculative", lambda n: (np.zeros(n, int),) * 3, "the drafted and the emit"),
    ],
)
def test_what_no_sampler_of_a_kind_may_return_is_a_failure(kind, answer, sentence):
    arguments = {
        "without_replacement": lambda logits, count, num_draws, seed: answer(num_draws),
        "relaxed": lambda logits, num_draws, seed, temperature: answer(num_draws),
        "speculative": lambda draft, target, num_draws, seed: answer(num_draws),
    }
    first = SUITES[kind][0].name
    (line,) = conformance.check(arguments[kind], kind, only=[first]).lines
    assert line.finding.verdict == "failed"
    assert sentence in line.finding.sentence


def test_a_sampler_without_a_soft_form_is_checked_for_its_hard_one_alone():
    def one_hot(logits, num_draws, seed, temperature, *, hard=True):
        if not hard:
            raise NotImplementedError("no soft form")
        index = faults.relaxed(logits, num_draws, seed, temperature).argmax(-1)
        return np.eye(len(logits))[index]

    report = conformance.check(one_hot, "relaxed")
    verdicts = {line.check.name: line.finding.verdict for line in report.lines}
    assert verdicts.pop("straight-through") == "passed"
    assert set(verdicts.values()) == {"not checked"}
