"""Sampling without replacement and its weights, against enumeration."""

from itertools import combinations, permutations

import numpy as np
import pytest
import torch
from helpers.estimators import FAILURE_RATE, seeded

from gumbel_tutorial import gumbel_max
from gumbel_tutorial.book import statistics
from gumbel_tutorial.estimators.without_replacement import (
    leave_one_out,
    sample_without_replacement,
)

LOGITS = torch.tensor([1.0, 0.3, -0.3, -1.0, -2.0], dtype=torch.float64)
PEAKED = torch.tensor([40.0, 5.0, 0.0, -5.0, -40.0], dtype=torch.float64)


def set_log_prob(logits, members):
    orders = torch.tensor(list(permutations(members)))
    return gumbel_max.top_k_log_prob(logits, orders).logsumexp(0)


def log_left(logits, members):
    rest = [i for i in range(len(logits)) if i not in members]
    return logits.log_softmax(-1)[rest].logsumexp(0)


@pytest.mark.parametrize("logits", [LOGITS, PEAKED], ids=["even", "peaked"])
@pytest.mark.parametrize("size", [2, 3, 5])
def test_the_estimate_summed_over_all_sets_is_exact(logits, size):
    log_probs = logits.log_softmax(-1)
    values = torch.tensor([1.0, -2.0, 0.5, 3.0, -1.0], dtype=torch.float64)
    total, gradient = torch.tensor(0.0), torch.zeros(5, dtype=torch.float64)
    for members in combinations(range(5), size):
        joint = log_probs[list(members)]
        first, second = leave_one_out(joint, log_left(logits, members))
        weight = (set_log_prob(logits, members) + joint + first).exp()
        baseline = ((joint + second).exp() * values[list(members)]).sum(1)
        scores = torch.eye(5)[list(members)] - logits.softmax(-1)
        total = total + weight @ values[list(members)]
        gradient = (
            gradient + (weight * (values[list(members)] - baseline)) @ scores.double()
        )
    probs = logits.softmax(-1)
    torch.testing.assert_close(total, probs @ values)
    torch.testing.assert_close(
        gradient, probs * (values - probs @ values), rtol=1e-9, atol=1e-12
    )


def test_the_ratios_are_safe_when_one_state_has_nearly_all_the_mass():
    joint = torch.tensor([0.0, -80.0, -200.0])  # float32: 1 - p would be 0
    first, second = leave_one_out(joint, torch.tensor(-300.0))
    assert first.isfinite().all()
    assert second.isfinite().all()
    assert abs((joint[0] + first[0]).exp() - 1) < 1e-6


def test_sets_come_up_as_often_as_they_should():
    logits = torch.stack([LOGITS[:2], LOGITS[2:4]])  # two bits, four joint states
    index, left = sample_without_replacement(logits.expand(100_000, 2, 2), 2, seeded())
    joint = (logits[0, :, None] + logits[1]).flatten().log_softmax(-1)
    states = (2 * index[..., 0] + index[..., 1]).sort(0).values
    sets = list(combinations(range(4), 2))
    counts = [((states[0] == a) & (states[1] == b)).sum().item() for a, b in sets]
    law = np.array([set_log_prob(joint, pair).exp().item() for pair in sets])
    assert sum(counts) == 100_000
    assert statistics.chi_square_p_value(counts, law) > FAILURE_RATE
    proportional = np.array([joint[list(pair)].exp().prod().item() for pair in sets])
    wrong = proportional / proportional.sum()
    assert statistics.chi_square_p_value(counts, wrong) < FAILURE_RATE
    expected = torch.stack([log_left(joint, pair) for pair in sets])
    where = torch.tensor([sets.index((a.item(), b.item())) for a, b in states.T[:100]])
    torch.testing.assert_close(left[:100], expected[where])


def test_the_first_draw_is_categorical():
    index, _ = sample_without_replacement(LOGITS.expand(100_000, 1, 5), 3, seeded())
    counts = np.bincount(index[0, :, 0], minlength=5)
    probs = LOGITS.softmax(-1).numpy()
    assert statistics.chi_square_p_value(counts, probs) > FAILURE_RATE


def test_many_variables_need_no_enumeration():
    index, left = sample_without_replacement(torch.zeros(3, 40, 10), 4, seeded())
    assert index.shape == (4, 3, 40)
    assert left.shape == (3,)
    assert len({tuple(row) for row in index[:, 0].tolist()}) == 4
