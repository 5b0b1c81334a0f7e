"""Bets are fair under the law: their mean is 1, summed over every outcome; and they win where it is wrong."""

import math
from itertools import product

import numpy as np
import pytest
from scipy.stats import binom

from gumbel_tutorial.conformance.evidence import (
    CellBets,
    Collected,
    Evidence,
    RepeatBets,
    TransitionBets,
    log_dirichlet,
)

LAW = np.array([0.5, 0.3, 0.2])
UNIFORM = np.full(3, 1 / 3)


def cell_bets():
    return CellBets("cells", LAW, faults={"it was even": UNIFORM, "one": np.eye(3)[0]})


def coarse_bets():
    return CellBets(
        "cells", np.array([0.8, 0.2]), cells=np.array([0, 0, 1]).__getitem__
    )


def transition_bets():
    return TransitionBets("steps", LAW, 0, 1)


def row_bets():
    return TransitionBets("steps", LAW, 1, 1)


def repeat_bets():
    return RepeatBets("repeats", 3, lambda draws: draws)


def residue_bets():
    # Of four values and their residues modulo two.
    return RepeatBets("residues", 2, lambda draws: draws.reshape(1, -1))


def collected_bets():
    return Collected(RepeatBets("repeats", 3, lambda draws: draws.T), 2)


@pytest.mark.parametrize(
    ("make", "probs", "shape", "num_calls"),
    [
        (cell_bets, LAW, (2,), 3),
        (coarse_bets, LAW, (2,), 3),
        (transition_bets, LAW, (3,), 2),
        (row_bets, LAW, (2, 3), 1),
        (repeat_bets, UNIFORM, (2, 3), 1),
        (repeat_bets, UNIFORM, (1, 3), 2),
        (residue_bets, np.full(4, 0.25), (2, 2), 1),
        (collected_bets, UNIFORM, (2,), 3),
    ],
)
def test_the_mean_of_a_bet_is_one_over_all_outcomes(make, probs, shape, num_calls):
    size, total = math.prod(shape), 0.0
    for outcome in product(range(len(probs)), repeat=size * num_calls):
        bet = make()
        for call in np.array(outcome).reshape(num_calls, *shape):
            bet.update(call)
        total += math.exp(bet.log_value) * math.prod(probs[list(outcome)])
    # The logarithm of the largest gamma function, 10^7, is rounded to 10^-9.
    assert total == pytest.approx(1.0, abs=1e-8)


def test_a_bet_is_one_before_the_first_draw():
    for make in (cell_bets, transition_bets, repeat_bets, collected_bets):
        assert make().log_value == pytest.approx(0.0, abs=1e-12)


def test_the_dirichlet_law_is_the_product_of_its_predictions():
    weights, draws = np.array([0.5, 2.0, 1.0]), [0, 2, 2, 1, 2]
    seen, expected = np.zeros(3), 0.0
    for draw in draws:
        ahead = (weights + seen) / (weights + seen).sum()
        expected += math.log(ahead[draw])
        seen[draw] += 1
    assert log_dirichlet(seen, weights) == pytest.approx(expected, abs=1e-12)
    # Cells that never came up may be left out.
    came = log_dirichlet(seen[[0, 2]], weights[[0, 2]], weights.sum())
    other = log_dirichlet(np.array([4.0]), np.array([3.5]))
    assert other == pytest.approx(0.0, abs=1e-12)
    assert came == pytest.approx(
        log_dirichlet(np.array([1.0, 0.0, 3.0]), weights), abs=1e-12
    )


def test_a_fault_is_ruled_out_by_mistake_as_seldom_as_stated():
    fault, miss, cleared, runs = np.array([0.6, 0.4]), 0.1, 0, 200
    generator = np.random.default_rng(0)
    for _ in range(runs):
        bet = CellBets("cells", np.array([0.5, 0.5]), faults={"it was": fault})
        draws = generator.choice(2, (20, 10), p=fault)
        cleared += any(bet.update(some) or bet.clears(miss) for some in draws)
    # So many, at that rate, come with a probability below 1e-6; and some do come.
    assert binom.sf(cleared - 1, runs, miss) > 1e-6
    assert cleared > 0
    sound = CellBets("cells", np.array([0.5, 0.5]), faults={"it was": fault})
    assert not sound.clears(miss)
    sound.update(generator.choice(2, 2000))
    assert sound.clears(miss)


def test_what_the_law_excludes_decides_at_once():
    bet = CellBets("masked", np.array([1.0, 0.0]))
    bet.update(np.array([0, 0, 1]))
    assert bet.log_value == math.inf
    assert bet.sentence() == "masked: category 1 came up once in 3, expected 0"
    assert Evidence([bet, cell_bets()]).look([bet]) == 0.0


def test_one_draw_of_hardly_any_mass_is_enough():
    bet = CellBets("tail", np.array([1.0, 1e-20]))
    bet.update(np.array([0] * 1000 + [1]))
    assert Evidence([bet]).look([bet]) < 1e-12


def test_the_p_value_is_that_of_the_best_look():
    bet = CellBets("cells", LAW)
    evidence = Evidence([bet])
    bet.update(np.full(50, 2))
    least = evidence.look([bet])
    assert least < 1e-10
    bet.update(np.random.default_rng(0).choice(3, 5000, p=LAW))
    assert bet.log_value < -math.log(least)
    assert evidence.look([bet]) == least


def test_evidence_is_the_average_of_its_bets():
    bets = [CellBets("cells", LAW), CellBets("other cells", LAW)]
    bets[1].update(np.full(50, 2))
    evidence = Evidence(bets)
    assert -math.log(evidence.look(bets[1:])) == pytest.approx(
        math.log((1 + math.exp(bets[1].log_value)) / 2), rel=1e-12
    )
    assert evidence.sentence().startswith("other cells")


def test_the_sentence_names_the_cell_and_the_fault():
    bet = cell_bets()
    bet.update(np.arange(3000) % 3)
    assert bet.sentence() == (
        "cells: category 2 came up 1,000 times in 3,000, expected 600, as if it was even"
    )
    other = CellBets("cells", LAW, labels=["one", "two", "three"])
    other.update(np.zeros(10, int))
    assert other.sentence() == "cells: one came up 10 times in 10, expected 5"


def test_the_sentences_of_dependence_count():
    steps = TransitionBets("steps", np.array([0.5, 0.5]), 0, 1)
    steps.update(np.array([0, 1] * 50))
    assert "after 0, 0 came up 0 times in 50, expected 25" in steps.sentence()
    repeats = RepeatBets("rows", 100, lambda draws: draws)
    repeats.update(np.array([[5, 7, 5, 5], [1, 2, 3, 4]]))
    assert repeats.sentence() == (
        "rows: 3 pairs of 8 draws are the same, expected 0.12"
    )


def test_steps_along_an_axis_are_counted_in_their_order():
    steps = TransitionBets("steps", LAW, 1, 2)
    steps.update(np.array([[0, 1, 2, 0]]))
    expected = np.zeros((3, 3), int)
    expected[0, 2] = expected[1, 0] = 1
    np.testing.assert_array_equal(steps.counts, expected)
