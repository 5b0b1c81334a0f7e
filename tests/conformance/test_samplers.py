"""How a sampler is asked: what it announces, its seeds, its calls."""

import sys
from itertools import islice

import numpy as np
import pytest

from gumbel_tutorial.conformance.evidence import CellBets
from gumbel_tutorial.conformance.outside import Program, write_requests
from gumbel_tutorial.conformance.records import Unsupported
from gumbel_tutorial.conformance.samplers import Request, Sampler
from gumbel_tutorial.conformance.studies import Study, follow
from gumbel_tutorial.conformance.trials import Trial

LOGITS = np.zeros(2, np.float32)


def first(logits, num_draws, seed):
    return np.zeros((num_draws, *logits.shape[:-1]), int)


def test_the_signature_announces_keywords():
    def sample(logits, num_draws, seed, *, temperature=1.0, **others):
        return first(logits, num_draws, seed)

    sampler = Sampler(sample, "categorical")
    assert sampler.announces("temperature")
    assert not sampler.announces("top_k")
    assert not sampler.announces("others")


def test_a_function_without_a_signature_announces_nothing():
    assert not Sampler(min, "categorical").announces("key")


def test_a_promise_is_an_attribute_that_is_true():
    def sample(logits, num_draws, seed):
        return first(logits, num_draws, seed)

    assert not Sampler(sample, "categorical").promises("batch_invariant")
    sample.batch_invariant = True
    assert Sampler(sample, "categorical").promises("batch_invariant")


def test_draws_are_counted_and_requests_answered_in_their_order():
    def number(logits, num_draws, seed):
        return np.full(num_draws, seed)

    sampler = Sampler(number, "categorical")
    requests = [Request((np.zeros(9, np.float32),), 4, seed) for seed in (3, 1, 2)]
    assert [draws[0] for draws in sampler.each(requests)] == [3, 1, 2]
    assert sampler.draws == 12


def test_what_is_not_implemented_is_unsupported():
    def shy(logits, num_draws, seed):
        raise NotImplementedError

    with pytest.raises(Unsupported, match="it says so"):
        Sampler(shy, "categorical").draw(LOGITS, num_draws=1, seed=0)


def test_checks_have_seeds_of_their_own_which_fit_32_bits():
    some = [list(islice(Trial(name, 0, 1e-6).seeds(), 100)) for name in ("a", "b")]
    assert not set(some[0]) & set(some[1])
    assert some[0] == list(range(some[0][0], some[0][0] + 100))
    assert max(max(each) for each in some) < 2**31


def seen(study, effort=1.0):
    """Return the calls of a study, with the numbers of draws."""
    trial = Trial("any", 0, 1e-6, effort)
    return [each.num_draws for each in study.requests(trial, trial.seeds())]


def test_the_draws_of_a_study_fit_its_calls():
    wide = np.zeros((4, 1 << 20), np.float32)
    assert seen(Study((wide,), 3, [])) == [1, 1, 1]
    assert seen(Study((LOGITS,), 1000, [])) == [1000]
    assert seen(Study((LOGITS,), 1000, []), effort=0.1) == [100]
    assert seen(Study((LOGITS,), 100, [], per_call=30)) == [30, 30, 30]
    pairs = Study((LOGITS,), 100, [], per_call=10, calls_together=4)
    assert seen(pairs) == [10] * 8
    assert seen(pairs, effort=0.001) == [10] * 4


def test_clear_evidence_ends_the_draws():
    bets = [CellBets("even", np.array([0.5, 0.5]))]
    study = Study((LOGITS,), 10_000, bets, per_call=100)
    finding = follow(Sampler(first, "categorical"), Trial("any", 0, 1e-6), [study], "")
    assert finding.verdict == "failed"
    assert finding.draws == 100
    assert finding.p_value < 1e-6


def test_a_sampler_that_is_clearly_sound_is_asked_no_more():
    bet = CellBets("sure", np.array([1.0, 0.0]))
    study = Study(
        *((LOGITS,), 10_000, [bet]),
        per_call=100,
        is_clear=lambda: bet.counts.sum() >= 300,
    )
    finding = follow(
        Sampler(first, "categorical"), Trial("any", 0, 1e-6), [study], "well"
    )
    assert (finding.verdict, finding.sentence, finding.draws) == ("passed", "well", 300)


def test_arrays_of_several_calls_are_written_once(tmp_path):
    mask = np.array([True, False])
    asked = [Request((LOGITS,), 1, seed, {"mask": mask}) for seed in (0, 1)]
    write_requests(asked, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("logits-0.npy", "logits-1.npy", "requests.json")
    ]


def test_a_program_that_takes_too_long_is_given_up():
    command = f"{sys.executable} -c 'import time; time.sleep(60)' {{input}} {{output}}"
    program = Program(command, seconds=0.01)
    with pytest.raises(RuntimeError, match="took over 0.01 s"):
        next(program.answer([Request((LOGITS,), 1, 0)]))
