"""Reports, their false-alarm rate, and the helper for tests."""

import json

import numpy as np
import pytest

from gumbel_tutorial import conformance
from gumbel_tutorial.conformance import adapters, suites


def gumbel_max(logits, num_draws, seed):
    noise = np.random.default_rng(seed).gumbel(size=(num_draws, *logits.shape))
    return np.argmax(logits + noise, axis=-1)


def squared(logits, num_draws, seed):
    return gumbel_max(2 * logits, num_draws, seed)


def test_the_documentation_lists_every_check_with_its_fault():
    for checks in suites.SUITES.values():
        for each in checks:
            line = next(x for x in suites.__doc__.splitlines() if f"* {each.name}" in x)
            assert each.fault in suites.__doc__
            assert all(option in line for option in each.needs)


def test_a_report_is_a_table_and_json():
    report = conformance.check(gumbel_max, only=["small laws"], effort=0.1)
    assert report.passed
    assert "small laws                passed" in str(report)
    told = json.loads(report.to_json())
    assert told["passed"] is True
    assert told["checks"][0]["draws"] > 0
    assert told["versions"]["numpy"] == np.__version__
    assert told["false_alarm"] <= 1e-6


def test_the_rate_of_false_alarms_is_shared_by_the_checks_that_are_made():
    checks = ["small laws", "temperature", "huge logits"]
    report = conformance.check(gumbel_max, only=checks, effort=0.01)
    verdicts = [line.finding.verdict for line in report.lines]
    assert verdicts == ["passed", "not checked", "passed"]
    assert [line.false_alarm for line in report.lines] == [5e-7, 0.0, 5e-7]
    assert "the sampler takes no temperature" in str(report)


def test_lines_are_told_as_they_are_made():
    told = []
    checks = ["huge logits", "small laws"]
    report = conformance.check(gumbel_max, only=checks, effort=0.01, tell=told.append)
    assert told == list(report.lines)
    assert [line.check.name for line in told] == checks


def test_a_wrong_sampler_fails_by_name():
    with pytest.raises(AssertionError, match=r"squared[\s\S]*small laws +failed"):
        conformance.assert_samples(squared, only=["small laws"])


@pytest.mark.parametrize("name", adapters.names())
def test_adapters_are_found_by_their_names(name):
    assert callable(adapters.by_name(name).load())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "nothing"}, "kind must be one of categorical"),
        ({"only": ["nothing"]}, "only must name checks of categorical: small laws"),
        ({"effort": 0.0}, "effort must be positive, got 0.0"),
        ({"seed": -1}, "seed must not be negative, got -1"),
    ],
)
def test_misuse_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        conformance.check(gumbel_max, **options)


def test_what_can_not_be_called_is_refused():
    with pytest.raises(TypeError, match="sampler must be a function, got int"):
        conformance.check(3)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (lambda shape: np.zeros(shape), "its draws must be integers, got float64"),
        (lambda shape: np.zeros((*shape, 1), int), "its draws must have shape"),
        (lambda shape: np.full(shape, 99), "it drew 99, of categories 0 to 1"),
        (lambda _: 1 // 0, "it raised ZeroDivisionError"),
        (lambda _: [[0], [0, 1]], "it raised ValueError"),
    ],
)
def test_what_no_sampler_may_return_is_a_failure(answer, sentence):
    def broken(logits, num_draws, seed):
        return answer((num_draws, *logits.shape[:-1]))

    report = conformance.check(broken, only=["small laws"])
    assert report.lines[0].finding.verdict == "failed"
    assert sentence in report.lines[0].finding.sentence


def test_logits_that_are_changed_are_a_failure():
    def in_place(logits, num_draws, seed):
        logits -= logits.max()
        return gumbel_max(logits, num_draws, seed)

    report = conformance.check(in_place, only=["small laws"])
    assert "it changed the logits that it was given" in str(report)
    assert not report.passed


def test_what_a_sampler_does_not_offer_is_not_checked():
    def shy(logits, num_draws, seed):
        raise NotImplementedError("no such logits")

    report = conformance.check(shy, only=["small laws"])
    assert not report.passed
    assert report.lines[0].finding.verdict == "not checked"
    with pytest.raises(AssertionError, match="1 not checked"):
        conformance.assert_samples(shy, only=["small laws"])
